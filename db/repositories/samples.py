"""Retained samples: units of a suspect lot kept as evidence until the authority has answered (MDR Art 89(1)).

They are part of the stock where they lie and no disposition may take them; settling them with the authority's
reference makes them units like all others under the hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, evidence, incident_evidence, ledger, recalls, scope_lots
from db.repositories.disposal_refusals import DisposalRefused, invalid, refuse_drill
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.disposition import Fault
from domain.quantity_text import plain
from models.complaint import Complaint
from models.disposition import RetainedSample


@dataclass(frozen=True, slots=True)
class Sample:
    """What is kept, in units of use."""

    lot_id: int
    location_id: int
    quantity: Decimal
    evidence_ids: tuple[str, ...]
    complaint: int | None = None
    """Number of the complaint they are evidence of."""


async def retain(session: AsyncSession, number: str, sample: Sample, who: Who) -> RetainedSample:
    """Set units aside as evidence; the same request again returns the first record.

    Raises:
        DisposalRefused: the lot is not of this recall, or less lies there than is to be kept.
    """
    await ledger.lock(session, [number], [sample.lot_id])
    known = select(RetainedSample).where(col(RetainedSample.request) == who.request)
    if (before := (await session.exec(known)).one_or_none()) is not None:
        return before
    refuse_drill(await recalls.get(session, number), "no units are kept as evidence under it")
    if not await scope_lots.is_of_recall(session, number, sample.lot_id):
        raise invalid(Fault("lot_id", f"a lot of the recall {number}"))
    if sample.complaint is not None and not await _is_complaint(session, number, sample.complaint):
        raise invalid(Fault("complaint", f"the number of a complaint of the recall {number}"))
    balance = (await ledger.balances(session, [sample.lot_id])).get((sample.lot_id, sample.location_id))
    if balance is None or balance.custody == "customer":
        raise invalid(Fault("location_id", "a place of ours where the lot lies"))
    kept = await _kept(session, sample.lot_id, sample.location_id)
    if balance.on_hand - kept < sample.quantity:
        rest = plain(max(balance.on_hand - kept, Decimal(0)))
        raise DisposalRefused("quantity_exceeded", f"{rest} units lie there that are not kept already.")
    row = RetainedSample(
        recall_number=number,
        lot_id=sample.lot_id,
        location_id=sample.location_id,
        quantity=sample.quantity,
        complaint=sample.complaint,
        request=who.request,
        recorded_by=who.principal,
        recorded_at=who.at,
    )
    session.add(row)
    await session.flush()
    await evidence.link(
        session, number, sample.evidence_ids, f"sample:{row.id}", by=who.principal, at=who.at, role=who.role
    )
    await _note(session, row, who, "sample.retained")
    return row


async def settle(session: AsyncSession, number: str, sample_id: int, reference: str, who: Who) -> RetainedSample:
    """Record the authority's answer; settling again changes nothing.

    Raises:
        DisposalRefused: the recall has no such sample, or the authority was not told yet of the harm it is evidence of.
    """
    await lock_recalls(session, [number])
    row = await session.get(RetainedSample, sample_id, populate_existing=True)
    if row is None or row.recall_number != number:
        raise DisposalRefused("not_found", f"The recall {number} has no retained sample {sample_id}.")
    if row.settled_at is not None:
        return row
    untold = await incident_evidence.untold_about(session, number, complaint=row.complaint, lot_id=row.lot_id)
    if untold:
        named = ", ".join(map(str, untold[:20]))
        detail = f"Complaint {named}: the report to the authority is neither submitted nor stopped (MDR Art. 89(1))."
        raise DisposalRefused("conflict", detail)
    row.settled_by, row.settled_at, row.settled_reference = who.principal, who.at, reference
    session.add(row)
    await _note(session, row, who, "sample.settled")
    return row


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[RetainedSample]:
    """Samples of a recall in order."""
    query = select(RetainedSample).where(col(RetainedSample.recall_number) == number, col(RetainedSample.id) > after)
    return (await session.exec(query.order_by(col(RetainedSample.id)).limit(limit))).all()


async def _is_complaint(session: AsyncSession, number: str, sequence: int) -> bool:
    query = select(Complaint.id).where(col(Complaint.recall_number) == number, col(Complaint.sequence) == sequence)
    return (await session.exec(query)).first() is not None


async def _kept(session: AsyncSession, lot_id: int, location_id: int) -> Decimal:
    query = select(RetainedSample).where(
        col(RetainedSample.lot_id) == lot_id,
        col(RetainedSample.location_id) == location_id,
        col(RetainedSample.settled_at).is_(None),
    )
    return sum((row.quantity for row in (await session.exec(query)).all()), Decimal(0))


async def _note(session: AsyncSession, row: RetainedSample, who: Who, action: str) -> None:
    data = {
        "sample": row.id,
        "lot": row.lot_id,
        "location": row.location_id,
        "quantity": row.quantity,
        "complaint": row.complaint,
        "reference": row.settled_reference,
    }
    await audit.append(
        session,
        row.recall_number,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        data=data,
        signature=who.signature,
    )


__all__ = ["Sample", "listed", "retain", "settle"]
