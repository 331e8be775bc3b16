"""Exchange rates as stated: added with day and source, never changed; the audit of them is in the stream `system`."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from db.repositories.disposal_refusals import invalid
from db.repositories.disposition_who import Who
from domain.disposition import Fault
from domain.exchange import Rate
from domain.money import currencies
from models.money import ExchangeRate


async def add(
    session: AsyncSession, currency: str, base: str, rate: Decimal, valid_on: date, source: str, who: Who
) -> ExchangeRate:
    """State a rate; the same request again returns the first one.

    Raises:
        DisposalRefused: no such currency, one currency twice, or a day to come.
    """
    before = (await session.exec(select(ExchangeRate).where(col(ExchangeRate.request) == who.request))).one_or_none()
    if before is not None:
        return before
    for field, code in (("currency", currency), ("base", base)):
        if code not in currencies():
            raise invalid(Fault(field, "an ISO 4217 code such as EUR"))
    if currency == base:
        raise invalid(Fault("base", "another currency"))
    if valid_on > who.at.date():
        raise invalid(Fault("valid_on", f"a day up to today, {who.at.date().isoformat()}"))
    row = ExchangeRate(
        currency=currency,
        base=base,
        rate=rate,
        valid_on=valid_on,
        source=source,
        request=who.request,
        recorded_by=who.principal,
        recorded_at=who.at,
    )
    session.add(row)
    await session.flush()
    data = {"id": row.id, "currency": currency, "base": base, "rate": rate, "valid_on": valid_on.isoformat()}
    stream = audit.SYSTEM
    await audit.append(
        session, stream, actor=who.principal, role=who.role, action="exchange_rate.stated", at=who.at, data=data
    )
    return row


async def listed(session: AsyncSession, *, after: int, limit: int) -> Sequence[ExchangeRate]:
    """In the order they were stated."""
    query = select(ExchangeRate).where(col(ExchangeRate.id) > after).order_by(col(ExchangeRate.id)).limit(limit)
    return (await session.exec(query)).all()


async def between(session: AsyncSession, base: str, codes: Collection[str]) -> list[Rate]:
    """Every stated rate between `base` and one of `codes`."""
    query = select(ExchangeRate).where(
        or_(
            (col(ExchangeRate.base) == base) & col(ExchangeRate.currency).in_(codes),
            (col(ExchangeRate.currency) == base) & col(ExchangeRate.base).in_(codes),
        )
    )
    return [
        Rate(row.id or 0, row.currency, row.base, row.rate, row.valid_on, row.source)
        for row in (await session.exec(query)).all()
    ]


__all__ = ["add", "between", "listed"]
