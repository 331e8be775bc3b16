"""Obligations as deadline rows: reports owed to authorities, when each is due, what proves that it was met."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, by_hand, evidence, hold_records, recalls, tasks
from db.rows import uuid_of
from domain.levels import MarketAction
from domain.obligations import RunningClock, base_name, every_obligation, series_of
from domain.roles import Role
from domain.workflow_ids import obligations_id
from models.complaint import Complaint
from models.recall import ClockStart, Deadline, SignOff
from models.task import OPEN_STATES, Task


class ObligationNotOpen(Exception):  # noqa: N818 - a term of the API
    """The obligation was met or stopped before."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Obligations that are owed: not met, not stopped, their clock runs; a recurring report once its time has come.

    One whose due instant nobody has worked out yet is open as well.
    """

    open: int
    overdue: int
    next_due: Deadline | None
    """The next one still ahead, recurring reports included."""


def task_key(deadline: Deadline) -> str:
    """Key of the task that a deadline is watched by."""
    return f"obligation:{deadline.name}:{deadline.jurisdiction}"[:120]


def subject(deadline_id: int) -> str:
    """What evidence of a submission is linked to."""
    return f"obligation:{deadline_id}"


async def running_clocks(session: AsyncSession, number: str) -> list[RunningClock]:
    """Every clock start on record, in order of time; of a corrected one the last correction counts."""
    query = select(ClockStart).where(col(ClockStart.recall_number) == number).order_by(col(ClockStart.id))
    starts: dict[tuple[str, int], ClockStart] = {}
    # In the order they were recorded: a correction (`awareness~1`) comes after what it corrects.
    for row in (await session.exec(query)).all():
        starts[row.name.partition(recalls.CORRECTS)[0], row.scope_version] = row
    found = [RunningClock(name, version, row.at) for (name, version), row in starts.items()]
    return sorted(found, key=lambda clock: clock.at)


async def complaints(session: AsyncSession, number: str) -> dict[int, Complaint]:
    """The recall's complaints by their number."""
    query = select(Complaint).where(col(Complaint.recall_number) == number)
    return {complaint.sequence: complaint for complaint in (await session.exec(query)).all()}


async def of_recall(session: AsyncSession, number: str) -> Sequence[Deadline]:
    """Deadlines somebody owes, the next one first."""
    query = select(Deadline).where(col(Deadline.recall_number) == number, col(Deadline.role).is_not(None))
    return (
        await session.exec(query.order_by(col(Deadline.due_at), col(Deadline.name), col(Deadline.jurisdiction)))
    ).all()


async def open_tasks(session: AsyncSession, number: str) -> dict[str, Task]:
    """The open tasks that obligations are watched by, locked."""
    query = select(Task).where(
        col(Task.recall_number) == number,
        col(Task.owner) == obligations_id(number),
        col(Task.state).in_(OPEN_STATES),
    )
    rows = await session.exec(query.order_by(col(Task.id)).with_for_update())
    return {row.key: row for row in rows.all()}


async def find(session: AsyncSession, number: str, deadline_id: int, *, lock: bool = False) -> Deadline | None:
    """One obligation of this recall."""
    query = select(Deadline).where(
        col(Deadline.id) == deadline_id, col(Deadline.recall_number) == number, col(Deadline.role).is_not(None)
    )
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def last_of_series(session: AsyncSession, number: str, jurisdiction: str, first: str) -> Deadline | None:
    """The latest report of a recurring series that is on record."""
    name = col(Deadline.name)
    query = select(Deadline).where(
        col(Deadline.recall_number) == number,
        col(Deadline.jurisdiction) == jurisdiction,
        or_(name == first, func.starts_with(name, f"{first}#")),
    )
    rows = (await session.exec(query)).all()
    return max(rows, key=lambda row: series_of(row.name)[1], default=None)


async def counts(session: AsyncSession, number: str, now: datetime) -> Counts:
    """How many obligations are open and overdue at `now`."""
    owed = [row for row in await of_recall(session, number) if row.met_at is None and row.stopped_at is None]
    recurring = await recurring_ids(session, number)
    due_so_far = [row for row in owed if row.due_at <= now or (row.jurisdiction, base_name(row.name)) not in recurring]
    late = sum(row.due_at < now for row in owed)
    uncomputed = len(await by_hand.waiting(session, number))
    return Counts(len(due_so_far) + uncomputed, late, next((row for row in owed if row.due_at > now), None))


async def recurring_ids(session: AsyncSession, number: str) -> set[tuple[str, str]]:
    """(jurisdiction, obligation id) of the recurring reports of the pinned policies."""
    found = set()
    for policy in await recalls.pinned(session, number):
        for item in every_obligation(policy):
            if item.every is not None:
                found.add((policy.id, item.id))
    return found


async def settled_by_gates(session: AsyncSession, number: str) -> dict[tuple[str, str], SignOff | None]:
    """(jurisdiction, obligation id) that the passing of an applicable gate meets -> the gate's sign-off, if it has one.

    A gate applies while a class in force asks for it; what was signed for one counts whatever is in force now. While
    the gate is open it has a task of its own; a second one for the same act would only confuse. A waived gate met
    nothing: the report is still owed.
    """
    in_force = await assessment.classes_in_force(session, number)
    signed = select(SignOff).where(col(SignOff.recall_number) == number, func.starts_with(SignOff.step, "gate:"))
    done = {row.step: row for row in (await session.exec(signed)).all()}
    found: dict[tuple[str, str], SignOff | None] = {}
    for policy in await recalls.pinned(session, number):
        asked_for: set[str] = set()
        for row in in_force:
            if row.jurisdiction == policy.id:
                asked_for |= {gate.id for gate in policy.gates_for(MarketAction(row.market_action), row.level)}
        for gate in policy.gates:
            sign_off = done.get(f"gate:{policy.id}:{gate.id}")
            for settled in gate.settles if sign_off or gate.id in asked_for else ():
                found[policy.id, settled] = sign_off or found.get((policy.id, settled))
    return found


