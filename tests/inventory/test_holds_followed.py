"""Held units whose movements an import brings: they stay locked wherever they go with us, and are held once."""

from decimal import Decimal

import pytest

from db.repositories import holds
from tests.inventory.conftest import NOW, NUMBER, Yard
from tests.support.chain import Chain, day
from tests.support.stock_invariants import violations

pytestmark = pytest.mark.db
D = Decimal
LEFT = """
SELECT location_id, position, sum(quantity) FROM hold WHERE state = 'nonconformity' AND quantity > 0 GROUP BY 1, 2
"""
DECIDE = (
    "UPDATE nonconformity_lot SET disposition = 'rework', justification = 'x', decided_by = 'ada', decided_at = now()"
)


async def ended(yard: Yard, phase: str = "rejected") -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    yard.run("UPDATE recall SET phase = %s", phase)
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)


async def known(yard: Yard, batch: int) -> None:
    async with yard.sessions.begin() as session:
        await holds.claim_late_stock(session, batch, now=day(120))


def left(yard: Yard) -> dict[tuple[int, str], Decimal]:
    return {(place, position): quantity for place, position, quantity in yard.rows(LEFT)}


async def test_units_that_move_between_our_places_stay_locked_where_they_come_to(yard: Yard) -> None:
    await ended(yard)
    total = sum(left(yard).values())
    batch = yard.batch()
    yard.move("shipment", 10, yard.warehouse, yard.carrier, day=110, delivered=True, batch=batch)
    yard.move("adjustment", 2, yard.warehouse, yard.carrier, day=111, batch=batch)
    yard.move("shipment", 6, yard.warehouse, yard.carrier, day=112, document="D9", batch=batch)
    await known(yard, batch)
    here = left(yard)
    assert (here[yard.carrier, "on_hand"], here[yard.carrier, "in_transit"]) == (D(32), D(11))
    assert sum(q for (place, _), q in here.items() if place == yard.warehouse) == D(82)
    assert sum(here.values()) == total, "no unit is locked twice, none is free"
    batch = yard.batch()
    yard.move("receipt", 6, None, yard.carrier, day=113, document="D9", batch=batch)
    await known(yard, batch)
    assert left(yard)[yard.carrier, "on_hand"] == D(38)
    assert sum(left(yard).values()) == total
    await yard.settle()
    assert violations(yard.postgres.owner_url) == []
    ((events,),) = yard.rows("SELECT count(*) FROM audit_event WHERE action = 'holds.followed_units'")
    assert events == 2


@pytest.mark.parametrize("over", [True, False])
async def test_units_that_one_import_takes_further_are_held_where_they_lie(yard: Yard, over: bool) -> None:
    more = Chain(base=7000)
    third = more.place("own", "warehouse")
    more.write(yard.postgres.owner_url)
    if over:
        await ended(yard)
    else:
        yard.recall()
        await yard.request()
        await yard.execute()
    batch = yard.batch()
    yard.move("shipment", 3, yard.warehouse, yard.carrier, day=109, delivered=True, batch=batch)
    yard.move("shipment", 10, yard.warehouse, yard.carrier, day=110, delivered=True, batch=batch)
    yard.move("shipment", 4, yard.carrier, third, day=111, delivered=True, batch=batch)
    yard.move("shipment", 6, yard.carrier, third, day=111, document="D9", batch=batch)
    await known(yard, batch)
    held = "SELECT location_id, sum(quantity) FROM hold WHERE coalesce(document_no, 'D9') = 'D9' GROUP BY 1 ORDER BY 1"
    assert yard.rows(held) == [(yard.warehouse, D(87)), (yard.carrier, D(23)), (third, D(10))]
    assert yard.rows("SELECT quantity FROM hold WHERE document_no = 'D9'") == [(D(6),)]
    assert violations(yard.postgres.owner_url) == []


async def test_what_comes_back_and_goes_on_in_one_import_is_a_nonconformity_where_it_lies(yard: Yard) -> None:
    await ended(yard, "terminated")
    before = left(yard)
    batch = yard.batch()
    yard.move("return", 5, yard.clinic, yard.carrier, day=110, batch=batch)
    yard.move("shipment", 4, yard.carrier, yard.warehouse, day=111, delivered=True, batch=batch)
    await known(yard, batch)
    assert sum(left(yard).values()) == sum(before.values()) + 5
    assert left(yard)[yard.carrier, "on_hand"] == before[yard.carrier, "on_hand"] + 1


@pytest.mark.parametrize("over", [True, False])
async def test_a_stopped_shipment_that_arrives_brings_its_own_hold_whatever_else_left_its_source(
    yard: Yard, over: bool
) -> None:
    if over:
        await ended(yard)
    else:
        yard.recall()
        await yard.request()
        await yard.execute()
    batch = yard.batch()
    yard.move("shipment", 10, yard.warehouse, yard.clinic, day=110, delivered=True, batch=batch)
    yard.move("receipt", 5, yard.warehouse, yard.carrier, day=111, document="D2", batch=batch)
    await known(yard, batch)
    query = "SELECT location_id, sum(quantity) FROM hold WHERE position <> 'in_transit' GROUP BY 1 ORDER BY 1"
    assert yard.rows(query) == [(yard.warehouse, D(100)), (yard.carrier, D(25))], "ten left under the hold, five came"


