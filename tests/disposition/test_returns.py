"""Returns at our dock and what happens at consignees: counted, held at once, never more than is left there."""

from datetime import timedelta
from typing import Any

import pytest

from db.repositories import carry_over, consignee_lots, holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from db.repositories.disposition_positions import Which, positions
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals
from tests.inventory.conftest import Yard
from tests.support.chain import Chain

pytestmark = pytest.mark.db
ASKED = "SELECT lot_id, quantity, decided_by FROM nonconformity_lot ORDER BY id"


def decide(yard: Yard, disposition: str) -> None:
    """Everything that quality is asked about is decided."""
    yard.run("UPDATE nonconformity SET state = 'decided'")
    yard.run(
        "UPDATE nonconformity_lot SET disposition = %s, decided_by = 'ada', justification = 'x', decided_at = now()",
        disposition,
    )


async def test_a_return_is_stock_and_under_every_recalls_hold_in_one_transaction(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    clinic = disposals.consignee()
    row, changed = await disposals.count_in(clinic, 12)
    assert changed is not None
    assert (changed.held_by, changed.beyond_record) == ((NUMBER, OTHER), False)
    assert disposals.yard.stock() == (D(112), D(0), D(112))
    assert disposals.broken() == []
    for number in (NUMBER, OTHER):
        before = disposals.yard.holds(number)
        await disposals.yard.request(number)
        assert disposals.yard.holds(number) == before
    moved = disposals.yard.rows(
        "SELECT kind, from_location_id, to_location_id, quantity FROM movement WHERE id = %s", row.movement_id
    )
    assert moved == [("return", disposals.yard.clinic, disposals.place, D(12))]
    assert disposals.yard.rows("SELECT returned FROM consignee_lot WHERE consignee_id = %s", clinic) == [(D(12),)]


async def test_a_return_to_a_dock_where_nothing_was_ever_counted_is_held_and_shown(disposals: Disposals) -> None:
    from tests.support.chain import Chain

    more = Chain(base=7000)
    dock = more.place("own", "warehouse")
    more.write(disposals.yard.postgres.owner_url)
    await disposals.count_in(disposals.consignee(), 5, place=dock)
    assert disposals.yard.stock(dock) == (D(5), D(0), D(5))
    await disposals.count_in(disposals.yard.rows("SELECT id FROM consignee")[0][0], 3, place=dock)
    assert disposals.yard.stock(dock) == (D(8), D(0), D(8))
    assert disposals.broken() == []
    found = await disposals.approved(K.destroy, None, place=dock)
    await disposals.carry_out(found, 8)
    assert disposals.yard.stock(dock) == (D(0), D(0), D(0))
    assert disposals.broken() == []


async def test_a_return_after_everything_was_released_and_sold_is_held_all_the_same(disposals: Disposals) -> None:
    await disposals.carry_out(await disposals.approved(K.release, 100), 100)
    await disposals.count_in(disposals.consignee(), 5)
    assert disposals.yard.stock() == (D(105), D(0), D(5))
    assert disposals.broken() == []


async def test_a_return_under_an_ended_recall_becomes_nonconforming(disposals: Disposals) -> None:
    clinic = disposals.consignee()
    disposals.yard.run("UPDATE recall SET phase = 'terminated'")
    await disposals.count_in(clinic, 5)
    assert disposals.yard.rows(
        "SELECT state, quantity FROM hold WHERE location_id = %s AND position = 'on_hand'", disposals.place
    ) == [("confirmed", D(75))]
    assert disposals.yard.stock() == (D(105), D(0), D(105))


async def test_what_comes_back_or_is_made_after_the_end_is_a_nonconformity_too(disposals: Disposals) -> None:
    yard, clinic = disposals.yard, disposals.consignee()
    more = Chain(base=7000)
    dock = more.place("own", "warehouse")
    more.write(yard.postgres.owner_url)
    yard.run("UPDATE hold SET quantity = 0, state = 'released', ended_at = now()")
    yard.run("UPDATE recall SET phase = 'terminated'")
    await disposals.count_in(clinic, 5, place=dock)
    assert yard.rows(ASKED) == [(yard.lot, D(5), None)]
    decide(yard, "scrap")
    await disposals.count_in(clinic, 3, place=dock)
    assert yard.rows(ASKED) == [(yard.lot, D(8), None)]
    assert yard.rows("SELECT state FROM nonconformity") == [("open",)]
    decide(yard, "rework")
    made = ResultLotFacts("MADE-1")
    _, part = await disposals.carry_out(await disposals.approved(K.rework, 6, place=dock), 6, result_lot=made)
    assert yard.rows(ASKED) == [(yard.lot, D(8), "ada"), (part.result_lot_id, D(6), None)]
    assert yard.rows("SELECT count(*) FROM task WHERE key LIKE 'nc:investigate%%' AND state = 'offered'") == [(1,)]


async def test_what_comes_back_joins_what_another_recall_has_left_of_the_lot(disposals: Disposals) -> None:
    yard, clinic = disposals.yard, disposals.consignee()
    await disposals.held(OTHER)
    yard.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", OTHER)
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, OTHER, NOW)
    more = Chain(base=7000)
    dock = more.place("own", "warehouse")
    more.write(yard.postgres.owner_url)
    await disposals.count_in(clinic, 5, place=dock)
    held = "SELECT recall_number, state, quantity FROM hold WHERE location_id = %s ORDER BY 1"
    assert yard.rows(held, dock) == [(NUMBER, "confirmed", D(5)), (OTHER, "nonconformity", D(5))]
    await disposals.carry_out(await disposals.approved(K.release, 5, place=dock), 5)
    assert yard.stock(dock) == (D(5), D(0), D(5)), "usable only when the last claim is gone"
    assert disposals.broken() == []


