"""Tasks as records: opened once per key with their times, closed with who and how, cancelled with their recall."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, literal, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, files, recalls, responsibilities, staff, staff_messages
from db.rows import insert_new
from domain.nonconformity import HOUSE_LIMITS
from domain.pace import policy_instant
from domain.policy import Policy
from domain.policy_parts import HumanStep
from domain.quality_numbers import is_quality_number
from domain.roles import Role
from domain.task_times import TaskLimit, TaskTimes, stand_in_for, strictest_limit, task_times, times_until
from models.messages import OpenTask
from models.staff import MessageKind
from models.task import OPEN_STATES, Task, TaskState

_KEY: Final = 120
"""Characters of a task's key."""
UNPINNED: Final = TaskLimit(limit=timedelta(days=1), remind=timedelta(hours=12), role=Role.QA, stand_in=Role.REGULATORY)
"""For what happens in the seconds before the intake has pinned its policies (harm reported with the alarm)."""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Who gets a task of a step first and next, and when."""

    role: Role
    stand_in: Role | None
    times: TaskTimes


def times_for(
    policies: Sequence[Policy],
    recall: files.File,
    step: HumanStep,
    offered_at: datetime,
    *,
    role: Role | None = None,
    due_at: datetime | None = None,
) -> StepTimes:
    """What the recall's pinned `policies` say of a step offered at `offered_at`.

    `role` is the function it is offered to when that is not the policy's; `due_at` a real due time given from outside
    (a legal limit), which no policy moves.
    """
    rule: TaskLimit = (
        strictest_limit([policy.tasks[step] for policy in policies])
        if policies
        else HOUSE_LIMITS.get(step, UNPINNED)
        if is_quality_number(recall.number)
        else UNPINNED
    )
    first = role or rule.role
    times = (
        task_times(offered_at, rule.limit, rule.remind, recall.pace)
        if due_at is None
        else times_until(offered_at, due_at, rule, recall.pace)
    )
    return StepTimes(role=first, stand_in=stand_in_for(first, rule.role, rule.stand_in), times=times)


async def offer(
    session: AsyncSession,
    recall: files.File,
    *,
    key: str,
    step: HumanStep,
    what: str,
    owner: str,
    now: datetime,
    role: Role | None = None,
    due_at: datetime | None = None,
    assignee: str | None = None,
    consignee_id: int | None = None,
    evidence_required: bool = False,
    barred: Collection[str] = (),
) -> bool:
    """Open a task with the times its step has in the recall's pinned policies; audited; False when the key exists.

    `owner` is the id of the workflow that runs its timers; tell it by the signal `task_moved` after the commit.
    What is meant for an `assignee` who is away goes to the stand-in. Nobody of `barred` gets it by being responsible.
    """
    policies = await recalls.pinned(session, recall.number)
    found = times_for(policies, recall, step, now, role=role, due_at=due_at)
    task = OpenTask(
        number=recall.number,
        key=key,
        step=step.value,
        what=what[:300],
        role=found.role.value,
        stand_in=found.stand_in.value if found.stand_in else None,
        remind_at=found.times.remind_at,
        due_at=found.times.due_at,
        escalate_at=found.times.escalate_at,
        owner=owner,
        consignee_id=consignee_id,
        evidence_required=evidence_required,
        now=now,
    )
    if assignee is not None:
        assignee = await staff.assignable(session, assignee, now)
    return await open_for(session, recall, task, assignee=assignee, barred=barred)


async def open_for(
    session: AsyncSession,
    recall: files.File,
    task: OpenTask,
    *,
    assignee: str | None = None,
    barred: Collection[str] = (),
) -> bool:
    """Open a task for `assignee`, or for whoever is responsible, or else for its function; audited, and told.

    Returns False when the key exists.
    """
    assignee = assignee or await responsibilities.assignee_of(session, recall, task, barred)
    if not await open_task(session, recall, task, assignee=assignee):
        return False
    await note_opened(session, task, assignee)
    if assignee is not None:
        row = await open_task_of(session, recall.number, task.key)
        assert row is not None  # noqa: S101 - opened in this transaction
        await staff_messages.tell(session, recall, row, MessageKind.assigned, task.now)
    return True


async def note_opened(session: AsyncSession, task: OpenTask, assignee: str | None = None) -> None:
    """The audit event of a task opened now."""
    facts = {"key": task.key, "role": task.role, "due_at": task.due_at}
    await audit.append(
        session,
        task.number,
        actor="system",
        role="system",
        action="task.opened",
        at=task.now,
        data=facts if assignee is None else facts | {"assignee": assignee},
    )


async def open_task(
    session: AsyncSession,
    recall: files.File,
    task: OpenTask,
    *,
    assignee: str | None = None,
    consignee_id: int | None = None,
) -> bool:
    """Open a task unless its key exists; returns whether it was opened now. The caller writes the audit event."""
    due = task.due_at
    row = {
        **files.owner_columns(task.number),
        "key": task.key,
        "step": task.step,
        "what": task.what,
        "role": task.role,
        "first_role": task.role,
        "stand_in": task.stand_in,
        "owner": task.owner or None,
        "assignee": assignee,
        "consignee_id": task.consignee_id if consignee_id is None else consignee_id,
        "due_at": due,
        "policy_due_at": policy_instant(due, recall.created_at, recall.pace) if due else None,
        "remind_at": task.remind_at,
        "escalate_at": task.escalate_at,
        "evidence_required": task.evidence_required,
        "state": TaskState.offered.value,
        "opened_at": task.now,
    }
    return await insert_new(session, Task, row) == 1


async def open_task_of(session: AsyncSession, number: str, key: str) -> Task | None:
    """The open task with this key, locked; None when it is not open."""
    query = (
        select(Task)
        .where(files.of_file(Task, number), col(Task.key) == key, col(Task.state).in_(OPEN_STATES))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.exec(query)).one_or_none()


async def close(session: AsyncSession, number: str, key: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Mark an open task done; False when it was not open."""
    change = {"state": TaskState.done.value, "outcome": outcome[:300], "done_by": done_by, "done_at": now}
    return await _finish(session, number, change, col(Task.key) == key)


