"""Dispositions on record: proposed for open positions, and read with their parts.

A proposal never covers more than is open and not planned yet; the recall's row is locked while that is counted, so two
proposals at once cannot share units. Deciding is `disposition_decisions`, carrying out `disposition_parts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db import bulk
from db.repositories import audit, scope_lots
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_positions import OpenPosition, Which, positions
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.disposition import DispositionKind, Fault, place_fault
from domain.phases import Phase
from domain.quantity_text import plain
from models.disposition import Disposition, DispositionPart, DispositionState
from models.recall import Consignee, Recall

_BEFORE = frozenset({Phase.INTAKE, Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES})
"""Before the notice, suspect units are evidence: nobody knows yet what is wrong with them."""

_MANY = 3
"""From here on all open positions are read at once instead of one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One proposal: a quantity of a lot at a place of ours or at a consignee; None: all that is open there."""

    kind: DispositionKind
    lot_id: int
    location_id: int | None
    consignee_id: int | None
    quantity: Decimal | None
    reason: str


async def locked_recall(session: AsyncSession, number: str) -> Recall:
    """The recall's row, locked, in a phase in which units may be disposed of.

    Raises:
        DisposalRefused: there is no such recall, or it has not reached its notice yet.
    """
    await lock_recalls(session, [number])
    recall = (await session.exec(select(Recall).where(col(Recall.number) == number))).one_or_none()
    if recall is None:
        raise DisposalRefused("recall_unknown", f"There is no recall {number}.")
    if Phase(recall.phase) in _BEFORE:
        detail = f"Units are disposed of once the notice is on its way; the recall is in the phase {recall.phase}."
        raise DisposalRefused("wrong_phase", detail)
    return recall


async def propose(
    session: AsyncSession,
    number: str,
    wanted: Sequence[Wanted],
    who: Who,
    known: Sequence[OpenPosition] | None = None,
) -> list[Disposition]:
    """Write proposals, all or none; the same request again returns what it wrote the first time.

    Args:
        known: open positions read since the recall was locked; None: they are read here.

    Raises:
        DisposalRefused: a lot is not of this recall, a kind is not possible there, or less is open than asked.
    """
    recall = await locked_recall(session, number)
    if before := await _of_request(session, number, who.request):
        return before
    sequence = await _last_sequence(session, number)
    if known is None:
        known = await positions(session, number) if len(wanted) > _MANY else []
    open_here = {(each.lot_id, each.location_id, each.consignee_id): each.available for each in known}
    found: list[Disposition] = []
    for index, each in enumerate(wanted):
        quantity = await _quantity(session, recall, each, open_here, index)
        found.append(_proposal(number, sequence + index + 1, each, quantity, who))
    await bulk.insert_all(session, found, key="sequence")
    await note(session, number, "disposition.proposed", who, [facts_of(each) for each in found])
    return found


async def propose_bulk(
    session: AsyncSession, number: str, kind: DispositionKind, which: Which, reason: str, who: Who
) -> list[Disposition]:
    """One proposal for every open position the filter names, each over all that is free to be planned there.

    Positions where the kind is not possible, and goods still in transit, are left out.

    Raises:
        DisposalRefused: nothing is left to propose for.
    """
    await locked_recall(session, number)
    if before := await _of_request(session, number, who.request):
        return before
    known = await positions(session, number, which)
    fitting = [
        Wanted(kind, each.lot_id, each.location_id, each.consignee_id, each.available, reason)
        for each in known
        if each.available > 0 and place_fault(kind, at_consignee=each.consignee_id is not None) is None
    ]
    if not fitting:
        raise DisposalRefused("conflict", f"No open position is left for {kind.value} in this choice.")
    return await propose(session, number, fitting, who, known)


async def _quantity(
    session: AsyncSession,
    recall: Recall,
    wanted: Wanted,
    open_here: dict[tuple[int, int | None, int | None], Decimal],
    index: int,
) -> Decimal:
    fault = place_fault(wanted.kind, at_consignee=wanted.consignee_id is not None)
    if fault is not None:
        raise invalid(Fault(f"dispositions/{index}/{fault.field}", fault.expected))
    place = (wanted.lot_id, wanted.location_id, wanted.consignee_id)
    if place not in open_here:
        open_here[place] = await _open_at(session, recall, wanted, index)
    quantity = wanted.quantity if wanted.quantity is not None else open_here[place]
    if quantity <= 0 or quantity > open_here[place]:
        raise DisposalRefused(
            "quantity_exceeded",
            f"{plain(open_here[place])} units are open there and not planned yet.",
            [Fault(f"dispositions/{index}/quantity", f"more than 0, at most {plain(open_here[place])}")],
        )
    open_here[place] -= quantity
    return quantity


async def _open_at(session: AsyncSession, recall: Recall, wanted: Wanted, index: int) -> Decimal:
    which = Which(wanted.lot_id, wanted.location_id, wanted.consignee_id)
    found: list[OpenPosition] = await positions(session, recall.number, which)
    if found:
        return found[0].available
    if not await scope_lots.is_of_recall(session, recall.number, wanted.lot_id):
        expected = f"a lot of the recall {recall.number}"
        raise invalid(Fault(f"dispositions/{index}/lot_id", expected))
    if wanted.consignee_id is not None:
        consignee = await session.get(Consignee, wanted.consignee_id)
        if consignee is None or consignee.recall_number != recall.number:
            raise invalid(Fault(f"dispositions/{index}/consignee_id", f"a consignee of the recall {recall.number}"))
        detail = "The consignee has no statement that counts about this lot, or states that nothing is left."
    else:
        detail = f"The recall {recall.number} has no open hold on this lot there."
    raise DisposalRefused("conflict", detail)


def _proposal(number: str, sequence: int, wanted: Wanted, quantity: Decimal, who: Who) -> Disposition:
    return Disposition(
        recall_number=number,
        sequence=sequence,
        kind=wanted.kind.value,
        state=DispositionState.proposed.value,
        lot_id=wanted.lot_id,
        location_id=wanted.location_id,
        consignee_id=wanted.consignee_id,
        quantity=quantity,
        done=Decimal(0),
        reason=wanted.reason,
        request=who.request,
        proposed_by=who.principal,
        proposed_at=who.at,
    )


async def locked(session: AsyncSession, number: str, sequence: int) -> Disposition:
    """One disposition of a recall, the recall and it locked.

    Raises:
        DisposalRefused: the recall has no disposition with this number.
    """
    return (await locked_all(session, number, [sequence]))[sequence]


async def locked_all(session: AsyncSession, number: str, sequences: Sequence[int]) -> dict[int, Disposition]:
    """Dispositions of a recall by their number, the recall and they locked; in the order of their numbers.

    Raises:
        DisposalRefused: the recall has no disposition with one of these numbers.
    """
    await lock_recalls(session, [number])
    query = select(Disposition).where(
        col(Disposition.recall_number) == number, bulk.among(col(Disposition.sequence), sequences)
    )
    fresh = query.order_by(col(Disposition.sequence)).with_for_update().execution_options(populate_existing=True)
    found = {row.sequence: row for row in (await session.exec(fresh)).all()}
    if missing := [str(sequence) for sequence in sequences if sequence not in found]:
        raise DisposalRefused("not_found", f"The recall {number} has no disposition {', '.join(missing[:20])}.")
    return found


async def listed(
    session: AsyncSession, number: str, *, state: str | None, after: int, limit: int
) -> Sequence[Disposition]:
    """Dispositions of a recall by their number."""
    query = select(Disposition).where(col(Disposition.recall_number) == number, col(Disposition.sequence) > after)
    if state is not None:
        query = query.where(col(Disposition.state) == state)
    return (await session.exec(query.order_by(col(Disposition.sequence)).limit(limit))).all()


async def waiting(session: AsyncSession, number: str) -> Sequence[Disposition]:
    """Dispositions that are not decided, by their number."""
    query = select(Disposition).where(
        col(Disposition.recall_number) == number, col(Disposition.state) == DispositionState.proposed.value
    )
    return (await session.exec(query.order_by(col(Disposition.sequence)))).all()


async def find(session: AsyncSession, number: str, sequence: int) -> Disposition | None:
    """One disposition, to read."""
    query = select(Disposition).where(col(Disposition.recall_number) == number, col(Disposition.sequence) == sequence)
    return (await session.exec(query)).one_or_none()


async def parts_of(session: AsyncSession, disposition_id: int) -> Sequence[DispositionPart]:
    """The carried-out parts in order."""
    query = select(DispositionPart).where(col(DispositionPart.disposition_id) == disposition_id)
    return (await session.exec(query.order_by(col(DispositionPart.sequence)))).all()


async def _of_request(session: AsyncSession, number: str, request: str) -> list[Disposition]:
    query = select(Disposition).where(col(Disposition.recall_number) == number, col(Disposition.request) == request)
    return list((await session.exec(query.order_by(col(Disposition.sequence)))).all()) if request else []


async def _last_sequence(session: AsyncSession, number: str) -> int:
    query = select(func.coalesce(func.max(Disposition.sequence), 0)).where(col(Disposition.recall_number) == number)
    return int((await session.exec(query)).one())


def facts_of(found: Disposition) -> dict[str, Any]:
    """A disposition as its audit events say it."""
    return {
        "disposition": found.sequence,
        "kind": found.kind,
        "state": found.state,
        "lot": found.lot_id,
        "location": found.location_id,
        "consignee": found.consignee_id,
        "quantity": found.quantity,
        "done": found.done,
    }


async def note(
    session: AsyncSession,
    number: str,
    action: str,
    who: Who,
    dispositions: list[dict[str, Any]],
    reason: str | None = None,
) -> None:
    """Append the audit event of what was proposed or decided."""
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        reason=reason,
        data={"dispositions": dispositions},
        signature=who.signature,
    )


__all__ = [
    "Wanted",
    "facts_of",
    "find",
    "listed",
    "locked",
    "locked_all",
    "locked_recall",
    "note",
    "parts_of",
    "propose",
    "propose_bulk",
    "waiting",
]
