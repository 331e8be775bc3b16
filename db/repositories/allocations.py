"""Allocations: units of unaffected lots for sites left short; proposed by rule, approved by a person, shipped.

A proposal promises free units, so two recalls never promise the same ones: proposals of one product queue up. A lot
that becomes suspect later makes its open allocations void, and their units are proposed again from another lot.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, free_stock, goods_documents, keeper_shipments, ledger, recalls, shortages
from db.repositories.allocations_void import VOID_REASON
from db.repositories.disposal_refusals import DisposalRefused, refuse_drill
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from db.repositories.scope_lots import suspect_among
from db.rows import uuid_of
from domain.shortage import FreeLot, Need, allocate
from models.chain import MovementKind
from models.disposition import Allocation, AllocationState

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('allocation:' || CAST(:product_id AS text), 0))"
_COUNTED = (
    AllocationState.proposed.value,
    AllocationState.approved.value,
    AllocationState.shipped.value,
    # A rejected proposal decides that these units are not supplied.
    AllocationState.rejected.value,
)


async def propose(session: AsyncSession, number: str, now: datetime) -> int:
    """Propose unaffected lots for what is still short, first expired first; returns how many are new."""
    await lock_recalls(session, [number])
    rows = [row for row in await shortages.of_recall(session, number) if row.settled_at is None]
    taken = await _decided(session, number)
    new: list[Allocation] = []
    for product_id in sorted({row.product_id for row in rows}):
        await run(session, _ONE_AT_A_TIME, {"product_id": product_id})
        here = [row for row in rows if row.product_id == product_id and row.id is not None]
        by_site = {row.consignee_id: row.id or 0 for row in here}
        needs = [Need(row.consignee_id, row.quantity - taken.get(row.id or 0, Decimal(0)), row.used) for row in here]
        needs = [need for need in needs if need.short > 0]
        free = await free_stock.of_product(session, product_id) if needs else []
        lots = [FreeLot(each.lot_id, each.location_id, each.quantity, each.expires_on) for each in free]
        new += [
            Allocation(
                recall_number=number,
                shortage_id=by_site[share.site],
                lot_id=share.lot,
                location_id=share.place,
                quantity=share.quantity,
                state=AllocationState.proposed.value,
                proposed_at=now,
            )
            for share in allocate(needs, lots, now.date())
        ]
    session.add_all(new)
    await session.flush()
    if new:
        await _note(session, number, "allocation.proposed", Who("system", "system", now), new)
    return len(new)


async def _decided(session: AsyncSession, number: str) -> dict[int, Decimal]:
    query = (
        select(Allocation.shortage_id, func.sum(Allocation.quantity))
        .where(col(Allocation.recall_number) == number, col(Allocation.state).in_(_COUNTED))
        .group_by(col(Allocation.shortage_id))
    )
    return dict((await session.exec(query)).all())


async def approve(session: AsyncSession, number: str, allocation_id: int, who: Who) -> Allocation:
    """Approve a proposal, if its units are still free of claims; approving again changes nothing.

    Raises:
        DisposalRefused: there is none, it is decided otherwise, or its lot became suspect or is not free any more.
    """
    found = await locked(session, number, allocation_id)
    if found.state == AllocationState.approved.value and found.decided_by == who.principal:
        return found
    _is(found, AllocationState.proposed)
    await still_clear(session, found)
    found.state, found.decided_by, found.decided_at = AllocationState.approved.value, who.principal, who.at
    found.signature_id = uuid_of(who.signature)
    session.add(found)
    await _note(session, number, "allocation.approved", who, [found])
    return found


async def reject(session: AsyncSession, number: str, allocation_id: int, who: Who, reason: str) -> Allocation:
    """Decide that these units are not supplied.

    Raises:
        DisposalRefused: there is no such proposal.
    """
    found = await locked(session, number, allocation_id)
    if found.state == AllocationState.rejected.value and found.decided_by == who.principal:
        return found
    _is(found, AllocationState.proposed)
    found.state, found.decided_by, found.decided_at = AllocationState.rejected.value, who.principal, who.at
    found.signature_id = uuid_of(who.signature)
    found.reason = reason[:500]
    session.add(found)
    await _note(session, number, "allocation.rejected", who, [found], reason)
    return found


async def ship(session: AsyncSession, number: str, allocation_id: int, document_no: str, who: Who) -> Allocation:
    """Record that the units left for the site: a shipment that arrives by its own receipt.

    Raises:
        DisposalRefused: not approved, or its lot became suspect or is not there any more.
    """
    query = select(Allocation.lot_id).where(col(Allocation.id) == allocation_id)
    lot_id = (await session.exec(query)).one_or_none()
    await ledger.lock(session, [number], [lot_id] if lot_id else [])
    found = await locked(session, number, allocation_id)
    if found.state == AllocationState.shipped.value and found.document_no == document_no:
        return found
    if found.state == AllocationState.shipped.value and await keeper_shipments.given_up(session, found):
        # What the keeper had sent by its order was told first.
        await not_suspect(session, found)
        await _not_stopped(session, found, document_no)
        found.movement_id = await book_second(session, found, document_no, who)
        found.document_no, found.shipped_by, found.shipped_at = document_no, who.principal, who.at
        session.add(found)
        return found
    _is(found, AllocationState.approved)
    refuse_drill(await recalls.get(session, number), "nothing is shipped under it")
    if await keeper_shipments.by_hand(session, allocation_id, document_no, who.at):
        # Its keeper has set these units aside, so they are not free for anybody else.
        await not_suspect(session, found)
    else:
        await still_clear(session, found)
    await _not_stopped(session, found, document_no)
    await book(session, found, document_no, who)
    return found


async def _not_stopped(session: AsyncSession, found: Allocation, document_no: str) -> None:
    if stopper := await goods_documents.blocked_by(session, document_no, found.location_id):
        raise DisposalRefused("conflict", f"The recall {stopper} stops the document {document_no}.")


async def book(session: AsyncSession, found: Allocation, document_no: str, who: Who) -> None:
    """Book that the units left; the caller holds the locks and knows that they did."""
    found.movement_id = await _departed(session, found, document_no, who.at, "")
    found.state, found.document_no = AllocationState.shipped.value, document_no
    found.shipped_by, found.shipped_at = who.principal, who.at
    session.add(found)
    await _note(session, found.recall_number, "allocation.shipped", who, [found], found.reason)


async def book_second(session: AsyncSession, found: Allocation, document_no: str, who: Who) -> int:
    """Book that as many units left once more, by hand and by an order nobody waited for; the caller holds the locks.

    Returns the movement.
    """
    movement = await _departed(session, found, document_no, who.at, ":second")
    await _note(session, found.recall_number, "allocation.shipped_twice", who, [found], f"also under {document_no}")
    return movement


async def _departed(session: AsyncSession, found: Allocation, document_no: str, at: datetime, suffix: str) -> int:
    booking = ledger.Booking(
        kind=MovementKind.shipment.value,
        lot_id=found.lot_id,
        quantity=found.quantity,
        at=at,
        reference=f"{found.recall_number}:allocation:{found.id}{suffix}",
        source=found.location_id,
        target=await shortages.site_of(session, found.shortage_id, found.lot_id),
        document_no=document_no,
    )
    movement = await ledger.book(session, booking)
    await ledger.settle(session, [(found.lot_id, found.location_id)], at)
    return movement


async def still_clear(session: AsyncSession, found: Allocation) -> None:
    """That the units are free of claims and lie there.

    Raises:
        DisposalRefused: they are not.
    """
    await not_suspect(session, found)
    await free_stock.require(
        session, found.lot_id, found.location_id, found.quantity, fields=("lot_id", "quantity"), but=found.id
    )


async def not_suspect(session: AsyncSession, found: Allocation) -> None:
    """That no recall claims the lot, whether or not its units are set aside.

    Raises:
        DisposalRefused: one does.
    """
    if await suspect_among(session, [found.lot_id]):
        raise DisposalRefused("conflict", f"The allocation {found.id} is void: {VOID_REASON}.")


async def locked(session: AsyncSession, number: str, allocation_id: int) -> Allocation:
    """An allocation for a change.

    Raises:
        DisposalRefused: the recall has none of this id.
    """
    await lock_recalls(session, [number])
    query = select(Allocation).where(col(Allocation.id) == allocation_id, col(Allocation.recall_number) == number)
    fresh = query.with_for_update().execution_options(populate_existing=True)
    found = (await session.exec(fresh)).one_or_none()
    if found is None:
        raise DisposalRefused("not_found", f"The recall {number} has no allocation {allocation_id}.")
    return found


def _is(found: Allocation, state: AllocationState) -> None:
    if found.state != state.value:
        why = f": {found.reason}" if found.reason else ""
        raise DisposalRefused("already_decided", f"The allocation {found.id} is {found.state}{why}.")


async def listed(
    session: AsyncSession, number: str, *, state: str | None = None, after: int = 0, limit: int = 1000
) -> Sequence[Allocation]:
    """Allocations of a recall in order of their ids."""
    query = select(Allocation).where(col(Allocation.recall_number) == number, col(Allocation.id) > after)
    if state is not None:
        query = query.where(col(Allocation.state) == state)
    return (await session.exec(query.order_by(col(Allocation.id)).limit(limit))).all()


async def _note(
    session: AsyncSession, number: str, action: str, who: Who, rows: Sequence[Allocation], reason: str | None = None
) -> None:
    facts = [
        {
            "allocation": row.id,
            "shortage": row.shortage_id,
            "lot": row.lot_id,
            "location": row.location_id,
            "quantity": row.quantity,
            "state": row.state,
            "document_no": row.document_no,
            "movement": row.movement_id,
        }
        for row in rows
    ]
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        reason=reason,
        data={"allocations": facts},
        signature=who.signature,
    )


__all__ = [
    "approve",
    "book",
    "book_second",
    "listed",
    "locked",
    "not_suspect",
    "propose",
    "reject",
    "ship",
    "still_clear",
]
