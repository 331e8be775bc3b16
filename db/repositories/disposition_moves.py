"""What each kind of disposition does to stock and holds: one function per way out, all through `ledger`.

Units that leave our hands leave every recall's hold there. Units that stay with us, at another place or as another lot,
are held there by the same recalls for as many units as their holds lost here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import free_stock, ledger, returns
from db.repositories.disposal_refusals import invalid
from db.repositories.disposition_rework import lot_id_of, make, result_lot
from db.repositories.disposition_who import Who
from db.repositories.ledger import Booking
from db.repositories.returns import Counted, CountedIn
from domain.disposition import DispositionKind, Fault
from models.chain import Lot, MovementKind
from models.disposition import Disposition, DispositionPart
from models.master import Custody, Location

if TYPE_CHECKING:
    from db.repositories.disposition_parts import Carried


@dataclass(frozen=True, slots=True)
class Moved:
    """What carrying a part out changed."""

    movement_id: int | None = None
    result_lot_id: int | None = None
    others: Mapping[str, Decimal] = field(default_factory=dict)
    """What the holds of other recalls lost at the place, in units of use."""
    missing: Decimal = Decimal(0)
    """Units this recall's hold lost because they were not found there any more."""
    counted: Counted | None = None
    counted_in: CountedIn | None = None


