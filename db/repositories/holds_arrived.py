"""Goods in transit under a nonconformity hold: when they arrive with us, the hold goes on where they lie.

A running recall claims what arrives by itself; a recall that has ended, or took the lot out of its scope, claims
nothing more, and its stopped shipments would otherwise become free stock by arriving (design promise 6).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger, stock_sql, trace_sql
from db.repositories.hold_records import record

_HOLDERS = """
SELECT DISTINCT h.recall_number FROM hold h JOIN recall r ON r.number = h.recall_number AND NOT r.drill
WHERE h.position = 'in_transit' AND h.state = 'nonconformity' AND h.quantity > 0
  AND h.lot_id = ANY(CAST(:lot_ids AS bigint[])) ORDER BY h.recall_number
"""
_ARRIVED = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{stock_sql.LOCATED},
way AS (
    SELECT lot_id, location_id, document_no, sum(quantity) AS quantity
    FROM located WHERE part = 'in_transit' GROUP BY lot_id, location_id, document_no
),
here AS (
    SELECT h.id, coalesce(way.quantity, 0) AS still_under_way
    FROM hold h JOIN scope USING (lot_id) JOIN recall r ON r.number = h.recall_number AND NOT r.drill
    LEFT JOIN way ON way.lot_id = h.lot_id AND way.location_id = h.location_id
         AND way.document_no IS NOT DISTINCT FROM h.document_no
    WHERE h.position = 'in_transit' AND h.state = 'nonconformity' AND h.quantity > coalesce(way.quantity, 0)
),
old AS (SELECT id, quantity FROM hold WHERE id IN (SELECT id FROM here) FOR UPDATE)
UPDATE hold h SET quantity = here.still_under_way
FROM here JOIN old USING (id), location place
WHERE h.id = here.id AND place.id = h.location_id
RETURNING h.recall_number, h.lot_id, h.location_id, place.custody, old.quantity - here.still_under_way AS arrived
"""  # noqa: S608 - constants


async def holders(session: AsyncSession, lot_ids: Sequence[int]) -> list[str]:
    """Recalls with nonconformity holds on shipments of these lots; lock them before `follow_arrivals`."""
    return list((await run(session, _HOLDERS, {"lot_ids": list(lot_ids)})).scalars())


async def follow_arrivals(session: AsyncSession, lot_ids: Sequence[int], now: datetime) -> None:
    """Move nonconformity holds from shipments that arrived with us to the places where they lie."""
    moved = (await run(session, _ARRIVED, {"lot_ids": list(lot_ids)})).all()
    places = {(row.lot_id, row.location_id) for row in moved}
    for row in moved:
        if row.custody != "customer":
            await ledger.hold_at(
                session,
                row.recall_number,
                row.lot_id,
                row.location_id,
                row.arrived,
                at=now,
                by="system",
                nonconforming=True,
            )
    if places:
        await ledger.settle(session, sorted(places), now)
    for number in sorted({row.recall_number for row in moved}):
        arrived = sum(row.recall_number == number for row in moved)
        await record(session, number, "holds.followed_units", now, {"arrived": arrived})


__all__ = ["follow_arrivals", "holders"]
