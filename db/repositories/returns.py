"""Returns counted at our dock: the movement, the stock, and the hold on it, in one transaction.

What is counted is what counts (design §7), whatever was stated or shipped. The units are locked for every running
recall of their lot before anybody can see them as free; under a recall that has ended they become nonconforming.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, ledger, scope_lots
from db.repositories.disposal_refusals import invalid
from db.repositories.disposition_who import Who
from db.repositories.dispositions import locked_recall
from db.repositories.ledger import Booking
from domain.disposition import DispositionKind, Fault
from models.chain import MovementKind
from models.disposition import Disposition, DispositionPart, DispositionState, GoodsReturn
from models.master import Custody, Location
from models.recall import Consignee

SITE_OF = """
SELECT l.id FROM location l JOIN consignee c ON c.partner_id = l.partner_id
WHERE c.id = :consignee AND l.custody = 'customer'
ORDER BY (SELECT count(*) FROM movement m WHERE m.to_location_id = l.id AND m.lot_id = :lot_id) DESC, l.id LIMIT 1
"""
"""The consignee's place that received most of the lot; partners known from a reply only may have none."""

_RETURNED = """
UPDATE consignee_lot SET returned = returned + CAST(:quantity AS numeric)
WHERE consignee_id = :consignee AND lot_id = :lot_id
RETURNING returned > shipped AS beyond
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in."""

    consignee_id: int
    lot_id: int
    location_id: int
    quantity: Decimal
    document_no: str


@dataclass(frozen=True, slots=True)
class CountedIn:
    """What counting changed."""

    movement_id: int
    held_by: tuple[str, ...]
    """Recalls whose hold locks the units now."""
    beyond_record: bool
    """More has come back than our records say was shipped there: a question to the consignee, not a refusal."""


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


async def count_in(session: AsyncSession, number: str, counted: Counted, who: Who, reference: str) -> CountedIn:
    """Book the units in and hold them at once. The caller has locked the lot (`ledger.lock`)."""
    binds = {"consignee": counted.consignee_id, "lot_id": counted.lot_id}
    source = (await run(session, SITE_OF, binds)).scalar_one_or_none()
    movement_id = await ledger.book(
        session,
        Booking(
            kind=MovementKind.return_.value,
            lot_id=counted.lot_id,
            quantity=counted.quantity,
            at=who.at,
            reference=reference,
            source=source,
            target=counted.location_id,
            document_no=counted.document_no,
        ),
    )
    beyond = (await run(session, _RETURNED, binds | {"quantity": counted.quantity})).scalar_one_or_none()
    held_by = await _hold(session, number, counted, who)
    return CountedIn(movement_id, held_by, beyond is not False)


async def _hold(session: AsyncSession, number: str, counted: Counted, who: Who) -> tuple[str, ...]:
    place = (counted.lot_id, counted.location_id)
    running = [each.number for each in await ledger.running_on(session, counted.lot_id)]
    for each in running:
        await ledger.hold_at(session, each, *place, counted.quantity, at=who.at, by=who.principal)
    if number not in running:
        await ledger.hold_at(session, number, *place, counted.quantity, at=who.at, by=who.principal, nonconforming=True)
    await ledger.settle(session, [place], who.at)
    for other in running:
        if other != number:
            await audit.append(
                session,
                other,
                actor=who.principal,
                role=who.role,
                action="hold.return_held",
                at=who.at,
                data={"lot": counted.lot_id, "location": counted.location_id, "quantity": counted.quantity},
            )
    return tuple(sorted({*running, number}))


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
    await locked_recall(session, number)
    query = select(GoodsReturn).where(col(GoodsReturn.request) == who.request)
    if (before := (await session.exec(query)).one_or_none()) is not None:
        return before, None
    await check(session, number, counted)
    if not evidence_ids:
        raise invalid(Fault("evidence_ids", "at least one evidence file of the count"))
    changed = await count_in(session, number, counted, who, f"return:{who.request}"[:120])
    part = await _as_part(session, number, counted, who, changed.movement_id)
    row = await write(session, number, counted, who, changed, part.id if part else None)
    subjects = [f"return:{row.id}", *([f"disposition:{part.disposition_id}"] if part else [])]
    for subject in subjects:
        await evidence.link(session, number, evidence_ids, subject, by=who.principal, at=who.at, role=who.role)
    return row, changed


async def write(
    session: AsyncSession, number: str, counted: Counted, who: Who, changed: CountedIn, part_id: int | None
) -> GoodsReturn:
    """The record of a count, and its audit event."""
    row = GoodsReturn(
        recall_number=number,
        consignee_id=counted.consignee_id,
        lot_id=counted.lot_id,
        location_id=counted.location_id,
        quantity=counted.quantity,
        document_no=counted.document_no,
        movement_id=changed.movement_id,
        part_id=part_id,
        request=who.request,
        counted_by=who.principal,
        counted_at=who.at,
    )
    session.add(row)
    await session.flush()
    data = {
        "return": row.id,
        "consignee": counted.consignee_id,
        "lot": counted.lot_id,
        "location": counted.location_id,
        "quantity": counted.quantity,
        "document_no": counted.document_no,
        "movement": changed.movement_id,
        "held_by": list(changed.held_by),
        "beyond_record": changed.beyond_record,
    }
    await audit.append(
        session, number, actor=who.principal, role=who.role, action="return.counted", at=who.at, data=data
    )
    return row


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
    found = (await session.exec(query.order_by(col(Disposition.sequence)).limit(1).with_for_update())).first()
    if found is None:
        return None
    quantity = min(counted.quantity, found.quantity - found.done)
    return await add_part(session, found, quantity, who, document_no=counted.document_no, movement_id=movement_id)


async def add_part(
    session: AsyncSession,
    found: Disposition,
    quantity: Decimal,
    who: Who,
    *,
    document_no: str | None = None,
    witness: str | None = None,
    result_lot_id: int | None = None,
    movement_id: int | None = None,
) -> DispositionPart:
    """Write a carried-out part; the disposition is done with its last unit."""
    assert found.id is not None  # noqa: S101 - it was read from the database
    query = select(DispositionPart.sequence).where(col(DispositionPart.disposition_id) == found.id)
    last = (await session.exec(query.order_by(col(DispositionPart.sequence).desc()).limit(1))).first()
    part = DispositionPart(
        disposition_id=found.id,
        sequence=(last or 0) + 1,
        quantity=quantity,
        document_no=document_no,
        witness=witness,
        result_lot_id=result_lot_id,
        movement_id=movement_id,
        request=who.request,
        done_by=who.principal,
        done_at=who.at,
    )
    found.done += quantity
    if found.done == found.quantity:
        found.state = DispositionState.done.value
    session.add_all([part, found])
    await session.flush()
    return part


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[GoodsReturn]:
    """Returns of a recall, oldest first."""
    query = select(GoodsReturn).where(col(GoodsReturn.recall_number) == number, col(GoodsReturn.id) > after)
    return (await session.exec(query.order_by(col(GoodsReturn.id)).limit(limit))).all()


__all__ = ["SITE_OF", "Counted", "CountedIn", "add_part", "check", "count_in", "listed", "record", "write"]
