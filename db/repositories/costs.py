"""Cost entries of a recall: written once, reversed by another entry, summed per currency and never across."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, provisional_account, recalls_read
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.disposition import Fault
from domain.money import MoneyError, check_money, sums
from models.disposition import CostEntry, Disposition


@dataclass(frozen=True, slots=True)
class Cost:
    """Money spent (positive) or credited (negative)."""

    kind: str
    amount: Decimal
    currency: str
    disposition: int | None
    """Number of the disposition it belongs to."""
    note: str | None


async def book(session: AsyncSession, number: str, cost: Cost, who: Who) -> CostEntry:
    """Write an entry; the same request again returns the first one.

    Raises:
        DisposalRefused: no such currency or disposition, the amount has more decimals than the currency, or the
            account is locked.
    """
    await _recall(session, number)
    if (before := await _of_request(session, who.request)) is not None:
        return before
    await provisional_account.must_be_open(session, number)
    try:
        amount = check_money(cost.amount, cost.currency)
    except MoneyError as error:
        field, expected = str(error).split(": ", 1)
        raise invalid(Fault(field, expected.removeprefix("expected "))) from error
    disposition_id = None
    if cost.disposition is not None:
        query = select(Disposition.id).where(
            col(Disposition.recall_number) == number, col(Disposition.sequence) == cost.disposition
        )
        disposition_id = (await session.exec(query)).one_or_none()
        if disposition_id is None:
            raise invalid(Fault("disposition", f"the number of a disposition of the recall {number}"))
    entry = CostEntry(
        recall_number=number,
        disposition_id=disposition_id,
        kind=cost.kind,
        amount=amount,
        currency=cost.currency,
        note=cost.note,
        request=who.request,
        booked_by=who.principal,
        booked_at=who.at,
    )
    return await _write(session, entry, who, "cost.booked")


async def reverse(session: AsyncSession, number: str, entry_id: int, who: Who, reason: str) -> CostEntry:
    """Take an entry back by one of the opposite amount; an entry is reversed once, and a reversal never.

    Raises:
        DisposalRefused: the recall has no such entry, or it is reversed or a reversal, or the account is locked.
    """
    await _recall(session, number)
    if (before := await _of_request(session, who.request)) is not None:
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
    reversal = CostEntry(
        recall_number=number,
        disposition_id=entry.disposition_id,
        kind=entry.kind,
        amount=-entry.amount,
        currency=entry.currency,
        note=reason[:500],
        reverses_id=entry_id,
        request=who.request,
        booked_by=who.principal,
        booked_at=who.at,
    )
    return await _write(session, reversal, who, "cost.reversed")


async def _recall(session: AsyncSession, number: str) -> None:
    await lock_recalls(session, [number])
    if await recalls_read.find(session, number) is None:
        raise DisposalRefused("recall_unknown", f"There is no recall {number}.")


async def _of_request(session: AsyncSession, request: str) -> CostEntry | None:
    return (await session.exec(select(CostEntry).where(col(CostEntry.request) == request))).one_or_none()


async def _write(session: AsyncSession, entry: CostEntry, who: Who, action: str) -> CostEntry:
    session.add(entry)
    await session.flush()
    data = {
        "entry": entry.id,
        "kind": entry.kind,
        "amount": entry.amount,
        "currency": entry.currency,
        "disposition_id": entry.disposition_id,
        "reverses": entry.reverses_id,
    }
    number = entry.recall_number
    await audit.append(session, number, actor=who.principal, role=who.role, action=action, at=who.at, data=data)
    return entry


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[CostEntry]:
    """Entries in the order they were booked."""
    query = select(CostEntry).where(col(CostEntry.recall_number) == number, col(CostEntry.id) > after)
    return (await session.exec(query.order_by(col(CostEntry.id)).limit(limit))).all()


async def totals(session: AsyncSession, number: str) -> dict[str, Decimal]:
    """Sum of all entries per currency, reversals included."""
    query = select(CostEntry).where(col(CostEntry.recall_number) == number)
    return sums((entry.amount, entry.currency) for entry in (await session.exec(query)).all())


__all__ = ["Cost", "book", "listed", "reverse", "totals"]
