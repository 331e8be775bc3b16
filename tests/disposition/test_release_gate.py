"""The release gate: two persons, one recall's claim on exactly these units, nothing else."""

from datetime import timedelta

import pytest

from db.repositories import disposition_decisions, holds, release
from db.repositories.disposal_refusals import DisposalRefused
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who

pytestmark = pytest.mark.db


async def test_a_release_needs_quality_and_its_head_and_neither_may_be_the_proposer(disposals: Disposals) -> None:
    found = await disposals.propose(K.release, 40, by="Hedda")
    with pytest.raises(DisposalRefused, match="another person must decide"):
        await disposals.approve(found, "hedda", ("head_of_quality",))
    first = await disposals.approve(found, "Ada")
    assert first.state == "proposed"
    with pytest.raises(DisposalRefused, match="has signed already"):
        await disposals.approve(found, "ADA", ("head_of_quality",))
    with pytest.raises(DisposalRefused, match="still missing is: head_of_quality"):
        await disposals.approve(found, "Alan", ("approver",))
    second = await disposals.approve(found, "Hugo", ("head_of_quality",))
    assert second.state == "approved"
    signed = disposals.yard.rows(
        "SELECT actor, meaning, body ->> 'capacity', body ->> 'quantity' FROM sign_off ORDER BY id"
    )
    assert [(row[0], row[2], row[3]) for row in signed] == [
        ("Ada", "quality", "40.000000"),
        ("Hugo", "head_of_quality", "40.000000"),
    ]
    assert all(row[1] for row in signed)


async def test_one_signature_frees_nothing_and_two_free_exactly_the_units_signed(disposals: Disposals) -> None:
    found = await disposals.propose(K.release, 40)
    await disposals.approve(found, "Hedda", ("head_of_quality",))
    with pytest.raises(DisposalRefused, match="is not approved yet"):
        await disposals.carry_out(found, 40)
    await disposals.approve(found)
    assert disposals.yard.stock() == (D(100), D(0), D(100))
    await disposals.carry_out(found, 15)
    assert disposals.yard.stock() == (D(100), D(0), D(85))
    await disposals.carry_out(found, 25)
    assert disposals.yard.stock() == (D(100), D(0), D(60))
    assert disposals.broken() == []


async def test_units_another_recall_holds_stay_locked_and_the_answer_names_it(disposals: Disposals) -> None:
    await disposals.held(OTHER)
    found = await disposals.approved(K.release, 100)
    await disposals.carry_out(found, 100)
    assert disposals.yard.stock() == (D(100), D(0), D(100))
    async with disposals.yard.sessions() as session:
        assert [left.still_held_by for left in await release.left_at(session, [found])] == [[OTHER]]
    await disposals.carry_out(await disposals.approved(K.release, 60, number=OTHER), 60, number=OTHER)
    assert disposals.yard.stock() == (D(100), D(0), D(40))
    assert disposals.broken() == []


@pytest.mark.parametrize("phase", ["rejected", "cancelled", "terminated"])
async def test_nonconformity_holds_of_an_ended_recall_leave_only_through_the_gate(
    disposals: Disposals, phase: str
) -> None:
    async with disposals.yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    disposals.yard.run("UPDATE recall SET phase = %s", phase)
    found = await disposals.approved(K.release, None)
    assert found.quantity == D(100)
    await disposals.carry_out(found, 99)
    assert disposals.yard.stock() == (D(100), D(0), D(1))
    states = disposals.yard.rows(
        "SELECT DISTINCT state FROM hold WHERE location_id = %s AND position <> 'in_transit' ORDER BY 1",
        disposals.place,
    )
    assert states == [("nonconformity",), ("released",)]
    await disposals.carry_out(found, 1)
    assert disposals.yard.stock() == (D(100), D(0), D(0))
    assert disposals.broken() == []


async def test_released_units_that_were_sold_do_not_hide_stock_that_comes_later(disposals: Disposals) -> None:
    await disposals.carry_out(await disposals.approved(K.release, 100), 100)
    batch = disposals.yard.batch()
    disposals.yard.move("shipment", 100, disposals.place, disposals.yard.clinic, day=140, delivered=True, batch=batch)
    async with disposals.yard.sessions.begin() as session:
        assert await holds.claim_late_stock(session, batch) == []
    later = disposals.yard.batch()
    disposals.yard.move("receipt", 7, None, disposals.place, day=141, batch=later)
    async with disposals.yard.sessions.begin() as session:
        assert await holds.claim_late_stock(session, later) == [NUMBER]
    assert disposals.yard.holds()["on_hand", disposals.place, None][0] == D(7)
    await disposals.yard.execute()
    assert disposals.broken() == []


