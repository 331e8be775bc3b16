"""Replacements ordered at whoever keeps the stock: approved allocations, asked for once per key, booked when they left.

A lot that becomes suspect takes the order back. What its keeper had sent before is recorded as what it is: a shipment
of suspect units, which the recall of the lot then follows.
"""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import allocations, audit, keeper_shipments, ledger, shortages
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.rows import uuid_of
from domain.inventory import DocumentAnswer, DocumentState, Shipment
from domain.keepers import LEDGER
from domain.shortage import ShippedTwice
from models.disposition import Allocation, AllocationState

NO_SITE: Final = "the site has no place on record: ship it by hand"
_TRACE_AGAIN: Final = "UPDATE recall SET traced_batches = -1 WHERE number = ANY(CAST(:numbers AS text[]))"
"""No trace has seen what was booked here (`hold_summary` compares with the batches on record)."""


async def begin(
    session: AsyncSession, number: str, allocation_id: int, lot_id: int, keeper: str, now: datetime
) -> Shipment | None:
    """Write down that the keeper is asked; None when it must not be, which is written down as well."""
    await ledger.lock(session, [number], [lot_id])
    found = await allocations.locked(session, number, allocation_id)
    order = await keeper_shipments.locked(session, allocation_id)
    over = order is not None and (order.ended_at is not None or order.abandoned_at is not None)
    if found.state != AllocationState.approved.value or over:
        return None
    site = await shortages.site_of(session, found.shortage_id, found.lot_id)
    if site is None:
        await keeper_shipments.begin(session, number, allocation_id, keeper, now, error=NO_SITE, over=True)
        return None
    # What was asked for may never have arrived: asked again it must not become an order of suspect units either.
    clear = allocations.still_clear if order is None or order.asked_at is None else allocations.not_suspect
    try:
        await clear(session, found)
    except DisposalRefused as refusal:
        await keeper_shipments.begin(session, number, allocation_id, keeper, now, error=str(refusal)[:500])
        return None
    await keeper_shipments.begin(session, number, allocation_id, keeper, now)
    return Shipment(found.lot_id, found.location_id, site, found.quantity)


async def answered(
    session: AsyncSession, number: str, allocation_id: int, lot_id: int, answer: DocumentAnswer, now: datetime
) -> None:
    """Record how the keeper's order stands; what has left is booked, also when the lot became suspect meanwhile.

    A running recall of the lot then traces again: whoever got the units is to be told.
    """
    suspecting = [each.number for each in await ledger.running_on(session, lot_id)]
    await ledger.lock(session, [number, *suspecting], [lot_id])
    found = await allocations.locked(session, number, allocation_id)
    order = await keeper_shipments.locked(session, allocation_id)
    if order is None or order.ended_at is not None:
        return
    if any(each.number not in suspecting for each in await ledger.running_on(session, lot_id)):
        # A recall of the lot came in between, and its row is not ours: the next turn asks again. One that comes now
        # waits for the allocation, and traces afterwards.
        return
    before = order.state
    keeper_shipments.stands(order, answer, now)
    session.add(order)
    who = Who(order.keeper, "keeper", now)
    if order.state != before:
        facts = {"allocation": allocation_id, "keeper": order.keeper, "order": order.number, "state": order.state}
        action = "allocation.order_cancelled" if answer.state is DocumentState.CANCELLED else "allocation.ordered"
        await audit.append(session, number, actor=who.principal, role=who.role, action=action, at=now, data=facts)
    open_still = {AllocationState.approved.value, AllocationState.void.value}
    if answer.state is DocumentState.DONE and found.state in open_still:
        await allocations.book(session, found, answer.number, who)
        await run(session, _TRACE_AGAIN, {"numbers": suspecting})
    elif keeper_shipments.risk_of(order, found.document_no) is ShippedTwice.HAPPENED:
        await allocations.book_second(session, found, answer.number, who)
        await run(session, _TRACE_AGAIN, {"numbers": suspecting})


async def abandon(session: AsyncSession, number: str, allocation_id: int, who: Who, reason: str) -> Allocation:
    """Decide not to wait for a keeper that does not answer about its order: a person may ship from now on.

    The keeper is asked to take the order back, until it answers; what it sends all the same is booked as well.

    Raises:
        DisposalRefused: there is no such allocation, or nobody waits for a keeper because of it.
    """
    found = await allocations.locked(session, number, allocation_id)
    order = await keeper_shipments.locked(session, allocation_id)
    if order is not None and order.abandoned_by == who.principal:
        return found
    if order is not None and order.abandoned_by is not None:
        raise DisposalRefused("already_decided", f"{order.abandoned_by} has decided so about {allocation_id} already.")
    if found.state != AllocationState.approved.value or order is None or order.asked_at is None or order.ended_at:
        raise DisposalRefused("conflict", f"No keeper is waited for because of the allocation {allocation_id}.")
    if order.keeper == LEDGER or order.last_error is None:
        why = f"The keeper {order.keeper} has not failed to answer about the allocation {allocation_id}."
        raise DisposalRefused("conflict", why)
    order.abandoned_at, order.abandoned_by, order.abandon_reason = who.at, who.principal, reason[:500]
    order.signature_id = uuid_of(who.signature)
    session.add(order)
    facts = {"allocation": allocation_id, "keeper": order.keeper, "order": order.number, "error": order.last_error}
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action="allocation.order_abandoned",
        at=who.at,
        reason=reason,
        data=facts,
        signature=who.signature,
    )
    return found


async def refused(session: AsyncSession, allocation_id: int, error: str, now: datetime, *, over: bool) -> None:
    """The keeper did not order it, or nobody knows whether; `over`: it never will, so a person ships it."""
    order = await keeper_shipments.locked(session, allocation_id)
    if order is None or order.ended_at is not None:
        return
    order.last_error = error[:500]
    if over:
        order.ended_at = now
    session.add(order)


__all__ = ["NO_SITE", "abandon", "answered", "begin", "refused"]
