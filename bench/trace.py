"""Trace on 100,000 lots and 1,000,000 movements against the SQL a database administrator would write by hand.

    python -m bench.trace [--lots 100000] [--movements 1000000] [--repeats 40] [--seed 1]

A throw-away PostgreSQL is filled by COPY from a seeded generator: five levels of genealogy, each lot made of two or
three of the level above, finished lots shipped, received, passed on and returned. Printed per question: p50 and p95
in milliseconds of the bare SQL and of the product, and the ratio of the medians.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import trace
from tests.support.servers import ThrowAwayPostgres

LEVELS = (0.01, 0.04, 0.10, 0.25, 0.60)
"""Share of the lots per level, raw material first."""

BARE = """
WITH RECURSIVE s(lot_id) AS (
    SELECT unnest(CAST(:roots AS bigint[]))
    UNION
    SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id = s.lot_id
),
m AS (SELECT m.* FROM s JOIN movement m USING (lot_id))
SELECT lot_id, location_id, l.code, sum(came) AS came, sum(went) AS went, sum(back) AS back, sum(open) AS open
FROM (
    SELECT lot_id, to_location_id AS location_id,
           CASE WHEN kind = 'receipt' OR kind = 'shipment' AND delivered THEN quantity ELSE 0 END AS came, 0 AS went,
           CASE WHEN kind = 'return' THEN quantity ELSE 0 END AS back,
           CASE WHEN kind = 'shipment' AND NOT delivered AND NOT EXISTS (
                SELECT FROM m r WHERE r.kind = 'receipt' AND r.lot_id = m.lot_id
                   AND r.document_no = m.document_no AND r.to_location_id = m.to_location_id)
                THEN quantity ELSE 0 END AS open
    FROM m WHERE to_location_id IS NOT NULL
    UNION ALL
    SELECT lot_id, from_location_id, 0, quantity, 0, 0 FROM m WHERE from_location_id IS NOT NULL AND kind <> 'receipt'
) AS f JOIN location l ON l.id = f.location_id
GROUP BY lot_id, location_id, l.code
"""
"""Same question, without genealogy depth, paths, counts, confirmed deliveries and gaps."""


@dataclass(frozen=True)
class World:
    """Sizes of the generated chain."""

    lots: int
    movements: int
    sites: int
    seed: int


def level_ranges(lots: int) -> list[range]:
    """Ids of the lots of each level."""
    ranges, start = [], 1
    for share in LEVELS:
        count = max(int(lots * share), 1)
        ranges.append(range(start, start + count))
        start += count
    return ranges


def genealogy(world: World, rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Two or three inputs per lot, from the level above."""
    levels = level_ranges(world.lots)
    number = 0
    for above, below in pairwise(levels):
        for lot in below:
            for source in {rng.choice(above) for _ in range(rng.randint(2, 3))}:
                number += 1
                yield number, source, lot, 1, "bench", str(number)


