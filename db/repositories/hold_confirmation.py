"""Confirming one hold by hand: what a warehouse or carrier states, beside what the inventory adapter reports.

The claim is written to the stock ledger first (a drill claims nothing), as the adapter would have done, so that the
confirmed units can no longer be booked out; then the hold is confirmed and audited under the name of whoever stated it.
"""

from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.repositories import audit, holds, recalls_read
from db.repositories.stock import StockLedger
from domain.inventory import Position, PositionState, hold_key
from models.chain import Lot
from models.hold import Hold, HoldState
from models.master import Location, Product


class HoldNotOpen(Exception):  # noqa: N818 - a term of the API
    """The hold has been released; its state is the message."""


async def find(session: AsyncSession, number: str, hold_id: int) -> Any:
    """(hold, lot, product, location), or None when the recall has no such hold."""
    query: Any = (
        select(Hold, Lot, Product, Location)
        .join(Lot, col(Lot.id) == col(Hold.lot_id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .join(Location, col(Location.id) == col(Hold.location_id))
        .where(col(Hold.recall_number) == number, col(Hold.id) == hold_id)
    )
    return (await session.exec(query)).first()


async def confirm(
    sessions: SessionFactory,
    number: str,
    hold_id: int,
    *,
    principal: str,
    role: str,
    note: str | None,
    now: datetime,
) -> Any:
    """The hold's row (see `find`) after the confirmation; confirming a confirmed hold changes nothing.

    Raises:
        HoldNotOpen: it is released by now.
    """
    async with sessions() as session:
        row = await find(session, number, hold_id)
        recall = await recalls_read.find(session, number)
    drill = recall is not None and recall.drill
    if row is None or row[0].confirmed_at is not None:
        return row
    if row[0].state in (HoldState.released.value, HoldState.disposed.value):
        raise HoldNotOpen(row[0].state)
    hold, _, _, location = row
    position = Position(
        hold.lot_id,
        hold.location_id,
        location.custody,
        PositionState(hold.position),
        hold.quantity,
        hold.document_no,
    )
    if not drill:
        await StockLedger(sessions).place(hold_key(number, hold.id, hold.turn), number, position)
    async with sessions.begin() as session:
        stated = holds.Held(id=hold.id, asked=hold.quantity, held=hold.quantity, by=principal)
        if await holds.mark_confirmed(session, [stated], now):
            data = {"hold": hold.id, "lot": hold.lot_id, "location": hold.location_id, "quantity": hold.quantity}
            await audit.append(
                session, number, actor=principal, role=role, action="hold.confirmed", at=now, reason=note, data=data
            )
        return await find(session, number, hold_id)


__all__ = ["HoldNotOpen", "confirm", "find"]
