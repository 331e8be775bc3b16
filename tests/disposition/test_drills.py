"""A drill holds, decides and releases on paper: stock, claims and what others may do with goods stay as they are."""

import pytest

from db.repositories import allocations, holds, lot_status, samples
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_jobs import ResultLotFacts
from db.repositories.samples import Sample
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who
from tests.disposition.test_shortages import decide, fresh, look, proposed

pytestmark = pytest.mark.db
BOOKED = "SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM stock_claim WHERE claimant = %s)"


async def drill(disposals: Disposals, number: str = OTHER, *lots: int) -> None:
    """A running drill of the lot (or of `lots`) whose holds are confirmed."""
    disposals.yard.recall(number, *lots)
    disposals.yard.run(
        "UPDATE recall SET drill = true, phase = 'resolution', scope_version = 1 WHERE number = %s", number
    )
    await disposals.yard.request(number)
    await disposals.yard.execute(number)


async def test_a_drill_books_nothing_and_its_holds_end_by_a_release(disposals: Disposals) -> None:
    await drill(disposals)
    clinic = disposals.consignee(number=OTHER)
    before = disposals.yard.rows(BOOKED, OTHER), disposals.yard.stock()
    for found in (
        await disposals.approved(K.destroy, 10, number=OTHER),
        await disposals.approved(K.destroy, 2, number=OTHER, consignee=clinic),
    ):
        with pytest.raises(DisposalRefused, match="is a drill") as refused:
            await disposals.carry_out(found, 1, number=OTHER)
        assert refused.value.kind == "drill_blocked"
    with pytest.raises(DisposalRefused, match="is a drill"):
        await disposals.count_in(clinic, 5, number=OTHER)
    kept = Sample(disposals.yard.lot, disposals.place, D(1), ())
    with pytest.raises(DisposalRefused, match="is a drill"):
        async with disposals.yard.sessions.begin() as session:
            await samples.retain(session, OTHER, kept, who("Wanda"))
    release = await disposals.approved(K.release, 60, number=OTHER)
    assert (await disposals.carry_out(release, 60, number=OTHER))[0].state == "done"
    assert (disposals.yard.rows(BOOKED, OTHER), disposals.yard.stock()) == before
    assert before[0][0][1] == 0
    assert disposals.broken() == []


async def test_what_is_done_beside_a_drill_never_locks_anything_for_it(disposals: Disposals) -> None:
    await drill(disposals)
    claims = disposals.yard.rows(BOOKED, OTHER)[0][1]
    clinic = disposals.consignee()
    _, counted = await disposals.count_in(clinic, 12)
    assert counted is not None
    assert counted.held_by == (NUMBER,)
    moved = await disposals.approved(K.return_to_factory, 20)
    await disposals.carry_out(moved, 20, destination_id=disposals.yard.carrier)
    reworked = await disposals.approved(K.rework, 20)
    part = (await disposals.carry_out(reworked, 20, result_lot=ResultLotFacts("R-1")))[1]
    assert disposals.yard.rows("SELECT DISTINCT recall_number FROM hold WHERE lot_id = %s", part.result_lot_id) == [
        (NUMBER,)
    ]
    released = await disposals.approved(K.release, 30)
    await disposals.carry_out(released, 30)
    assert disposals.yard.rows(BOOKED, OTHER)[0][1] == claims == 0
    async with disposals.yard.sessions() as session:
        shown = await lot_status.of_lot(session, disposals.yard.lot)
    assert shown is not None
    assert {number for place in shown.places for number in place.held_by} == {NUMBER}
    assert disposals.broken() == []


async def test_units_under_way_under_an_ended_drill_arrive_free(disposals: Disposals) -> None:
    yard = disposals.yard
    yard.run("UPDATE recall SET drill = true")
    yard.run("UPDATE stock_claim SET released_at = %s", NOW)
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    batch = yard.batch()
    yard.move("receipt", 5, None, yard.carrier, day=101, document="D2", batch=batch)
    async with yard.sessions.begin() as session:
        await holds.claim_late_stock(session, batch, now=NOW)
    assert yard.rows("SELECT count(*) FROM stock_claim WHERE released_at IS NULL") == [(0,)]


async def test_a_drill_takes_no_unit_from_sites_that_need_them(disposals: Disposals) -> None:
    disposals.consignee(stated=6)
    fresh(disposals, 901, 10)
    await look(disposals)
    (row,) = await proposed(disposals)
    await drill(disposals, OTHER, 901)
    assert [each.state for each in await proposed(disposals)] == ["proposed"]
    await decide(disposals, allocations.approve, row, who("Ada", "approver"))
    disposals.yard.run("UPDATE recall SET drill = true WHERE number = %s", NUMBER)
    with pytest.raises(DisposalRefused, match="nothing is shipped"):
        await decide(disposals, allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    assert disposals.yard.rows("SELECT count(*) FROM movement WHERE lot_id = 901") == [(0,)]