async def test_what_the_gate_released_moves_freely_and_what_arrives_new_is_not_taken_for_it(yard: Yard) -> None:
    await ended(yard)
    yard.run(
        "UPDATE hold SET quantity = 30, released = 40 WHERE location_id = %s AND position = 'on_hand'", yard.warehouse
    )
    before, batch = left(yard), yard.batch()
    yard.move("shipment", 10, yard.warehouse, yard.carrier, day=110, delivered=True, batch=batch)
    yard.move("receipt", 7, None, yard.carrier, day=111, batch=batch)
    await known(yard, batch)
    assert left(yard) == before


async def test_units_that_leave_our_hands_are_not_looked_for_elsewhere(yard: Yard) -> None:
    await ended(yard)
    batch = yard.batch()
    yard.move("receipt", 7, None, yard.carrier, day=109, batch=batch)
    yard.move("shipment", 10, yard.warehouse, yard.clinic, day=110, delivered=True, batch=batch)
    before = left(yard)
    await known(yard, batch)
    assert left(yard) == before
    assert yard.rows("SELECT kind FROM scope_gap") == [("shipped_under_hold",)]


@pytest.mark.parametrize(
    ("phase", "still", "held"), [("cancelled", True, True), ("cancelled", False, False), ("terminated", False, True)]
)
async def test_what_customers_send_back_after_the_end_is_a_nonconformity_too(
    yard: Yard, phase: str, still: bool, held: bool
) -> None:
    await ended(yard, phase)
    yard.run(DECIDE)
    if not still:
        yard.run("UPDATE hold SET quantity = 0, released = quantity, state = 'released'")
    before, batch = left(yard), yard.batch()
    yard.move("return", 4, yard.clinic, yard.carrier, day=110, batch=batch)
    await known(yard, batch)
    more = D(4) if held else D(0)
    assert left(yard).get((yard.carrier, "on_hand"), D(0)) == before.get((yard.carrier, "on_hand"), D(0)) + more
    undecided = yard.rows("SELECT FROM nonconformity_lot WHERE decided_by IS NULL")
    assert bool(undecided) == held, "quality decides anew about units that join"


async def test_what_a_count_finds_under_a_hold_that_was_left_joins_it(yard: Yard) -> None:
    await ended(yard)
    yard.run(DECIDE)
    moved, counted = yard.batch(), yard.batch()
    yard.move("receipt", 7, None, yard.carrier, day=110, batch=moved)
    await known(yard, moved)
    before = left(yard)
    yard.run(
        "UPDATE stock SET on_hand = 109, as_of = %s, batch_id = %s WHERE location_id = %s",
        day(111),
        counted,
        yard.warehouse,
    )
    yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of, batch_id) "
        "VALUES (%s, %s, 28, 0, 0, %s, %s)",
        yard.lot,
        yard.carrier,
        day(111),
        counted,
    )
    await known(yard, counted)
    after = left(yard)
    assert after[yard.warehouse, "on_hand"] - before[yard.warehouse, "on_hand"] == D(9)
    assert after[yard.carrier, "on_hand"] - before[yard.carrier, "on_hand"] == D(1), "the seven are on record"
    assert yard.rows("SELECT FROM nonconformity_lot WHERE decided_by IS NULL")
    again = yard.batch()
    yard.run("UPDATE stock SET as_of = %s, batch_id = %s", day(112), again)
    yard.run(
        "INSERT INTO stock_before (batch_id, lot_id, location_id, on_hand, reserved, as_of, prior_batch_id) "
        "SELECT batch_id, lot_id, location_id, on_hand, 0, %s, %s FROM stock",
        day(111),
        counted,
    )
    await known(yard, again)
    assert left(yard) == after, "counted again, nothing more is found"
    await yard.settle()
    assert violations(yard.postgres.owner_url) == []


async def test_a_running_recalls_hold_goes_with_what_moves_between_our_places(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    total = sum(quantity for quantity, *_ in yard.holds().values())
    batch = yard.batch()
    yard.move("shipment", 8, yard.warehouse, yard.carrier, day=110, delivered=True, batch=batch)
    yard.move("shipment", 3, yard.warehouse, yard.clinic, day=110, delivered=True, batch=batch)
    await known(yard, batch)
    found = yard.holds()
    assert found["on_hand", yard.carrier, None] == (D(28), "requested", True)
    assert sum(q for (_, place, _), (q, *_) in found.items() if place == yard.warehouse) == D(92)
    assert sum(quantity for quantity, *_ in found.values()) == total, "what lies elsewhere is not held here as well"
    await yard.execute()
    assert violations(yard.postgres.owner_url) == []
