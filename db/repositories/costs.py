"""Cost entries of a recall: written once, reversed by another entry, summed per currency and never across."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, provisional_account, recalls_read
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.costs import CostSource
from domain.disposition import Fault
from domain.money import MoneyError, check_money, sums
from models.chain import Lot
from models.disposition import CostEntry, Disposition
from models.master import Location
from models.recall import Consignee


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Money spent (positive) or credited to us (negative), and what it belongs to."""

    kind: str
    amount: Decimal
    currency: str
    disposition: int | None = None
    """Number of the disposition it belongs to; lot and place are the disposition's unless they are named."""
    lot_id: int | None = None
    consignee_id: int | None = None
    location_id: int | None = None
    cause: str | None = None
    quantity: Decimal | None = None
    """Units of use."""
    document_no: str | None = None
    company: str | None = None
    jurisdiction: str | None = None
    incurred_on: date | None = None
    """None: the day it is booked, in UTC."""
    note: str | None = None


async def book(session: AsyncSession, number: str, cost: Cost, who: Who) -> CostEntry:
    """Write an entry; the same request again returns the first one.

    Raises:
        DisposalRefused: no such currency, disposition, lot, site or jurisdiction; the amount has more decimals than
            the currency; the day is in the future; the account is locked.
    """
    await open_for_booking(session, number)
    if (before := await of_request(session, who.request)) is not None:
        return before
    await provisional_account.must_be_open(session, number)
    entry = await prepared(session, number, cost, who)
    return await write(session, entry, who, "cost.booked")


async def prepared(
    session: AsyncSession,
    number: str,
    cost: Cost,
    who: Who,
    *,
    source: CostSource = CostSource.HAND,
    source_key: str | None = None,
) -> CostEntry:
    """An entry that can be written: every value checked, what follows from its disposition filled in.

    Raises:
        DisposalRefused: as `book`.
    """
    amount = _amount(cost)
    day = cost.incurred_on or who.at.date()
    if day > who.at.date():
        raise invalid(Fault("incurred_on", f"a day up to today, {who.at.date().isoformat()}"))
    disposition = await _disposition(session, number, cost.disposition)
    lot_id, consignee_id, location_id = cost.lot_id, cost.consignee_id, cost.location_id
    if disposition is not None:
        lot_id = lot_id if lot_id is not None else disposition.lot_id
        if consignee_id is None and location_id is None:
            consignee_id, location_id = disposition.consignee_id, disposition.location_id
    await _check_subjects(session, number, cost, lot_id, consignee_id, location_id)
    return CostEntry(
        recall_number=number,
        disposition_id=disposition.id if disposition else None,
        lot_id=lot_id,
        consignee_id=consignee_id,
        location_id=location_id,
        kind=cost.kind,
        amount=amount,
        currency=cost.currency,
        incurred_on=day,
        cause=cost.cause,
        quantity=cost.quantity,
        document_no=cost.document_no,
        company=cost.company,
        jurisdiction=cost.jurisdiction,
        source=source.value,
        source_key=source_key,
        note=cost.note,
        request=who.request,
        booked_by=who.principal,
        booked_at=who.at,
    )


def _amount(cost: Cost) -> Decimal:
    try:
        return check_money(cost.amount, cost.currency)
    except MoneyError as error:
        field, expected = str(error).split(": ", 1)
        raise invalid(Fault(field, expected.removeprefix("expected "))) from error


async def _disposition(session: AsyncSession, number: str, sequence: int | None) -> Disposition | None:
    if sequence is None:
        return None
    query = select(Disposition).where(col(Disposition.recall_number) == number, col(Disposition.sequence) == sequence)
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise invalid(Fault("disposition", f"the number of a disposition of the recall {number}"))
    return found


