"""Builders for the domain's values, with defaults that are valid and mild."""

from pathlib import Path
from typing import Any

from domain.hazard import DeviceFlags, HazardEvaluation
from domain.policy import Policy, parse_policy

ROOT = Path(__file__).resolve().parents[2]
POLICY_IDS = ("us-fda", "eu-mdr", "cn-nmpa", "ca-hc", "au-tga", "gb-mhra")


def policy_text(policy_id: str) -> str:
    return (ROOT / "policies" / f"{policy_id}.yaml").read_text(encoding="utf-8")


def load_policy(policy_id: str) -> Policy:
    return parse_policy(policy_text(policy_id))


def evaluation(**changes: Any) -> HazardEvaluation:
    """A harmless, unlikely case; `changes` name the factor's field, for example `deaths=1`."""
    values: dict[str, Any] = {
        "deaths": 0,
        "serious_injuries": 0,
        "other_injuries": 0,
        "malfunction_in_use": False,
        "unanticipated": False,
        "aggravating": False,
        "groups": ("general",),
        "seriousness": "none",
        "likelihood": "unlikely",
        "immediate": "none",
        "long_range": "none",
        "detectability": "obvious",
        "public_threat": False,
    } | changes
    why = "as assessed"
    injuries = ("deaths", "serious_injuries", "other_injuries", "malfunction_in_use", "unanticipated")
    return HazardEvaluation.model_validate(
        {
            "occurred": {"rationale": why, **{name: values[name] for name in injuries}},
            "existing_conditions": {"rationale": why, "aggravating": values["aggravating"]},
            "population": {"rationale": why, "groups": values["groups"]},
            "seriousness": {"rationale": why, "degree": values["seriousness"]},
            "likelihood": {"rationale": why, "degree": values["likelihood"]},
            "consequences": {
                "rationale": why,
                "immediate": values["immediate"],
                "long_range": values["long_range"],
            },
            "detectability": {"rationale": why, "degree": values["detectability"]},
            "serious_public_health_threat": values["public_threat"],
        }
    )


def flags(**changes: Any) -> DeviceFlags:
    return DeviceFlags(**changes)
