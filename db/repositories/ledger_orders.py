"""Replacement orders in our own ledger: a goods document that a person picks and ships, made once per key.

Nothing moves by it. The units leave when the shipment is stated; until then any recall can stop the order as every
other document.
"""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import goods_documents_sql, ledger, ledger_feed
from db.repositories.scope_lots import suspect_among
from domain.inventory import OWN_BOOKINGS, DocumentAnswer, DocumentState, LedgerRefused, Shipment
from domain.quantity_text import plain

_FIND: Final = """
SELECT id FROM goods_document WHERE source_system = :system AND kind = 'order' AND number = :number FOR UPDATE
"""
_MAKE: Final = """
WITH made AS (
    INSERT INTO goods_document (source_system, kind, number, state, from_location_id, to_location_id, partner_id,
                                requested_at)
    SELECT :system, 'order', :number, 'open', CAST(:source AS bigint), id, partner_id, CAST(:now AS timestamptz)
    FROM location WHERE id = :target RETURNING id
), line AS (
    INSERT INTO goods_document_line (document_id, product_id, lot_id, quantity, source_system, source_id)
    SELECT made.id, lot.product_id, lot.id, CAST(:quantity AS numeric), :system, :number FROM made, lot
    WHERE lot.id = :lot
)
SELECT id FROM made
"""
_CLOSE: Final = """
UPDATE goods_document SET state = :state
WHERE source_system = :system AND kind = 'order' AND number = :number AND state = 'open'
"""


class NotFree(LedgerRefused):
    """The units are locked, promised to an order, or not there."""


def number_of(key: str) -> str:
    """The order's number: the recall's, and which of its replacements."""
    return key.replace(":allocation:", "-R")[:80]


async def make(session: AsyncSession, key: str, shipment: Shipment, now: datetime) -> DocumentAnswer:
    """Make the order, unless it stands already; says how it stands.

    Raises:
        NotFree: nothing was made.
    """
    number, place = number_of(key), (shipment.lot_id, shipment.location_id)
    await ledger.lock(session, [], [shipment.lot_id])
    known = (await run(session, _FIND, {"system": OWN_BOOKINGS, "number": number})).scalar()
    if known is None:
        await _must_be_free(session, shipment)
        values = {"system": OWN_BOOKINGS, "number": number, "source": place[1], "target": shipment.to_location_id}
        values |= {"now": now, "quantity": shipment.quantity, "lot": shipment.lot_id}
        known = (await run(session, _MAKE, values)).scalar_one()
        await ledger_feed.note(session, "document", [place])
    row = (await run(session, goods_documents_sql.OF_ID, {"id": known})).one()
    return DocumentAnswer(number, DocumentState(row.state))


async def end(session: AsyncSession, key: str) -> DocumentAnswer:
    """Cancel the order, if any; one whose goods have left stays `done`."""
    number = number_of(key)
    known = (await run(session, _FIND, {"system": OWN_BOOKINGS, "number": number})).scalar()
    if known is None:
        return DocumentAnswer(number, DocumentState.CANCELLED)
    row = (await run(session, goods_documents_sql.OF_ID, {"id": known})).one()
    if row.state == DocumentState.DONE.value:
        return DocumentAnswer(number, DocumentState.DONE)
    await close(session, number, DocumentState.CANCELLED)
    return DocumentAnswer(number, DocumentState.CANCELLED)


async def close(session: AsyncSession, number: str, state: DocumentState) -> None:
    """The order is over: its units left under another number, or it is taken back."""
    await run(session, _CLOSE, {"system": OWN_BOOKINGS, "number": number, "state": state.value})


async def _must_be_free(session: AsyncSession, shipment: Shipment) -> None:
    place = (shipment.lot_id, shipment.location_id)
    if await suspect_among(session, [shipment.lot_id]):
        raise NotFree("a recall claims the lot")
    here = (await ledger.balances(session, [shipment.lot_id])).get(place)
    locked = [each.quantity for each in (await ledger.under_hold(session, *place)).values()]
    free = here.on_hand - here.reserved - max(locked, default=ledger.ZERO) if here else ledger.ZERO
    if free < shipment.quantity:
        raise NotFree(f"{plain(shipment.quantity)} units asked, {plain(max(free, ledger.ZERO))} are free there")


__all__ = ["NotFree", "close", "end", "make", "number_of"]
