"""Carrying out approved dispositions, in parts, each with who did it and what proves it.

The units are counted again at that moment, under the locks of `ledger`: more than is there cannot be disposed of, even
by two requests at once. What leaves a place leaves every recall's hold on it; what goes to another place or lot of
ours takes the holds along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, disposition_moves, evidence, ledger, returns
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_moves import Moved
from db.repositories.disposition_positions import Which, positions
from db.repositories.disposition_who import Who
from db.repositories.dispositions import locked, locked_recall
from domain.disposition import RULES, DispositionKind, PartFacts, ResultLot, part_faults
from domain.quantity_text import plain
from models.disposition import Disposition, DispositionPart, DispositionState, RetainedSample


@dataclass(frozen=True, slots=True)
class ResultLotFacts:
    """The lot that came out of a rework."""

    number: str
    product_code: str | None = None
    """Where repackaging made another trade item; else the product stays."""
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What somebody says was carried out; quantity in units of use."""

    quantity: Decimal
    evidence_ids: tuple[str, ...]
    document_no: str | None = None
    witness: str | None = None
    result_lot: ResultLotFacts | None = None
    replacement_lot_id: int | None = None
    replacement_from_id: int | None = None
    """Place of ours the replacement was taken from."""
    location_id: int | None = None
    """Our dock where returned or exchanged units were counted in."""
    destination_id: int | None = None


async def execute(
    session: AsyncSession, number: str, sequence: int, carried: Carried, who: Who
) -> tuple[Disposition, DispositionPart]:
    """Carry out a part; the same request again returns the part it wrote.

    Raises:
        DisposalRefused: not approved, more than is left or there, or a field is missing or wrong.
        EvidenceUnusable: a file cannot be cited.
    """
    lots = [lot for lot in (await _lot_of(session, number, sequence), carried.replacement_lot_id) if lot]
    await ledger.lock(session, [number], lots)
    await locked_recall(session, number)
    found = await locked(session, number, sequence)
    if (before := await _part_of_request(session, found, who.request)) is not None:
        return found, before
    _check(found, carried, who)
    if found.location_id is not None:
        await _check_ours(session, found, carried.quantity)
    else:
        await _check_consignee(session, found, carried.quantity)
    moved = await disposition_moves.move(session, found, carried, who)
    part = await returns.add_part(
        session,
        found,
        carried.quantity,
        who,
        document_no=carried.document_no,
        witness=carried.witness,
        result_lot_id=moved.result_lot_id,
        movement_id=moved.movement_id,
    )
    if moved.counted is not None and moved.counted_in is not None:
        await returns.write(session, number, moved.counted, who, moved.counted_in, part.id)
    subject = f"disposition:{found.id}"
    await evidence.link(session, number, carried.evidence_ids, subject, by=who.principal, at=who.at, role=who.role)
    await _note(session, found, part, moved, who)
    return found, part


async def _lot_of(session: AsyncSession, number: str, sequence: int) -> int | None:
    query = select(Disposition.lot_id).where(
        col(Disposition.recall_number) == number, col(Disposition.sequence) == sequence
    )
    return (await session.exec(query)).one_or_none()


async def _part_of_request(session: AsyncSession, found: Disposition, request: str) -> DispositionPart | None:
    query = select(DispositionPart).where(
        col(DispositionPart.disposition_id) == found.id, col(DispositionPart.request) == request
    )
    return (await session.exec(query)).one_or_none()


def _check(found: Disposition, carried: Carried, who: Who) -> None:
    if found.state == DispositionState.proposed.value:
        raise DisposalRefused("wrong_phase", f"The disposition {found.sequence} is not approved yet.")
    if found.state != DispositionState.approved.value:
        raise DisposalRefused("already_decided", f"The disposition {found.sequence} is {found.state}.")
    result = ResultLot.NEW if carried.result_lot else ResultLot.NONE
    if carried.replacement_lot_id is not None:
        result = ResultLot.EXISTING
    facts = PartFacts(
        quantity=carried.quantity,
        done_by=who.principal,
        evidence=len(carried.evidence_ids),
        document_no=carried.document_no,
        witness=carried.witness,
        result_lot=result,
        dock=carried.location_id is not None,
        destination=carried.destination_id is not None,
    )
    if faults := part_faults(DispositionKind(found.kind), facts):
        raise invalid(*faults)
    left = found.quantity - found.done
    if carried.quantity > left:
        rest = f"{plain(left)} of {plain(found.quantity)}"
        detail = f"{rest} units of the disposition are left, not {plain(carried.quantity)}."
        raise DisposalRefused("quantity_exceeded", detail)


