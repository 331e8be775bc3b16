"""How a recall is closed: signatures under its completion, authorities' answers, reopenings, cancellation, more time.

Signatures are sign-offs whose body names the completion they belong to (`round`); a reopening makes those of its round
void without touching them. Nothing here is ever deleted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import files, recalls, tasks
from domain.pace import policy_instant
from domain.task_times import Stage
from models.audit import AuditEvent
from models.closing import AuthorityAnswer, ScopeVersion
from models.recall import ClockStart, Deadline, ScopeLot, SignOff
from models.task import Task, TaskState

COMPLETION: Final = "completion:"
"""Step of a completion's signature, followed by its capacity."""
REOPENING: Final = "reopening"
CLOSURE_NOTICE: Final = "closure_notice.decided"
"""Audit action: whether everybody told is to be told of the end."""
OPEN_TASK: Final = (TaskState.offered.value, TaskState.accepted.value, TaskState.sent_back.value)
LEGAL_STEPS: Final = frozenset({"obligation", "deadline"})
"""Human steps whose due time is a limit of law; nobody in the house can move it."""


async def is_signed(session: AsyncSession, number: str, step: str, actor: str, at: datetime) -> bool:
    """Whether this very signature is on record: the same activity ran before."""
    query = select(SignOff.id).where(
        col(SignOff.recall_number) == number,
        col(SignOff.step) == step,
        col(SignOff.actor) == actor,
        col(SignOff.signed_at) == at,
    )
    return (await session.exec(query)).first() is not None


async def closure_notice_decided(session: AsyncSession, number: str, at: datetime) -> bool:
    """Whether this very decision about telling of the end is on record: the same activity ran before."""
    query = select(AuditEvent.seq).where(
        col(AuditEvent.stream) == number, col(AuditEvent.action) == CLOSURE_NOTICE, col(AuditEvent.at) == at
    )
    return (await session.exec(query)).first() is not None


async def completion_signers(session: AsyncSession, number: str, round_: int) -> dict[str, str]:
    """Capacity -> who signed the completion of this round."""
    query = select(SignOff.step, SignOff.actor).where(
        col(SignOff.recall_number) == number,
        col(SignOff.step).like(f"{COMPLETION}%"),
        col(SignOff.body)["round"].as_integer() == round_,
    )
    return {step.removeprefix(COMPLETION): actor for step, actor in (await session.exec(query)).all()}


async def closing_sign_offs(session: AsyncSession, number: str) -> list[SignOff]:
    """Signatures under completions and reopenings, oldest first."""
    query = (
        select(SignOff)
        .where(
            col(SignOff.recall_number) == number,
            col(SignOff.step).like(f"{COMPLETION}%") | (col(SignOff.step) == REOPENING),
        )
        .order_by(col(SignOff.signed_at), col(SignOff.id))
    )
    return list((await session.exec(query)).all())


async def scope_versions(session: AsyncSession, number: str) -> list[tuple[ScopeVersion, int]]:
    """Versions of the recall's scope, oldest first, each with its count of lots."""
    lots = (
        select(ScopeLot.scope_version, func.count(col(ScopeLot.lot_id)).label("lots"))
        .where(col(ScopeLot.recall_number) == number)
        .group_by(col(ScopeLot.scope_version))
        .subquery()
    )
    query = (
        select(ScopeVersion, func.coalesce(lots.c.lots, 0))
        .outerjoin(lots, lots.c.scope_version == col(ScopeVersion.version))
        .where(col(ScopeVersion.recall_number) == number)
        .order_by(col(ScopeVersion.version))
    )
    return [(row, int(count)) for row, count in (await session.exec(query)).all()]


async def answers(session: AsyncSession, number: str) -> list[AuthorityAnswer]:
    """What authorities answered, oldest first; those of an earlier completion are among them."""
    query = select(AuthorityAnswer).where(col(AuthorityAnswer.recall_number) == number)
    return list((await session.exec(query.order_by(col(AuthorityAnswer.recorded_at), col(AuthorityAnswer.id)))).all())


async def cancel_tasks(
    session: AsyncSession, number: str, now: datetime, *, by: str, outcome: str, kept: Sequence[str]
) -> list[str]:
    """Cancel the recall's open tasks except those of the workflows `kept` (ids); returns the keys, sorted.

    A report of harm is followed up whatever becomes of the recall: its tasks stay as well.
    """
    owner = func.coalesce(col(Task.owner), "")
    statement = (
        update(Task)
        .where(col(Task.recall_number) == number, col(Task.state).in_(OPEN_TASK), owner.not_in(kept), ~tasks.OF_HARM)
        .values(state=TaskState.cancelled.value, outcome=outcome, done_by=by, done_at=now)
        .returning(col(Task.key))
    )
    return sorted((await session.exec(statement)).scalars().all())


