"""What each kind of disposition does to stock and holds: one function per way out, all through `ledger`.

Units that leave our hands leave every recall's hold there. Units that stay with us, at another place or as another lot,
are held there by the same recalls for as many units as their holds lost here.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import free_stock, ledger, returns
from db.repositories.disposal_refusals import invalid
from db.repositories.disposition_jobs import Job, Moved
from db.repositories.disposition_rework import hold_all, lot_id_of, make, result_lot
from db.repositories.disposition_who import Who
from db.repositories.ledger import Booking, Holding, Place
from db.repositories.returns import Counted
from domain.disposition import DispositionKind, Fault
from models.chain import Lot, MovementKind
from models.disposition import Disposition
from models.master import Custody, Location, Partner, PartnerKind

_MAKERS: Final = frozenset({PartnerKind.manufacturer.value, PartnerKind.supplier.value})
"""Who may get units back as their maker; sent to anybody else they would be in the market again."""


async def move(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    """Do to the records what parts of one kind did to the goods, no two of them at one position.

    The caller has checked the quantities and holds the locks.

    Raises:
        DisposalRefused: a lot or a place that was named cannot be meant.
    """
    ours = [job for job in jobs if job.found.location_id is not None]
    theirs = [job for job in jobs if job.found.location_id is None]
    moved: dict[int, Moved] = {}
    for ways, those in ((_AT_OUR_PLACE, ours), (_AT_CONSIGNEE, theirs)):
        if those:
            done = await ways[DispositionKind(those[0].found.kind)](session, those, who)
            moved |= {job.found.sequence: each for job, each in zip(those, done, strict=True)}
    return [moved[job.found.sequence] for job in jobs]


async def _release(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    await ledger.take(session, _units(jobs), at=who.at, by=who.principal, release=True)
    await ledger.settle(session, [job.place for job in jobs], who.at)
    return [Moved() for _ in jobs]


async def _destroy(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    bookings = [_booking(job, who, MovementKind.destruction, source=job.place[1]) for job in jobs]
    movements = await ledger.book_all(session, bookings)
    left = await _leave(session, jobs, who)
    await ledger.settle(session, [job.place for job in jobs], who.at)
    return [replace(each, movement_id=movement) for each, movement in zip(left, movements, strict=True)]


async def _to_factory(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    factories = []
    for job in jobs:
        with job.named():
            factories.append(await _factory(session, job.found, job.carried.destination_id))
    nonconforming = await _nonconforming(session, jobs)
    bookings = [
        _booking(job, who, MovementKind.shipment, source=job.place[1], target=factory.id, delivered=True)
        for job, factory in zip(jobs, factories, strict=True)
    ]
    movements = await ledger.book_all(session, bookings)
    left = await _leave(session, jobs, who)
    places = {job.place for job in jobs}
    for job, factory, moved in zip(jobs, factories, left, strict=True):
        if factory.custody != Custody.customer.value and factory.id is not None:
            there = (job.found.lot_id, factory.id)
            await _hold_there(session, job, there, moved.others, who, nonconforming=job.place in nonconforming)
            places.add(there)
    await ledger.settle(session, places, who.at)
    return [replace(each, movement_id=movement) for each, movement in zip(left, movements, strict=True)]


async def _rework(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    return [await _rework_one(session, job, who) for job in jobs]


async def _rework_one(session: AsyncSession, job: Job, who: Who) -> Moved:
    found, carried, here = job.found, job.carried, job.place[1]
    assert carried.result_lot is not None  # noqa: S101 - the rules require it
    nonconforming = await _nonconforming(session, [job])
    result = await result_lot(session, found, carried.result_lot, here)
    movement_id = await ledger.book(session, _booking(job, who, MovementKind.consumption, source=here))
    # Before holds are capped: until genealogy names the new lot, the use just booked passes for one of earlier units
    # whose place nobody recorded, and what lies here seems not to have shrunk.
    await make(session, found, result, carried.quantity, here, who, job.reference)
    (left,) = await _leave(session, [job], who)
    there = (lot_id_of(result), here)
    await _hold_there(session, job, there, left.others, who, nonconforming=job.place in nonconforming)
    await hold_all(session, *there, who)
    await ledger.settle(session, [job.place, there], who.at)
    return replace(left, movement_id=movement_id, result_lot_id=lot_id_of(result))


async def _correct(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    return [Moved() for _ in jobs]


async def _destroy_there(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    sites = await returns.sites_of(session, [_whose(job) for job in jobs])
    # A partner known from a reply only has no place on record; the part itself is the record.
    placed = [job for job in jobs if _whose(job) in sites]
    bookings = [_booking(job, who, MovementKind.destruction, source=sites[_whose(job)]) for job in placed]
    movements = dict(zip((_whose(job) for job in placed), await ledger.book_all(session, bookings), strict=True))
    return [Moved(movements.get(_whose(job))) for job in jobs]


async def _return(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    counts = []
    for job in jobs:
        carried = job.carried
        assert carried.location_id is not None  # noqa: S101 - the rules require it
        counted = Counted(*_whose(job), carried.location_id, carried.quantity, carried.document_no or "")
        with job.named():
            await returns.check(session, job.found.recall_number, counted)
        counts.append((counted, job.reference))
    changed = await returns.count_in(session, jobs[0].found.recall_number, counts, who)
    return [
        Moved(each.movement_id, counted=counted, counted_in=each)
        for (counted, _), each in zip(counts, changed, strict=True)
    ]


async def _replace(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    return [await _replace_one(session, job, who) for job in jobs]


async def _replace_one(session: AsyncSession, job: Job, who: Who) -> Moved:
    carried = job.carried
    assert carried.replacement_lot_id is not None  # noqa: S101 - the rules require it
    if carried.replacement_from_id is None:
        raise invalid(Fault("replacement_from_id", "the place of ours the replacement was taken from"))
    lot = await session.get(Lot, carried.replacement_lot_id)
    if lot is None:
        raise invalid(Fault("replacement_lot_id", "a lot on record"))
    place = (carried.replacement_lot_id, carried.replacement_from_id)
    await free_stock.require(session, *place, carried.quantity, fields=("replacement_lot_id", "quantity"))
    (moved,) = await _return(session, [job], who)
    shipment = Booking(
        kind=MovementKind.shipment.value,
        lot_id=carried.replacement_lot_id,
        quantity=carried.quantity,
        at=who.at,
        reference=f"{job.reference}:replacement",
        source=carried.replacement_from_id,
        target=(await returns.sites_of(session, [_whose(job)])).get(_whose(job)),
        document_no=carried.document_no,
        delivered=True,
    )
    await ledger.book(session, shipment)
    await ledger.settle(session, [place], who.at)
    return replace(moved, result_lot_id=carried.replacement_lot_id)


Way = Callable[[AsyncSession, Sequence[Job], Who], Awaitable[list[Moved]]]
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


async def _leave(session: AsyncSession, jobs: Sequence[Job], who: Who) -> list[Moved]:
    """Take the units out of this recall's holds, and what is not there any more out of every hold."""
    await ledger.take(session, _units(jobs), at=who.at, by=who.principal)
    lost = await ledger.cap(session, {job.place for job in jobs}, at=who.at, by=who.principal)
    others: defaultdict[Place, dict[str, Decimal]] = defaultdict(dict)
    for (number, *place), units in lost.items():
        others[place[0], place[1]][number] = units
    return [
        Moved(missing=others[job.place].pop(job.found.recall_number, Decimal(0)), others=others[job.place])
        for job in jobs
    ]