async def _check_ours(session: AsyncSession, found: Disposition, quantity: Decimal) -> None:
    assert found.location_id is not None  # noqa: S101 - the caller's branch
    held = (await ledger.under_hold(session, found.lot_id, found.location_id)).get(found.recall_number)
    if held is None or held.quantity < quantity:
        under = held.quantity if held else Decimal(0)
        detail = f"{plain(under)} units are under this recall's hold there, not {plain(quantity)}."
        raise DisposalRefused("quantity_exceeded", detail)
    if held.confirmed < quantity:
        detail = (
            f"Only {plain(held.confirmed)} of {plain(held.quantity)} held units are confirmed; confirm the hold first."
        )
        raise DisposalRefused("conflict", detail)
    balance = (await ledger.balances(session, [found.lot_id])).get((found.lot_id, found.location_id))
    there = balance.on_hand if balance else Decimal(0)
    kept = await _retained(session, found.lot_id, found.location_id)
    if there - kept < quantity:
        samples = f", {plain(kept)} of them retained as evidence" if kept else ""
        detail = f"{plain(there)} units lie there{samples}; {plain(quantity)} cannot be disposed of."
        raise DisposalRefused("quantity_exceeded", detail)


async def _retained(session: AsyncSession, lot_id: int, location_id: int) -> Decimal:
    query = select(RetainedSample).where(
        col(RetainedSample.lot_id) == lot_id,
        col(RetainedSample.location_id) == location_id,
        col(RetainedSample.settled_at).is_(None),
    )
    return sum((sample.quantity for sample in (await session.exec(query)).all()), Decimal(0))


async def _check_consignee(session: AsyncSession, found: Disposition, quantity: Decimal) -> None:
    await run(session, "SELECT FROM consignee WHERE id = :id FOR UPDATE", {"id": found.consignee_id})
    here = await positions(session, found.recall_number, Which(found.lot_id, consignee_id=found.consignee_id))
    there = here[0].quantity if here else Decimal(0)
    if there < quantity:
        detail = f"The consignee has {plain(there)} units left by its statement, not {plain(quantity)}."
        raise DisposalRefused("quantity_exceeded", detail)


async def _note(session: AsyncSession, found: Disposition, part: DispositionPart, moved: Moved, who: Who) -> None:
    data = {
        "disposition": found.sequence,
        "part": part.sequence,
        "kind": found.kind,
        "lot": found.lot_id,
        "location": found.location_id,
        "consignee": found.consignee_id,
        "quantity": part.quantity,
        "done": found.done,
        "document_no": part.document_no,
        "witness": part.witness,
        "result_lot": part.result_lot_id,
        "movement": part.movement_id,
    }
    if moved.missing:
        data["not_found_there"] = moved.missing
    by, role, at = who.principal, who.role, who.at
    number = found.recall_number
    await audit.append(session, number, actor=by, role=role, action="disposition.executed", at=at, data=data)
    for other, quantity in sorted(moved.others.items()):
        facts = {"by_recall": found.recall_number, "lot": found.lot_id, "location": found.location_id}
        taken = facts | {"kind": found.kind, "quantity": quantity, "result_lot": part.result_lot_id}
        await audit.append(session, other, actor=by, role=role, action="hold.taken_along", at=at, data=taken)


def possible_evidence(kind: DispositionKind) -> str:
    """What a part of this kind must bring, in words for a task."""
    rule = RULES[kind]
    asked: Sequence[str] = [rule.document or "evidence", *(["a witness"] if rule.witness else [])]
    return " and ".join(asked)


__all__ = ["Carried", "ResultLotFacts", "execute", "possible_evidence"]
