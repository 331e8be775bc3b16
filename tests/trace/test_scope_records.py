"""A recall's scope as records: who is a consignee, with which quantities, and what repeating changes."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db.engine import SessionFactory
from db.repositories import trace
from domain.scope import LotRef, ScopeCriteria, ScopeSummary
from tests.support.chain import Chain, day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests
from tests.trace import oracle
from tests.trace.random_chain import random_chain

pytestmark = pytest.mark.db
NUMBER = "RC-2026-000001"


def named(chain: Chain, lots: Sequence[int]) -> ScopeCriteria:
    rows = [chain.lots[lot] for lot in lots]
    return ScopeCriteria(lots=tuple(LotRef(product_code=f"P{r.product}", number=r.number) for r in rows))


async def store(db: SessionFactory, criteria: ScopeCriteria, *, version: int = 1, number: str = NUMBER) -> ScopeSummary:
    async with db.begin() as session:
        return await trace.materialise_scope(session, number, version, criteria, day(500))


def rows(postgres: PostgresForTests, query: str, *binds: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.owner_url) as connection:
        return connection.execute(query, binds or None).fetchall()


def dump(postgres: PostgresForTests) -> list[list[tuple[Any, ...]]]:
    tables = ("scope_lot", "scope_gap", "consignee", "consignee_lot")
    return [rows(postgres, f"SELECT t.*, t.xmin FROM {table} t ORDER BY 1, 2, 3") for table in tables]  # noqa: S608


CONSIGNEES = """
SELECT partner_id, lot_id, shipped, returned FROM consignee JOIN consignee_lot ON consignee_id = consignee.id
WHERE recall_number = %s
"""


@pytest.mark.parametrize("seed", range(3))
async def test_consignees_and_quantities_of_random_chains_are_those_of_the_oracle(
    db: SessionFactory, clean_db: PostgresForTests, seed: int
) -> None:
    for n in range(40):
        chain = random_chain(9_000 + seed * 40 + n, base=1 + n * 1000)
        chain.write(clean_db.owner_url)
        number = write_recall(clean_db.owner_url, f"RC-2026-{n + 1:06}")
        rng = random.Random(n)  # noqa: S311 - a seed, not a secret
        roots = rng.sample(sorted(chain.lots), min(2, len(chain.lots)))
        summary = await store(db, named(chain, roots), number=number)
        depths = oracle.reach(chain, roots)
        expected = oracle.consignees(chain, set(depths))
        found = {(p, lot): (shipped, back) for p, lot, shipped, back in rows(clean_db, CONSIGNEES, number)}
        assert found == expected, f"graph {n}"
        scope = rows(clean_db, "SELECT lot_id, depth, root FROM scope_lot WHERE recall_number = %s", number)
        assert {(lot, depth) for lot, depth, _ in scope} == set(depths.items())
        assert {lot for lot, _, root in scope if root} == set(roots)
        assert summary.lots == len(depths)
        assert summary.consignees == len({partner for partner, _ in expected}) == summary.added_consignees
        gaps = rows(clean_db, "SELECT kind, count(*) FROM scope_gap WHERE recall_number = %s GROUP BY 1", number)
        assert summary.gaps == dict(gaps)


@pytest.fixture
def passed_on() -> tuple[Chain, dict[str, int]]:
    """Plant -> distributor (two sites) -> hospital; the distributor keeps nothing, the hospital returns some."""
    chain = Chain()
    plant = chain.place("own", "manufacturer")
    centre = chain.place("customer", "distributor", country="DE")
    branch = chain.place("customer", "distributor", partner=centre)
    hospital = chain.place("customer", "hospital", country="CN")
    raw, lot = (chain.lot(chain.product()) for _ in range(2))
    chain.step(raw, lot, 5)
    chain.move("shipment", lot, 100, plant, centre, delivered=True)
    chain.move("shipment", lot, 40, centre, branch, delivered=True)
    chain.move("shipment", lot, 60, centre, hospital, delivered=True)
    chain.move("shipment", lot, 40, branch, hospital, delivered=True)
    chain.move("return", lot, 30, hospital, plant)
    return chain, {"raw": raw, "lot": lot, "centre": centre, "hospital": hospital, "plant": plant, "branch": branch}


async def test_a_distributor_that_passed_everything_on_is_told_and_so_is_the_receiver(
    db: SessionFactory, clean_db: PostgresForTests, passed_on: tuple[Chain, dict[str, int]]
) -> None:
    chain, ids = passed_on
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    summary = await store(db, named(chain, [ids["raw"]]))
    found = {(p, lot): (shipped, back) for p, lot, shipped, back in rows(clean_db, CONSIGNEES, NUMBER)}
    assert found == {
        (ids["centre"], ids["lot"]): (Decimal(100), Decimal(0)),  # its own transfer of 40 is not received twice
        (ids["hospital"], ids["lot"]): (Decimal(100), Decimal(30)),
    }
    tiers = dict(rows(clean_db, "SELECT partner_id, tier FROM consignee"))
    assert tiers == {ids["centre"]: 1, ids["hospital"]: 2}
    assert summary.quantity == Decimal(100)
    assert summary.returned == Decimal(30)
    assert (summary.lots, summary.consignees, summary.sites) == (2, 2, 3)
    assert summary.countries == ("CN", "DE")


async def test_storing_the_same_scope_again_changes_no_row(
    db: SessionFactory, clean_db: PostgresForTests, passed_on: tuple[Chain, dict[str, int]]
) -> None:
    chain, ids = passed_on
    chain.move("receipt", None, 7, None, ids["hospital"], product=chain.lots[ids["lot"]].product)
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    first = await store(db, named(chain, [ids["raw"]]))
    before = dump(clean_db)
    again = await store(db, named(chain, [ids["raw"]]))
    assert dump(clean_db) == before
    assert again.added_consignees == 0
    assert again.changes == 0
    assert (first.run, again.run) == (1, None)
    done_before: dict[str, Any] = {"added_consignees": first.added_consignees, "changes": first.changes}
    done_before |= {"run": first.run, "run_sha256": first.run_sha256}
    assert again.model_copy(update=done_before) == first
    assert before[1]  # the receipt without a lot is among the gaps


async def test_a_wider_scope_adds_only_the_difference(
    db: SessionFactory, clean_db: PostgresForTests, passed_on: tuple[Chain, dict[str, int]]
) -> None:
    chain, ids = passed_on
    other, clinic = chain.lot(chain.product()), chain.place("customer", "hospital")
    chain.move("shipment", other, 5, ids["plant"], clinic, delivered=True)
    chain.move("shipment", other, 6, ids["plant"], ids["hospital"], delivered=True)
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    await store(db, named(chain, [ids["lot"]]))
    with psycopg.connect(clean_db.owner_url) as connection:
        connection.execute("UPDATE consignee SET state = 'answered', step = 2")
    wider = await store(db, named(chain, [ids["lot"], other]), version=2)
    assert wider.added_consignees == 1
    states = dict(rows(clean_db, "SELECT partner_id, state FROM consignee"))
    assert states == {ids["centre"]: "answered", ids["hospital"]: "answered", clinic: "open"}
    assert len(rows(clean_db, "SELECT FROM scope_lot WHERE scope_version = 1")) == 1
    assert len(rows(clean_db, "SELECT FROM scope_lot WHERE scope_version = 2")) == 2


async def test_a_shipment_that_becomes_known_later_replaces_a_stated_quantity(
    db: SessionFactory, clean_db: PostgresForTests, passed_on: tuple[Chain, dict[str, int]]
) -> None:
    chain, ids = passed_on
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    await store(db, named(chain, [ids["lot"]]))
    with psycopg.connect(clean_db.owner_url) as connection:
        connection.execute("UPDATE consignee_lot SET stated = true, shipped = 1 WHERE consignee_id = 1")
    await store(db, named(chain, [ids["lot"]]))
    assert rows(clean_db, "SELECT shipped, stated FROM consignee_lot WHERE consignee_id = 1") == [(Decimal(100), False)]


async def test_a_disposal_at_a_site_known_from_a_statement_only_leaves_the_stated_quantity(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    warehouse, centre, clinic = chain.place("own"), chain.place("customer"), chain.place("customer")
    lot = chain.lot(chain.product())
    chain.move("shipment", lot, 100, warehouse, centre, day=1, delivered=True)
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    await store(db, named(chain, [lot]))
    with psycopg.connect(clean_db.owner_url) as connection:
        connection.execute(
            "WITH joined AS (INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)"
            " SELECT %s, partner_id, 2, 'answered', 1, now() FROM location WHERE id = %s RETURNING id)"
            " INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) SELECT id, %s, 9, 0, true"
            " FROM joined",
            [NUMBER, clinic, lot],
        )

    async def traced_after(kind: str, quantity: int, source: int | None, target: int | None) -> list[tuple[Any, ...]]:
        chain.move(kind, lot, quantity, source, target, day=200 + len(chain.moves), delivered=kind == "shipment")
        with psycopg.connect(clean_db.owner_url) as connection:
            chain.write_moves(connection, chain.moves[-1:])
        await store(db, named(chain, [lot]))
        return rows(
            clean_db,
            "SELECT shipped, returned, stated, state FROM consignee_lot JOIN consignee ON id = consignee_id"
            " WHERE tier = 2",
        )

    assert await traced_after("destruction", 4, clinic, None) == [(Decimal(9), Decimal(0), True, "answered")]
    assert await traced_after("return", 2, clinic, warehouse) == [(Decimal(9), Decimal(2), True, "answered")]
    before = dump(clean_db)
    await store(db, named(chain, [lot]))
    assert dump(clean_db) == before
    assert await traced_after("shipment", 8, centre, clinic) == [(Decimal(8), Decimal(2), False, "answered")]


async def test_a_gap_that_new_data_closes_disappears_and_a_recorded_event_stays(
    db: SessionFactory, clean_db: PostgresForTests, passed_on: tuple[Chain, dict[str, int]]
) -> None:
    chain, ids = passed_on
    chain.move("receipt", None, 7, None, ids["hospital"], product=chain.lots[ids["lot"]].product)
    chain.write(clean_db.owner_url)
    write_recall(clean_db.owner_url)
    assert (await store(db, named(chain, [ids["lot"]]))).gaps == {"no_lot_receipt": 1, "recall_period": 1}
    with psycopg.connect(clean_db.owner_url) as connection:
        connection.execute("UPDATE movement SET lot_id = %s WHERE lot_id IS NULL", [ids["lot"]])
        connection.execute(
            "INSERT INTO scope_gap (recall_number, scope_version, kind, detail) "
            "VALUES (%s, 1, 'shipped_under_hold', '{}')",
            [NUMBER],
        )
    assert (await store(db, named(chain, [ids["lot"]]))).gaps == {"broken_link": 1, "shipped_under_hold": 1}


async def test_a_large_trace_is_not_ended_by_the_limit_of_short_statements(db: SessionFactory) -> None:
    async with db.begin() as session:
        connection = await session.connection()
        usual = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
        await trace.trace_forward(session, [1])
        during = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
    async with db.begin() as session:
        after = (await (await session.connection()).execute(text("SHOW statement_timeout"))).scalar_one()
    assert (usual, during, after) == ("1min", "14min", "1min")


async def test_a_trace_that_writes_leaves_its_connection_preparing_statements(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = random_chain(77, base=1)
    chain.write(clean_db.owner_url)
    number = write_recall(clean_db.owner_url, NUMBER)
    async with db.begin() as session:
        connection = await session.connection()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        before = driver.prepare_threshold
        await trace.materialise_scope(session, number, 1, named(chain, sorted(chain.lots)[:1]), day(500))
        # Checks of foreign keys would be planned anew for each row written.
        mode = (await connection.execute(text("SELECT current_setting('plan_cache_mode')"))).scalar_one()
    assert (driver.prepare_threshold, mode) == (before, "auto")
    assert before is not None
