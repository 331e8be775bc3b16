"""Whoever acts on a task lets the recall's holder go first: the holder writes the audit chain and then moves tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.approvals import ApprovalActivities
from db.repositories import audit, recalls, task_actions
from db.repositories.task_actions import Doer
from domain.workflow_ids import recall_id
from models.messages import Actor, CloseTask, EndRecall, OpenTask, SignApproval, TurnTasks
from models.staff import Staff
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, Case, decision

pytestmark = pytest.mark.db
KEY = "gate:us-fda:x"
WILL = Doer(principal="will", role="warehouse")


async def task_id(case: Case) -> int:
    async with case.sessions() as session:
        found = (await session.exec(select(Task.id).where(col(Task.key) == KEY))).one()
    assert found is not None
    return found


async def accept(case: Case) -> None:
    number = await task_id(case)
    async with case.sessions.begin() as session:
        await task_actions.accept(session, number, doer=WILL, now=NOW)


async def move(case: Case) -> None:
    async with case.sessions.begin() as session:
        await task_actions.move(
            session, doer=WILL, leaver="will", taker="wanda", reason="ill", number=None, now=NOW + timedelta(hours=1)
        )


async def turn(case: Case) -> None:
    due = TurnTasks(number=NUMBER, keys=(KEY,), now=NOW + timedelta(hours=9))
    await case.run(case.tasks.turn_tasks, due)


async def close(case: Case) -> None:
    ended = CloseTask(number=NUMBER, key=KEY, outcome="all confirmed", done_by="system", now=NOW)
    await case.run(case.tasks.close_task, ended)


async def reject(case: Case) -> None:
    await case.run(
        case.assessment.record_rejection,
        EndRecall(number=NUMBER, now=NOW, actor=Actor(principal="ada", roles=("approver",)), reason="another"),
    )


@pytest.mark.parametrize("act", [accept, move, turn, close])
async def test_an_act_on_a_task_and_branches_that_move_it_never_wait_for_each_other(case: Case, act) -> None:  # type: ignore[no-untyped-def]
    at = await _open_task(case)
    if act is move:
        await accept(case)
        async with case.sessions.begin() as session:
            session.add(Staff(principal="wanda", name="Wanda", roles=["warehouse"], language="en"))
    async with case.sessions.begin() as holder:
        await recalls.get(holder, NUMBER, lock=True)
        await _write_chain(holder)
        acting = await _started_and_waiting(case, holder, act)
        await _pull_task(holder)
    await acting
    async with case.sessions() as session:
        row = (await session.exec(select(Task).where(col(Task.key) == KEY))).one()
        assert await audit.first_broken_link(session, NUMBER) is None
    assert row.due_at == at + timedelta(hours=8), "the holder's change and the act are both on record"
    if act is accept:
        assert row.assignee == "will"


async def pass_gate(case: Case) -> None:
    regi = Actor(principal="regi", roles=("regulatory",))
    passed = decision("pass_gate", regi, gate=KEY.removeprefix("gate:"), reference="mail 3")
    await case.run(case.steps.record_gate, passed)


async def sign(case: Case) -> None:
    ada = Actor(principal="ada", roles=("approver",))
    signed = SignApproval(
        number=NUMBER, now=NOW, step="notice", subject="1", operation="approve_notice", role="approver", place=1, of=2,
        actor=ada, body={}, task_key=KEY,
    )  # fmt: skip
    await case.run(ApprovalActivities(case.sessions).record_approval_signature, signed)


@pytest.mark.parametrize(("act", "outcome"), [(reject, "recall rejected"), (pass_gate, "passed"), (sign, "signed")])
async def test_whoever_signs_waits_for_whoever_acts_on_a_task_of_the_recall(
    case: Case, act: Callable[[Case], Coroutine[Any, Any, None]], outcome: str
) -> None:
    await _open_task(case)
    async with case.sessions.begin() as holder:
        await recalls.share(holder, [NUMBER])  # as for any act on a task
        await _pull_task(holder)
        acting = await _started_and_waiting(case, holder, act)
        await _write_chain(holder)
    await acting
    async with case.sessions() as session:
        row = (await session.exec(select(Task).where(col(Task.key) == KEY))).one()
    assert row.outcome == outcome


async def _open_task(case: Case) -> datetime:
    """A task, due nine hours after the instant of its reminder, which is returned."""
    await case.traced()
    at = NOW + timedelta(hours=8)
    task = OpenTask(
        number=NUMBER, key=KEY, step="hold_confirmation", what="Confirm", role="warehouse", remind_at=at,
        due_at=at + timedelta(hours=9), escalate_at=at + timedelta(hours=10), owner=recall_id(NUMBER), now=NOW,
    )  # fmt: skip
    await case.run(case.tasks.open_task, task)
    return at


async def _started_and_waiting(
    case: Case, holder: AsyncSession, act: Callable[[Case], Coroutine[Any, Any, None]]
) -> asyncio.Task[None]:
    """The act, begun beside the holder's transaction and waiting for it."""
    me = (await (await holder.connection()).execute(text("SELECT pg_backend_pid()"))).scalar_one()
    acting = asyncio.create_task(act(case))
    async with asyncio.timeout(10):
        while not await _waits_for(case, me):  # noqa: ASYNC110 - only the database knows who waits
            await asyncio.sleep(0.01)
    return acting


async def _write_chain(holder: AsyncSession) -> None:
    await audit.append(holder, NUMBER, actor="system", role="system", action="facts.changed", at=NOW)


async def _pull_task(holder: AsyncSession) -> None:
    change = text("UPDATE task SET due_at = due_at - interval '1 hour' WHERE key = :key")
    await (await holder.connection()).execute(change, {"key": KEY})


async def _waits_for(case: Case, pid: int) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid)))"
    async with case.sessions() as session:
        found = await (await session.connection()).execute(text(query), {"pid": pid})
        return bool(found.scalar_one())
