"""The mass balance by consignee and lot: what each got and what became of it, adding up to the balance of the lots."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import consignee_balance_sql
from db.repositories.trace_sql import TUNE
from domain.mass_balance import Terms
from domain.packages import Package

EVERY: Final = 10_000_000
"""A limit that is none."""
_MARKET: Final = consignee_balance_sql.SUMMED[3:]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsigneeBalance:
    """One consignee and lot, in units of use."""

    partner_id: int
    """0: goods that went to, or came from, no place on record."""
    consignee_id: int | None
    """None where the partner is no consignee of the recall (any more)."""
    code: str
    name: str
    state: str | None
    lot_id: int
    lot_number: str
    product_id: int
    product_code: str
    unit: str
    received: Decimal
    """From our side or a maker's."""
    taken_over: Decimal
    """From other consignees."""
    passed_on: Decimal
    """To other consignees."""
    terms: Terms
    """`distributed` is received + taken over - passed on; the terms of our own side are 0 here."""


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before."""

    unaccounted: Decimal
    partner_id: int
    lot_id: int


async def rows(
    session: AsyncSession,
    number: str,
    *,
    lot: int | None = None,
    partner: int | None = None,
    after: After | None = None,
    limit: int = EVERY,
) -> list[ConsigneeBalance]:
    """Rows of the current scope, the largest rest (missing, or too much) first."""
    await run(session, TUNE)
    values = {
        "number": number,
        "lot": lot,
        "partner": partner,
        "after": abs(after.unaccounted) if after else None,
        "after_partner": after.partner_id if after else None,
        "after_lot": after.lot_id if after else None,
        "limit": limit,
    }
    return [_balance(row) for row in await run(session, consignee_balance_sql.BY_CONSIGNEE, values)]


def _balance(row: Row[*tuple[Any, ...]]) -> ConsigneeBalance:
    partner_id, consignee_id, code, name, state, lot_id, lot_number, product_id, product_code, unit, *sums = row
    received, taken_over, passed_on, *market = sums
    return ConsigneeBalance(
        partner_id=partner_id,
        consignee_id=consignee_id,
        code=code,
        name=name,
        state=state,
        lot_id=lot_id,
        lot_number=lot_number,
        product_id=product_id,
        product_code=product_code,
        unit=unit,
        received=received,
        taken_over=taken_over,
        passed_on=passed_on,
        terms=Terms(distributed=received + taken_over - passed_on, **dict(zip(_MARKET, market, strict=True))),
    )


async def partner_of(session: AsyncSession, number: str, consignee_id: int) -> int | None:
    """The partner behind a consignee of the recall."""
    statement = "SELECT partner_id FROM consignee WHERE id = :consignee AND recall_number = :number"
    return (await run(session, statement, {"consignee": consignee_id, "number": number})).scalar_one_or_none()


async def packages(session: AsyncSession, products: Collection[int]) -> dict[int, Sequence[Package]]:
    """Package levels of these products, the smallest first."""
    statement = """
        SELECT product_id, unit, units_of_use FROM package_level
        WHERE product_id = ANY (CAST(:products AS bigint[])) ORDER BY product_id, units_of_use, unit
    """
    found: dict[int, list[Package]] = {}
    for product, unit, units in (await run(session, statement, {"products": sorted(products)})).all():
        found.setdefault(product, []).append(Package(unit, units))
    return dict(found)


async def packages_of_lots(session: AsyncSession, lots: Collection[int]) -> dict[int, Sequence[Package]]:
    """Lot -> package levels of its product."""
    statement = "SELECT id, product_id FROM lot WHERE id = ANY (CAST(:lots AS bigint[]))"
    product_of = dict((await run(session, statement, {"lots": sorted(lots)})).all())
    levels = await packages(session, set(product_of.values()))
    return {lot: levels.get(product, ()) for lot, product in product_of.items()}


__all__ = ["EVERY", "After", "ConsigneeBalance", "packages", "packages_of_lots", "partner_of", "rows"]
