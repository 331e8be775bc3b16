"""Whether parts of dispositions can be carried out now: as the rules ask, and with the units really there.

Everything is counted at this moment, under the locks the caller holds; parts that draw on different positions are
counted together, in a few statements however many they are.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import incident_evidence, ledger
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_jobs import Carried
from db.repositories.disposition_positions import Which, stated
from db.repositories.disposition_who import Who
from db.repositories.incident_evidence import ALTERING, Untold
from db.repositories.ledger import Balance, Place, UnderHold
from domain.disposition import DispositionKind, PartFacts, ResultLot, part_faults
from domain.quantity_text import plain
from models.disposition import Disposition, DispositionState, RetainedSample

ZERO = Decimal(0)
Check = Callable[[Disposition, Decimal], None]
"""Refuses when fewer units than these can be carried out of the disposition."""


def approved(found: Disposition) -> None:
    """That the disposition is approved and not done.

    Raises:
        DisposalRefused: it is not.
    """
    if found.state == DispositionState.proposed.value:
        raise DisposalRefused("wrong_phase", f"The disposition {found.sequence} is not approved yet.")
    if found.state != DispositionState.approved.value:
        raise DisposalRefused("already_decided", f"The disposition {found.sequence} is {found.state}.")


def complete(found: Disposition, carried: Carried, who: Who) -> None:
    """That everything this kind needs is named, and no more is carried out than is left of the disposition.

    Raises:
        DisposalRefused: a field is missing or wrong, or the quantity is too large.
    """
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


async def count(session: AsyncSession, number: str, dispositions: Sequence[Disposition]) -> Check:
    """What is there for dispositions that draw on different positions, read at once; the check that tells each."""
    ours = {(each.lot_id, each.location_id) for each in dispositions if each.location_id is not None}
    consignees = {(each.lot_id, each.consignee_id) for each in dispositions if each.location_id is None}
    held = await ledger.under_hold_at(session, ours, own=number) if ours else {}
    lots = sorted({lot_id for lot_id, _ in ours})
    balances = await ledger.balances(session, lots) if lots else {}
    kept = await _retained(session, lots) if lots else {}
    devices = await incident_evidence.returned(session, lots) if lots else {}
    there = await _stated(session, number, consignees) if consignees else {}
    asked = {(whose, lot_id) for lot_id, whose in consignees if whose is not None}
    untold = await incident_evidence.at_consignees(session, asked)

    def check(found: Disposition, quantity: Decimal) -> None:
        if found.location_id is not None:
            place = (found.lot_id, found.location_id)
            _held_enough(held.get(place, {}).get(number), quantity)
            _lies_there(balances.get(place), kept.get(place, ZERO), devices.get(place, ZERO), quantity)
            return
        _not_evidence(found, untold)
        if (stated_there := there.get((found.lot_id, found.consignee_id), ZERO)) < quantity:
            detail = f"The consignee has {plain(stated_there)} units left by its statement, not {plain(quantity)}."
            raise DisposalRefused("quantity_exceeded", detail)

    return check


def _held_enough(held: UnderHold | None, quantity: Decimal) -> None:
    if held is None or held.quantity < quantity:
        under = held.quantity if held else ZERO
        detail = f"{plain(under)} units are under this recall's hold there, not {plain(quantity)}."
        raise DisposalRefused("quantity_exceeded", detail)
    if held.confirmed < quantity:
        detail = (
            f"Only {plain(held.confirmed)} of {plain(held.quantity)} held units are confirmed; confirm the hold first."
        )
        raise DisposalRefused("conflict", detail)


def _lies_there(balance: Balance | None, kept: Decimal, devices: Decimal, quantity: Decimal) -> None:
    there = balance.on_hand if balance else ZERO
    if there - kept - devices < quantity:
        samples = f", {plain(kept)} of them retained as evidence" if kept else ""
        samples += f", {plain(devices)} returned after serious harm the authority was not told of" if devices else ""
        detail = f"{plain(there)} units lie there{samples}; {plain(quantity)} cannot be disposed of."
        raise DisposalRefused("quantity_exceeded", detail)


def _not_evidence(found: Disposition, untold: Mapping[tuple[int, int], Untold]) -> None:
    if DispositionKind(found.kind) not in ALTERING or found.consignee_id is None:
        return
    if each := untold.get((found.consignee_id, found.lot_id)):
        detail = f"Complaint {each.sequence} of {each.recall_number} is about these units and the authority was not"
        raise DisposalRefused("conflict", f"{detail} told of it yet (MDR Art. 89(1)); have them returned instead.")


async def _retained(session: AsyncSession, lot_ids: Sequence[int]) -> Mapping[Place, Decimal]:
    query = select(RetainedSample).where(
        col(RetainedSample.lot_id).in_(lot_ids), col(RetainedSample.settled_at).is_(None)
    )
    found: defaultdict[Place, Decimal] = defaultdict(Decimal)
    for sample in (await session.exec(query)).all():
        found[sample.lot_id, sample.location_id] += sample.quantity
    return found


async def _stated(
    session: AsyncSession, number: str, wanted: set[tuple[int, int | None]]
) -> Mapping[tuple[int, int | None], Decimal]:
    lots, consignees = {lot_id for lot_id, _ in wanted}, {consignee for _, consignee in wanted}
    which = Which(
        lot_id=next(iter(lots)) if len(lots) == 1 else None,
        consignee_id=next(iter(consignees)) if len(consignees) == 1 else None,
    )
    rows = await stated(session, number, which)
    return {(row.lot_id, row.consignee_id): row.quantity for row in rows}


__all__ = ["Check", "approved", "complete", "count"]
