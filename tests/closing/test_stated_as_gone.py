"""Units a consignee says it sent back or destroyed: its words never balance a lot, and are never counted twice."""

import pytest

from db.engine import SessionFactory
from db.repositories import mass_balance
from tests.closing.test_mass_balance import facts, simple, terms_of
from tests.closing.world import HOUR, NUMBER, T0
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


async def differences(db: SessionFactory) -> list[tuple[object, ...]]:
    async with db() as session:
        found = await mass_balance.differences(session, NUMBER)
    return [facts(each.kind, each.stated, each.counted) for each in found]


async def test_what_is_stated_as_gone_stays_unaccounted_until_it_is_counted(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    """60 shipped: 20 here, 30 sent back, 10 destroyed, all by its word. Then 28 arrive, and a certificate proves 10."""
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 20, "held": 20, "returned": 30, "destroyed": 10}})
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.destroyed_in_place, terms.held_pending, terms.unaccounted) == (0, 0, 20, 40)
    assert await differences(db) == [
        ("destruction_stated_not_proven", 10, 0),
        ("return_stated_not_counted", 30, 0),
    ]
    world.moved("return", lot, 28, hospital, depot, T0 + 2 * HOUR)
    world.disposed("destroy", lot, 10, place=hospital)
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.destroyed_in_place, terms.held_pending, terms.unaccounted) == (28, 10, 20, 2), (
        "what arrives now was never among the 20 on hand"
    )
    assert await differences(db) == [("return_stated_not_counted", 30, 28)]


async def test_more_sent_back_than_stated_comes_out_of_what_was_on_hand(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.statement(hospital, {lot: {"on_hand": 30, "returned": 30}})
    world.moved("return", lot, 45, hospital, depot, T0 + 2 * HOUR)
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.held_pending, terms.unaccounted) == (45, 15, 0)
    assert await differences(db) == []


async def test_returns_counted_before_the_statement_are_part_of_it(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    """20 were counted before it wrote that it sent 30 back: ten are under way, and are no stock of its own."""
    world, (lot, _, depot, hospital, *_) = simple(clean_db.admin_url)
    world.moved("return", lot, 20, hospital, depot, T0)
    world.statement(hospital, {lot: {"on_hand": 30, "returned": 30}})
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.held_pending, terms.unaccounted) == (20, 30, 10)
    assert await differences(db) == [("return_stated_not_counted", 30, 20)]
    world.moved("return", lot, 10, hospital, depot, T0 + 2 * HOUR)
    terms = await terms_of(db, lot)
    assert facts(terms.returned, terms.held_pending, terms.unaccounted) == (30, 30, 0)
    assert await differences(db) == []
