"""The stock ledger: where lots lie in our own and logistics custody, and who claims them.

A claim is kept under its idempotency key. `stock.held` always follows from the open claims: each claimant counts all
of its claims on a place, the largest claimant decides, and never more than what is there.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.repositories import goods_documents, ledger_disposal, ledger_feed, ledger_orders, stock_sql, trace_sql
from domain.inventory import Changes, Disposal, Document, DocumentAnswer, Position, PositionState, Shipment

_LOCATE = f"WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{stock_sql.LOCATED} {stock_sql.POSITIONS}"


async def locate(session: AsyncSession, lot_ids: Sequence[int]) -> list[Position]:
    """Every position of these lots in our own and logistics custody.

    Stock on hand is the last count plus later movements, or what the movements leave where nobody has counted.
    """
    if not lot_ids:
        return []
    rows = (await (await session.connection()).execute(text(_LOCATE), {"lot_ids": list(lot_ids)})).all()
    return [
        Position(row.lot_id, row.location_id, row.custody, PositionState(row.state), row.quantity, row.document_no)
        for row in rows
    ]


async def refresh_held(session: AsyncSession, lot_ids: Sequence[int]) -> None:
    """Bring `stock.held` of these lots in line with the open claims, after counts have changed."""
    await (await session.connection()).execute(text(stock_sql.REFRESH_HELD), {"lot_ids": list(lot_ids)})


class StockLedger:
    """Claims on stock, each call in a transaction of its own: the ledger of `adapters.inventory.ledger`."""

    def __init__(self, sessions: SessionFactory, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`now` is the process's clock: when documents were stopped and disposals booked."""
        self._sessions = sessions
        self._now = now

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """Positions in our own and logistics custody."""
        async with self._sessions() as session:
            return await locate(session, lot_ids)

    async def place(self, key: str, claimant: str, position: Position) -> bool:
        """Record the claim, lock the units and break reservations on them; safe to repeat.

        Returns False when the key belongs to another position or claimant, or to a claim that has ended.
        """
        place = {"lot_id": position.lot_id, "location_id": position.location_id}
        claim = place | {
            "key": key,
            "claimant": claimant,
            "position": position.state.value,
            "document_no": position.document_no,
            "quantity": position.quantity,
        }
        async with self._sessions.begin() as session:
            connection = await session.connection()
            await connection.execute(text(stock_sql.LOCK_STOCK), place)
            placed = (await connection.execute(text(stock_sql.PLACE_CLAIM), claim)).first()
            if placed is not None and position.state is not PositionState.IN_TRANSIT:
                await connection.execute(text(stock_sql.LOCK_UNITS), place)
            if placed is not None:
                await ledger_feed.note(session, "hold", [(position.lot_id, position.location_id)])
            return placed is not None

    async def claimed(self, key: str) -> Decimal | None:
        """Units under the open claim of this key, None when there is none."""
        query = text("SELECT quantity FROM stock_claim WHERE key = :key AND released_at IS NULL")
        async with self._sessions() as session:
            found: Decimal | None = (await (await session.connection()).execute(query, {"key": key})).scalar()
            return found

    async def reduce(self, key: str, left: Decimal) -> None:
        """Leave `left` units under the claim, 0 ends it; units that no other claim covers become free.

        Repeating it changes nothing, and it never raises a claim.
        """
        async with self._sessions.begin() as session:
            connection = await session.connection()
            query = text("SELECT lot_id, location_id FROM stock_claim WHERE key = :key")
            claim = (await connection.execute(query, {"key": key})).one_or_none()
            if claim is None:
                return
            place = {"lot_id": claim.lot_id, "location_id": claim.location_id}
            await connection.execute(text(stock_sql.LOCK_STOCK), place)
            reduced = await connection.execute(text(stock_sql.REDUCE_CLAIM), {"key": key, "left": left})
            await connection.execute(text(stock_sql.LOCK_UNITS), place)
            if reduced.rowcount:
                await ledger_feed.note(session, "hold", [(claim.lot_id, claim.location_id)])

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """Documents not yet done that name these lots or, where the lot is allocated later, their products."""
        async with self._sessions() as session:
            return await goods_documents.of_lots(session, lot_ids)

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool) -> DocumentAnswer:
        """Stop a document or end it for good; raises `goods_documents.DocumentRefused`."""
        async with self._sessions.begin() as session:
            return await goods_documents.block(session, key, claimant, document, self._now(), cancel=cancel)

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """End exactly this block."""
        async with self._sessions.begin() as session:
            return await goods_documents.unblock(session, key, self._now())

    async def dispose(self, key: str, disposal: Disposal) -> str:
        """Book units out of the stock, once per key; raises `ledger_disposal.DisposalImpossible`."""
        async with self._sessions.begin() as session:
            return await ledger_disposal.book(session, key, disposal, self._now(), by="ledger")

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """Make the order of this key once; raises `ledger_orders.NotFree`."""
        async with self._sessions.begin() as session:
            return await ledger_orders.make(session, key, shipment, self._now())

    async def unship(self, key: str) -> DocumentAnswer:
        """End the order of this key, or see to it that none is made."""
        async with self._sessions.begin() as session:
            return await ledger_orders.end(session, key)

    async def changes(self, cursor: str | None, limit: int) -> Changes:
        """A page of the feed; raises `ledger_feed.BadCursor`."""
        async with self._sessions() as session:
            return await ledger_feed.read(session, cursor, limit)
