"""Confirming one hold by hand: what a warehouse or carrier states, beside what the inventory adapter reports."""

from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from models.chain import Lot
from models.master import Location, Product
from models.recall import Hold, HoldState


class HoldNotOpen(Exception):  # noqa: N818 - a term of the API
    """The hold has ended; its state is the message."""


async def confirm(
    session: AsyncSession, number: str, hold_id: int, *, principal: str, role: str, note: str | None, now: datetime
) -> Any:
    """(hold, lot, product, location) after the confirmation, or None when the recall has no such hold.

    Raises:
        HoldNotOpen: it is released or a nonconformity hold by now.
    """
    query: Any = (
        select(Hold, Lot, Product, Location)
        .join(Lot, col(Lot.id) == col(Hold.lot_id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .join(Location, col(Location.id) == col(Hold.location_id))
        .where(col(Hold.recall_number) == number, col(Hold.id) == hold_id)
        .with_for_update(of=Hold)
    )
    row = (await session.exec(query)).first()
    if row is None:
        return None
    hold = row[0]
    if hold.state == HoldState.confirmed.value:
        return row
    if hold.state not in (HoldState.requested.value, HoldState.failed.value):
        raise HoldNotOpen(hold.state)
    hold.state, hold.confirmed_at, hold.confirmed_by, hold.last_error = HoldState.confirmed.value, now, principal, None
    session.add(hold)
    await audit.append(
        session,
        number,
        actor=principal,
        role=role,
        action="hold.confirmed",
        at=now,
        reason=note,
        data={"hold_id": hold.id, "lot_id": hold.lot_id, "location_id": hold.location_id, "quantity": hold.quantity},
    )
    return row


__all__ = ["HoldNotOpen", "confirm"]
