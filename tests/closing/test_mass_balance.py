"""The mass balance from the record: hand-worked examples and each term on its own."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from db.engine import SessionFactory
from db.repositories import mass_balance
from domain.mass_balance import Basis, Terms
from tests.closing.world import HOUR, NUMBER, T0, World, build, units
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


async def terms_of(db: SessionFactory, lot: int) -> Terms:
    async with db() as session:
        found = await mass_balance.balance(session, NUMBER, lot)
    (only,) = found.lots
    return only.terms


def facts(*values: object) -> tuple[object, ...]:
    """Quantities to compare with plain numbers."""
    return values


def told(terms: Terms) -> dict[str, Decimal]:
    """The terms that are not zero, with what is left."""
    every = asdict(terms) | {"unaccounted": terms.unaccounted, "residual": terms.residual}
    return {name: value for name, value in every.items() if value}


async def test_a_lot_made_shipped_used_returned_and_scrapped_balances_by_hand(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    """1,000 made; 600 to three hospitals; every unit of them and of ours is found but ten, and five of our own."""
    chain = Chain()
    plant, depot = chain.place("own", "manufacturer"), chain.place("own", "warehouse")
    first, second, third = (chain.place() for _ in range(3))
    lot = chain.lot(chain.product(), site=plant, made=Decimal(1000))
    chain.move("shipment", lot, 900, plant, depot, document="T-1")
    chain.move("receipt", lot, 900, plant, depot, document="T-1")
    for hospital, quantity in ((first, 300), (second, 200), (third, 100)):
        chain.move("shipment", lot, quantity, depot, hospital, delivered=True)
    chain.move("destruction", lot, 40, depot, None)
    chain.count(lot, depot, 255, at=50)
    world = build(clean_db.admin_url, chain)
    world.scope(lot)
    for hospital, quantity in ((first, 300), (second, 200), (third, 100)):
        world.consignee(hospital)
        world.received(hospital, lot, quantity)
    world.statement(first, {lot: {"on_hand": 100, "held": 100, "used": 190}})
    world.statement(second, {lot: {"on_hand": 80, "held": 80, "used": 120}})
    world.statement(third, {lot: {"on_hand": 100, "held": 100}})
    world.moved("return", lot, 70, first, depot, T0 + 2 * HOUR)
    world.disposed("destroy", lot, 80, place=second)
    world.disposed("field_correction", lot, 30, place=third)
    world.disposed("release", lot, 20, place=third)
    terms = await terms_of(db, lot)
    assert told(terms) == units(
        {
            "produced": 1000,
            "distributed": 600,
            "own_stock": 100 + 255 + 70,
            "scrapped": 40,
            "returned": 70,
            "destroyed_in_place": 80,
            "corrected": 30,
            "released": 20,
            "used": 310,
            "held_pending": 30 + 0 + 50,
            "unaccounted": 10,
            "residual": 5,
        }
    )


def simple(url: str, *, made: int | None = 100, implantable: bool = False, level: str = "A") -> tuple[World, Any]:
    """100 made, 60 at one hospital, 40 in our depot."""
    chain = Chain()
    plant, depot, hospital = chain.place("own", "manufacturer"), chain.place("own", "warehouse"), chain.place()
    maker, onward = chain.place("customer", "manufacturer"), chain.place()
    lot = chain.lot(chain.product(), site=plant, made=None if made is None else Decimal(made))
    chain.move("shipment", lot, 100, plant, depot, delivered=True)
    chain.move("shipment", lot, 60, depot, hospital, delivered=True)
    world = build(url, chain, level=level)
    if implantable:
        world.run("UPDATE product SET implantable = true")
    world.scope(lot)
    world.consignee(hospital)
    world.received(hospital, lot, 60)
    return world, (lot, plant, depot, hospital, maker, onward)


async def test_what_nobody_has_answered_is_unaccounted(db: SessionFactory, clean_db: PostgresForTests) -> None:
    _, (lot, *_) = simple(clean_db.admin_url)
    assert told(await terms_of(db, lot)) == units(
        {"produced": 100, "distributed": 60, "own_stock": 40, "unaccounted": 60}
    )


async def test_used_units_of_an_implantable_product_are_implanted(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, _, hospital, *_) = simple(clean_db.admin_url, implantable=True)
    world.statement(hospital, {lot: {"used": 60}})
    found = told(await terms_of(db, lot))
    assert facts(found["implanted"], found.get("used"), found.get("unaccounted")) == (60, None, None)


async def test_a_statement_that_cannot_be_counts_for_nothing_until_it_is_settled(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, _, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"used": 10, "on_hand": 20}})
    doubtful = world.statement(hospital, {lot: {"used": 70}}, severity="impossible")
    found = told(await terms_of(db, lot))
    assert facts(found["used"], found["held_pending"]) == (10, 20), "the last statement that can be still counts"
    world.add(
        "consignee_documented",
        recall_number=NUMBER,
        consignee_id=world.consignees[hospital],
        kind="settled",
        reply_id=doubtful,
        account="a",
        attempts={},
        signed_by="qa",
        signed_at=T0,
    )
    terms = await terms_of(db, lot)
    assert facts(terms.used, terms.unaccounted) == (70, -10)
    assert terms.contradictions() == ("10 more accounted for than distributed",)


async def test_units_passed_on_count_once_where_they_are_now(db: SessionFactory, clean_db: PostgresForTests) -> None:
    """The hospital passes 25 on, by its word; the clinic states what it did with them. Nothing counts twice."""
    world, (lot, _, _, hospital, _, clinic) = simple(clean_db.admin_url)
    reply = world.statement(hospital, {lot: {"used": 35, "passed_on": 25}})
    world.consignee(clinic, tier=2, parent_id=world.consignees[hospital])
    world.received(clinic, lot, 25, stated=True)
    world.add("passed_on", reply_id=reply, lot_id=lot, consignee_id=world.consignees[clinic], quantity=25)
    assert (await terms_of(db, lot)).unaccounted == 25, "the clinic has not answered yet"
    world.statement(clinic, {lot: {"used": 5, "on_hand": 20}})
    terms = await terms_of(db, lot)
    assert facts(terms.distributed, terms.used, terms.held_pending, terms.unaccounted) == (60, 40, 20, 0)


async def test_a_recorded_movement_between_consignees_is_no_second_distribution(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, _, hospital, _, clinic) = simple(clean_db.admin_url)
    world.moved("shipment", lot, 25, hospital, clinic, T0 - HOUR, delivered=True)
    assert (await terms_of(db, lot)).distributed == 60


async def test_a_return_counts_as_counted_and_the_difference_to_the_word_shows(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    """60 stated on hand and announced as returned, 58 counted: 58 count, two stay pending, both differences show."""
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 60, "held": 60}})
    movement = world.moved("return", lot, 58, hospital, depot, T0 + 2 * HOUR)
    world.disposed("return_to_us", lot, 60, place=hospital, movement=movement)
    found = told(await terms_of(db, lot))
    assert found == units(
        {"produced": 100, "distributed": 60, "own_stock": 98, "returned": 58, "held_pending": 2},
    )
    async with db() as session:
        (difference,) = await mass_balance.differences(session, NUMBER)
    assert facts(difference.kind, difference.stated, difference.counted) == ("return_not_as_stated", 60, 58)


async def test_more_returned_than_stated_is_a_difference_and_never_a_negative_rest(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 10, "used": 50}})
    world.moved("return", lot, 15, hospital, depot, T0 + 2 * HOUR)
    terms = await terms_of(db, lot)
    assert facts(terms.held_pending, terms.returned, terms.unaccounted) == (0, 15, -5)
    assert terms.contradictions() == ("5 more accounted for than distributed",)
    async with db() as session:
        (difference,) = await mass_balance.differences(session, NUMBER)
    assert facts(difference.kind, difference.stated, difference.counted) == ("more_gone_than_stated", 10, 15)


async def test_a_return_under_way_is_not_at_our_dock_yet(db: SessionFactory, clean_db: PostgresForTests) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.moved("shipment", lot, 60, hospital, depot, T0, document="BACK-1")
    assert told(await terms_of(db, lot)) == units(
        {"produced": 100, "distributed": 60, "own_stock": 40, "unaccounted": 60}
    )
    world.moved("receipt", lot, 60, hospital, depot, T0 + HOUR, document="BACK-1")
    assert told(await terms_of(db, lot)) == units(
        {"produced": 100, "distributed": 60, "own_stock": 100, "returned": 60}
    )


async def test_a_return_and_its_receipt_under_one_document_are_one_return(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.moved("return", lot, 20, hospital, depot, T0, document="RET-1")
    world.moved("receipt", lot, 20, hospital, depot, T0 + HOUR, document="RET-1")
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.own_stock, terms.residual) == (20, 60, 0)


async def test_units_sent_straight_to_the_maker_are_found_there(db: SessionFactory, clean_db: PostgresForTests) -> None:
    world, (lot, _, depot, hospital, maker, _) = simple(clean_db.admin_url)
    world.moved("return", lot, 12, hospital, maker, T0)
    world.moved("shipment", lot, 8, depot, maker, T0, delivered=True)
    terms = await terms_of(db, lot)
    assert facts(terms.distributed, terms.returned, terms.returned_to_maker, terms.at_maker) == (60, 0, 12, 20)
    assert facts(terms.own_stock, terms.residual, terms.unaccounted) == (32, 0, 48)


async def test_samples_stand_apart_from_stock_until_the_authority_has_settled_them(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, depot, *_) = simple(clean_db.admin_url)
    sample = {"recall_number": NUMBER, "lot_id": lot, "location_id": depot, "recorded_by": "qa", "recorded_at": T0}
    kept = world.add("retained_sample", quantity=6, request="s-1", **sample)
    terms = await terms_of(db, lot)
    assert facts(terms.own_stock, terms.retained, terms.residual) == (34, 6, 0)
    world.run("UPDATE retained_sample SET settled_at = %s WHERE id = %s", T0, kept)
    terms = await terms_of(db, lot)
    assert facts(terms.own_stock, terms.retained) == (40, 0)
    world.add("retained_sample", quantity=50, request="s-2", **sample)
    assert "own stock is -10" in (await terms_of(db, lot)).contradictions()


async def test_a_destroyed_unit_with_its_movement_counts_once(db: SessionFactory, clean_db: PostgresForTests) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 60}})
    here = world.moved("destruction", lot, 60, hospital, None, T0 + 2 * HOUR)
    world.disposed("destroy", lot, 60, place=hospital, movement=here)
    ours = world.moved("destruction", lot, 40, depot, None, T0 + 2 * HOUR)
    world.disposed("destroy", lot, 40, place=depot, movement=ours)
    assert told(await terms_of(db, lot)) == units(
        {"produced": 100, "distributed": 60, "scrapped": 40, "destroyed_in_place": 60}
    )


@pytest.mark.parametrize("kind", ["adjustment", "consumption"])
async def test_reworked_units_leave_the_lot_by_their_disposition(
    db: SessionFactory, clean_db: PostgresForTests, kind: str
) -> None:
    world, (lot, _, depot, *_) = simple(clean_db.admin_url)
    if kind == "adjustment":
        out = world.moved("adjustment", lot, -15, None, depot, T0 + HOUR)
    else:
        out = world.moved("consumption", lot, 15, depot, None, T0 + HOUR)
        result = world.add("lot", product_id=world.chain.lots[lot].product, number="R1", site_id=depot)
        link = {"source_system": "own", "source_id": "r"}
        world.add("lot_genealogy", input_lot_id=lot, output_lot_id=result, quantity=15, **link)
    world.disposed("rework", lot, 15, place=depot, movement=out)
    terms = await terms_of(db, lot)
    assert facts(terms.own_stock, terms.reworked, terms.own_use, terms.residual) == (25, 15, 0, 0)


async def test_a_return_of_a_consignee_without_a_place_on_record_is_no_longer_pending(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 10, "used": 50}})
    movement = world.moved("return", lot, 10, None, depot, T0 + 2 * HOUR)
    world.add(
        "goods_return",
        recall_number=NUMBER,
        consignee_id=world.consignees[hospital],
        lot_id=lot,
        location_id=depot,
        quantity=10,
        document_no="RET",
        movement_id=movement,
        request="r",
        counted_by="wanda",
        counted_at=T0 + 2 * HOUR,
    )
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.held_pending, terms.unaccounted, terms.own_stock) == (10, 0, 0, 50)


async def test_units_built_into_other_lots_are_own_use_once(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant = chain.place("own", "manufacturer")
    raw, kit = chain.product(), chain.product()
    supply, output = chain.lot(raw, site=plant, made=Decimal(100)), chain.lot(kit, site=plant, made=Decimal(5))
    chain.step(supply, output, 30)
    chain.move("consumption", supply, 20, plant, None)
    world = build(clean_db.admin_url, chain)
    world.scope(supply, output)
    terms = await terms_of(db, supply)
    assert facts(terms.own_use, terms.own_stock, terms.residual) == (30, 70, 0)


async def test_without_a_batch_quantity_what_the_site_sent_was_produced(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    _, (lot, *_) = simple(clean_db.admin_url, made=None)
    async with db() as session:
        (found,) = (await mass_balance.balance(session, NUMBER)).lots
    assert facts(found.lot_id, found.basis, found.terms.produced, found.terms.residual) == (lot, Basis.RECEIVED, 100, 0)


async def test_a_lot_of_unknown_origin_says_that_it_cannot_be_balanced(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    depot, hospital = chain.place("own", "warehouse"), chain.place()
    lot = chain.lot(chain.product())
    chain.move("shipment", lot, 60, depot, hospital, delivered=True)
    world = build(clean_db.admin_url, chain)
    world.scope(lot)
    async with db() as session:
        (found,) = (await mass_balance.balance(session, NUMBER)).lots
    assert (found.basis, found.terms.produced, found.terms.residual) == (Basis.UNKNOWN, None, None)
    assert found.terms.distributed == 60


async def test_a_lot_taken_out_of_the_scope_is_in_no_balance(db: SessionFactory, clean_db: PostgresForTests) -> None:
    world, (lot, *_) = simple(clean_db.admin_url)
    other = world.chain.lots[lot]
    assert other.id == lot
    world.run("UPDATE recall SET scope_version = 2")
    async with db() as session:
        assert (await mass_balance.balance(session, NUMBER)).lots == ()


async def test_a_feed_of_uses_counts_only_where_the_consignee_has_stated_nothing(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, _, hospital, *_) = simple(clean_db.admin_url)
    world.moved("consumption", lot, 17, hospital, None, T0)
    assert (await terms_of(db, lot)).used == 17
    world.statement(hospital, {lot: {"used": 20}})
    assert (await terms_of(db, lot)).used == 20


async def test_other_recalls_dispositions_and_words_stay_out(db: SessionFactory, clean_db: PostgresForTests) -> None:
    world, (lot, _, _, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"used": 60}})
    world.disposed("field_correction", lot, 10, place=hospital)
    world.another("RC-2026-000002")
    world.run("INSERT INTO scope_lot VALUES ('RC-2026-000002', 1, %s, true, 0)", lot)
    async with db() as session:
        (found,) = (await mass_balance.balance(session, "RC-2026-000002")).lots
    assert told(found.terms) == units({"produced": 100, "distributed": 60, "own_stock": 40, "unaccounted": 60})