async def close_all(session: AsyncSession, number: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Mark every open task of a file done; False when none was open."""
    change = {"state": TaskState.done.value, "outcome": outcome[:300], "done_by": done_by, "done_at": now}
    return await _finish(session, number, change)


async def cancel(session: AsyncSession, number: str, key: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Cancel an open task that has become needless; False when it was not open."""
    return await _finish(session, number, _cancelled(outcome, done_by, now), col(Task.key) == key)


async def close_numbered(
    session: AsyncSession, number: str, kind: str, subject: str, *, outcome: str, done_by: str, now: datetime
) -> bool:
    """Mark the open tasks `{kind}:{n}:{subject}` done, whatever their number; False when none was open."""
    change = {"state": TaskState.done.value, "outcome": outcome[:300], "done_by": done_by, "done_at": now}
    named = func.regexp_replace(col(Task.key), "^[a-z_]+:[0-9]+:", "")
    # A key has 120 characters at most; a longer subject is cut in it.
    cut = (func.length(col(Task.key)) == _KEY) & func.starts_with(literal(subject), named)
    return await _finish(session, number, change, col(Task.key).startswith(f"{kind}:"), (named == subject) | cut)


OF_HARM: Final = col(Task.key).startswith("complaint:") | col(Task.key).startswith("on_call:")
"""Tasks about reports of harm: they outlive a recall that was wrong."""


async def cancel_open(session: AsyncSession, number: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Cancel every open task of a recall that has ended, except those about reports of harm."""
    return await _finish(session, number, _cancelled(outcome, done_by, now), ~OF_HARM)


async def cancel_of_owner(
    session: AsyncSession, number: str, owner: str, *, outcome: str, done_by: str, now: datetime
) -> bool:
    """Cancel every open task whose timers the workflow `owner` runs."""
    return await _finish(session, number, _cancelled(outcome, done_by, now), col(Task.owner) == owner)


async def end_recurrence(session: AsyncSession, number: str, sequence: int, by: str, now: datetime) -> bool:
    """A CAPA that came again is reopened: what asked for it is done."""
    change = {"state": TaskState.done.value, "outcome": "reopened", "done_by": by, "done_at": now}
    return await _finish(session, number, change, col(Task.key).startswith(f"recurrence:{sequence}:"))


def _cancelled(outcome: str, done_by: str, now: datetime) -> dict[str, Any]:
    return {"state": TaskState.cancelled.value, "outcome": outcome[:300], "done_by": done_by, "done_at": now}


async def _finish(session: AsyncSession, number: str, change: dict[str, Any], *which: Any) -> bool:
    statement = update(Task).where(files.of_file(Task, number), col(Task.state).in_(OPEN_STATES), *which)
    return (await session.exec(statement.values(change))).rowcount > 0


__all__ = [
    "OF_HARM",
    "StepTimes",
    "cancel",
    "cancel_of_owner",
    "cancel_open",
    "close",
    "close_all",
    "close_numbered",
    "end_recurrence",
    "note_opened",
    "offer",
    "open_for",
    "open_task",
    "open_task_of",
    "times_for",
]