async def _hold_there(
    session: AsyncSession, job: Job, place: Place, others: Mapping[str, Decimal], who: Who, *, nonconforming: bool
) -> None:
    number, quantity, at, by = job.found.recall_number, job.carried.quantity, who.at, who.principal
    await ledger.hold_at(session, number, *place, quantity, at=at, by=by, nonconforming=nonconforming)
    if not others:
        return
    running = {each.number for each in await ledger.running_on(session, job.found.lot_id)}
    for other, units in sorted(others.items()):
        kept = min(units, quantity)
        await ledger.hold_at(session, other, *place, kept, at=at, by=by, nonconforming=other not in running)


async def _nonconforming(session: AsyncSession, jobs: Sequence[Job]) -> set[Place]:
    """The places where this recall's claim has ended."""
    held = await ledger.under_hold_at(session, {job.place for job in jobs})
    return {job.place for job in jobs if held[job.place][job.found.recall_number].nonconforming}


async def _factory(session: AsyncSession, found: Disposition, destination_id: int | None) -> Location:
    lot = await session.get(Lot, found.lot_id)
    target = destination_id or (lot.site_id if lot else None)
    place = await session.get(Location, target) if target is not None else None
    if place is None or place.id == found.location_id:
        raise invalid(Fault("destination_id", "the factory, another place than where the units lie"))
    if place.custody == Custody.customer.value and (lot is None or place.id != lot.site_id):
        owner = await session.get(Partner, place.partner_id)
        if owner is None or owner.kind not in _MAKERS:
            expected = "the site that made the lot, a place of ours, or one of a manufacturer or supplier"
            raise invalid(Fault("destination_id", expected))
    return place


def _booking(
    job: Job, who: Who, kind: MovementKind, *, source: int, target: int | None = None, delivered: bool = False
) -> Booking:
    return Booking(
        kind=kind.value,
        lot_id=job.found.lot_id,
        quantity=job.carried.quantity,
        at=who.at,
        reference=job.reference,
        source=source,
        target=target,
        document_no=job.carried.document_no,
        delivered=delivered,
    )


def _units(jobs: Sequence[Job]) -> dict[Holding, Decimal]:
    return {(job.found.recall_number, *job.place): job.carried.quantity for job in jobs}


def _whose(job: Job) -> tuple[int, int]:
    """Consignee and lot."""
    assert job.found.consignee_id is not None  # noqa: S101 - kinds for consignees only get here with one
    return job.found.consignee_id, job.found.lot_id


__all__ = ["move"]