async def _check_subjects(
    session: AsyncSession,
    number: str,
    cost: Cost,
    lot_id: int | None,
    consignee_id: int | None,
    location_id: int | None,
) -> None:
    if consignee_id is not None and location_id is not None:
        raise invalid(Fault("location_id", "one site: a consignee or a place of ours"))
    if lot_id is not None and await session.get(Lot, lot_id) is None:
        raise invalid(Fault("lot_id", "the id of a lot on record"))
    if consignee_id is not None:
        consignee = await session.get(Consignee, consignee_id)
        if consignee is None or consignee.recall_number != number:
            raise invalid(Fault("consignee_id", f"the id of a consignee of the recall {number}"))
    if location_id is not None and await session.get(Location, location_id) is None:
        raise invalid(Fault("location_id", "the id of a place on record"))
    if cost.jurisdiction is not None:
        recall = await recalls_read.find(session, number)
        known = list(recall.jurisdictions) if recall is not None else []
        if cost.jurisdiction not in known:
            raise invalid(Fault("jurisdiction", f"one of the recall's: {', '.join(known)}"))


async def reverse(session: AsyncSession, number: str, entry_id: int, who: Who, reason: str) -> CostEntry:
    """Take an entry back by one of the opposite amount; an entry is reversed once, and a reversal never.

    Raises:
        DisposalRefused: the recall has no such entry, or it is reversed or a reversal, or the account is locked.
    """
    await open_for_booking(session, number)
    if (before := await of_request(session, who.request)) is not None:
        return before
    await provisional_account.must_be_open(session, number)
    entry = await session.get(CostEntry, entry_id)
    if entry is None or entry.recall_number != number:
        raise DisposalRefused("not_found", f"The recall {number} has no cost entry {entry_id}.")
    if entry.reverses_id is not None:
        raise DisposalRefused("conflict", f"The entry {entry_id} is a reversal itself; book the cost anew instead.")
    query = select(CostEntry.id).where(col(CostEntry.reverses_id) == entry_id)
    if (by := (await session.exec(query)).one_or_none()) is not None:
        raise DisposalRefused("already_decided", f"The entry {entry_id} was reversed by the entry {by}.")
    same = entry.model_dump(exclude={"id", "amount", "quantity", "note", "source", "source_key"})
    reversal = CostEntry(
        **same
        | {
            "amount": -entry.amount,
            "quantity": entry.quantity,
            "incurred_on": who.at.date(),
            "source": CostSource.HAND.value,
            "note": reason[:500],
            "reverses_id": entry_id,
            "request": who.request,
            "booked_by": who.principal,
            "booked_at": who.at,
        }
    )
    return await write(session, reversal, who, "cost.reversed")


async def open_for_booking(session: AsyncSession, number: str) -> None:
    """Lock the recall for an entry of costs.

    Raises:
        DisposalRefused: there is no such recall.
    """
    await lock_recalls(session, [number])
    if await recalls_read.find(session, number) is None:
        raise DisposalRefused("recall_unknown", f"There is no recall {number}.")


async def of_request(session: AsyncSession, request: str) -> CostEntry | None:
    """The entry a request has written; None where it wrote none yet."""
    return (await session.exec(select(CostEntry).where(col(CostEntry.request) == request))).one_or_none()


async def write(session: AsyncSession, entry: CostEntry, who: Who, action: str) -> CostEntry:
    """Write a prepared entry with its audit event."""
    session.add(entry)
    await session.flush()
    number = entry.recall_number
    await audit.append(
        session, number, actor=who.principal, role=who.role, action=action, at=who.at, data=audit_data(entry)
    )
    return entry


def audit_data(entry: CostEntry) -> dict[str, object]:
    """What the audit says of an entry."""
    return {
        "entry": entry.id,
        "kind": entry.kind,
        "amount": entry.amount,
        "currency": entry.currency,
        "disposition_id": entry.disposition_id,
        "reverses": entry.reverses_id,
        "source": entry.source,
    }


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[CostEntry]:
    """Entries in the order they were booked."""
    query = select(CostEntry).where(col(CostEntry.recall_number) == number, col(CostEntry.id) > after)
    return (await session.exec(query.order_by(col(CostEntry.id)).limit(limit))).all()


async def totals(session: AsyncSession, number: str) -> dict[str, Decimal]:
    """Sum of all entries per currency, reversals included."""
    statement = "SELECT sum(amount), currency FROM cost_entry WHERE recall_number = :number GROUP BY currency"
    return sums((amount, currency) for amount, currency in (await run(session, statement, {"number": number})).all())


__all__ = [
    "Cost",
    "audit_data",
    "book",
    "listed",
    "of_request",
    "open_for_booking",
    "prepared",
    "reverse",
    "totals",
    "write",
]
