"""What is written when a gate is passed or waived: in which function, and on whose answer."""

from typing import Any

import pytest

from models.audit import AuditEvent
from models.messages import Actor
from models.recall import SignOff
from tests.activities.conftest import Case, decision
from tests.activities.test_recall_records import rows

pytestmark = pytest.mark.db


@pytest.mark.parametrize("answered", [True, False])
async def test_an_authoritys_answer_is_recorded_with_the_gate_it_passed(case: Case, answered: bool) -> None:
    await case.traced()
    regi = Actor(principal="regi", roles=("regulatory",))
    await case.run(
        case.steps.record_gate, decision("pass_gate", regi, gate="eu-mdr:x", reference="mail 3", answered=answered)
    )
    [signed] = await rows(case, SignOff)
    [event] = [each for each in await rows(case, AuditEvent) if each.action == "gate.passed"]
    assert signed.body.get("answered", False) is answered
    assert event.data["body"].get("answered", False) is answered


@pytest.mark.parametrize(
    ("operation", "roles", "acted"),
    [
        ("waive_gate", ("head_of_quality",), "head_of_quality"),
        ("waive_gate", ("qa", "approver"), "approver"),
        ("waive_gate", ("regulatory", "approver"), "regulatory"),
        ("pass_gate", ("head_of_regulatory",), "head_of_regulatory"),
        ("pass_gate", ("approver", "regulatory"), "regulatory"),
    ],
)
async def test_a_gate_is_signed_in_the_function_that_allowed_it(
    case: Case, operation: str, roles: tuple[str, ...], acted: str
) -> None:
    await case.traced()
    fields: dict[str, Any] = {"gate": "us-fda:x", "reason": "urgent"} | (
        {"reference": "call"} if operation == "pass_gate" else {}
    )
    await case.run(case.steps.record_gate, decision(operation, Actor(principal="hana", roles=roles), **fields))
    [signed] = await rows(case, SignOff)
    [event] = [each for each in await rows(case, AuditEvent) if each.action.startswith("gate.")]
    assert (signed.role, event.role) == (acted, acted)