async def test_units_that_join_a_hold_that_was_carried_over_are_decided_anew(disposals: Disposals) -> None:
    yard, clinic = disposals.yard, disposals.consignee()
    ((hold, before),) = yard.rows(
        "SELECT id, quantity FROM hold WHERE location_id = %s AND position = 'on_hand'", disposals.place
    )
    by: dict[str, Any] = {"actor": "ada", "role": "approver", "reason": "x", "now": NOW}
    async with yard.sessions.begin() as session:
        await carry_over.carry_over(session, NUMBER, [hold], **by)
    decide(yard, "use_as_is")
    await disposals.count_in(clinic, 5)
    assert yard.rows(ASKED) == [(yard.lot, before + 5, None)]
    await disposals.carry_out(await disposals.approved(K.destroy, 40), 40)
    decide(yard, "scrap")
    batch = yard.batch()
    yard.move("receipt", 8, None, disposals.place, day=160, batch=batch)
    async with yard.sessions.begin() as session:
        await holds.claim_late_stock(session, batch, now=NOW)
    assert yard.rows(ASKED) == [(yard.lot, before - 27, None)]
    decide(yard, "scrap")
    yard.move("receipt", 1, None, disposals.place, day=161)
    await yard.request()
    assert yard.rows(ASKED) == [(yard.lot, before - 26, None)]


async def test_the_same_return_sent_twice_counts_once(disposals: Disposals) -> None:
    clinic = disposals.consignee()
    first, _ = await disposals.count_in(clinic, 5, request="same")
    again, changed = await disposals.count_in(clinic, 5, request="same")
    assert (first.id, changed) == (again.id, None)
    assert disposals.yard.stock()[0] == D(105)


async def test_an_approved_return_is_carried_out_by_the_count_and_what_comes_beyond_it_counts_too(
    disposals: Disposals,
) -> None:
    clinic = disposals.consignee()
    found = await disposals.approved(K.return_to_us, 10, consignee=clinic)
    row, _ = await disposals.count_in(clinic, 12)
    assert row.part_id is not None
    assert disposals.yard.rows("SELECT state, done FROM disposition WHERE id = %s", found.id) == [("done", D(10))]
    assert disposals.yard.stock()[0] == D(112)
    assert disposals.broken() == []


async def test_more_than_was_ever_shipped_is_counted_and_marked(disposals: Disposals) -> None:
    _, changed = await disposals.count_in(disposals.consignee(), 36)
    assert changed is not None
    assert changed.beyond_record


