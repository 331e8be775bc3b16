"""A missed approval is reminded, passes to the stand-in, then to the head of quality; each of them may sign it."""

import pytest

from domain.policy_parts import HumanStep
from domain.roles import Permission, Role, may
from tests.activities.conftest import NOW, Case
from tests.activities.test_task_turns import HOUR, events, messages, offered, person, the_task, turned

pytestmark = pytest.mark.db

APPROVALS = {
    HumanStep.APPROVAL: ("approval:1", Permission.DECIDE_ASSESSMENT),
    HumanStep.NOTICE_APPROVAL: ("notice", Permission.APPROVE_NOTICE),
    HumanStep.DISPOSITION_APPROVAL: ("disposition:1:approval", Permission.DECIDE_DISPOSITION),
    HumanStep.PLAN_APPROVAL: ("capa:1:plan_approval", Permission.APPROVE_CAPA),
    HumanStep.CAPA_SIGN_OFF: ("capa:1:sign_off", Permission.APPROVE_CAPA),
}


@pytest.mark.parametrize("step", APPROVALS)
async def test_a_missed_approval_goes_to_the_stand_in_and_to_the_head_of_quality_and_each_may_sign(
    case: Case, step: HumanStep
) -> None:
    key, permission = APPROVALS[step]
    await person(case.sessions, "deputy", Role.APPROVER)
    await person(case.sessions, "ada", Role.APPROVER, stand_in="deputy", absent_from=NOW)
    await person(case.sessions, "hana", Role.HEAD_OF_QUALITY)
    await offered(case, step, key)
    task = await the_task(case, key)
    assert task.remind_at is not None
    assert task.due_at is not None
    # The only function above an approver is the head's, so it is the stand-in of the function, too.
    climb = ((task.remind_at, 1, "approver", "deputy"), (task.due_at, 3, "head_of_quality", "hana"))
    for instant, stage, function, told in climb:
        assert (await turned(case, (instant - NOW) / HOUR, key)).stage == stage
        found = await the_task(case, key)
        assert (found.role, found.state) == (function, "offered"), "it waits for a signature, whoever has it"
        assert may([Role(function)], permission), f"{function} has the task and could not sign it"
        assert [each.principal for each in await messages(case)][-1] == told
    assert (await the_task(case, key)).due_at == task.due_at, "climbing moves no due time"
    climbing = [event.action for event in await events(case) if event.action.startswith("task.")]
    assert climbing == ["task.opened", "task.reminded", "task.escalated"]


@pytest.mark.parametrize(
    ("step", "key", "function", "stand_in"),
    [(HumanStep.STRATEGY, "strategy:quality", "qa", "regulatory"), (HumanStep.COMPLETION, "x", "qa", "regulatory")],
)
async def test_nobody_signs_for_another_function_by_standing_in(
    case: Case, step: HumanStep, key: str, function: str, stand_in: str
) -> None:
    """Quality's signature never passes to regulatory affairs: a late one is the head of quality's."""
    await person(case.sessions, "hana", Role.HEAD_OF_QUALITY)
    await offered(case, step, key)
    task = await the_task(case, key)
    assert task.due_at is not None
    await turned(case, (task.due_at - NOW) / HOUR, key)
    found = await the_task(case, key)
    assert (found.first_role, found.role) == (function, "head_of_quality")
    assert found.role != stand_in
