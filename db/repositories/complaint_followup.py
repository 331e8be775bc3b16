"""What follows from a complaint: the recall takes it up, an evaluation takes it into account, quality closes it.

`take_up` is called by the recall's workflow, so that deadlines and tasks are written at its own instant; whether a new
evaluation covers a complaint is read from the record, never remembered.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls, tasks
from domain.phases import Phase
from domain.policy_parts import HumanStep
from domain.workflow_ids import recall_id
from models.complaint import Complaint, ComplaintState
from models.recall import Recall

_EVALUATING: Final = (Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)
"""Phases in which a hazard can be evaluated again; later there is only the outcome to record."""


class UnknownComplaint(LookupError):  # noqa: N818 - a term of the API
    """The recall has no complaint with this number."""


class ComplaintNotOpen(Exception):  # noqa: N818 - a term of the API
    """The complaint cannot be closed now; the message says why."""


async def new_ones(session: AsyncSession, number: str) -> list[Complaint]:
    """Complaints the recall's workflow has not taken up, locked."""
    query = (
        select(Complaint)
        .where(col(Complaint.recall_number) == number, col(Complaint.taken_up_at).is_(None))
        .order_by(col(Complaint.sequence))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list((await session.exec(query)).all())


async def taken_up_at(session: AsyncSession, number: str, at: datetime) -> list[Complaint]:
    """Complaints taken up at one instant of the workflow, which is what one call of the activity did."""
    query = select(Complaint).where(col(Complaint.recall_number) == number, col(Complaint.taken_up_at) == at)
    return list((await session.exec(query.order_by(col(Complaint.sequence)))).all())


async def take_up(session: AsyncSession, recall: Recall, complaint: Complaint, now: datetime) -> list[str]:
    """Open the complaint's task and mark it taken up; returns the product lines to be evaluated again."""
    complaint.taken_up_at = now
    session.add(complaint)
    lines = await lines_of(session, recall, complaint)
    await tasks.offer(
        session,
        recall,
        key=f"complaint:{complaint.sequence}",
        step=HumanStep.COMPLAINT,
        what=f"Follow up complaint {complaint.sequence} ({complaint.severity}) and record what came of it",
        owner=recall_id(recall.number),
        now=now,
    )
    await audit.append(
        session,
        recall.number,
        actor="system",
        role="system",
        action="complaint.taken_up",
        at=now,
        data={"complaint": complaint.sequence, "lines": lines},
    )
    return lines


_LINES: Final = """
SELECT DISTINCT coalesce(p.family, p.code) AS line
FROM scope_lot s
JOIN lot ON lot.id = s.lot_id
JOIN product p ON p.id = lot.product_id
LEFT JOIN consignee_lot cl ON cl.lot_id = s.lot_id AND cl.consignee_id = CAST(:consignee AS bigint)
WHERE s.recall_number = :number AND s.scope_version = :version
  AND (CAST(:lot AS bigint) IS NULL OR s.lot_id = CAST(:lot AS bigint))
  AND (CAST(:consignee AS bigint) IS NULL OR CAST(:lot AS bigint) IS NOT NULL OR cl.lot_id IS NOT NULL)
ORDER BY 1
"""


async def lines_of(session: AsyncSession, recall: Recall, complaint: Complaint) -> list[str]:
    """The complaint's line; that of its lot; those its consignee received; else every line of the recall."""
    every = [line.key for line in await recalls.product_lines(session, recall.number, recall.scope_version)]
    if complaint.product_line is not None:
        named = [complaint.product_line]
    else:
        given = {
            "number": recall.number,
            "version": recall.scope_version,
            "lot": complaint.lot_id,
            "consignee": complaint.consignee_id,
        }
        named = list((await run(session, _LINES, given)).scalars())
    # A raw material is traced, but its hazard is evaluated in the product that carries it.
    return [line for line in named if line in every] or every


async def open_count(session: AsyncSession, number: str) -> int:
    """Complaints that are not closed."""
    found = await run(
        session,
        "SELECT count(*) FROM complaint WHERE recall_number = :number AND state <> 'closed'",
        {"number": number},
    )
    return int(found.scalar_one())


async def mark_evaluated(session: AsyncSession, recall: Recall) -> int:
    """Mark complaints whose every product line was evaluated after they were taken up; returns how many are new."""
    query = (
        select(Complaint)
        .where(col(Complaint.recall_number) == recall.number, col(Complaint.state) == ComplaintState.open.value)
        .where(col(Complaint.taken_up_at).is_not(None))
        .order_by(col(Complaint.sequence))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    marked = 0
    for complaint in (await session.exec(query)).all():
        lines = await lines_of(session, recall, complaint)
        if set(lines) <= await _evaluated_since(session, complaint):
            complaint.state = ComplaintState.evaluated.value
            session.add(complaint)
            marked += 1
    await session.flush()
    return marked


async def _evaluated_since(session: AsyncSession, complaint: Complaint) -> set[str]:
    found = await run(
        session,
        "SELECT DISTINCT product_line FROM hazard_evaluation WHERE recall_number = :number AND recorded_at >= :since",
        {"number": complaint.recall_number, "since": complaint.taken_up_at},
    )
    return set(found.scalars())


async def close(
    session: AsyncSession,
    number: str,
    sequence: int,
    *,
    outcome: str,
    by: str,
    role: str,
    at: datetime,
    signature: str | None = None,
) -> Complaint:
    """Sign what came of a complaint; closing it with the same words again changes nothing.

    Raises:
        UnknownComplaint: there is none.
        ComplaintNotOpen: it is closed otherwise, or no evaluation has taken it into account although one can.
    """
    recall = await recalls.get(session, number)
    await recalls.share(session, [number])
    query = select(Complaint).where(col(Complaint.recall_number) == number, col(Complaint.sequence) == sequence)
    complaint = (await session.exec(query.with_for_update())).one_or_none()
    if complaint is None:
        raise UnknownComplaint(f"recall {number} has no complaint {sequence}")
    await mark_evaluated(session, recall)
    if complaint.state == ComplaintState.closed.value:
        if (complaint.closed_by, complaint.outcome) == (by, outcome):
            return complaint
        raise ComplaintNotOpen(f"complaint {sequence} was closed by {complaint.closed_by}")
    if complaint.state == ComplaintState.open.value and recall.phase in _EVALUATING:
        raise ComplaintNotOpen(f"complaint {sequence} waits for a hazard evaluation that takes it into account")
    complaint.state, complaint.outcome = ComplaintState.closed.value, outcome
    complaint.closed_by, complaint.closed_at = by, at
    session.add(complaint)
    for key in (f"complaint:{sequence}", f"on_call:{sequence}"):
        await tasks.close(session, number, key, outcome="complaint closed", done_by=by, now=at)
    await audit.append(
        session,
        number,
        actor=by,
        role=role,
        action="complaint.closed",
        at=at,
        data={"complaint": sequence},
        signature=signature,
    )
    return complaint


async def listed(
    session: AsyncSession, number: str, *, state: str | None, after: int, limit: int
) -> Sequence[Complaint]:
    """Complaints of a recall by their number."""
    query = (
        select(Complaint)
        .where(col(Complaint.recall_number) == number, col(Complaint.sequence) > after)
        .order_by(col(Complaint.sequence))
        .limit(limit)
    )
    if state is not None:
        query = query.where(col(Complaint.state) == state)
    return (await session.exec(query)).all()


__all__ = [
    "ComplaintNotOpen",
    "UnknownComplaint",
    "close",
    "lines_of",
    "listed",
    "mark_evaluated",
    "new_ones",
    "open_count",
    "take_up",
    "taken_up_at",
]