async def test_what_a_consignee_has_left_shrinks_with_returns_and_disposals_there(disposals: Disposals) -> None:
    clinic = disposals.consignee(stated=20)
    await disposals.count_in(clinic, 5)
    destroy = await disposals.approved(K.destroy, 9, consignee=clinic)
    await disposals.carry_out(destroy, 9)
    fix = await disposals.approved(K.field_correction, 4, consignee=clinic)
    await disposals.carry_out(fix, 4, document_no=None)
    async with disposals.yard.sessions() as session:
        (left,) = await positions(session, NUMBER, Which(consignee_id=clinic))
    assert left.quantity == D(2)
    with pytest.raises(DisposalRefused, match="2 units are open there"):
        await disposals.propose(K.destroy, 3, consignee=clinic)
    disposals.state(clinic, 1, at=NOW + timedelta(days=5))
    async with disposals.yard.sessions() as session:
        (left,) = await positions(session, NUMBER, Which(consignee_id=clinic))
    assert left.quantity == D(1)
    assert disposals.yard.stock() == (D(105), D(0), D(105))
    assert disposals.broken() == []


async def test_a_questioned_statement_opens_no_position(disposals: Disposals) -> None:
    clinic = disposals.consignee(stated=20)
    later = disposals.state(clinic, 500, at=NOW + timedelta(days=1))
    disposals.yard.run('UPDATE reply SET findings = \'[{"severity": "impossible"}]\' WHERE id = %s', later)
    async with disposals.yard.sessions() as session:
        (left,) = await positions(session, NUMBER, Which(consignee_id=clinic))
    assert left.quantity == D(20)


async def test_exchanged_units_come_to_our_dock_and_an_unaffected_lot_goes_out(disposals: Disposals) -> None:
    from tests.support.chain import Chain

    more = Chain(base=8000)
    (product,) = disposals.yard.rows("SELECT product_id FROM lot WHERE id = %s", disposals.yard.lot)[0]
    disposals.yard.run("INSERT INTO lot (id, product_id, number) VALUES (8500, %s, 'FRESH')", product)
    disposals.yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (8500, %s, 10, 4, 0, %s)",
        disposals.place,
        NOW,
    )
    assert more.places == {}
    clinic = disposals.consignee(stated=20)
    found = await disposals.approved(K.replace_, 7, consignee=clinic)
    swap: dict[str, Any] = {"location_id": disposals.place, "replacement_from_id": disposals.place}
    with pytest.raises(DisposalRefused, match="6 units of the lot are free there, not 7"):
        await disposals.carry_out(found, 7, replacement_lot_id=8500, **swap)
    with pytest.raises(DisposalRefused, match="no recall claims"):
        await disposals.carry_out(found, 5, replacement_lot_id=disposals.yard.lot, **swap)
    await disposals.carry_out(found, 6, replacement_lot_id=8500, **swap)
    assert disposals.yard.stock() == (D(106), D(0), D(106))
    assert disposals.yard.rows("SELECT on_hand FROM stock WHERE lot_id = 8500") == [(D(4),)]
    assert disposals.broken() == []


async def test_a_return_that_cannot_be_meant_is_refused_by_field(disposals: Disposals) -> None:
    clinic = disposals.consignee()
    with pytest.raises(DisposalRefused) as refused:
        await disposals.count_in(clinic, 5, place=disposals.yard.clinic)
    assert refused.value.faults[0].field == "location_id"
    with pytest.raises(DisposalRefused) as refused:
        await disposals.count_in(999, 5)
    assert refused.value.faults[0].field == "consignee_id"


async def test_what_came_back_under_one_recall_cannot_be_stated_again_under_another(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    clinic, same = disposals.consignee(), disposals.consignee(number=OTHER, stated=None)
    await disposals.count_in(clinic, 12)
    async with disposals.yard.sessions() as session:
        (row,) = (await consignee_lots.lots_of(session, [same]))[same]
    assert row.received == D(23)
    disposals.yard.run("UPDATE recall SET phase = 'terminated' WHERE number = %s", OTHER)
    await disposals.count_in(clinic, 3)
    assert disposals.yard.rows("SELECT consignee_id, returned FROM consignee_lot ORDER BY 1") == [
        (clinic, D(15)),
        (same, D(12)),
    ]