async def move(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    """Do to the records what the part did to the goods. The caller has checked the quantity and holds the locks.

    Raises:
        DisposalRefused: a lot or a place that was named cannot be meant.
    """
    kind = DispositionKind(found.kind)
    if found.location_id is None:
        return await _AT_CONSIGNEE[kind](session, found, carried, who)
    return await _AT_OUR_PLACE[kind](session, found, carried, who)


async def _release(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    place = (found.lot_id, _place(found))
    number = found.recall_number
    await ledger.take(session, number, *place, carried.quantity, at=who.at, by=who.principal, release=True)
    await ledger.settle(session, [place], who.at)
    return Moved()


async def _destroy(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    booking = await _booking(session, found, carried, who, MovementKind.destruction, source=_place(found))
    movement_id = await ledger.book(session, booking)
    others, missing = await _leave(session, found, carried.quantity, who)
    await ledger.settle(session, [(found.lot_id, _place(found))], who.at)
    return Moved(movement_id, others=others, missing=missing)


async def _to_factory(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    here, factory = _place(found), await _factory(session, found, carried.destination_id)
    nonconforming = await _is_nonconforming(session, found)
    booking = await _booking(
        session, found, carried, who, MovementKind.shipment, source=here, target=factory.id, delivered=True
    )
    movement_id = await ledger.book(session, booking)
    others, missing = await _leave(session, found, carried.quantity, who)
    places = [(found.lot_id, here)]
    if factory.custody != Custody.customer.value and factory.id is not None:
        there = (found.lot_id, factory.id)
        await _hold_there(session, found, there, carried.quantity, others, who, nonconforming=nonconforming)
        places.append(there)
    await ledger.settle(session, places, who.at)
    return Moved(movement_id, others=others, missing=missing)


async def _rework(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    assert carried.result_lot is not None  # noqa: S101 - the rules require it
    here = _place(found)
    nonconforming = await _is_nonconforming(session, found)
    result = await result_lot(session, found, carried.result_lot, here)
    booking = await _booking(session, found, carried, who, MovementKind.consumption, source=here)
    movement_id = await ledger.book(session, booking)
    others, missing = await _leave(session, found, carried.quantity, who)
    await make(session, found, result, carried.quantity, here, who, booking.reference)
    there = (lot_id_of(result), here)
    await _hold_there(session, found, there, carried.quantity, others, who, nonconforming=nonconforming)
    await ledger.settle(session, [(found.lot_id, here), there], who.at)
    return Moved(movement_id, lot_id_of(result), others, missing)


async def _correct(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    return Moved()


async def _destroy_there(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    site = (await run(session, returns.SITE_OF, {"consignee": found.consignee_id, "lot_id": found.lot_id})).scalar()
    if site is None:
        # A partner known from a reply only has no place on record; the part itself is the record.
        return Moved()
    booking = await _booking(session, found, carried, who, MovementKind.destruction, source=site)
    return Moved(await ledger.book(session, booking))


async def _return(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    assert found.consignee_id is not None and carried.location_id is not None  # noqa: S101, PT018 - the rules' own
    counted = Counted(
        found.consignee_id, found.lot_id, carried.location_id, carried.quantity, carried.document_no or ""
    )
    await returns.check(session, found.recall_number, counted)
    reference = await _reference(session, found)
    changed = await returns.count_in(session, found.recall_number, counted, who, reference)
    return Moved(changed.movement_id, counted=counted, counted_in=changed)


async def _replace(session: AsyncSession, found: Disposition, carried: "Carried", who: Who) -> Moved:
    assert carried.replacement_lot_id is not None  # noqa: S101 - the rules require it
    if carried.replacement_from_id is None:
        raise invalid(Fault("replacement_from_id", "the place of ours the replacement was taken from"))
    lot = await session.get(Lot, carried.replacement_lot_id)
    if lot is None:
        raise invalid(Fault("replacement_lot_id", "a lot on record"))
    place = (carried.replacement_lot_id, carried.replacement_from_id)
    await free_stock.require(session, *place, carried.quantity, fields=("replacement_lot_id", "quantity"))
    moved = await _return(session, found, carried, who)
    site = (await run(session, returns.SITE_OF, {"consignee": found.consignee_id, "lot_id": found.lot_id})).scalar()
    shipment = Booking(
        kind=MovementKind.shipment.value,
        lot_id=carried.replacement_lot_id,
        quantity=carried.quantity,
        at=who.at,
        reference=f"{await _reference(session, found)}:replacement",
        source=carried.replacement_from_id,
        target=site,
        document_no=carried.document_no,
        delivered=True,
    )
    await ledger.book(session, shipment)
    await ledger.settle(session, [place], who.at)
    return replace(moved, result_lot_id=carried.replacement_lot_id)


Way = Callable[[AsyncSession, Disposition, "Carried", Who], Awaitable[Moved]]
_AT_OUR_PLACE: Final[Mapping[DispositionKind, Way]] = MappingProxyType(
    {
        DispositionKind.release: _release,
        DispositionKind.destroy: _destroy,
        DispositionKind.return_to_factory: _to_factory,
        DispositionKind.rework: _rework,
    }
)
_AT_CONSIGNEE: Final[Mapping[DispositionKind, Way]] = MappingProxyType(
    {
        DispositionKind.return_to_us: _return,
        DispositionKind.replace_: _replace,
        DispositionKind.field_correction: _correct,
        DispositionKind.destroy: _destroy_there,
    }
)


async def _leave(
    session: AsyncSession, found: Disposition, quantity: Decimal, who: Who
) -> tuple[dict[str, Decimal], Decimal]:
    """Take the units out of this recall's hold, and what is not there any more out of every hold.

    Returns what the holds of other recalls lost, and what this recall's hold lost beyond the units themselves.
    """
    place = (found.lot_id, _place(found))
    await ledger.take(session, found.recall_number, *place, quantity, at=who.at, by=who.principal)
    lost = await ledger.cap(session, *place, at=who.at, by=who.principal)
    missing = lost.pop(found.recall_number, Decimal(0))
    return lost, missing


async def _hold_there(
    session: AsyncSession,
    found: Disposition,
    place: tuple[int, int],
    quantity: Decimal,
    others: Mapping[str, Decimal],
    who: Who,
    *,
    nonconforming: bool,
) -> None:
    at, by = who.at, who.principal
    await ledger.hold_at(session, found.recall_number, *place, quantity, at=at, by=by, nonconforming=nonconforming)
    running = {each.number for each in await ledger.running_on(session, found.lot_id)}
    for number, units in sorted(others.items()):
        await ledger.hold_at(
            session, number, *place, min(units, quantity), at=at, by=by, nonconforming=number not in running
        )


async def _is_nonconforming(session: AsyncSession, found: Disposition) -> bool:
    held = await ledger.under_hold(session, found.lot_id, _place(found))
    return held[found.recall_number].nonconforming


async def _factory(session: AsyncSession, found: Disposition, destination_id: int | None) -> Location:
    lot = await session.get(Lot, found.lot_id)
    target = destination_id or (lot.site_id if lot else None)
    place = await session.get(Location, target) if target is not None else None
    if place is None or place.id == found.location_id:
        raise invalid(Fault("destination_id", "the factory, another place than where the units lie"))
    return place


async def _booking(
    session: AsyncSession,
    found: Disposition,
    carried: "Carried",
    who: Who,
    kind: MovementKind,
    *,
    source: int,
    target: int | None = None,
    delivered: bool = False,
) -> Booking:
    return Booking(
        kind=kind.value,
        lot_id=found.lot_id,
        quantity=carried.quantity,
        at=who.at,
        reference=await _reference(session, found),
        source=source,
        target=target,
        document_no=carried.document_no,
        delivered=delivered,
    )


async def _reference(session: AsyncSession, found: Disposition) -> str:
    query = select(DispositionPart.id).where(col(DispositionPart.disposition_id) == found.id)
    return f"{found.recall_number}:disposition:{found.sequence}:{len((await session.exec(query)).all()) + 1}"


def _place(found: Disposition) -> int:
    assert found.location_id is not None  # noqa: S101 - kinds for our places only get here with one
    return found.location_id


__all__ = ["Moved", "move"]
