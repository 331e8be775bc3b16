"""Claims of recalls on stock: what is claimed, what repeating changes, and how claims of two recalls live together."""

import asyncio
from decimal import Decimal

import pytest

from db.repositories import holds
from models.messages import HoldFigures
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard
from tests.support.chain import Chain, day

pytestmark = pytest.mark.db
D = Decimal


def units(*numbers: int) -> tuple[Decimal, ...]:
    return tuple(D(number) for number in numbers)


async def test_everything_in_our_and_logistics_custody_is_claimed_and_nothing_at_customers(yard: Yard) -> None:
    yard.recall()
    figures = await yard.request()
    assert yard.holds() == {
        ("on_hand", yard.warehouse, None): (D(70), "requested", False),
        ("reserved", yard.warehouse, None): (D(30), "requested", False),
        ("on_hand", yard.carrier, None): (D(20), "requested", False),  # known from movements only
        ("in_transit", yard.clinic, "D1"): (D(15), "requested", False),
        ("in_transit", yard.carrier, "D2"): (D(5), "requested", False),
    }
    assert figures == HoldFigures(requested=5, confirmed=0, failed=0)


async def test_requesting_and_executing_again_changes_nothing(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    before = (
        yard.rows("SELECT *, xmin FROM hold ORDER BY id"),
        yard.rows("SELECT *, xmin FROM stock_claim ORDER BY key"),
    )
    events = yard.rows("SELECT count(*) FROM audit_event")
    assert await yard.request() == await yard.execute() == HoldFigures(requested=0, confirmed=5, failed=0)
    after = yard.rows("SELECT *, xmin FROM hold ORDER BY id"), yard.rows("SELECT *, xmin FROM stock_claim ORDER BY key")
    assert after == before
    assert yard.rows("SELECT count(*) FROM audit_event") == events


async def test_a_hold_breaks_the_reservation_and_locks_all_units(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    assert yard.stock() == units(100, 30, 0)
    assert await yard.execute() == HoldFigures(requested=0, confirmed=5, failed=0)
    assert yard.stock() == units(100, 0, 100)
    stopped = yard.rows("SELECT document_no, quantity FROM stock_claim WHERE position = 'in_transit' ORDER BY 1")
    assert stopped == [("D1", D(15)), ("D2", D(5))]


async def test_a_request_without_any_stock_is_still_on_record(yard: Yard) -> None:
    yard.recall(NUMBER, yard_lot_without_stock(yard))
    assert await yard.request() == HoldFigures()
    assert await yard.request() == HoldFigures()
    assert yard.rows("SELECT action, data ->> 'requested' FROM audit_event") == [("holds.requested", "0")]


def yard_lot_without_stock(yard: Yard) -> int:
    more = Chain(base=5000)
    lot = more.lot(more.product())
    more.write(yard.postgres.owner_url)
    return lot


async def test_stock_that_appears_later_is_claimed_as_late(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    yard.move("receipt", 25, None, yard.warehouse, day=60)
    yard.move("shipment", 3, yard.warehouse, yard.clinic, day=1, document="D3")
    figures = await yard.request()
    assert figures == HoldFigures(requested=2, confirmed=4, failed=0)
    assert yard.holds()["on_hand", yard.warehouse, None] == (D(95), "requested", True)
    assert yard.holds()["in_transit", yard.clinic, "D3"] == (D(3), "requested", True)
    assert yard.holds()["reserved", yard.warehouse, None] == (D(30), "confirmed", False)
    assert await yard.execute() == HoldFigures(requested=0, confirmed=6, failed=0)
    yard.run("UPDATE stock SET on_hand = 125, as_of = %s WHERE location_id = %s", day(61), yard.warehouse)
    async with yard.sessions.begin() as session:
        assert await holds.claim_late_stock(session) == []
    assert yard.stock() == units(125, 0, 100)


async def test_an_import_claims_what_it_brings_in_its_own_transaction(yard: Yard) -> None:
    yard.recall()
    yard.recall(OTHER)
    await yard.request()
    await yard.request(OTHER)
    await yard.execute()
    await yard.execute(OTHER)
    batch, unrelated = yard.batch(), yard.batch()
    yard.move("receipt", 7, None, yard.carrier, day=70, batch=batch)
    yard.run(
        "UPDATE stock SET on_hand = 120, as_of = %s, batch_id = %s WHERE location_id = %s",
        day(70),
        batch,
        yard.warehouse,
    )
    async with yard.sessions.begin() as session:
        assert await holds.claim_late_stock(session, unrelated, now=NOW) == []
        assert await holds.claim_late_stock(session, batch, now=NOW) == [NUMBER, OTHER]
        assert await holds.claim_late_stock(session, batch, now=NOW) == []
    for number in (NUMBER, OTHER):
        assert yard.holds(number)["on_hand", yard.carrier, None] == (D(27), "requested", True)
    assert yard.holds()["on_hand", yard.warehouse, None] == (D(90), "requested", True)
    await yard.execute()
    await yard.execute(OTHER)
    assert yard.stock() == units(120, 0, 120)


async def test_an_ended_recall_claims_nothing_more(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    yard.run("UPDATE recall SET phase = 'rejected'")
    batch = yard.batch()
    yard.move("receipt", 7, None, yard.warehouse, day=70, batch=batch)
    async with yard.sessions.begin() as session:
        assert await holds.claim_late_stock(session, batch) == []


async def test_goods_that_arrive_move_from_the_document_to_the_place(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    yard.move("receipt", 5, yard.warehouse, yard.carrier, day=110, document="D2")
    yard.move("receipt", 6, yard.warehouse, yard.clinic, day=111, document="D1")
    await yard.request()
    found = yard.holds()
    assert ("in_transit", yard.carrier, "D2") not in found
    assert found["on_hand", yard.carrier, None] == (D(25), "requested", True)
    assert found["in_transit", yard.clinic, "D1"] == (D(9), "confirmed", False)
    gaps = yard.rows("SELECT detail ->> 'quantity', detail ->> 'movement' FROM scope_gap")
    assert gaps == [("6", "receipt")]  # the clinic received goods that had been stopped


async def test_shipping_or_using_held_stock_is_recorded_as_a_violation_once(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    yard.move("shipment", 4, yard.warehouse, yard.clinic, day=99, delivered=True)  # before the request: history
    batch = yard.batch()
    yard.move("shipment", 5, yard.warehouse, yard.clinic, day=101, delivered=True, batch=batch)
    yard.move("consumption", 6, yard.warehouse, None, day=102, batch=batch)
    yard.move("destruction", 7, yard.warehouse, None, day=103, batch=batch)
    yard.move("shipment", 8, yard.warehouse, yard.carrier, day=104, delivered=True, batch=batch)
    for _ in range(2):
        async with yard.sessions.begin() as session:
            await holds.claim_late_stock(session, batch, now=day(105))
        await yard.request(now=day(105))
    gaps = yard.rows("SELECT kind, detail ->> 'quantity', detail ->> 'movement' FROM scope_gap ORDER BY 2")
    assert gaps == [("shipped_under_hold", "5", "shipment"), ("shipped_under_hold", "6", "consumption")]
    events = yard.rows("SELECT data ->> 'moved_under_hold' FROM audit_event WHERE action = 'holds.late_stock'")
    assert events == [("2",)]


async def test_a_count_that_shows_reservations_on_held_stock_asks_the_keeper_again(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    yard.run("UPDATE stock SET reserved = 12 WHERE location_id = %s", yard.warehouse)
    assert (await yard.request()).requested == 2
    await yard.execute()
    assert yard.stock() == units(100, 0, 100)


async def test_two_recalls_on_one_lot_never_count_its_units_twice(yard: Yard) -> None:
    yard.recall()
    yard.recall(OTHER)
    await yard.request()
    await yard.execute()
    await yard.request(OTHER)
    assert yard.holds(OTHER)["on_hand", yard.warehouse, None] == (D(100), "requested", False)
    await yard.execute(OTHER)
    assert yard.stock() == units(100, 0, 100)
    for key in await keys(yard, NUMBER):
        await yard.inventory().release(key)
        await yard.inventory().release(key)
    assert yard.stock() == units(100, 0, 100)
    for key in await keys(yard, OTHER):
        await yard.inventory().release(key)
    assert yard.stock() == units(100, 0, 0)


async def keys(yard: Yard, number: str) -> list[str]:
    return [row[0] for row in yard.rows("SELECT key FROM stock_claim WHERE claimant = %s", number)]


async def test_rejecting_one_recall_frees_nothing_and_leaves_the_other_alone(yard: Yard) -> None:
    yard.recall()
    yard.recall(OTHER)
    await yard.request()
    await yard.request(OTHER)
    await yard.execute(OTHER)
    async with yard.sessions.begin() as session:
        assert await holds.to_nonconformity(session, NUMBER, NOW) == 5
        assert await holds.to_nonconformity(session, NUMBER, NOW) == 0
    assert await yard.execute() == HoldFigures()  # what nobody had locked yet is locked all the same
    states = yard.rows("SELECT recall_number, state, count(*), count(confirmed_at) FROM hold GROUP BY 1, 2 ORDER BY 1")
    assert states == [(NUMBER, "nonconformity", 5, 5), (OTHER, "confirmed", 5, 5)]
    assert yard.stock() == units(100, 0, 100)


async def test_what_nobody_could_lock_before_the_recalls_end_is_locked_after_it(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    yard.run("UPDATE recall SET phase = 'rejected'")
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    yard.run("ALTER TABLE stock_claim RENAME TO away")
    await yard.settle()
    yard.run("ALTER TABLE away RENAME TO stock_claim")
    refused = yard.rows("SELECT DISTINCT state, attempts, confirmed_at FROM hold")
    assert (refused, yard.stock()) == ([("nonconformity", 1, None)], units(100, 30, 0))
    await yard.settle()
    assert yard.rows("SELECT DISTINCT state, confirmed_by, last_error FROM hold") == [("nonconformity", "ledger", None)]
    assert yard.stock() == units(100, 0, 100)


async def test_a_claim_raised_while_it_was_being_confirmed_stays_requested(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    async with yard.sessions() as session:
        due = await holds.due_holds(session, NUMBER, 10)
    yard.move("receipt", 25, None, yard.warehouse, day=60)
    await yard.request()
    done = [holds.Held(each.id, each.position.quantity, each.position.quantity, "ledger") for each in due]
    async with yard.sessions.begin() as session:
        assert len(await holds.mark_confirmed(session, done, NOW)) == 4
    assert yard.holds()["on_hand", yard.warehouse, None] == (D(95), "requested", True)


async def test_two_runs_at_once_claim_the_same_stock_once(yard: Yard) -> None:
    yard.recall()
    await asyncio.gather(*(yard.request() for _ in range(4)))
    assert sum(quantity for quantity, _, _ in yard.holds().values()) == D(140)


async def test_goods_on_their_way_to_an_unknown_place_are_stopped_where_they_left(yard: Yard) -> None:
    yard.recall()
    yard.move("shipment", 2, yard.carrier, None, day=6, document="D9")
    await yard.request()
    assert yard.holds()["in_transit", yard.carrier, "D9"] == (D(2), "requested", False)


async def test_a_batch_wakes_the_recalls_whose_trace_it_may_change(yard: Yard) -> None:
    yard.recall()
    other = yard_lot_without_stock(yard)
    yard.recall(OTHER, other)
    shipped, nothing = yard.batch(), yard.batch()
    yard.move("shipment", 1, yard.clinic, yard.clinic, day=9, batch=shipped)
    async with yard.sessions() as session:
        assert await holds.recalls_touched_by(session, shipped) == [NUMBER]
        assert await holds.recalls_touched_by(session, nothing) == []
