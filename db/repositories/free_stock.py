"""Unaffected stock: units of lots that no recall claims or has in scope, not reserved, not promised to another site."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger, scope_lots
from db.repositories.disposal_refusals import DisposalRefused, invalid
from domain.disposition import Fault
from domain.quantity_text import plain

_LOTS = "SELECT id, expires_on FROM lot WHERE product_id = :product_id ORDER BY id"
_PROMISED = """
SELECT a.lot_id, a.location_id, sum(a.quantity) AS quantity
FROM allocation a JOIN recall r ON r.number = a.recall_number AND NOT r.drill
WHERE a.state IN ('proposed', 'approved') AND a.lot_id = ANY(CAST(:lot_ids AS bigint[]))
  AND a.id <> coalesce(CAST(:but AS bigint), 0)
GROUP BY a.lot_id, a.location_id
"""
"""A drill's allocations are never shipped and promise nothing."""


@dataclass(frozen=True, slots=True)
class Free:
    """Free units of one lot at one place of ours."""

    lot_id: int
    location_id: int
    quantity: Decimal
    expires_on: date | None


async def of_product(session: AsyncSession, product_id: int) -> list[Free]:
    """Free units of every unaffected lot of a product, by lot and place."""
    lots = {row.id: row.expires_on for row in await run(session, _LOTS, {"product_id": product_id})}
    return await _free(session, lots) if lots else []


async def require(
    session: AsyncSession,
    lot_id: int,
    location_id: int,
    quantity: Decimal,
    *,
    fields: tuple[str, str],
    but: int | None = None,
) -> None:
    """That so many free units of an unaffected lot lie there; `but`: the allocation these units are promised by.

    Raises:
        DisposalRefused: the lot is suspect, or less is free; `fields` name lot and quantity in the request.
    """
    if await scope_lots.suspect_among(session, [lot_id]):
        raise invalid(Fault(fields[0], "a lot that no recall claims or has in its scope"))
    found = await _free(session, {lot_id: None}, but)
    free = next((each.quantity for each in found if each.location_id == location_id), Decimal(0))
    if free < quantity:
        detail = f"{plain(free)} units of the lot are free there, not {plain(quantity)}."
        raise DisposalRefused("quantity_exceeded", detail, [Fault(fields[1], f"at most {plain(free)}")])


async def _free(session: AsyncSession, lots: dict[int, date | None], but: int | None = None) -> list[Free]:
    suspect = await scope_lots.suspect_among(session, list(lots))
    clear = [lot for lot in lots if lot not in suspect]
    if not clear:
        return []
    rows = await run(session, _PROMISED, {"lot_ids": clear, "but": but})
    promised = {(row.lot_id, row.location_id): row.quantity for row in rows}
    found = []
    for (lot, place), balance in sorted((await ledger.balances(session, clear)).items()):
        if balance.custody != "customer":
            free = balance.on_hand - balance.reserved - promised.get((lot, place), Decimal(0))
            found.append(Free(lot, place, max(free, Decimal(0)), lots[lot]))
    return found


__all__ = ["Free", "of_product", "require"]