async def submit(
    session: AsyncSession,
    number: str,
    deadline_id: int,
    *,
    reference: str,
    evidence_ids: Sequence[UUID | str],
    by: str,
    role: str,
    now: datetime,
    signature: str | None = None,
) -> Deadline:
    """Record that an obligation was met, with the reference and the files that prove it; late stays late.

    Raises:
        LookupError: the recall has no such obligation.
        ObligationNotOpen: it was met or stopped before.
        evidence.EvidenceUnusable: a file cannot be cited.
    """
    row = await _open(session, number, deadline_id)
    await evidence.link(session, number, evidence_ids, subject(deadline_id), by=by, at=now, role=role)
    row.met_at, row.met_by, row.reference, row.signature_id = now, by, reference, uuid_of(signature)
    session.add(row)
    outcome = f"submitted{' late' if now > row.due_at else ''}: {reference}"[:300]
    await tasks.close(session, number, task_key(row), outcome=outcome, done_by=by, now=now)
    await _audit(session, row, "obligation.submitted", by, role, now, None, {"reference": reference}, signature)
    return row


async def stop(
    session: AsyncSession,
    number: str,
    deadline_id: int,
    *,
    reason: str,
    by: str,
    role: Role,
    now: datetime,
    signature: str | None = None,
) -> Deadline:
    """Record, signed, that an obligation is not owed any more; of a recurring report the series ends with it.

    Raises:
        LookupError: the recall has no such obligation.
        ObligationNotOpen: it was met or stopped before.
    """
    row = await _open(session, number, deadline_id)
    sign_off = assessment.sign_off(
        number,
        f"obligation:{deadline_id}",
        "stopped",
        actor=by,
        role=role,
        meaning="the report is not owed",
        at=now,
        reason=reason,
        signature=signature,
    )
    await assessment.sign(session, sign_off)
    row.signature_id = sign_off.signature_id
    await _stop(session, row, reason, now, by)
    await _audit(session, row, "obligation.stopped", by, role.value, now, reason, {}, signature)
    return row


async def stop_of_clock(session: AsyncSession, number: str, clock: str, *, reason: str, now: datetime) -> int:
    """Stop what a clock made owed and nobody has met: its fact does not hold any more (a completion reopened)."""
    rows = [
        row
        for row in await of_recall(session, number)
        if row.clock == clock and row.met_at is None and row.stopped_at is None
    ]
    await by_hand.cancel_of_clock(session, number, await recalls.pinned(session, number), clock, reason, now)
    for row in rows:
        await _stop(session, row, reason, now, audit.SYSTEM)
        await _audit(session, row, "obligation.stopped", audit.SYSTEM, audit.SYSTEM, now, reason, {})
    return len(rows)


async def end_series(session: AsyncSession, number: str, *, reason: str, now: datetime) -> None:
    """The recall has ended: recurring reports whose time has not come yet are not owed any more."""
    recurring = await recurring_ids(session, number)
    for row in await of_recall(session, number):
        ahead = row.met_at is None and row.stopped_at is None and row.due_at > now
        if ahead and (row.jurisdiction, base_name(row.name)) in recurring:
            await _stop(session, row, reason, now, audit.SYSTEM)
            await _audit(session, row, "obligation.stopped", audit.SYSTEM, audit.SYSTEM, now, reason, {})


async def _open(session: AsyncSession, number: str, deadline_id: int) -> Deadline:
    # The recall before its deadlines, as the workflow's look does: the other way round they would wait crosswise.
    await hold_records.lock_recalls(session, [number])
    row = await find(session, number, deadline_id, lock=True)
    if row is None:
        raise LookupError(f"the recall has no obligation {deadline_id}")
    if row.met_at is not None:
        raise ObligationNotOpen(f"it was met on {row.met_at.isoformat()} ({row.reference or 'no reference'})")
    if row.stopped_at is not None:
        raise ObligationNotOpen(f"it was stopped on {row.stopped_at.isoformat()}: {row.stopped_reason}")
    return row


async def _stop(session: AsyncSession, row: Deadline, reason: str, now: datetime, by: str) -> None:
    row.stopped_at, row.stopped_reason, row.stopped_by = now, reason[:500], by
    session.add(row)
    await tasks.close(
        session, row.recall_number, task_key(row), outcome=f"not owed: {reason}"[:300], done_by=by, now=now
    )


async def _audit(
    session: AsyncSession,
    row: Deadline,
    action: str,
    by: str,
    role: str,
    now: datetime,
    reason: str | None,
    data: dict[str, Any],
    signature: str | None = None,
) -> None:
    facts = {"deadline": row.id, "name": row.name, "jurisdiction": row.jurisdiction, "due_at": row.due_at}
    late = {"late": now > row.due_at} if action == "obligation.submitted" else {}
    await audit.append(
        session,
        row.recall_number,
        actor=by,
        role=role,
        action=action,
        at=now,
        reason=reason,
        data=facts | late | data,
        signature=signature,
    )
