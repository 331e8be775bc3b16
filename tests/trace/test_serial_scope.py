"""A recall of single units: which units, in which lots, where; a lot that something else names counts whole."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.engine import SessionFactory
from db.repositories import notice_facts, trace
from domain.scope import LotRange, LotRef, ScopeCriteria, ScopeSummary, SerialRange, SerialRef
from tests.support.chain import Chain, day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
NUMBER = "RC-2026-000001"


@pytest.fixture
def pumps(clean_db: PostgresForTests) -> dict[str, Any]:
    """Two lots of pumps with serials, one built into another; S1 to S3 at the ward, S4 nobody knows where."""
    chain = Chain()
    plant, ward = chain.place("own", "manufacturer"), chain.place()
    pump = chain.product()
    first, second = chain.lot(pump, number="L1", site=plant, made=5), chain.lot(pump, number="L2", site=plant)
    for number, place in (("S1", ward), ("S2", ward), ("S3", ward), ("S4", None)):
        chain.serial(first, number, place)
    chain.serial(second, "S10", ward)
    for lot in (first, second):
        chain.move("shipment", lot, 4, plant, ward, day=10, delivered=True)
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    return {"pump": f"P{pump}", "first": first, "second": second, "ward": ward, "plant": plant, "chain": chain}


async def store(db: SessionFactory, *parts: ScopeCriteria, version: int = 1) -> ScopeSummary:
    async with db.begin() as session:
        return await trace.materialise_scope(session, NUMBER, version, parts, day(500))


def rows(postgres: PostgresForTests, query: str, *binds: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.owner_url) as connection:
        return connection.execute(query, binds or None).fetchall()


AFFECTED = """
SELECT u.number FROM scope_serial n JOIN serial u ON u.id = n.serial_id WHERE n.scope_version = %s ORDER BY u.number
"""
BY_SERIAL = "SELECT lot_id FROM scope_lot WHERE scope_version = %s AND by_serial"


def span(pumps: dict[str, Any], first: str, last: str) -> ScopeCriteria:
    return ScopeCriteria(serial_ranges=(SerialRange(product_code=pumps["pump"], first=first, last=last),))


async def test_units_named_are_kept_and_units_nobody_can_find_are_gaps(
    db: SessionFactory, clean_db: PostgresForTests, pumps: dict[str, Any]
) -> None:
    summary = await store(db, span(pumps, "S2", "S9"))
    assert rows(clean_db, AFFECTED, 1) == [("S2",), ("S3",), ("S4",)]
    assert rows(clean_db, BY_SERIAL, 1) == [(pumps["first"],)]
    assert summary.gaps == {"unbalanced": 1, "unplaced_serials": 1, "unrecorded_serials": 1}
    gaps = dict(rows(clean_db, "SELECT kind, detail FROM scope_gap"))
    assert (gaps["unplaced_serials"]["units"], gaps["unplaced_serials"]["serials"]) == (1, ["S4"])
    assert (gaps["unrecorded_serials"]["made"], gaps["unrecorded_serials"]["on_record"]) == ("5", 4)
    assert (summary.lots, summary.consignees, summary.quantity) == (1, 1, Decimal(4)), (
        "the lot stays the unit of quantities"
    )
    again = await store(db, span(pumps, "S2", "S9"))
    assert (again.changes, again.run) == (0, None)


async def test_the_notice_names_the_affected_units_at_each_recipient_and_no_others(
    db: SessionFactory, clean_db: PostgresForTests, pumps: dict[str, Any]
) -> None:
    await store(db, span(pumps, "S2", "S9"), ScopeCriteria(lots=(LotRef(product_code=pumps["pump"], number="L2"),)))
    rows(clean_db, "UPDATE recall SET scope_version = 1 RETURNING number")
    [(consignee,)] = rows(clean_db, "SELECT id FROM consignee")
    async with db() as session:
        found = await notice_facts.serials_of(session, [consignee])
    assert found == {consignee: {pumps["first"]: ("S2", "S3"), pumps["second"]: ("S10",)}}


async def test_a_unit_imported_later_joins_the_range_it_lies_in(
    db: SessionFactory, clean_db: PostgresForTests, pumps: dict[str, Any]
) -> None:
    first = await store(db, span(pumps, "S2", "S9"))
    rows(clean_db, "INSERT INTO serial (lot_id, number) VALUES (%s, 'S7') RETURNING id", pumps["first"])
    later = await store(db, span(pumps, "S2", "S9"))
    assert rows(clean_db, AFFECTED, 1) == [("S2",), ("S3",), ("S4",), ("S7",)]
    assert (first.run, later.run) == (1, 2)
    assert later.changes > 0


async def test_a_lot_that_is_named_too_or_made_from_an_affected_one_counts_whole(
    db: SessionFactory, clean_db: PostgresForTests, pumps: dict[str, Any]
) -> None:
    unit = ScopeCriteria(serials=(SerialRef(product_code=pumps["pump"], number="S1"),))
    lots = ScopeCriteria(lot_ranges=(LotRange(product_code=pumps["pump"], first="L1", last="L1"),))
    await store(db, unit)
    assert rows(clean_db, BY_SERIAL, 1) == [(pumps["first"],)]
    await store(db, unit, lots)
    assert rows(clean_db, BY_SERIAL, 1) == []
    both = ScopeCriteria(serials=tuple(SerialRef(product_code=pumps["pump"], number=n) for n in ("S1", "S10")))
    await store(db, both, version=2)
    assert {lot for (lot,) in rows(clean_db, BY_SERIAL, 2)} == {pumps["first"], pumps["second"]}
    with psycopg.connect(clean_db.owner_url) as connection:
        connection.execute(
            "INSERT INTO lot_genealogy (input_lot_id, output_lot_id, quantity, source_system, source_id)"
            " VALUES (%s, %s, 1, 'test', 'rework')",
            [pumps["first"], pumps["second"]],
        )
    await store(db, both, version=2)
    assert rows(clean_db, BY_SERIAL, 2) == [(pumps["first"],)]
