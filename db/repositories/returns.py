"""Returns counted at our dock: the movement, the stock, and the hold on it, in one transaction.

What is counted is what counts (design §7), whatever was stated or shipped. The units are locked for every running
recall of their lot before anybody can see them as free; under a recall that has ended they become nonconforming.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db import bulk
from db.plain_sql import run
from db.repositories import audit, evidence, ledger, return_authorizations, scope_lots
from db.repositories.consignee_lots import note_return
from db.repositories.disposal_refusals import invalid, refuse_drill
from db.repositories.disposition_who import Who
from db.repositories.dispositions import locked_recall
from db.repositories.ledger import Booking
from db.repositories.nonconformity_holds import open_for_holds
from domain.disposition import DispositionKind, Fault
from domain.return_authorization import parse_rma
from models.chain import MovementKind
from models.disposition import Disposition, DispositionPart, DispositionState, GoodsReturn
from models.master import Custody, Location
from models.recall import Consignee

_SITES_OF = """
SELECT w.consignee_id, w.lot_id, site.id
FROM unnest(CAST(:consignee_ids AS bigint[]), CAST(:lot_ids AS bigint[])) AS w(consignee_id, lot_id)
CROSS JOIN LATERAL (
    SELECT l.id FROM location l JOIN consignee c ON c.partner_id = l.partner_id
    WHERE c.id = w.consignee_id AND l.custody = 'customer'
    ORDER BY (SELECT count(*) FROM movement m WHERE m.to_location_id = l.id AND m.lot_id = w.lot_id) DESC, l.id LIMIT 1
) AS site
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in."""

    consignee_id: int
    lot_id: int
    location_id: int
    quantity: Decimal
    document_no: str
    rma: str | None = None
    """As scanned off the parcel's label: the approved return it belongs to."""
    tracking_no: str | None = None
    """The carrier's number of the parcel."""


@dataclass(frozen=True, slots=True)
class CountedIn:
    """What counting changed."""

    movement_id: int
    held_by: tuple[str, ...]
    """Recalls whose hold locks the units now."""
    beyond_record: bool
    """More has come back than our records say was shipped there: a question to the consignee, not a refusal."""
    nonconforming: tuple[str, ...]
    """Those whose claim had ended or been carried over there: quality is asked about the units."""


_LEFT_LOCKED = """
SELECT DISTINCT h.lot_id, h.recall_number FROM hold h JOIN recall r ON r.number = h.recall_number AND NOT r.drill
WHERE h.lot_id = ANY(CAST(:lot_ids AS bigint[])) AND h.state = 'nonconformity' AND h.quantity > 0 ORDER BY 1, 2
"""
"""Recalls that have left units of these lots as nonconforming: what comes back is no better."""


@dataclass(frozen=True, slots=True)
class Docked:
    """A count that is booked, before its record is written."""

    counted: Counted
    changed: CountedIn
    part_id: int | None
    """The part of an approved return or exchange it is."""
    request: str
    """Unique among all returns."""
    beyond_announced: Decimal = Decimal(0)
    """Units more than its RMA announced."""


async def check(session: AsyncSession, number: str, counted: Counted) -> None:
    """That lot, place and consignee can be meant.

    Raises:
        DisposalRefused: the lot or the consignee is not of this recall, or the place is not ours.
    """
    consignee = await session.get(Consignee, counted.consignee_id)
    if consignee is None or consignee.recall_number != number:
        raise invalid(Fault("consignee_id", f"a consignee of the recall {number}"))
    if not await scope_lots.is_of_recall(session, number, counted.lot_id):
        raise invalid(Fault("lot_id", f"a lot of the recall {number}"))
    place = await session.get(Location, counted.location_id)
    if place is None or place.custody == Custody.customer.value:
        raise invalid(Fault("location_id", "a place in our own or a logistics partner's custody"))


