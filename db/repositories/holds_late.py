"""Stock that turns up while recalls run: claimed in the transaction that brings it, so none stands free in between.

An import calls `claim_late_stock` before it commits and then wakes the recalls it returns.
"""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import holds_arrived, holds_followed, holds_sql
from db.repositories.hold_records import (
    align_claims,
    flag_moved_under_hold,
    follow_movements,
    forget_departed,
    lock_recalls,
    record,
)
from db.repositories.nonconformity_holds import open_for_holds
from db.repositories.stock import refresh_held
from domain.phases import FINAL_PHASES

_TOUCHED = """
SELECT lot_id FROM movement WHERE batch_id = :batch_id AND lot_id IS NOT NULL
UNION SELECT lot_id FROM stock WHERE batch_id = :batch_id
"""
_IN_SCOPE = """
SELECT s.recall_number, array_agg(DISTINCT s.lot_id) AS lot_ids
FROM scope_lot s JOIN recall r ON r.number = s.recall_number
WHERE r.phase <> ALL(CAST(:ended AS text[]))
  AND (CAST(:lot_ids AS bigint[]) IS NULL OR s.lot_id = ANY(CAST(:lot_ids AS bigint[])))
GROUP BY s.recall_number ORDER BY s.recall_number
"""
_TOUCHED_SCOPES = """
SELECT DISTINCT s.recall_number
FROM scope_lot s JOIN recall r ON r.number = s.recall_number
WHERE r.phase <> ALL(CAST(:ended AS text[])) AND (
    s.lot_id IN (SELECT lot_id FROM movement WHERE batch_id = :batch_id AND lot_id IS NOT NULL)
    OR s.lot_id IN (SELECT input_lot_id FROM lot_genealogy WHERE batch_id = :batch_id)
    OR s.lot_id IN (SELECT lot_id FROM serial WHERE batch_id = :batch_id)
    OR s.lot_id IN (SELECT u.lot_id FROM serial_sighting seen JOIN serial u ON u.id = seen.serial_id
                    WHERE seen.batch_id = :batch_id)
    OR EXISTS (SELECT FROM movement m JOIN lot l ON l.id = s.lot_id AND l.product_id = m.product_id
               WHERE m.batch_id = :batch_id AND m.lot_id IS NULL))
ORDER BY s.recall_number
"""


async def claim_late_stock(
    session: AsyncSession, batch_id: int | None = None, *, now: datetime | None = None
) -> list[str]:
    """Claim stock of running recalls that this batch (or anything, without one) brought into our custody.

    Call it in the import's own transaction, after the rows are in. It raises `stock.held` to the open claims (counts
    may have changed), adds claims in state requested and marked late, flags movements of held stock, and writes one
    audit event per recall. `now` is the importing process's clock.

    Returns:
        Numbers of the recalls with something new to hold or a violation; wake their workflows after the commit.
    """
    now = now or datetime.now(UTC)
    connection = await session.connection()
    lots: list[int] | None = None
    if batch_id is not None:
        lots = list((await connection.execute(text(_TOUCHED), {"batch_id": batch_id})).scalars())
        if not lots:
            return []
    ended = [phase.value for phase in FINAL_PHASES]
    scopes = (await connection.execute(text(_IN_SCOPE), {"ended": ended, "lot_ids": lots})).all()
    numbers = [row.recall_number for row in scopes]
    nonconforming = await holds_arrived.holders(session, lots) if lots is not None else []
    concerned = await holds_followed.holders(session, lots) if lots is not None else []
    await lock_recalls(session, sorted({*numbers, *nonconforming, *concerned}))
    if lots is not None:
        await follow_movements(session, lots)
        await refresh_held(session, lots)
    moved = await flag_moved_under_hold(session, batch_id=batch_id)
    if concerned and lots is not None and batch_id is not None:
        await holds_followed.follow_units(session, batch_id, lots, concerned, now)
    binds = {"recall_numbers": numbers, "lot_ids": sorted({lot for row in scopes for lot in row.lot_ids})}
    claimants = holds_sql.CLAIMANTS_OF_LOTS
    await forget_departed(session, numbers, claimants, binds, now)
    await connection.execute(text(holds_sql.RESERVED_AGAIN.format(claimants=claimants)), binds)
    changes = (await connection.execute(text(holds_sql.claim(claimants)), binds | {"now": now})).all()
    if any(row.arrived for row in changes):
        await align_claims(session, binds["lot_ids"], now)
    if nonconforming and lots is not None:
        await holds_arrived.follow_arrivals(session, lots, now)
    for row in changes:
        if row.joined:
            await open_for_holds(session, row.recall_number, now, row.joined)
    found = {row.recall_number: {"late": row.requested, "arrived": row.arrived} for row in changes}
    for number in sorted({*found, *moved}):
        figures = found.get(number, {}) | {"moved_under_hold": moved.get(number, 0), "batch_id": batch_id}
        await record(session, number, "holds.late_stock", now, figures)
    return sorted({*found, *moved})


async def recalls_touched_by(session: AsyncSession, batch_id: int) -> list[str]:
    """Running recalls whose scope may look different after this batch: trace them again.

    That is: new movements of their lots, lots made from them, or goods of their products without a lot.
    """
    binds = {"batch_id": batch_id, "ended": [phase.value for phase in FINAL_PHASES]}
    return list((await (await session.connection()).execute(text(_TOUCHED_SCOPES), binds)).scalars())
