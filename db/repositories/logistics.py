"""Requests to logistics providers: a task of the warehouse each, with a due time by policy, ended by a document number.

The provider's answer confirms that the goods on their way are held. Nothing is sent from here: whoever has the task
speaks to the provider and records what it says. The recall's watch asks by itself (`logistics_watch`), and where the
keeper's own system carries the shipment, its word is the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, holds, recalls, redirects, tasks
from db.repositories.disposal_refusals import DisposalRefused, invalid, refuse_drill
from db.repositories.disposition_who import Who
from db.repositories.hold_records import SYSTEM, lock_recalls
from domain.disposition import Fault
from domain.policy_parts import HumanStep
from domain.quantity_text import plain
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.hold import Hold, HoldState, PositionKind
from models.logistics import LogisticsKind, LogisticsRequest, LogisticsState
from models.master import Custody, Location, Partner

CARRIER_OF_HOLD: Final = """
SELECT coalesce(
    (SELECT d.carrier_id FROM goods_document d
     WHERE d.number = h.document_no AND d.kind IN ('shipment', 'order', 'return') AND d.carrier_id IS NOT NULL
     ORDER BY d.kind = 'shipment' DESC, d.id LIMIT 1),
    (SELECT l.partner_id FROM location l WHERE l.id = h.location_id AND l.custody = 'logistics'))
"""
"""Who moves the goods under a hold `h`, where our documents or the place they are going to say so."""
_CARRIER: Final = f"SELECT ({CARRIER_OF_HOLD}) FROM hold h WHERE h.id = :hold"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Ask:
    """What a provider is asked about one position in transit."""

    hold_id: int
    kind: LogisticsKind
    provider: str | None
    """Code of the provider; None: as the shipment's document names it."""
    to_location_id: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider says."""

    reference: str | None
    """Its document number; None where it refuses."""
    expected_at: datetime | None
    note: str | None


def task_key(request_id: int) -> str:
    """Key of the task to get the answer."""
    return f"logistics:{request_id}"


async def ask(session: AsyncSession, number: str, given: Sequence[Ask], who: Who) -> list[LogisticsRequest]:
    """Open the requests and their tasks, all or none; the same request again finds what it opened.

    Raises:
        DisposalRefused: a hold is not in transit or over, a provider or place cannot be meant, or the shipment is
            asked about already. After the recall has ended its nonconformity holds can still be asked about.
    """
    await lock_recalls(session, [number])
    if before := await _of_request(session, number, who.request):
        return before
    refuse_drill(await recalls.get(session, number), "no provider is asked for anything")
    made = []
    for at, each in enumerate(given):
        hold, provider = await _checked(session, number, each, f"requests/{at}", who)
        row = await open_request(session, hold, each.kind, provider, who, each.to_location_id)
        await offer_task(session, row, hold, provider, who.at)
        made.append(row)
    return made


async def open_request(
    session: AsyncSession,
    hold: Hold,
    kind: LogisticsKind,
    provider: Partner | None,
    who: Who,
    to_location_id: int | None = None,
) -> LogisticsRequest:
    """Write one request, for the units under way now; audited. The caller holds the recall's row."""
    row = LogisticsRequest(
        recall_number=hold.recall_number,
        hold_id=hold.id or 0,
        turn=hold.turn,
        quantity=hold.quantity,
        kind=kind.value,
        state=LogisticsState.asked.value,
        provider_id=provider.id if provider else None,
        to_location_id=to_location_id,
        asked_by=who.principal,
        asked_at=who.at,
        request=who.request or None,
    )
    session.add(row)
    await session.flush()
    facts = {"request": row.id, "hold": hold.id, "kind": row.kind, "provider": provider.code if provider else None}
    await _note(session, hold.recall_number, "logistics.asked", who, facts | {"to": to_location_id})
    return row


async def offer_task(
    session: AsyncSession, row: LogisticsRequest, hold: Hold, provider: Partner | None, now: datetime
) -> bool:
    """Open the task to get the answer; False when there is one."""
    shipment = f"shipment {hold.document_no}" if hold.document_no else "the goods on their way"
    return await tasks.offer(
        session,
        await recalls.get(session, row.recall_number),
        key=task_key(row.id or 0),
        step=HumanStep.HOLD_CONFIRMATION,
        what=f"{provider.name[:120] if provider else 'Whoever moves it'}: {row.kind} {shipment}"
        f" ({plain(row.quantity)} units)",
        owner=recall_id(row.recall_number),
        now=now,
        role=Role.WAREHOUSE,
    )