async def sites_of(session: AsyncSession, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """(consignee, lot) -> the consignee's place that received most of the lot; a partner known from a reply only may
    have none."""
    binds = {"consignee_ids": [consignee for consignee, _ in wanted], "lot_ids": [lot_id for _, lot_id in wanted]}
    return {(row.consignee_id, row.lot_id): row.id for row in await run(session, _SITES_OF, binds)}


async def count_in(
    session: AsyncSession, number: str, counts: Sequence[tuple[Counted, str]], who: Who
) -> list[CountedIn]:
    """Book the units in and hold them at once; each count with the reference of its booking.

    The caller has locked the lots (`ledger.lock`).
    """
    sites = await sites_of(session, [(each.consignee_id, each.lot_id) for each, _ in counts])
    bookings = [
        Booking(
            kind=MovementKind.return_.value,
            lot_id=each.lot_id,
            quantity=each.quantity,
            at=who.at,
            reference=reference,
            source=sites.get((each.consignee_id, each.lot_id)),
            target=each.location_id,
            document_no=each.document_no,
        )
        for each, reference in counts
    ]
    movements = await ledger.book_all(session, bookings)
    beyond = [await note_return(session, each.consignee_id, each.lot_id, each.quantity) for each, _ in counts]
    held_by = await _hold(session, number, [each for each, _ in counts], who)
    return [
        CountedIn(movement, (*sorted(holders),), more, tuple(each for each in sorted(holders) if holders[each]))
        for movement, holders, more in zip(movements, held_by, beyond, strict=True)
    ]


async def _hold(session: AsyncSession, number: str, counts: Sequence[Counted], who: Who) -> list[dict[str, bool]]:
    """Recalls that hold each of the counts now, and whether as a nonconformity."""
    lots = sorted({each.lot_id for each in counts})
    running = {lot_id: [each.number for each in await ledger.running_on(session, lot_id)] for lot_id in lots}
    left: dict[int, list[str]] = {}
    for row in await run(session, _LEFT_LOCKED, {"lot_ids": lots}):
        left.setdefault(row.lot_id, []).append(row.recall_number)
    found: list[dict[str, bool]] = []
    for each in counts:
        place, holders = (each.lot_id, each.location_id), running[each.lot_id]
        held = {}
        for holder in dict.fromkeys([*holders, *left.get(each.lot_id, []), number]):
            ended = holder not in holders
            held[holder] = await ledger.hold_at(
                session, holder, *place, each.quantity, at=who.at, by=who.principal, nonconforming=ended
            )
        found.append(held)
    await ledger.settle(session, {(each.lot_id, each.location_id) for each in counts}, who.at)
    return found


async def record(
    session: AsyncSession, number: str, counted: Counted, who: Who, evidence_ids: Sequence[str]
) -> tuple[GoodsReturn, CountedIn | None]:
    """Count a return; what an approved return covers is carried out by it. A repeated request changes nothing.

    Returns:
        The record, and what counting changed (None for a repeat).

    Raises:
        DisposalRefused: the fields do not fit (see `check`) or evidence is missing.
        EvidenceUnusable: a file cannot be cited.
    """
    await ledger.lock(session, [number], [counted.lot_id])
    refuse_drill(await locked_recall(session, number), "no goods come back under it")
    query = select(GoodsReturn).where(col(GoodsReturn.request) == who.request)
    if (before := (await session.exec(query)).one_or_none()) is not None:
        return before, None
    if counted.rma is not None:
        # Again, under the locks: the return may have been withdrawn since the parcel was looked up.
        named = {"consignee_id": counted.consignee_id, "lot_id": counted.lot_id}
        await return_authorizations.returning(session, number, counted.rma, **named)
    await check(session, number, counted)
    if not evidence_ids:
        raise invalid(Fault("evidence_ids", "at least one evidence file of the count"))
    (changed,) = await count_in(session, number, [(counted, f"return:{who.request}"[:120])], who)
    part = await _as_part(session, number, counted, who, changed.movement_id)
    for each in changed.nonconforming:
        await open_for_holds(session, each, who.at, [counted.lot_id])
    beyond = counted.quantity - (part.quantity if part else Decimal(0)) if counted.rma else Decimal(0)
    (row,) = await write(
        session, number, [Docked(counted, changed, part.id if part else None, who.request, beyond)], who
    )
    subjects = [f"return:{row.id}", *([f"disposition:{part.disposition_id}"] if part else [])]
    for subject in subjects:
        await evidence.link(session, number, evidence_ids, subject, by=who.principal, at=who.at, role=who.role)
    return row, changed


async def write(session: AsyncSession, number: str, docked: Sequence[Docked], who: Who) -> list[GoodsReturn]:
    """The records of counts, and their audit events: in the recall's chain and in those of the others that hold."""
    rows = [
        GoodsReturn(
            recall_number=number,
            consignee_id=each.counted.consignee_id,
            lot_id=each.counted.lot_id,
            location_id=each.counted.location_id,
            quantity=each.counted.quantity,
            document_no=each.counted.document_no,
            rma=each.counted.rma,
            tracking_no=each.counted.tracking_no,
            beyond_announced=each.beyond_announced,
            movement_id=each.changed.movement_id,
            part_id=each.part_id,
            request=each.request,
            counted_by=who.principal,
            counted_at=who.at,
        )
        for each in docked
    ]
    session.add_all(rows)
    await session.flush()
    own = [_entry(row, each.changed, who) for row, each in zip(rows, docked, strict=True)]
    await audit.append_all(session, number, own)
    for other in sorted({holder for each in docked for holder in each.changed.held_by} - {number}):
        held = [_held_too(each.counted, who) for each in docked if other in each.changed.held_by]
        await audit.append_all(session, other, held)
    return rows


def _entry(row: GoodsReturn, changed: CountedIn, who: Who) -> audit.Entry:
    data = {
        "return": row.id,
        "consignee": row.consignee_id,
        "lot": row.lot_id,
        "location": row.location_id,
        "quantity": row.quantity,
        "document_no": row.document_no,
        "rma": row.rma,
        "tracking_no": row.tracking_no,
        "beyond_announced": row.beyond_announced,
        "movement": row.movement_id,
        "held_by": list(changed.held_by),
        "beyond_record": changed.beyond_record,
    }
    return audit.Entry(who.principal, who.role, "return.counted", who.at, data=data)


def _held_too(counted: Counted, who: Who) -> audit.Entry:
    data = {"lot": counted.lot_id, "location": counted.location_id, "quantity": counted.quantity}
    return audit.Entry(who.principal, who.role, "hold.return_held", who.at, data=data)


async def _as_part(
    session: AsyncSession, number: str, counted: Counted, who: Who, movement_id: int
) -> DispositionPart | None:
    """The part of an approved return these units are; what comes beyond it is counted all the same."""
    query = select(Disposition).where(
        col(Disposition.recall_number) == number,
        col(Disposition.kind) == DispositionKind.return_to_us.value,
        col(Disposition.state) == DispositionState.approved.value,
        col(Disposition.lot_id) == counted.lot_id,
        col(Disposition.consignee_id) == counted.consignee_id,
    )
    if counted.rma is not None:
        query = query.where(col(Disposition.id) == parse_rma(counted.rma))
    found = (await session.exec(query.order_by(col(Disposition.sequence)).limit(1).with_for_update())).first()
    if found is None:
        return None
    quantity = min(counted.quantity, found.quantity - found.done)
    done = await parts_done(session, [found])
    part = part_of(found, done.get(found.id, 0) + 1, quantity, who, counted.document_no, movement_id=movement_id)
    session.add_all([part, found])
    await session.flush()
    return part


async def parts_done(session: AsyncSession, dispositions: Sequence[Disposition]) -> dict[int | None, int]:
    """Id of a disposition -> how many parts of it are carried out; ids without any are left out."""
    query = select(DispositionPart.disposition_id, func.max(DispositionPart.sequence)).where(
        bulk.among(col(DispositionPart.disposition_id), [each.id for each in dispositions])
    )
    return dict((await session.exec(query.group_by(col(DispositionPart.disposition_id)))).all())


def part_of(
    found: Disposition,
    sequence: int,
    quantity: Decimal,
    who: Who,
    document_no: str | None,
    *,
    witness: str | None = None,
    authority_witness: str | None = None,
    result_lot_id: int | None = None,
    movement_id: int | None = None,
) -> DispositionPart:
    """A carried-out part, to be added; the disposition is done with its last unit."""
    assert found.id is not None  # noqa: S101 - it was read from the database
    found.done += quantity
    if found.done == found.quantity:
        found.state = DispositionState.done.value
    return DispositionPart(
        disposition_id=found.id,
        sequence=sequence,
        quantity=quantity,
        document_no=document_no,
        witness=witness,
        authority_witness=authority_witness,
        result_lot_id=result_lot_id,
        movement_id=movement_id,
        request=who.request,
        done_by=who.principal,
        done_at=who.at,
    )


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[GoodsReturn]:
    """Returns of a recall, oldest first."""
    query = select(GoodsReturn).where(col(GoodsReturn.recall_number) == number, col(GoodsReturn.id) > after)
    return (await session.exec(query.order_by(col(GoodsReturn.id)).limit(limit))).all()


__all__ = [
    "Counted",
    "CountedIn",
    "Docked",
    "check",
    "count_in",
    "listed",
    "part_of",
    "parts_done",
    "record",
    "sites_of",
    "write",
]
