"""Sites left short: figures from the record, first expired first, and never a suspect or promised unit."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from db.repositories import allocations, shortages
from db.repositories.disposal_refusals import DisposalRefused
from domain.disposition import DispositionKind as K
from models.disposition import Allocation, Shortage
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who

pytestmark = pytest.mark.db


async def look(disposals: Disposals, number: str = NUMBER) -> tuple[int, int]:
    """Compute and propose as the workflow's look does: changed figures, new proposals."""
    async with disposals.yard.sessions.begin() as session:
        changed = await shortages.compute(session, number, NOW)
        return changed, await allocations.propose(session, number, NOW)


async def figures(disposals: Disposals, number: str = NUMBER) -> Sequence[Shortage]:
    async with disposals.yard.sessions() as session:
        return await shortages.of_recall(session, number)


async def proposed(disposals: Disposals, state: str = "proposed", number: str = NUMBER) -> Sequence[Allocation]:
    async with disposals.yard.sessions() as session:
        return await allocations.listed(session, number, state=state)


def fresh(disposals: Disposals, lot: int, on_hand: int, expires: str | None = None, reserved: int = 0) -> int:
    """An unaffected lot of the same product in the warehouse."""
    (product,) = disposals.yard.rows("SELECT product_id FROM lot WHERE id = %s", disposals.yard.lot)[0]
    disposals.yard.run(
        "INSERT INTO lot (id, product_id, number, expires_on) VALUES (%s, %s, %s, %s)", lot, product, f"F{lot}", expires
    )
    disposals.yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (%s, %s, %s, %s, 0, %s)",
        lot,
        disposals.place,
        on_hand,
        reserved,
        NOW,
    )
    return lot


async def decide(
    disposals: Disposals, what: Any, allocation: Allocation, *facts: Any, number: str = NUMBER
) -> Allocation:
    async with disposals.yard.sessions.begin() as session:
        done: Allocation = await what(session, number, allocation.id, *facts)
        return done


async def test_what_a_site_holds_returned_and_destroyed_is_short_and_what_it_fixed_is_not(disposals: Disposals) -> None:
    clinic = disposals.consignee(stated=20, used=9)
    await disposals.count_in(clinic, 5)
    await disposals.carry_out(await disposals.approved(K.destroy, 4, consignee=clinic), 4)
    await disposals.carry_out(await disposals.approved(K.field_correction, 3, consignee=clinic), 3)
    assert await look(disposals) == (1, 0)
    (row,) = await figures(disposals)
    assert (row.removed, row.used, row.quantity) == (D(17), D(9), D(17))
    assert await look(disposals) == (0, 0)
    assert disposals.actions().count("shortages.computed") == 1


async def test_unaffected_lots_are_proposed_first_expired_first_and_never_promised_twice(disposals: Disposals) -> None:
    disposals.consignee(stated=20)
    fresh(disposals, 901, 8, "2027-06-01")
    fresh(disposals, 902, 30, "2027-01-01", reserved=22)
    fresh(disposals, 903, 50, "2026-01-01")  # expired
    assert await look(disposals) == (1, 2)
    rows = await proposed(disposals)
    assert [(row.lot_id, row.quantity) for row in rows] == [(902, D(8)), (901, D(8))]
    assert await look(disposals) == (0, 0)
    fresh(disposals, 904, 10)
    assert await look(disposals) == (0, 1)
    assert [(row.lot_id, row.quantity) for row in await proposed(disposals)][2:] == [(904, D(4))]


async def test_two_recalls_at_once_never_promise_the_same_units(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    disposals.consignee(stated=20)
    disposals.consignee(stated=20, number=OTHER)
    fresh(disposals, 901, 25)
    await asyncio.gather(look(disposals), look(disposals, OTHER))
    promised = disposals.yard.rows("SELECT sum(quantity) FROM allocation WHERE lot_id = 901")
    assert promised == [(D(25),)]


async def test_an_approved_allocation_is_shipped_by_its_document(disposals: Disposals) -> None:
    disposals.consignee(stated=6)
    fresh(disposals, 901, 10)
    await look(disposals)
    (row,) = await proposed(disposals)
    with pytest.raises(DisposalRefused, match="is proposed"):
        await decide(disposals, allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    await decide(disposals, allocations.approve, row, who("Ada", "approver"))
    shipped = await decide(disposals, allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    again = await decide(disposals, allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    assert (shipped.state, again.movement_id) == ("shipped", shipped.movement_id)
    moved = disposals.yard.rows(
        "SELECT kind, lot_id, from_location_id, to_location_id, quantity, document_no FROM movement WHERE id = %s",
        shipped.movement_id,
    )
    assert moved == [("shipment", 901, disposals.place, disposals.yard.clinic, D(6), "SHIP-1")]
    assert disposals.yard.rows("SELECT on_hand FROM stock WHERE lot_id = 901") == [(D(4),)]
    assert await look(disposals) == (0, 0)
    assert disposals.broken() == []


@pytest.mark.parametrize("state", ["proposed", "approved"])
async def test_a_lot_that_becomes_suspect_makes_its_open_allocations_void(disposals: Disposals, state: str) -> None:
    disposals.consignee(stated=6)
    fresh(disposals, 901, 10, "2027-01-01")
    await look(disposals)
    (row,) = await proposed(disposals)
    if state == "approved":
        await decide(disposals, allocations.approve, row, who("Ada", "approver"))
    disposals.yard.recall(OTHER, 901)
    act: tuple[Any, ...] = (allocations.approve, row, who("Ada", "approver"))
    if state == "approved":
        act = (allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    with pytest.raises(DisposalRefused, match="a recall claims its lot now"):
        await decide(disposals, *act)
    await disposals.yard.request(OTHER)
    assert [(each.state, each.reason) for each in await proposed(disposals, "void")] == [
        ("void", "a recall claims its lot now")
    ]
    assert disposals.actions()[-1] == "allocation.void"
    fresh(disposals, 902, 10)
    assert await look(disposals) == (0, 1)


async def test_a_rejected_proposal_or_a_settled_shortage_is_not_proposed_again_until_it_grows(
    disposals: Disposals,
) -> None:
    clinic = disposals.consignee(stated=6)
    fresh(disposals, 901, 10)
    await look(disposals)
    (row,) = await proposed(disposals)
    rejected = await decide(disposals, allocations.reject, row, who("Ada", "approver"), "not needed")
    assert (rejected.state, rejected.reason) == ("rejected", "not needed")
    assert await look(disposals) == (0, 0)
    (short,) = await figures(disposals)
    async with disposals.yard.sessions.begin() as session:
        await shortages.settle(session, NUMBER, short.id or 0, who("Hilde", "head_of_supply"), "site closed")
    disposals.state(clinic, 9, at=NOW + timedelta(days=1))
    assert await look(disposals) == (1, 1)
    (grown,) = await figures(disposals)
    assert (grown.quantity, grown.settled_at) == (D(9), None)
