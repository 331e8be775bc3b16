"""Carrying dispositions out: stock, holds, claims and movements agree after every one; nobody disposes of too much."""

import asyncio

import pytest

from db.repositories import holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals
from tests.inventory.conftest import Yard

pytestmark = pytest.mark.db


async def test_destroying_in_parts_takes_units_from_stock_hold_and_claim_alike(disposals: Disposals) -> None:
    found = await disposals.approved(K.destroy, 80)
    assert disposals.yard.stock() == (D(100), D(0), D(100))
    await disposals.carry_out(found, 50)
    assert disposals.yard.stock() == (D(50), D(0), D(50))
    assert disposals.broken() == []
    done, part = await disposals.carry_out(found, 30)
    assert (done.state, done.done, part.sequence) == ("done", D(80), 2)
    assert disposals.yard.stock() == (D(20), D(0), D(20))
    assert disposals.broken() == []
    moved = disposals.yard.rows(
        "SELECT kind, sum(quantity) FROM movement WHERE source_system = 'recall:ledger' GROUP BY 1"
    )
    assert moved == [("destruction", D(80))]


async def test_the_watch_for_new_stock_finds_nothing_new_after_disposals_and_releases(disposals: Disposals) -> None:
    await disposals.carry_out(await disposals.approved(K.destroy, 40), 40)
    await disposals.carry_out(await disposals.approved(K.release, 10), 10)
    before = disposals.yard.holds()
    await disposals.yard.request()
    assert disposals.yard.holds() == before
    assert disposals.yard.stock() == (D(60), D(0), D(50))
    assert disposals.yard.rows("SELECT count(*) FROM scope_gap WHERE kind = 'shipped_under_hold'") == [(0,)]
    assert disposals.broken() == []


async def test_more_than_is_left_of_a_disposition_or_of_the_goods_is_refused(disposals: Disposals) -> None:
    found = await disposals.approved(K.destroy, 80)
    with pytest.raises(DisposalRefused, match="80 of 80 units of the disposition are left, not 81"):
        await disposals.carry_out(found, 81)
    disposals.yard.run("UPDATE stock SET on_hand = 30, held = 30 WHERE location_id = %s", disposals.place)
    with pytest.raises(DisposalRefused, match="30 units lie there; 80 cannot be disposed of"):
        await disposals.carry_out(found, 80)
    assert disposals.yard.rows("SELECT count(*) FROM disposition_part") == [(0,)]


async def test_two_requests_at_once_never_dispose_of_the_same_units(disposals: Disposals) -> None:
    one, two = await disposals.approved(K.destroy, 60), await disposals.approved(K.destroy, 40)
    disposals.yard.run("UPDATE disposition SET quantity = 60")
    results = await asyncio.gather(*(disposals.carry_out(each, 60) for each in (one, two)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, DisposalRefused)]
    assert len(refused) == 1
    assert "under this recall's hold" in str(refused[0])
    assert disposals.yard.stock() == (D(40), D(0), D(40))
    assert disposals.broken() == []


