"""The decision tables against real FDA recalls: nothing of class I as III, hardly any overlooked, few false alarms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.levels import CASES, DATA, Judged, Share, form, judge, report, shares, true_classes, wilson
from domain.hazard import DeviceFlags
from domain.levels import RecallClass
from domain.policy import Policy, parse_policy

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
POLICIES = ("us-fda", "cn-nmpa", "eu-mdr", "ca-hc", "au-tga", "gb-mhra")


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def classes() -> Mapping[str, RecallClass]:
    if not DATA.exists():
        pytest.skip(f"FDA's classes are not here: {DATA.name} of the shared data is missing")
    return true_classes(DATA)


def _policy(policy_id: str) -> Policy:
    return parse_policy((ROOT / "policies" / f"{policy_id}.yaml").read_text(encoding="utf-8"))


def test_the_cases_are_forms_of_distinct_recalls(cases: list[dict[str, Any]]) -> None:
    names = [case["case"] for case in cases]
    assert len(names) == len(set(names)) == 164
    for case in cases:
        evaluation, flags = form(case)
        assert evaluation.present_setting is not None
        assert isinstance(flags, DeviceFlags)


@pytest.mark.parametrize("policy_id", POLICIES)
def test_real_device_notices_of_class_one_are_proposed_so_or_raised(
    policy_id: str, cases: list[dict[str, Any]], classes: Mapping[str, RecallClass]
) -> None:
    devices = [case for case in cases if not case["case"].startswith("D-")]
    judged = judge(_policy(policy_id), devices, classes)
    none_third, first_or_raised, *_ = shares(judged)
    assert none_third.of == 41
    assert none_third.kept, report(judged)
    assert first_or_raised.kept, report(judged)


@pytest.mark.parametrize("policy_id", POLICIES)
def test_real_recalls_of_class_two_and_three_are_seldom_proposed_first_or_raised(
    policy_id: str, cases: list[dict[str, Any]], classes: Mapping[str, RecallClass]
) -> None:
    judged = judge(_policy(policy_id), cases, classes)
    *_, proposed_first, raised = shares(judged)
    assert proposed_first.of == 106
    assert proposed_first.kept, report(judged)
    assert raised.kept, report(judged)


def test_the_report_counts_what_the_shares_count(
    cases: list[dict[str, Any]], classes: Mapping[str, RecallClass]
) -> None:
    judged = judge(_policy("us-fda"), cases, classes)
    text = report(judged)
    for share in shares(judged):
        assert f"{share.hits:>3} of {share.of}" in text
    assert len(judged) == 163  # one notice of the folder is no class I recall


def test_a_limit_that_is_missed_is_called_so() -> None:
    assert Share("x", 1, 10, at_most=0.05).kept is False
    assert Share("x", 0, 0).kept is False
    assert Share("x", 19, 20, at_least=0.95).kept is True
    low, high = wilson(19, 20)
    assert (round(low, 3), round(high, 3)) == (0.764, 0.991)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_case_counts_as_raised_when_the_proposal_asks_something(cases: list[dict[str, Any]]) -> None:
    policy = _policy("us-fda")
    asked = next(case for case in cases if case["seriousness"] == "serious" and case["likelihood"] == "unlikely")
    plain = next(case for case in cases if case["seriousness"] == "minor_reversible")
    assert Judged("a", RecallClass.I, policy.propose(*form({**asked, "defect": "shown"}))).raised
    assert not Judged("b", RecallClass.III, policy.propose(*form(plain))).raised
