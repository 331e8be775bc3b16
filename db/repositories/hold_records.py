"""What every change of holds needs: the recalls' locks, violations, and audit events of the system."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, goods_documents_sql, holds_sql, stock_sql

SYSTEM = "system"


async def flag_moved_under_hold(
    session: AsyncSession, *, recall_number: str | None = None, batch_id: int | None = None
) -> dict[str, int]:
    """Record every shipment or use of held stock as gap `shipped_under_hold`; returns new ones per recall.

    The movement itself is never refused: it has happened, and a record that hides it would be false. Moves between
    places of ours are no violation, nor are destruction and return; a stopped shipment received by a customer is.
    What moved on a document of ours while it was stopped is the gap `moved_on_stopped_document`.
    """
    binds = {"recall_number": recall_number, "batch_id": batch_id}
    found: dict[str, int] = {}
    for statement in (holds_sql.MOVED_UNDER_HOLD, goods_documents_sql.MOVED_ON_STOPPED):
        for number in (await (await session.connection()).execute(text(statement), binds)).scalars():
            found[number] = found.get(number, 0) + 1
    return found


async def lock_recalls(session: AsyncSession, numbers: Sequence[str]) -> None:
    """Take the rows of these recalls, in order, until the transaction ends."""
    query = "SELECT FROM recall WHERE number = ANY(CAST(:numbers AS text[])) ORDER BY number FOR NO KEY UPDATE"
    await (await session.connection()).execute(text(query), {"numbers": list(numbers)})


async def lock_stock(session: AsyncSession, lot_ids: Sequence[int]) -> None:
    """Take the stock rows of these lots, in order; after recalls, before holds and claims (`stock_sql.LOCK_LOTS`)."""
    await (await session.connection()).execute(text(stock_sql.LOCK_LOTS), {"lot_ids": sorted(set(lot_ids))})


async def forget_departed(
    session: AsyncSession, numbers: Sequence[str], claimants: str, binds: dict[str, Any], now: datetime
) -> None:
    """Before stock is looked for: released units that have left their place hide no stock that came after them.

    Writes the audit event `holds.released_gone` of each recall whose releases it shortened.
    """
    connection = await session.connection()
    if not (await connection.execute(text(holds_sql.SOMETHING_RELEASED), {"numbers": list(numbers)})).scalar_one():
        return
    gone: dict[str, list[dict[str, Any]]] = {}
    for row in await connection.execute(text(holds_sql.departed(claimants)), binds):
        if row.units > 0:
            gone.setdefault(row.recall_number, []).append({"hold": row.id, "units": row.units})
    for number in sorted(gone):
        await record(session, number, "holds.released_gone", now, {"holds": gone[number]})


async def follow_movements(session: AsyncSession, lot_ids: Sequence[int]) -> None:
    """After movements became known: stock rows that we booked on take them in, and `held` follows."""
    connection, binds = await session.connection(), {"lot_ids": sorted(set(lot_ids))}
    if (await connection.execute(text(stock_sql.BOOKED_ON), binds)).scalar_one():
        await lock_stock(session, lot_ids)
        await connection.execute(text(stock_sql.FOLLOW_MOVEMENTS), binds)
        await connection.execute(text(stock_sql.REFRESH_ALL), binds)


async def align_claims(session: AsyncSession, lot_ids: Sequence[int], now: datetime) -> None:
    """After holds shrank or ended: no claim in the ledger stays larger than its hold, and `held` follows."""
    connection = await session.connection()
    binds = {"lot_ids": sorted(set(lot_ids)), "now": now}
    await lock_stock(session, lot_ids)
    if (await connection.execute(text(stock_sql.ALIGN_CLAIMS), binds)).first() is not None:
        await connection.execute(text(stock_sql.REFRESH_ALL), {"lot_ids": binds["lot_ids"]})


async def record(session: AsyncSession, recall_number: str, action: str, at: datetime, data: dict[str, Any]) -> None:
    """Append an audit event of the system to the recall's stream."""
    await audit.append(session, recall_number, actor=SYSTEM, role=SYSTEM, action=action, at=at, data=data)