async def _of_request(session: AsyncSession, number: str, request: str) -> list[LogisticsRequest]:
    if not request:
        return []
    query = select(LogisticsRequest).where(
        col(LogisticsRequest.recall_number) == number, col(LogisticsRequest.request) == request
    )
    return list((await session.exec(query.order_by(col(LogisticsRequest.id)))).all())


def _held(hold: Hold) -> bool:
    """Under a claim, or locked until quality decides."""
    return hold.ended_at is None or hold.state == HoldState.nonconformity


async def _checked(session: AsyncSession, number: str, given: Ask, at: str, who: Who) -> tuple[Hold, Partner]:
    hold = await session.get(Hold, given.hold_id)
    if hold is None or hold.recall_number != number:
        raise invalid(Fault(f"{at}/hold_id", f"a hold of the recall {number}"))
    if hold.position != PositionKind.in_transit or not _held(hold):
        raise invalid(Fault(f"{at}/hold_id", "an open hold on goods in transit"))
    query = select(LogisticsRequest).where(
        col(LogisticsRequest.hold_id) == given.hold_id, col(LogisticsRequest.state) == LogisticsState.asked.value
    )
    before = (await session.exec(query)).first()
    if before is not None and before.asked_by != SYSTEM:
        raise DisposalRefused("conflict", f"The request {before.id} about this shipment is not answered yet.")
    if given.kind is LogisticsKind.redirect and given.to_location_id is None:
        raise invalid(Fault(f"{at}/to_location_id", "the place of ours they are to go to"))
    if given.kind is LogisticsKind.redirect and given.to_location_id == hold.location_id:
        raise invalid(Fault(f"{at}/to_location_id", "another place than the one they are on their way to"))
    if given.kind is LogisticsKind.stop and given.to_location_id is not None:
        raise invalid(Fault(f"{at}/to_location_id", "no place: what is stopped goes nowhere (`redirect` sends it on)"))
    if given.to_location_id is not None:
        place = await session.get(Location, given.to_location_id)
        if place is None or place.custody == Custody.customer.value:
            raise invalid(Fault(f"{at}/to_location_id", "a place in our own or logistics custody"))
    provider = await _provider(session, hold, given, at)
    if before is not None:
        await withdraw(session, number, before.id or 0, "Another request takes its place.", who)
    return hold, provider


async def _provider(session: AsyncSession, hold: Hold, given: Ask, at: str) -> Partner:
    if given.provider is not None:
        query = select(Partner).where(col(Partner.code) == given.provider)
        found = (await session.exec(query)).one_or_none()
    else:
        partner_id: Any = (await run(session, _CARRIER, {"hold": hold.id})).scalar()
        found = await session.get(Partner, partner_id) if partner_id is not None else None
    if found is None:
        raise invalid(Fault(f"{at}/provider", "the code of the partner that moves the goods"))
    return found


async def answer(session: AsyncSession, number: str, request_id: int, given: Answer, who: Who) -> LogisticsRequest:
    """Record the provider's answer; its number confirms the hold on the goods. A refusal leaves the hold as it is.

    Redirected goods are under way to their new place from then on, under the holds of every recall that had them.

    Raises:
        DisposalRefused: no such request, it is answered with something else or withdrawn.
    """
    await redirects.lock(session, number, request_id)
    row = await _open(session, number, request_id)
    if row.state == LogisticsState.answered and row.reference == given.reference:
        return row
    if row.state != LogisticsState.asked:
        raise DisposalRefused("already_decided", f"The request {request_id} is {row.state}.")
    state = LogisticsState.answered if given.reference else LogisticsState.refused
    row.state, row.reference, row.expected_at, row.note = state.value, given.reference, given.expected_at, given.note
    row.ended_at, row.ended_by = who.at, who.principal
    session.add(row)
    await session.flush()
    confirmed: list[int] = []
    hold = await session.get(Hold, row.hold_id)
    if given.reference and hold is not None and hold.confirmed_at is None and _held(hold):
        stated = holds.Held(id=hold.id or 0, asked=hold.quantity, held=hold.quantity, by=who.principal)
        confirmed = await holds.mark_confirmed(session, [stated], who.at)
    moved: dict[str, dict[str, Any]] = {}
    if given.reference and hold is not None and row.kind == LogisticsKind.redirect and row.to_location_id is not None:
        hold = await _now_at(session, row, hold)
        moved = await redirects.follow(session, row, hold, row.to_location_id, who)
    outcome = f"{state.value}: {given.reference}" if given.reference else state.value
    await tasks.close(session, number, task_key(request_id), outcome=outcome, done_by=who.principal, now=who.at)
    facts: dict[str, Any] = {"request": request_id, "reference": given.reference, "confirmed": confirmed}
    facts |= {"redirected": moved[number]} if number in moved else {}
    await _note(session, number, f"logistics.{state.value}", who, facts, reason=given.note)
    await redirects.tell_others(session, number, moved, who)
    return row