async def test_two_recalls_at_once_on_one_lot_wait_for_each_other(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    one = await disposals.approved(K.destroy, 70)
    two = await disposals.approved(K.destroy, 70, number=OTHER)
    results = await asyncio.gather(
        disposals.carry_out(one, 70), disposals.carry_out(two, 70, number=OTHER), return_exceptions=True
    )
    assert sum(isinstance(each, DisposalRefused) for each in results) == 1
    assert disposals.yard.stock() == (D(30), D(0), D(30))
    for number in (NUMBER, OTHER):
        assert sum(
            q
            for (position, place, _), (q, _, _) in disposals.yard.holds(number).items()
            if position != "in_transit" and place == disposals.place
        ) == D(30)
    assert disposals.broken() == []


async def test_what_one_recall_destroys_leaves_the_other_recalls_hold_and_its_record_says_so(
    disposals: Disposals,
) -> None:
    await disposals.held(OTHER)
    await disposals.carry_out(await disposals.approved(K.destroy, 25), 25)
    assert disposals.yard.rows(
        "SELECT sum(quantity) FROM hold WHERE location_id = %s AND position <> 'in_transit' AND recall_number = %s",
        disposals.place,
        OTHER,
    ) == [(D(75),)]
    assert disposals.actions(OTHER)[-1] == "hold.taken_along"
    assert disposals.broken() == []


async def test_the_same_request_again_changes_nothing(disposals: Disposals) -> None:
    found = await disposals.approved(K.destroy, 80)
    _, first = await disposals.carry_out(found, 50, request="same")
    _, again = await disposals.carry_out(found, 50, request="same")
    assert first.id == again.id
    assert disposals.yard.stock() == (D(50), D(0), D(50))
    one = await disposals.propose(K.destroy, 10, request="twice")
    two = await disposals.propose(K.destroy, 10, request="twice")
    assert one.id == two.id


async def test_reworked_units_are_a_new_lot_of_the_same_recalls_under_the_same_holds(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    found = await disposals.approved(K.rework, 30)
    _, part = await disposals.carry_out(found, 20, result_lot=ResultLotFacts("N1-R"))
    _, more = await disposals.carry_out(found, 10, result_lot=ResultLotFacts("N1-R"))
    assert part.result_lot_id == more.result_lot_id
    result = part.result_lot_id
    assert disposals.yard.stock() == (D(70), D(0), D(70))
    stock = disposals.yard.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", result)
    assert stock == [(D(30), D(30))]
    assert disposals.yard.rows(
        "SELECT recall_number, quantity, state FROM hold WHERE lot_id = %s ORDER BY 1", result
    ) == [
        (NUMBER, D(30), "confirmed"),
        (OTHER, D(30), "confirmed"),
    ]
    assert disposals.yard.rows("SELECT sum(quantity) FROM lot_genealogy WHERE output_lot_id = %s", result) == [(D(30),)]
    assert disposals.yard.rows("SELECT recall_number FROM scope_lot WHERE lot_id = %s ORDER BY 1", result) == [
        (NUMBER,),
        (OTHER,),
    ]
    await disposals.yard.request()
    assert disposals.yard.rows("SELECT sum(quantity) FROM hold WHERE lot_id = %s", result) == [(D(60),)]
    assert disposals.broken() == []
    another = await disposals.approved(K.rework, 5)
    await disposals.carry_out(another, 2, result_lot=ResultLotFacts("N1-R"))
    await disposals.carry_out(await disposals.approved(K.release, 1, lot=result), 1)
    with pytest.raises(DisposalRefused, match="new lot number"):
        await disposals.carry_out(another, 3, result_lot=ResultLotFacts("N1-R"))
    assert disposals.broken() == []


async def test_units_sent_to_a_factory_of_ours_are_held_there_at_once(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    found = await disposals.approved(K.return_to_factory, 40)
    with pytest.raises(DisposalRefused, match="destination_id"):
        await disposals.carry_out(found, 40)  # the lot's site is not on record
    await disposals.carry_out(found, 40, destination_id=disposals.yard.carrier)
    for number in (NUMBER, OTHER):
        assert disposals.yard.holds(number)["on_hand", disposals.yard.carrier, None][0] == D(60)
    await disposals.yard.request()
    assert disposals.yard.holds()["on_hand", disposals.yard.carrier, None][0] == D(60)
    assert disposals.broken() == []


async def test_units_sent_back_to_a_maker_nobody_ever_counted_lie_there_until_they_are_disposed_of(
    disposals: Disposals,
) -> None:
    """A source that records deliveries only says what the maker gave out and never what it made."""
    (factory,) = disposals.yard.rows(
        "INSERT INTO location (partner_id, code, name, custody) SELECT partner_id, 'MAKER', 'Maker', 'own'"
        " FROM location WHERE id = %s RETURNING id",
        disposals.place,
    )[0]
    disposals.yard.run("UPDATE lot SET site_id = %s WHERE id = %s", factory, disposals.yard.lot)
    disposals.yard.move("shipment", 500, factory, disposals.yard.clinic, day=2, delivered=True)
    found = await disposals.approved(K.return_to_factory, 40)
    for quantity in (30, 10):
        await disposals.carry_out(found, quantity)
    assert disposals.yard.stock(factory) == (D(40), D(0), D(40))
    assert disposals.yard.holds()["on_hand", factory, None][0] == D(40)
    gone = await disposals.approved(K.destroy, 40, place=factory)
    await disposals.carry_out(gone, 40)
    assert disposals.yard.stock(factory) == (D(0), D(0), D(0))
    assert ("on_hand", factory, None) not in disposals.yard.holds()
    assert disposals.broken() == []


async def test_units_sent_to_a_factory_of_somebody_else_leave_our_holds_without_a_violation(
    disposals: Disposals,
) -> None:
    found = await disposals.approved(K.return_to_factory, 40)
    with pytest.raises(DisposalRefused, match="a place of ours, or one of a manufacturer or supplier"):
        await disposals.carry_out(found, 40, destination_id=disposals.yard.clinic)
    assert disposals.yard.stock() == (D(100), D(0), D(100))
    await disposals.carry_out(found, 40, destination_id=disposals.maker())
    await disposals.yard.request()
    assert disposals.yard.stock() == (D(60), D(0), D(60))
    assert disposals.yard.rows("SELECT count(*) FROM scope_gap") == [(0,)]
    assert disposals.broken() == []


async def test_what_is_not_confirmed_as_held_cannot_be_disposed_of(disposals: Disposals) -> None:
    disposals.yard.move("receipt", 25, None, disposals.place, day=101)
    await disposals.yard.request()
    found = await disposals.approved(K.destroy, 100)
    with pytest.raises(DisposalRefused, match=r"Only 30 of 125 held units are confirmed"):
        await disposals.carry_out(found, 100)
    await disposals.yard.execute()
    await disposals.carry_out(found, 100)
    assert disposals.yard.stock() == (D(25), D(0), D(25))
    assert disposals.broken() == []


async def test_a_hold_asked_for_before_a_disposal_never_claims_more_than_is_left(disposals: Disposals) -> None:
    """The keeper is asked for a quantity read before the disposal; the claim follows the hold all the same."""
    async with disposals.yard.sessions() as session:
        disposals.yard.run("UPDATE hold SET state = 'requested', confirmed_at = NULL WHERE position = 'on_hand'")
        due = await holds.due_holds(session, NUMBER, 10)
    disposals.yard.run("UPDATE hold SET state = 'confirmed', confirmed_at = now() WHERE position = 'on_hand'")
    await disposals.carry_out(await disposals.approved(K.destroy, 60), 60)
    for each in due:
        await disposals.yard.inventory().hold(each.key, NUMBER, each.position)
    asked = [holds.Held(each.id, each.position.quantity, each.position.quantity, "ledger") for each in due]
    async with disposals.yard.sessions.begin() as session:
        await holds.mark_confirmed(session, asked, NOW)
    assert disposals.broken() == []


async def test_goods_in_transit_are_disposed_of_where_they_arrive(disposals: Disposals) -> None:
    disposals.yard.move("receipt", 5, disposals.place, disposals.yard.carrier, day=110, document="D2")
    with pytest.raises(DisposalRefused):
        await disposals.propose(K.destroy, 1, place=disposals.yard.clinic)
    await disposals.yard.request()
    await disposals.yard.execute()
    found = await disposals.approved(K.destroy, None, place=disposals.yard.carrier)
    assert found.quantity == D(25)
    await disposals.carry_out(found, 25)
    assert ("on_hand", disposals.yard.carrier, None) not in disposals.yard.holds()
    assert disposals.broken() == []


async def test_stock_that_comes_after_an_emptied_hold_is_held_anew(disposals: Disposals) -> None:
    await disposals.carry_out(await disposals.approved(K.destroy, 100), 100)
    assert disposals.yard.rows(
        "SELECT DISTINCT state FROM hold WHERE location_id = %s AND position <> 'in_transit'", disposals.place
    ) == [("disposed",)]
    disposals.yard.move("receipt", 8, None, disposals.place, day=120)
    assert (await disposals.yard.request()).requested == 1
    assert (await disposals.yard.execute()).failed == 0
    assert disposals.yard.holds()["on_hand", disposals.place, None][:2] == (D(8), "confirmed")
    assert disposals.broken() == []


async def test_disposals_watches_keepers_and_imports_at_once_never_deadlock_and_agree(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    mine = await disposals.approved(K.destroy, 30)
    others = await disposals.approved(K.release, 30, number=OTHER)
    clinic = disposals.consignee()
    batches = [disposals.yard.batch() for _ in range(4)]
    for turn, batch in enumerate(batches):
        disposals.yard.move("receipt", 2, None, disposals.place, day=160 + turn, batch=batch)

    async def late(batch: int) -> None:
        async with disposals.yard.sessions.begin() as session:
            await holds.claim_late_stock(session, batch)

    work = [disposals.carry_out(mine, 3) for _ in range(5)]
    work += [disposals.carry_out(others, 3, number=OTHER) for _ in range(5)]
    more = [disposals.yard.request(number) for number in (NUMBER, OTHER) for _ in range(2)]
    more += [disposals.yard.execute(number) for number in (NUMBER, OTHER) for _ in range(2)]
    results = await asyncio.gather(
        *work,
        *more,
        *(late(batch) for batch in batches),
        *(disposals.count_in(clinic, 1) for _ in range(3)),
        return_exceptions=True,
    )
    # A hold that has just been raised waits for its keeper: that disposal is refused, and nothing else may fail.
    unexpected = [each for each in results if isinstance(each, BaseException) and not isinstance(each, DisposalRefused)]
    assert unexpected == []
    for number in (NUMBER, OTHER):
        await disposals.yard.request(number)
        await disposals.yard.execute(number)
    assert disposals.broken() == []


async def test_reworked_units_of_a_lot_whose_use_nobody_located_stay_under_every_recalls_hold(yard: Yard) -> None:
    """Genealogy says that 10 units were built in, no consumption says where: the rework's own use is not those 10."""
    yard.run("UPDATE lot SET site_id = %s, quantity_made = 0 WHERE id = %s", yard.warehouse, yard.lot)
    yard.run("DELETE FROM stock WHERE lot_id = %s AND location_id = %s", yard.lot, yard.warehouse)
    yard.run(
        "INSERT INTO lot (id, product_id, number) SELECT 900, product_id, 'BUILT' FROM lot WHERE id = %s", yard.lot
    )
    yard.run(
        "INSERT INTO lot_genealogy (input_lot_id, output_lot_id, quantity, source_system, source_id)"
        " VALUES (%s, 900, 10, 'test', 'built-in')",
        yard.lot,
    )
    disposals = Disposals(yard)
    await disposals.held()
    await disposals.held(OTHER)
    await disposals.carry_out(await disposals.approved(K.rework, 20), 20, result_lot=ResultLotFacts("N1-R"))
    for number in (NUMBER, OTHER):
        assert yard.rows(
            "SELECT h.quantity FROM hold h JOIN lot ON lot.id = h.lot_id"
            " WHERE h.recall_number = %s AND h.location_id = %s ORDER BY lot.id",
            number,
            yard.warehouse,
        ) == [(20,), (70,)]
    assert disposals.broken() == []
