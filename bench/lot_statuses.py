"""Planning what keepers of stock are told of the status of lots, against a bare INSERT ... SELECT of the same rows.

    python -m bench.lot_statuses [--lots 50000] [--keepers 3] [--repeats 5]

One recall has all lots in its scope. Printed: the first plan, the plan of a minute in which nothing changed while the
recall runs, the plan after its end, and that of the minutes after it while one in ten lots is left under a
nonconformity hold. Telling the keepers is their time, not ours.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime

import psycopg

from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import keeper_lot_status
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests, ThrowAwayPostgres

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_FILL = """
INSERT INTO partner (id, code, name, kind, language, time_zone) OVERRIDING SYSTEM VALUE
VALUES (1, 'US', 'Us', 'warehouse', 'en', 'UTC');
INSERT INTO location (id, partner_id, code, name, custody) OVERRIDING SYSTEM VALUE VALUES (1, 1, 'WH', 'WH', 'own');
INSERT INTO product (id, code, name, unit_of_use, implantable, life_supporting, sterile) OVERRIDING SYSTEM VALUE
VALUES (1, 'P1', 'P1', 'unit', false, false, false);
INSERT INTO lot (id, product_id, number, site_id) OVERRIDING SYSTEM VALUE
SELECT n, 1, 'N' || n, 1 FROM generate_series(1, {lots}) AS n;
INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of)
SELECT n, 1, 10, 0, 0, '2026-02-01' FROM generate_series(1, {lots}) AS n;
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)
SELECT '{number}', 1, n, true, 0 FROM generate_series(1, {lots}) AS n;
ANALYZE
"""
_END = """
UPDATE recall SET phase = 'terminated';
INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late, requested_at, ended_at)
SELECT '{number}', n, 1, 'on_hand', 10, 'nonconformity', 0, false, '2026-02-02', '2026-02-03'
FROM generate_series(1, {lots}, 10) AS n;
ANALYZE
"""


def bare(admin_url: str) -> tuple[float, int]:
    """Milliseconds of inserting the planned rows again, and how many they are; nothing of it stays."""
    with psycopg.connect(admin_url) as db:
        db.execute("CREATE TEMP TABLE kept AS SELECT * FROM keeper_lot_status")
        db.execute("TRUNCATE keeper_lot_status")
        start = time.perf_counter()
        rows = db.execute("INSERT INTO keeper_lot_status SELECT * FROM kept").rowcount
        took = (time.perf_counter() - start) * 1000
        db.rollback()
    return took, rows


async def plan(sessions: SessionFactory, keepers: list[str]) -> float:
    """Milliseconds of one plan."""
    start = time.perf_counter()
    async with sessions.begin() as session:
        await keeper_lot_status.plan(session, keepers, NOW)
    return (time.perf_counter() - start) * 1000


async def compare(addresses: PostgresForTests, lots: int, keepers: list[str], repeats: int) -> None:
    """Print one line per way."""
    engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
    sessions = make_session_factory(engine)
    took: dict[str, list[float]] = {}
    rows = 0
    for _ in range(repeats):
        addresses.truncate()
        number = write_recall(addresses.owner_url, phase="resolution")
        with psycopg.connect(addresses.admin_url, autocommit=True) as db:
            db.execute(_FILL.format(lots=lots, number=number))
        took.setdefault("first plan", []).append(await plan(sessions, keepers))
        insert, rows = bare(addresses.admin_url)
        took.setdefault("bare INSERT ... SELECT", []).append(insert)
        took.setdefault("a minute without a change", []).append(await plan(sessions, keepers))
        with psycopg.connect(addresses.admin_url, autocommit=True) as db:
            db.execute(_END.format(lots=lots, number=number))
        took.setdefault("after the recall's end", []).append(await plan(sessions, keepers))
        took.setdefault("a minute after its end", []).append(await plan(sessions, keepers))
    await engine.dispose()
    print(f"{rows} rows: {lots} lots at {len(keepers)} keepers\n")
    print(f"{'way':34}{'p50 ms':>10}{'max ms':>10}{'ratio':>8}")
    reference = statistics.median(took["bare INSERT ... SELECT"])
    for name, times in took.items():
        middle = statistics.median(times)
        print(f"{name:34}{middle:10.0f}{max(times):10.0f}{middle / reference:8.2f}")


async def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", type=int, default=50_000)
    parser.add_argument("--keepers", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        await compare(addresses, given.lots, [f"wms-{n}" for n in range(given.keepers)], given.repeats)
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
