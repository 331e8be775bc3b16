"""Limits that no calendar covers: a task each, owed until a person records the due instant or the table is loaded.

China's working days of a year are known when the State Council announces them. Until then nobody can compute a limit
that reaches it; the duty exists all the same, and counts as open wherever what is owed is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, recalls, tasks
from domain.obligations import RunningClock, base_name, every_obligation, owed, series_of
from domain.pace import real_due
from domain.policy import Policy
from domain.policy_tasks import HumanStep
from domain.roles import Role
from domain.timeline_facts import Duty
from domain.workflow_ids import obligations_id
from models.recall import Deadline, Recall
from models.task import OPEN_STATES, Task

KEY: Final = "deadline:"


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """A due instant worked out by hand, and who says so."""

    jurisdiction: str
    name: str
    due_at: datetime
    """In policy time, as the rule says it."""
    working: str
    """How it was counted, and by which calendar."""
    clocks: Sequence[RunningClock]
    """The clocks that run."""
    by: str
    role: str
    now: datetime
    signature: str | None = None


OPEN: Final = """
SELECT task.id, split_part(task.key, ':', 2) AS jurisdiction,
       substr(task.key, length('deadline:' || split_part(task.key, ':', 2) || ':') + 1) AS name, task.opened_at
FROM task
WHERE task.recall_number = :number AND starts_with(task.key, 'deadline:') AND task.state <> 'cancelled' AND NOT EXISTS (
    SELECT FROM deadline d
    WHERE d.recall_number = task.recall_number AND 'deadline:' || d.jurisdiction || ':' || d.name = task.key)
ORDER BY task.id
"""
"""Duties whose due instant nobody has worked out, whatever became of the task."""


def key_of(jurisdiction: str, name: str) -> str:
    """Key of the task to work out a limit."""
    return f"{KEY}{jurisdiction}:{name}"[:120]


async def waiting(session: AsyncSession, number: str) -> Sequence[tuple[str, str]]:
    """(jurisdiction, name) of every duty whose due instant is not worked out."""
    rows = (await (await session.connection()).execute(text(OPEN), {"number": number})).mappings()
    return [(row["jurisdiction"], row["name"]) for row in rows]


async def offer(session: AsyncSession, recall: Recall, duty: Duty, now: datetime) -> bool:
    """A task for regulatory affairs, once; True when it is new."""
    opened = await tasks.offer(
        session,
        recall,
        key=key_of(duty.jurisdiction, duty.name),
        step=HumanStep.OBLIGATION,
        what=f"Work out by hand when {duty.name} is due under {duty.jurisdiction}: {duty.uncomputed}"[:300],
        owner=obligations_id(recall.number),
        role=Role.REGULATORY,
        now=now,
    )
    if opened:
        await audit.append(
            session,
            recall.number,
            actor=audit.SYSTEM,
            role=audit.SYSTEM,
            action="deadline.not_computed",
            at=now,
            reason=duty.uncomputed,
            data={
                "name": duty.name,
                "jurisdiction": duty.jurisdiction,
                "policy": f"{duty.policy.id}@{duty.policy.version}",
            },
        )
    return opened


async def open_keys(session: AsyncSession, number: str) -> set[str]:
    """Keys of the open tasks to work out a limit."""
    query = select(Task.key).where(
        col(Task.recall_number) == number, col(Task.key).startswith(KEY), col(Task.state).in_(OPEN_STATES)
    )
    return set((await session.exec(query)).all())


async def cancel_of_clock(
    session: AsyncSession, number: str, policies: Sequence[Policy], clock: str, reason: str, now: datetime
) -> None:
    """What ran from a clock whose fact does not hold any more (a completion reopened) needs no instant."""
    base, _, turn = clock.partition(":")
    rules = {(policy.id, item.id): item for policy in policies for item in every_obligation(policy)}
    for jurisdiction, name in await waiting(session, number):
        first, _, of = series_of(name)[0].partition(":")
        rule = rules.get((jurisdiction, first))
        if rule is not None and rule.runs_from == base and of == turn:
            key = key_of(jurisdiction, name)
            await tasks.cancel(session, number, key, outcome=f"not owed: {reason}", done_by=audit.SYSTEM, now=now)


async def record(session: AsyncSession, recall: Recall, worked: WorkedOut) -> Deadline:
    """Record, signed, the due instant that a person worked out; the duty is watched by it from now on.

    Raises:
        LookupError: no such limit waits to be worked out.
        ValueError: the instant lies before the clock started.
    """
    if (worked.jurisdiction, worked.name) not in await waiting(session, recall.number):
        raise LookupError(f"{worked.name} of {worked.jurisdiction} does not wait for a due instant")
    row = _row(recall, worked, await recalls.pinned(session, recall.number))
    await recalls.put_deadline(session, row)
    key = key_of(worked.jurisdiction, worked.name)
    outcome = f"worked out by hand: {worked.due_at.isoformat()}"
    await tasks.close(session, recall.number, key, outcome=outcome, done_by=worked.by, now=worked.now)
    await _sign(session, row, worked)
    return row


def _row(recall: Recall, worked: WorkedOut, policies: Sequence[Policy]) -> Deadline:
    """The deadline as the engine would have written it, had a calendar covered it."""
    of_law = [policy for policy in policies if policy.id == worked.jurisdiction]
    rule = next(item for policy in of_law for item in every_obligation(policy) if item.id == base_name(worked.name))
    starts = {each.name: each.clock for each in owed(rule, worked.clocks)}
    clock = starts.get(series_of(worked.name)[0])
    if clock is not None and worked.due_at < clock.at:
        raise ValueError(f"expected an instant after the clock started ({clock.at.isoformat()})")
    origin = recall.created_at
    return Deadline(
        recall_number=recall.number,
        name=worked.name,
        jurisdiction=worked.jurisdiction,
        clock=clock.name if clock else str(rule.runs_from),
        limit_text=str(rule.due),
        basis=rule.basis.value,
        source=rule.source[:200],
        policy_due_at=worked.due_at,
        due_at=worked.due_at if worked.due_at <= origin else real_due(origin, origin, worked.due_at, recall.pace),
        title=rule.title[:300],
        role=rule.role.value,
        recipient=rule.recipient[:200] if rule.recipient else None,
    )


async def _sign(session: AsyncSession, row: Deadline, worked: WorkedOut) -> None:
    facts = {"name": row.name, "jurisdiction": row.jurisdiction}
    sign_off = assessment.sign_off(
        row.recall_number,
        key_of(row.jurisdiction, row.name)[:60],
        "worked_out",
        actor=worked.by,
        role=worked.role,
        meaning="this is when the report is due",
        at=worked.now,
        reason=worked.working,
        body=facts | {"due_at": worked.due_at.isoformat()},
        signature=worked.signature,
    )
    await assessment.sign(session, sign_off)
    await audit.append(
        session,
        row.recall_number,
        actor=worked.by,
        role=worked.role,
        action="deadline.worked_out",
        at=worked.now,
        reason=worked.working,
        data=facts | {"policy_due_at": worked.due_at, "due_at": row.due_at},
        signature=worked.signature,
    )


async def computed(session: AsyncSession, number: str, duty: Duty, now: datetime) -> None:
    """The table is there now: the task to work the limit out is done."""
    key = key_of(duty.jurisdiction, duty.name)
    await tasks.close(session, number, key, outcome="computed from the calendar", done_by=audit.SYSTEM, now=now)


__all__ = [
    "KEY",
    "OPEN",
    "WorkedOut",
    "cancel_of_clock",
    "computed",
    "key_of",
    "offer",
    "open_keys",
    "record",
    "waiting",
]