def movements(world: World, rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Finished lots: shipment and receipt, delivered shipments onward, returns; in random order of time."""
    finished = level_ranges(world.lots)[-1]
    own, customers = range(1, 21), range(21, world.sites + 1)
    number = 0
    while number < world.movements:
        lot = rng.choice(finished)
        day = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} 12:00+00"
        start, end, next_end = rng.choice(own), rng.choice(customers), rng.choice(customers)
        document = f"D{number}"
        for kind, source, target, quantity, delivered in (
            ("shipment", start, end, 100, False),
            ("receipt", start, end, 100, False),
            ("shipment", end, next_end, 40, True),
            ("return", next_end, start, 5, False),
        ):
            if kind == "receipt" and number % 50 == 1:
                continue  # still under way
            number += 1
            yield number, kind, 1 + lot % 50, lot, source, target, quantity, delivered, day, document, "b", str(number)


def fill(url: str, world: World) -> None:
    """COPY the chain into an empty database."""
    rng = random.Random(world.seed)
    with psycopg.connect(url) as db:
        kinds = ((n, "warehouse" if n <= 20 else "hospital") for n in range(1, world.sites + 1))
        copy(
            db,
            "partner (id, code, name, kind, country, language, time_zone)",
            ((n, f"T{n}", f"T{n}", kind, "US", "en", "UTC") for n, kind in kinds),
        )
        custody = ((n, "own" if n <= 20 else "customer") for n in range(1, world.sites + 1))
        copy(
            db,
            "location (id, partner_id, code, name, custody)",
            ((n, n, f"L{n}", f"L{n}", kept) for n, kept in custody),
        )
        copy(
            db,
            "product (id, code, name, unit_of_use, implantable, life_supporting, sterile)",
            ((n, f"P{n}", f"P{n}", "unit", False, False, False) for n in range(1, 51)),
        )
        every = (lot for level in level_ranges(world.lots) for lot in level)
        copy(db, "lot (id, product_id, number)", ((n, 1 + n % 50, f"N{n}") for n in every))
        copy(
            db,
            "lot_genealogy (id, input_lot_id, output_lot_id, quantity, source_system, source_id)",
            genealogy(world, rng),
        )
        copy(
            db,
            "movement (id, kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, "
            "occurred_at, document_no, source_system, source_id)",
            movements(world, rng),
        )
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")


def copy(db: psycopg.Connection, into: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """COPY rows into a table."""
    with db.cursor().copy(f"COPY {into} FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)


async def measure(
    sessions: SessionFactory, samples: list[list[int]], ask: Callable[[AsyncSession, list[int]], Awaitable[int]]
) -> tuple[list[float], float]:
    """Milliseconds per sample, and the mean number of rows answered."""
    took, rows = [], []
    async with sessions() as session:
        for roots in samples:
            start = time.perf_counter()
            rows.append(await ask(session, roots))
            took.append((time.perf_counter() - start) * 1000)
    return took, statistics.mean(rows)


async def bare(session: AsyncSession, roots: list[int]) -> int:
    """The hand-written SQL."""
    return len((await (await session.connection()).execute(text(BARE), {"roots": roots})).all())


async def lots_and_sites(session: AsyncSession, roots: list[int]) -> int:
    """Lots with depth and parent, sites with all quantities."""
    lots = await trace.trace_lots(session, "forward", roots)
    return len(await trace.trace_sites(session, [lot.lot_id for lot in lots]))


async def whole(session: AsyncSession, roots: list[int]) -> int:
    """The whole trace, gaps included."""
    return len((await trace.trace_forward(session, roots)).sites)


async def compare(sessions: SessionFactory, world: World, repeats: int) -> None:
    """Print one line per question and way of asking."""
    rng = random.Random(world.seed + 1)
    levels = level_ranges(world.lots)
    questions = {
        "finished lot": [[rng.choice(levels[-1])] for _ in range(repeats)],
        "bulk lot, 2 levels down": [[rng.choice(levels[2])] for _ in range(repeats)],
        "raw lot, 4 levels down": [[rng.choice(levels[0])] for _ in range(max(repeats // 2, 5))],
    }
    print(f"{'start':26}{'way':18}{'rows':>9}{'p50 ms':>10}{'p95 ms':>10}{'ratio':>8}")
    for question, samples in questions.items():
        reference = 0.0
        for name, ask in (("bare SQL", bare), ("lots and sites", lots_and_sites), ("trace with gaps", whole)):
            await measure(sessions, samples[:3], ask)  # warm caches and plans alike
            took, rows = await measure(sessions, samples, ask)
            p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
            reference = reference or p50
            print(f"{question:26}{name:18}{rows:9.0f}{p50:10.1f}{p95:10.1f}{p50 / reference:8.2f}")


async def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", type=int, default=100_000)
    parser.add_argument("--movements", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    world = World(given.lots, given.movements, given.sites, given.seed)
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        start = time.perf_counter()
        fill(addresses.owner_url, world)
        print(f"{world.lots} lots, {world.movements} movements loaded in {time.perf_counter() - start:.0f} s\n")
        engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
        await compare(make_session_factory(engine), world, given.repeats)
        await engine.dispose()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
