"""Rules of approval: they add up, over rules and over laws, and no usual signature is ever dropped."""

import json
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
import yaml

from domain.policy import Policy, parse_policy, signers
from domain.policy_facts import PolicyFacts
from domain.roles import Role
from tests.domain.factories import policy_text

pytestmark = pytest.mark.unit
HOUSE = {"basis": "house", "source": "house rule"}

RULES: list[dict[str, Any]] = [
    {"id": "a", "step": "release", "when": "value > 10", "signers": ["approver", "approver"]} | HOUSE,
    {"id": "b", "step": "release", "when": "implantable", "signers": ["medical", "approver", "head_of_quality"]}
    | HOUSE,
    {"id": "c", "step": "completion", "signers": ["head_of_quality"]} | HOUSE,
]


def with_rules(rules: list[dict[str, Any]]) -> Policy:
    data = yaml.safe_load(policy_text("us-fda"))
    data["approvals"] = rules
    return parse_policy(json.dumps(data, default=str))


def test_rules_of_approval_add_up_and_never_drop_a_usual_signature() -> None:
    policy = with_rules(RULES)
    high = PolicyFacts(value=Decimal(11))
    usual = (Role.QA, Role.HEAD_OF_QUALITY)
    assert signers(policy, "release", PolicyFacts()) == usual
    assert signers(policy, "release", high) == (*usual, Role.APPROVER, Role.APPROVER)
    assert signers(policy, "release", high.model_copy(update={"implantable": True})) == (
        Role.QA,
        Role.APPROVER,
        Role.APPROVER,
        Role.MEDICAL,
        Role.HEAD_OF_QUALITY,
    )
    assert signers(policy, "completion", PolicyFacts()) == (Role.QA, Role.REGULATORY, Role.HEAD_OF_QUALITY)
    assert signers(policy, "notice", PolicyFacts()) == (Role.APPROVER,)


def test_under_several_jurisdictions_every_one_of_them_gets_its_signatures() -> None:
    both = [with_rules(pair) for pair in ([RULES[0]], [RULES[1]])]
    facts = PolicyFacts(value=Decimal(11), implantable=True)
    for pair in combinations([*both, with_rules([])], 2):
        asked = signers(pair, "release", facts)
        assert all(set(asked) >= set(signers(policy, "release", facts)) for policy in pair)


def test_a_step_nobody_signs_is_refused() -> None:
    with pytest.raises(ValueError, match="'lunch' is not a valid ApprovalStep"):
        signers(with_rules([]), "lunch", PolicyFacts())