async def cancel_tasks_of_steps(
    session: AsyncSession, number: str, steps: Sequence[str], now: datetime, *, by: str, outcome: str
) -> None:
    """Cancel open tasks of these human steps."""
    statement = (
        update(Task)
        .where(col(Task.recall_number) == number, col(Task.state).in_(OPEN_TASK), col(Task.step).in_(steps))
        .values(state=TaskState.cancelled.value, outcome=outcome, done_by=by, done_at=now)
    )
    await session.exec(statement)


async def task_owners(session: AsyncSession, number: str) -> list[str]:
    """Workflows that own open tasks of the recall, sorted."""
    query = select(Task.owner).where(
        col(Task.recall_number) == number, col(Task.state).in_(OPEN_TASK), col(Task.owner).is_not(None)
    )
    return sorted({owner for owner in (await session.exec(query.distinct())).all() if owner})


async def stop_notice_limits(session: AsyncSession, number: str, now: datetime, reason: str, *, by: str) -> None:
    """Limits that no function reports on (the notice limit) are not owed any more; obligations stay."""
    statement = (
        update(Deadline)
        .where(
            col(Deadline.recall_number) == number,
            col(Deadline.role).is_(None),
            col(Deadline.met_at).is_(None),
            col(Deadline.stopped_at).is_(None),
        )
        .values(stopped_at=now, stopped_reason=reason[:500], stopped_by=by)
    )
    await session.exec(statement)


_TOLD: Final = """
SELECT count(*) FROM consignee c
WHERE c.recall_number = :number AND (
    c.first_notified_at IS NOT NULL
    -- Only whoever pays was told: that is to be taken back, too.
    OR EXISTS (SELECT FROM delivery d WHERE d.consignee_id = c.id AND d.submitted_at IS NOT NULL)
    -- A campaign that still runs may be telling it at this very moment.
    OR c.state = 'open' AND EXISTS (
        SELECT FROM campaign k WHERE k.recall_number = c.recall_number AND k.sequence = c.campaign_sequence
    ) AND (c.step = 0 OR EXISTS (
        SELECT FROM delivery d WHERE d.consignee_id = c.id AND d.state IN ('pending', 'submitting')
    ))
)
"""


async def told(session: AsyncSession, number: str) -> int:
    """Consignees of which anybody was given a notice, or whose first one may be on its way to a provider right now."""
    return int((await run(session, _TOLD, {"number": number})).scalar_one())


async def start_clock_again(
    session: AsyncSession, number: str, name: str, at: datetime, *, source: str, author: str
) -> None:
    """Start a clock that can start several times: `completion`, then `completion:2`, each with deadlines of its own."""
    query = select(func.count(col(ClockStart.id))).where(
        col(ClockStart.recall_number) == number,
        (col(ClockStart.name) == name) | col(ClockStart.name).like(f"{name}:%"),
    )
    before = (await session.exec(query)).one()
    nth = name if before == 0 else f"{name}:{before + 1}"
    await recalls.start_clock(session, number, nth, at, source=source, author=author, now=at)


async def task_of(session: AsyncSession, number: str, key: str) -> Task | None:
    """One open task, locked."""
    query = select(Task).where(col(Task.recall_number) == number, col(Task.key) == key, col(Task.state).in_(OPEN_TASK))
    return (await session.exec(query.with_for_update())).first()


def give_more_time(recall: files.File, task: Task, due_at: datetime) -> None:
    """Move a task's due time and what follows from it; a reminder already given is not given again.

    A task that was late is not late any more: whoever has it by now keeps it, and it climbs anew at the new due time.
    """
    task.stage = min(task.stage, Stage.REMINDED)
    gained = due_at - task.due_at if task.due_at else None
    task.due_at, task.policy_due_at = due_at, policy_instant(due_at, recall.created_at, recall.pace)
    if gained is not None:
        task.remind_at = task.remind_at + gained if task.remind_at and task.reminded_at is None else task.remind_at
        task.escalate_at = task.escalate_at + gained if task.escalate_at else None


__all__ = [
    "COMPLETION",
    "LEGAL_STEPS",
    "REOPENING",
    "answers",
    "cancel_tasks",
    "cancel_tasks_of_steps",
    "closing_sign_offs",
    "completion_signers",
    "give_more_time",
    "is_signed",
    "scope_versions",
    "start_clock_again",
    "stop_notice_limits",
    "task_of",
    "task_owners",
    "told",
]