async def _now_at(session: AsyncSession, row: LogisticsRequest, hold: Hold) -> Hold:
    """The hold whose goods the answer redirects: another recall's redirect may have been answered in between."""
    over = hold.quantity == 0 or not _held(hold)
    there = await redirects.gone_to(session, hold) if over else None
    if there is None or there.location_id == row.to_location_id:
        return hold
    row.hold_id, row.turn = there.id or 0, there.turn
    session.add(row)
    await session.flush()
    return there


async def answered_by_keeper(
    session: AsyncSession, number: str, request_id: int, keeper: str, reference: str, now: datetime
) -> None:
    """The system that carries the shipment has stopped it; what it holds is confirmed by its own answer about the hold.

    The caller holds the recall's row.
    """
    row = await session.get_one(LogisticsRequest, request_id)
    row.state, row.reference, row.ended_at, row.ended_by = LogisticsState.answered.value, reference[:80], now, keeper
    session.add(row)
    await session.flush()
    outcome = f"{row.state}: {row.reference}"
    await tasks.close(session, number, task_key(request_id), outcome=outcome, done_by=keeper, now=now)
    who = Who(keeper, SYSTEM, now)
    await _note(session, number, "logistics.answered", who, {"request": request_id, "reference": row.reference})


async def withdraw(session: AsyncSession, number: str, request_id: int, reason: str, who: Who) -> LogisticsRequest:
    """Take a request back that nobody answered: the goods arrived, or it was the wrong shipment.

    Raises:
        DisposalRefused: no such request, or it is answered.
    """
    row = await _open(session, number, request_id)
    if row.state == LogisticsState.withdrawn:
        return row
    if row.state != LogisticsState.asked:
        raise DisposalRefused("already_decided", f"The request {request_id} is {row.state}.")
    row.state, row.note, row.ended_at, row.ended_by = LogisticsState.withdrawn.value, reason, who.at, who.principal
    session.add(row)
    await session.flush()
    await tasks.cancel(session, number, task_key(request_id), outcome="withdrawn", done_by=who.principal, now=who.at)
    await _note(session, number, "logistics.withdrawn", who, {"request": request_id}, reason=reason)
    return row


async def _open(session: AsyncSession, number: str, request_id: int) -> LogisticsRequest:
    await lock_recalls(session, [number])
    row = await session.get(LogisticsRequest, request_id, populate_existing=True)
    if row is None or row.recall_number != number:
        raise DisposalRefused("not_found", f"The recall {number} has no logistics request {request_id}.")
    return row


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[LogisticsRequest]:
    """Requests of the recall, oldest first."""
    query = select(LogisticsRequest).where(
        col(LogisticsRequest.recall_number) == number, col(LogisticsRequest.id) > after
    )
    return (await session.exec(query.order_by(col(LogisticsRequest.id)).limit(limit))).all()


async def _note(
    session: AsyncSession, number: str, action: str, who: Who, data: dict[str, Any], *, reason: str | None = None
) -> None:
    await audit.append(
        session, number, actor=who.principal, role=who.role, action=action, at=who.at, reason=reason, data=data
    )


__all__ = [
    "CARRIER_OF_HOLD",
    "Answer",
    "Ask",
    "answer",
    "answered_by_keeper",
    "ask",
    "listed",
    "offer_task",
    "open_request",
    "task_key",
    "withdraw",
]
