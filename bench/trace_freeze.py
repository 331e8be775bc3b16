"""Freezing a trace of many sites against a bare INSERT ... SELECT of the rows that it writes.

    python -m bench.trace_freeze [--sites 100000] [--repeats 5]

One lot reached every site (`bench.trace_world`). Printed: the trace that stores scope, consignees and gaps and freezes
the first run; the same asked again with nothing new on record; and the bare insert of the same rows into the same
tables, with their keys, indexes and checks.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from bench.trace_world import OWN, World, fill
from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import trace
from domain.scope import LotRef, ScopeCriteria
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests, ThrowAwayPostgres

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TABLES = (
    *("scope_lot", "consignee", "consignee_lot", "scope_gap"),
    *("trace_run", "trace_run_lot", "trace_run_site", "trace_run_gap"),
)


async def freeze(sessions: SessionFactory, number: str, world: World) -> float:
    """Milliseconds of one trace of the wide lot as scope version 1 of a recall."""
    lot = world.wide_lot
    criteria = ScopeCriteria(lots=(LotRef(product_code=f"P{1 + lot % 50}", number=f"N{lot}"),))
    start = time.perf_counter()
    async with sessions.begin() as session:
        await trace.materialise_scope(session, number, 1, criteria, NOW)
    return (time.perf_counter() - start) * 1000


def bare(admin_url: str) -> tuple[float, int]:
    """Milliseconds of inserting the rows of all tables again, and how many they are; nothing of it stays."""
    took, rows = 0.0, 0
    with psycopg.connect(admin_url) as db:
        names = [sql.Identifier(table) for table in TABLES]
        kept = [sql.Identifier(f"kept_{table}") for table in TABLES]
        for name, copy in zip(names, kept, strict=True):
            db.execute(sql.SQL("CREATE TEMP TABLE {} AS SELECT * FROM {}").format(copy, name))
        db.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
        for name, copy in zip(names, kept, strict=True):
            insert = sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {}").format(name, copy)
            start = time.perf_counter()
            rows += db.execute(insert).rowcount
            took += (time.perf_counter() - start) * 1000
        db.rollback()
    return took, rows


async def compare(addresses: PostgresForTests, world: World, repeats: int) -> None:
    """Print one line per way."""
    engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
    sessions = make_session_factory(engine)
    first, again, yardstick = [], [], []
    rows = 0
    for _ in range(repeats):
        with psycopg.connect(addresses.admin_url, autocommit=True) as db:
            names = sql.SQL(", ").join(sql.Identifier(table) for table in ("recall", *TABLES))
            db.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        number = write_recall(addresses.owner_url, "RC-2026-000001")
        first.append(await freeze(sessions, number, world))
        with psycopg.connect(addresses.admin_url, autocommit=True) as db:
            db.execute("ANALYZE")
        again.append(await freeze(sessions, number, world))
        took, rows = bare(addresses.admin_url)
        yardstick.append(took)
    await engine.dispose()
    print(f"{rows} rows written for {world.wide} sites\n")
    print(f"{'way':42}{'p50 ms':>10}{'max ms':>10}{'ratio':>8}")
    reference = statistics.median(yardstick)
    ways = {
        "bare INSERT ... SELECT": yardstick,
        "trace, scope and first frozen run": first,
        "again, nothing new": again,
    }
    for name, times in ways.items():
        middle = statistics.median(times)
        print(f"{name:42}{middle:10.0f}{max(times):10.0f}{middle / reference:8.2f}")


async def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    world = World(1_000, 4 * given.sites, given.sites + OWN, given.sites, 1)
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        fill(addresses.admin_url, world)
        await compare(addresses, world, given.repeats)
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
