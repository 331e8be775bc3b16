"""Complaints: reports of harm, each with its own awareness clock and a named person paged in the same transaction.

One reply makes one complaint, whatever is repeated. What follows (deadlines, task, evaluation, closing) is in
`complaint_followup`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls, staff, staff_messages, tasks
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.complaint import Complaint, ComplaintState
from models.harm import HarmReport
from models.recall import Recall

CLOCK: Final = "harm_awareness"
"""Base name of the clock; complaint 3 runs `harm_awareness:3`."""


class UnknownSubject(ValueError):  # noqa: N818 - a term of the API
    """The lot, line or consignee is none of this recall's; `field` names which was meant."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Recorded:
    """A complaint on record."""

    complaint: Complaint
    new: bool


async def record(session: AsyncSession, report: HarmReport) -> Recorded:
    """Write the complaint, start its clock and page somebody; the same reply or form again changes nothing.

    Raises:
        UnknownSubject: consignee, lot or product line of another recall.
    """
    # Locks in one order everywhere: consignee, complaint numbers, audit chain. A reply holds its consignee already.
    if report.consignee_id is not None:
        share = "SELECT 1 FROM consignee WHERE id = :consignee FOR KEY SHARE"
        await run(session, share, {"consignee": report.consignee_id})
    await run(session, "SELECT pg_advisory_xact_lock(hashtext(:key))", {"key": f"complaint:{report.number}"})
    known = await _known(session, report)
    if known is not None:
        return Recorded(known, new=False)
    await _check_subject(session, report)
    recall = await recalls.get(session, report.number)
    complaint = _row(report, await _next_sequence(session, report.number))
    session.add(complaint)
    await session.flush()
    await _start_clock(session, complaint)
    on_call = await staff.on_call(session, report.at)
    paged = await staff_messages.page(session, recall, complaint, report.at)
    complaint.paged = paged[0][:120] if paged else None
    session.add(complaint)
    await _note_recorded(session, report, complaint, paged)
    if not on_call:
        await _nobody_on_call(session, recall, complaint, report.at)
    return Recorded(complaint, new=True)


async def _known(session: AsyncSession, report: HarmReport) -> Complaint | None:
    query = select(Complaint).where(col(Complaint.recall_number) == report.number)
    if report.reply_id is not None:
        query = query.where(col(Complaint.reply_id) == report.reply_id)
    elif report.form_id is not None:
        query = query.where(col(Complaint.form_id) == report.form_id)
    else:
        return None
    return (await session.exec(query)).one_or_none()


_SUBJECTS: Final = {
    "consignee_id": "SELECT 1 FROM consignee WHERE recall_number = :number AND id = :value",
    "lot_id": "SELECT 1 FROM scope_lot WHERE recall_number = :number AND lot_id = :value LIMIT 1",
    "product_line": """
SELECT 1 FROM scope_lot s JOIN lot ON lot.id = s.lot_id JOIN product p ON p.id = lot.product_id
WHERE s.recall_number = :number AND coalesce(p.family, p.code) = :value LIMIT 1
""",
}


async def _check_subject(session: AsyncSession, report: HarmReport) -> None:
    for field, statement in _SUBJECTS.items():
        value = getattr(report, field)
        if value is None:
            continue
        found = await run(session, statement, {"number": report.number, "value": value})
        if found.first() is None:
            raise UnknownSubject(field, f"expected a {field.removesuffix('_id').replace('_', ' ')} of this recall")


async def _next_sequence(session: AsyncSession, number: str) -> int:
    highest = "SELECT coalesce(max(sequence), 0) + 1 FROM complaint WHERE recall_number = :number"
    found = await run(session, highest, {"number": number})
    return int(found.scalar_one())


def _row(report: HarmReport, sequence: int) -> Complaint:
    return Complaint(
        recall_number=report.number,
        sequence=sequence,
        consignee_id=report.consignee_id,
        reply_id=report.reply_id,
        source=report.source,
        awareness_at=report.awareness_at,
        severity=report.harm.severity.value,
        patients=report.harm.patients,
        description=report.harm.description,
        lot_id=report.lot_id,
        product_line=report.product_line,
        state=ComplaintState.open.value,
        recorded_by=report.recorded_by,
        recorded_at=report.at,
        form_id=report.form_id,
    )


async def _start_clock(session: AsyncSession, complaint: Complaint) -> None:
    await recalls.start_clock(
        session,
        complaint.recall_number,
        f"{CLOCK}:{complaint.sequence}",
        complaint.awareness_at,
        source=f"complaint {complaint.sequence} ({complaint.source})",
        author=complaint.recorded_by,
        now=complaint.recorded_at,
    )


async def _note_recorded(session: AsyncSession, report: HarmReport, complaint: Complaint, paged: Sequence[str]) -> None:
    await audit.append(
        session,
        report.number,
        actor=report.recorded_by,
        role=report.role,
        action="complaint.recorded",
        at=report.at,
        # Identifiers and figures only: the description may say more than an audit should hold.
        data={
            "complaint": complaint.sequence,
            "severity": complaint.severity,
            "patients": complaint.patients,
            "source": complaint.source,
            "consignee": complaint.consignee_id,
            "reply": complaint.reply_id,
            "lot": complaint.lot_id,
            "awareness_at": complaint.awareness_at,
            "paged": list(paged),
        },
    )


async def _nobody_on_call(session: AsyncSession, recall: Recall, complaint: Complaint, now: datetime) -> None:
    await audit.append(
        session,
        recall.number,
        actor="system",
        role="system",
        action="complaint.nobody_on_call",
        at=now,
        data={"complaint": complaint.sequence, "told": Role.HEAD_OF_QUALITY.value},
    )
    await tasks.offer(
        session,
        recall,
        key=f"on_call:{complaint.sequence}",
        step=HumanStep.COMPLAINT,
        what=f"Harm was reported (complaint {complaint.sequence}) and nobody is on call: act on it, name somebody",
        owner=recall_id(recall.number),
        now=now,
        role=Role.HEAD_OF_QUALITY,
    )


__all__ = ["CLOCK", "Recorded", "UnknownSubject", "record"]
