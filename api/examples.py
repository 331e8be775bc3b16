"""Request examples of the OpenAPI document, in the terms of the sample data."""

from typing import Any

from fastapi import Body

RECALL_START: Any = Body(
    openapi_examples={
        "lots": {
            "summary": "Named lots",
            "value": {
                "title": "Infusion set: connector may crack",
                "reason": "Cracked luer connectors found in two complaints; moulding parameters of one tool drifted.",
                "hazard": "Leakage of medication; delayed or reduced dose.",
                "trigger": {"source": "complaint", "reference": "C-2026-0193"},
                "awareness_at": "2026-11-20T08:30:00+00:00",
                "jurisdictions": ["us-fda"],
                "scope": {"lots": [{"product_code": "INF-100", "number": "L26-0412"}]},
                "owner": "Quinn Abara",
            },
        },
        "site": {
            "summary": "Everything a site made in a window",
            "value": {
                "title": "Rapid test kits: false negatives",
                "reason": "Reference laboratory reports false negatives for kits of one site.",
                "hazard": "A missed infection; treatment is delayed.",
                "trigger": {"source": "authority", "reference": "NRL-77"},
                "awareness_at": "2026-11-20T08:30:00+00:00",
                "jurisdictions": ["us-fda", "cn-nmpa"],
                "scope": {"manufacturing_sites": ["SITE-1"], "made_from": "2026-01-01"},
                "owner": "Quinn Abara",
            },
        },
    }
)

EVALUATION: Any = Body(
    openapi_examples={
        "serious": {
            "summary": "Serious harm possible",
            "value": {
                "product_line": "Infusion sets",
                "evaluation": {
                    "occurred": {"rationale": "No injury reported.", "malfunction_in_use": True},
                    "existing_conditions": {"rationale": "Used on patients in intensive care.", "aggravating": True},
                    "population": {"rationale": "Adults on infusion therapy.", "groups": ["critically_ill"]},
                    "seriousness": {"rationale": "Loss of vasopressor support.", "degree": "serious"},
                    "likelihood": {"rationale": "Two of 40,000 sets.", "degree": "possible"},
                    "consequences": {"rationale": "Hypotension.", "immediate": "serious", "long_range": "none"},
                    "detectability": {"rationale": "Drops are visible.", "degree": "with_check"},
                    "present_setting": {
                        "rationale": "Cracks seen in two returned sets; leak test reproduces them.",
                        "can_injure": "yes",
                        "defect": "shown",
                        "basis": ["test", "complaint_analysis"],
                    },
                },
                "market_actions": {"us-fda": "removal"},
            },
        }
    }
)

MARKET_ACTIONS: Any = Body(
    openapi_examples={
        "removal": {
            "summary": "A removal",
            "value": {
                "actions": [{"product_line": "Infusion sets", "jurisdiction": "us-fda", "action": "removal"}],
            },
        },
        "not_reported": {
            "summary": "Nothing is reported, with the record of 21 CFR 806.20",
            "value": {
                "actions": [
                    {
                        "product_line": "Infusion sets",
                        "jurisdiction": "us-fda",
                        "action": "market_withdrawal",
                        "not_reported": {
                            "justification": "A colour of the outer carton changed; the sets are unchanged.",
                            "conclusions": "No violation and no risk to health; 806.10 does not apply.",
                            "follow_up": "Colour standard added to the incoming inspection.",
                        },
                    }
                ],
            },
        },
    }
)

STRATEGY: Any = Body(
    openapi_examples={
        "quality": {
            "summary": "Quality's signature",
            "value": {
                "capacity": "quality",
                "strategy": {"depth": "user_facility", "effectiveness_level": "A", "public_warning": False},
            },
        }
    }
)

__all__ = ["EVALUATION", "MARKET_ACTIONS", "RECALL_START", "STRATEGY"]
