"""Disposals our own ledger is asked for as a keeper: units leave the stock under hold, once per key.

Only the stock is booked. What the recalls still claim is said by whoever disposes, through `release` with what is left;
until then no claim stays larger than what lies there.
"""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger, ledger_feed
from db.repositories.ledger import Booking
from domain.disposition import DispositionKind
from domain.inventory import OWN_BOOKINGS, Disposal, LedgerRefused
from domain.quantity_text import plain
from models.chain import MovementKind

_KINDS: Final = {
    DispositionKind.destroy.value: MovementKind.destruction.value,
    DispositionKind.return_to_factory.value: MovementKind.shipment.value,
    DispositionKind.rework.value: MovementKind.consumption.value,
}
"""Disposition -> the movement by which units leave. Nothing moves on a release; other kinds are not at our places."""
_DONE: Final = "SELECT id FROM movement WHERE source_system = :system AND source_id = :key"
_LINK: Final = """
INSERT INTO lot_genealogy (input_lot_id, output_lot_id, quantity, occurred_at, source_system, source_id)
VALUES (:lot, :result, CAST(:quantity AS numeric), CAST(:at AS timestamptz), :system, :key) ON CONFLICT DO NOTHING
"""


class DisposalImpossible(LedgerRefused):
    """The kind is none of a keeper's, or there is not as much as that."""


async def book(session: AsyncSession, key: str, disposal: Disposal, now: datetime, *, by: str) -> str:
    """Book the units out; returns the ledger's reference. The same key again books nothing.

    Raises:
        DisposalImpossible: nothing was booked.
    """
    if disposal.kind == DispositionKind.release.value:
        return key
    kind = _KINDS.get(disposal.kind)
    if kind is None:
        raise DisposalImpossible(f"{disposal.kind}: not a disposal of stock at a place of ours")
    place = (disposal.lot_id, disposal.location_id)
    await ledger.lock(session, [], [disposal.lot_id])
    done = (await run(session, _DONE, {"system": OWN_BOOKINGS, "key": key})).scalar()
    if done is not None:
        return str(done)
    here = (await ledger.balances(session, [disposal.lot_id])).get(place)
    on_hand = here.on_hand if here else ledger.ZERO
    if on_hand < disposal.quantity:
        raise DisposalImpossible(f"{plain(disposal.quantity)} units asked, {plain(on_hand)} lie there")
    booking = Booking(
        kind=kind,
        lot_id=disposal.lot_id,
        quantity=disposal.quantity,
        at=now,
        reference=key,
        source=disposal.location_id,
        document_no=disposal.document_no,
        delivered=kind == MovementKind.shipment.value,
    )
    movement = await ledger.book(session, booking)
    if disposal.kind == DispositionKind.rework.value and disposal.result_lot_id is not None:
        link = {"lot": disposal.lot_id, "result": disposal.result_lot_id, "quantity": disposal.quantity}
        await run(session, _LINK, link | {"at": now, "system": OWN_BOOKINGS, "key": key})
    await ledger.cap(session, [place], at=now, by=by)
    await ledger.settle(session, [place], now)
    await ledger_feed.note(session, "disposal", [place])
    return str(movement)


__all__ = ["DisposalImpossible", "book"]