async def test_a_position_of_another_recall_cannot_be_released(disposals: Disposals) -> None:
    from tests.inventory.test_holds import yard_lot_without_stock

    disposals.yard.recall(OTHER, yard_lot_without_stock(disposals.yard))
    disposals.yard.run("UPDATE recall SET phase = 'resolution'")
    with pytest.raises(DisposalRefused, match=f"a lot of the recall {OTHER}"):
        await disposals.propose(K.release, 10, number=OTHER)
    found = await disposals.approved(K.release, 10)
    with pytest.raises(DisposalRefused, match="has no disposition"):
        await disposals.carry_out(found, 10, number=OTHER)


async def test_before_the_notice_suspect_units_are_evidence_and_not_disposed_of(disposals: Disposals) -> None:
    disposals.yard.run("UPDATE recall SET phase = 'assessment'")
    with pytest.raises(DisposalRefused, match="once the notice is on its way"):
        await disposals.propose(K.destroy, 10)


async def test_a_plan_never_covers_more_than_is_open_and_a_withdrawn_rest_is_open_again(disposals: Disposals) -> None:
    found = await disposals.approved(K.destroy, 70)
    with pytest.raises(DisposalRefused, match="30 units are open there"):
        await disposals.propose(K.release, 31)
    await disposals.carry_out(found, 20)
    async with disposals.yard.sessions.begin() as session:
        rest = await disposition_decisions.withdraw(
            session, NUMBER, found.sequence, who("Ada", "approver"), "too early"
        )
    assert (rest.state, rest.quantity) == ("done", D(20))
    assert (await disposals.propose(K.release, 80)).quantity == D(80)
    with pytest.raises(DisposalRefused, match="0 units are open there"):
        await disposals.propose(K.destroy, 1)
    assert disposals.broken() == []


async def test_retained_samples_stay_until_the_authority_has_answered(disposals: Disposals) -> None:
    disposals.yard.run(
        "INSERT INTO retained_sample (recall_number, lot_id, location_id, quantity, request, recorded_by, recorded_at) "
        "VALUES (%s, %s, %s, 4, 'r', 'Quinn', now())",
        NUMBER,
        disposals.yard.lot,
        disposals.place,
    )
    found = await disposals.approved(K.destroy, None)
    assert found.quantity == D(96)
    disposals.yard.run("UPDATE disposition SET quantity = 100")
    with pytest.raises(DisposalRefused, match="4 of them retained as evidence"):
        await disposals.carry_out(found, 100)


async def test_a_rejected_proposal_leaves_its_units_open_and_its_reason_on_record(disposals: Disposals) -> None:
    found = await disposals.propose(K.destroy, 100)
    async with disposals.yard.sessions.begin() as session:
        rejected = await disposition_decisions.reject(
            session, NUMBER, found.sequence, who("Ada", "approver"), "send back"
        )
    assert (rejected.state, rejected.decision_reason) == ("rejected", "send back")
    with pytest.raises(DisposalRefused, match="is rejected"):
        await disposals.approve(found)
    assert (await disposals.propose(K.destroy, 100)).sequence == 2


async def test_a_stopped_shipment_of_an_ended_recall_stays_held_where_it_arrives(disposals: Disposals) -> None:
    yard = disposals.yard
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    yard.run("UPDATE recall SET phase = 'rejected'")
    batch = yard.batch()
    yard.move("receipt", 3, disposals.place, yard.carrier, day=150, document="D2", batch=batch)
    async with yard.sessions.begin() as session:
        await holds.claim_late_stock(session, batch)
    found = yard.rows(
        "SELECT position, quantity FROM hold WHERE location_id = %s AND state = 'nonconformity' ORDER BY 1",
        yard.carrier,
    )
    assert found == [("in_transit", D(2)), ("on_hand", D(23))]
    assert disposals.broken() == []
    last = yard.batch()
    yard.move("receipt", 2, disposals.place, yard.carrier, day=151, document="D2", batch=last)
    async with yard.sessions.begin() as session:
        await holds.claim_late_stock(session, last)
    await disposals.carry_out(await disposals.approved(K.release, None, place=yard.carrier), 25)
    assert disposals.broken() == []


async def test_released_units_that_a_count_does_not_find_are_forgotten_on_record(disposals: Disposals) -> None:
    await disposals.carry_out(await disposals.approved(K.release, 40), 40)
    disposals.yard.run(
        "UPDATE stock SET on_hand = 90, booked = 0, as_of = %s WHERE location_id = %s",
        NOW + timedelta(days=1),
        disposals.place,
    )
    await disposals.yard.request()
    await disposals.yard.request()
    assert disposals.yard.rows("SELECT sum(released) FROM hold") == [(D(30),)]
    assert disposals.yard.rows(
        "SELECT data -> 'holds' -> 0 ->> 'units' FROM audit_event WHERE action = 'holds.released_gone'"
    ) == [("10",)]
