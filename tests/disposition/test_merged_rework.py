"""Several lots reworked into one: whoever recalls any of them holds all of it, and no lot is made of itself."""

import asyncio

import pytest

from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NUMBER, OTHER, D, Disposals

pytestmark = pytest.mark.db
MERGED = ResultLotFacts("MIX-1")


@pytest.fixture
async def second(disposals: Disposals) -> int:
    """Another lot of the product at the warehouse, 60 units, recalled by the other recall alone."""
    yard = disposals.yard
    yard.run("INSERT INTO lot (id, product_id, number) SELECT 901, product_id, 'N2' FROM lot WHERE id = %s", yard.lot)
    yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) "
        "SELECT 901, location_id, 60, 0, 0, as_of FROM stock WHERE lot_id = %s AND location_id = %s",
        yard.lot,
        yard.warehouse,
    )
    yard.recall(OTHER, 901)
    yard.run("UPDATE recall SET phase = 'resolution', scope_version = 1 WHERE number = %s", OTHER)
    await yard.request(OTHER)
    await yard.execute(OTHER)
    return 901


def held(disposals: Disposals, lot: int | None) -> list[tuple[object, ...]]:
    return disposals.yard.rows(
        "SELECT recall_number, sum(quantity) FROM hold WHERE lot_id = %s AND quantity > 0 GROUP BY 1 ORDER BY 1", lot
    )


async def test_units_of_two_recalls_in_one_lot_are_all_held_by_both(disposals: Disposals, second: int) -> None:
    first = await disposals.approved(K.rework, 40)
    _, part = await disposals.carry_out(first, 40, result_lot=MERGED)
    other = await disposals.approved(K.rework, 30, number=OTHER, lot=second)
    _, more = await disposals.carry_out(other, 30, number=OTHER, result_lot=MERGED)
    mixed = part.result_lot_id
    assert more.result_lot_id == mixed
    assert disposals.yard.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", mixed) == [(D(70), D(70))]
    assert held(disposals, mixed) == [(NUMBER, D(70)), (OTHER, D(70))]
    assert disposals.yard.rows(
        "SELECT input_lot_id, quantity FROM lot_genealogy WHERE output_lot_id = %s ORDER BY id", mixed
    ) == [(disposals.yard.lot, D(40)), (second, D(30))]
    assert disposals.yard.rows("SELECT quantity_made FROM lot WHERE id = %s", mixed) == [(D(70),)]
    await disposals.carry_out(await disposals.approved(K.release, 70, lot=mixed), 70)
    assert disposals.yard.rows("SELECT held FROM stock WHERE lot_id = %s", mixed) == [(D(70),)]
    assert disposals.broken() == []


async def test_a_lot_is_never_made_of_itself_however_many_steps_lie_between(disposals: Disposals, second: int) -> None:
    _, first = await disposals.carry_out(
        await disposals.approved(K.rework, 40), 40, result_lot=ResultLotFacts("STEP-1")
    )
    again = await disposals.approved(K.rework, 10, lot=first.result_lot_id)
    with pytest.raises(DisposalRefused, match="new lot number"):
        await disposals.carry_out(again, 10, result_lot=ResultLotFacts("STEP-1"))
    _, deeper = await disposals.carry_out(again, 10, result_lot=ResultLotFacts("STEP-2"))
    back = await disposals.approved(K.rework, 5, lot=deeper.result_lot_id)
    with pytest.raises(DisposalRefused, match="new lot number"):
        await disposals.carry_out(back, 5, result_lot=ResultLotFacts("STEP-1"))
    assert held(disposals, deeper.result_lot_id) == [(NUMBER, D(10))]
    assert disposals.broken() == []


async def test_units_are_not_mixed_into_a_lot_that_no_rework_made(disposals: Disposals, second: int) -> None:
    disposals.yard.run("UPDATE lot SET site_id = %s WHERE id = %s", disposals.place, second)
    found = await disposals.approved(K.rework, 5)
    with pytest.raises(DisposalRefused, match="only a lot made by rework here"):
        await disposals.carry_out(found, 5, result_lot=ResultLotFacts("N2"))
    assert disposals.broken() == []


async def test_a_number_that_the_product_has_at_any_place_is_not_given_again(disposals: Disposals, second: int) -> None:
    """On a shelf, in a notice and at a keeper that knows no sites it would be the recalled lot itself."""
    ((own,),) = disposals.yard.rows("SELECT number FROM lot WHERE id = %s", disposals.yard.lot)
    found = await disposals.approved(K.rework, 5)
    for number in (own, "N2"):
        for site in (None, disposals.yard.clinic):
            disposals.yard.run("UPDATE lot SET site_id = %s", site)
            with pytest.raises(DisposalRefused, match="new lot number"):
                await disposals.carry_out(found, 5, result_lot=ResultLotFacts(number))
    assert disposals.broken() == []


async def test_two_recalls_that_make_one_lot_at_once_make_it_once(disposals: Disposals, second: int) -> None:
    mine = await disposals.approved(K.rework, 40)
    theirs = await disposals.approved(K.rework, 30, number=OTHER, lot=second)
    await asyncio.gather(
        disposals.carry_out(mine, 40, result_lot=MERGED),
        disposals.carry_out(theirs, 30, number=OTHER, result_lot=MERGED),
    )
    ((mixed, made),) = disposals.yard.rows("SELECT id, quantity_made FROM lot WHERE number = 'MIX-1'")
    assert (made, held(disposals, mixed)) == (D(70), [(NUMBER, D(70)), (OTHER, D(70))])
    assert disposals.broken() == []
