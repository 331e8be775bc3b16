"""Trace against the SQL a database administrator would write by hand, on a generated chain (`bench.trace_world`).

    python -m bench.trace [--lots 100000] [--movements 1000000] [--sites 10000] [--wide 5000] [--repeats 40] [--seed 1]
    python -m bench.trace --lots 1000000 --movements 10000000 --sites 100000 --wide 50000      # full size

Printed per question: p50 and p95 in milliseconds, and the ratio of each median to that of the bare SQL and of the same
answer in plain SQL. The bare SQL knows neither genealogy depth, paths, counts, confirmed deliveries nor gaps; the plain
SQL (`bench.trace_plain`) knows counts, deliveries and arrivals without a shipment, and its rows are compared with the
product's. All ways are asked in turn, start by start: a busy moment of the machine meets all of them. *Probe* lots have
answers of one size whatever the world's: run with two sizes, their line shows what growth costs.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from bench import trace_plain
from bench.trace_world import World, fill, level_ranges
from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import trace
from db.repositories.trace_consignees import trace_consignees
from db.repositories.trace_sql import TUNE
from tests.support.servers import ThrowAwayPostgres

PLAIN = "plain SQL"
"""The way whose rows are the product's."""
BARE = """
WITH RECURSIVE s(lot_id) AS (
    SELECT unnest(CAST(:roots AS bigint[]))
    UNION
    SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id = s.lot_id
),
m AS (SELECT m.* FROM s JOIN movement m USING (lot_id))
SELECT f.lot_id, f.location_id, l.code, l.name, l.custody, p.id, p.code AS partner, p.kind, p.country,
       sum(shipped_to) AS shipped_to, sum(received) AS received, sum(in_transit) AS in_transit,
       sum(returned_in) AS returned_in, sum(shipped_out) AS shipped_out, sum(returned_out) AS returned_out,
       sum(consumed) AS consumed, sum(destroyed) AS destroyed, sum(adjusted) AS adjusted,
       sum(received + returned_in - shipped_out - returned_out - consumed - destroyed + adjusted) AS net,
       max(occurred_at) AS last_at
FROM (
    SELECT lot_id, to_location_id AS location_id,
           CASE WHEN kind = 'shipment' THEN quantity ELSE 0 END AS shipped_to,
           CASE WHEN kind = 'receipt' OR kind = 'shipment' AND delivered THEN quantity ELSE 0 END AS received,
           CASE WHEN kind = 'shipment' AND NOT delivered AND NOT EXISTS (
                SELECT FROM m r WHERE r.kind = 'receipt' AND r.lot_id = m.lot_id
                   AND r.document_no = m.document_no AND r.to_location_id = m.to_location_id)
                THEN quantity ELSE 0 END AS in_transit,
           CASE WHEN kind = 'return' THEN quantity ELSE 0 END AS returned_in,
           0 AS shipped_out, 0 AS returned_out, 0 AS consumed, 0 AS destroyed,
           CASE WHEN kind = 'adjustment' THEN quantity ELSE 0 END AS adjusted, occurred_at
    FROM m WHERE to_location_id IS NOT NULL
    UNION ALL
    SELECT lot_id, from_location_id, 0, 0, 0, 0,
           CASE WHEN kind = 'shipment' THEN quantity ELSE 0 END, CASE WHEN kind = 'return' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'consumption' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'destruction' THEN quantity ELSE 0 END, 0, occurred_at
    FROM m WHERE from_location_id IS NOT NULL AND kind <> 'receipt'
) AS f JOIN location l ON l.id = f.location_id JOIN partner p ON p.id = l.partner_id
GROUP BY f.lot_id, f.location_id, l.id, p.id
"""
"""Forward: lots reached, and the same columns for each site, as long as every shipment has its one receipt."""

BARE_BACKWARD = BARE.replace(
    "SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id",
    "SELECT g.input_lot_id FROM s JOIN lot_genealogy g ON g.output_lot_id",
)

BARE_CONSIGNEES = """
WITH RECURSIVE s(lot_id) AS (
    SELECT unnest(CAST(:roots AS bigint[]))
    UNION
    SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id = s.lot_id
),
m AS (SELECT m.* FROM s JOIN movement m USING (lot_id))
SELECT p.id, p.code, f.lot_id, sum(f.shipped) AS shipped, sum(f.returned) AS returned
FROM (
    SELECT lot_id, to_location_id AS at, from_location_id AS other, quantity AS shipped, 0 AS returned
    FROM m WHERE kind = 'shipment'
    UNION ALL
    SELECT lot_id, to_location_id, from_location_id, quantity, 0 FROM m
    WHERE kind = 'receipt' AND NOT EXISTS (
        SELECT FROM m c WHERE c.kind IN ('shipment', 'return') AND c.lot_id = m.lot_id
           AND c.document_no = m.document_no AND c.to_location_id = m.to_location_id)
    UNION ALL
    SELECT lot_id, from_location_id, to_location_id, 0, quantity FROM m WHERE kind = 'return'
) AS f JOIN location l ON l.id = f.at JOIN partner p ON p.id = l.partner_id LEFT JOIN location o ON o.id = f.other
WHERE l.custody = 'customer' AND o.partner_id IS DISTINCT FROM l.partner_id
GROUP BY p.id, f.lot_id ORDER BY p.id, f.lot_id
"""
"""Who received which lot, how much, and what came back, also where only a receipt is on record; no counts, no tier."""


Ask = Callable[[AsyncSession, list[int]], Awaitable[Sequence[Any]]]


async def measure(
    sessions: SessionFactory, samples: list[list[int]], ways: dict[str, Ask]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Per way: milliseconds of each sample, and the mean number of rows answered."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, list[int]] = {name: [] for name in ways}
    gc.freeze()
    async with sessions() as session:
        await (await session.connection()).execute(text(TUNE))  # the bare SQL has the same memory and costs
        for roots in samples:
            for name, ask in ways.items():
                gc.collect()  # what another way left is not its time
                start = time.perf_counter()
                answer = await ask(session, roots)
                took[name].append((time.perf_counter() - start) * 1000)
                rows[name].append(len(answer))
                del answer
    return took, {name: statistics.mean(counts) for name, counts in rows.items()}


async def same_rows(sessions: SessionFactory, roots: list[int], ways: dict[str, Ask]) -> None:
    """Plain SQL and product answer the same rows.

    Raises:
        AssertionError: they do not.
    """
    async with sessions() as session:
        plain, product = [set(map(tuple, await ways[name](session, roots))) for name in (PLAIN, list(ways)[2])]
    assert plain == product, f"{len(plain ^ product)} rows differ for {roots}"


def bare(statement: str) -> Ask:
    """The hand-written SQL."""

    async def ask(session: AsyncSession, roots: list[int]) -> Sequence[Any]:
        return (await (await session.connection()).execute(text(statement), {"roots": roots})).all()

    return ask


def lots_and_sites(direction: trace.Direction) -> Ask:
    """Lots with depth and parent, sites with all quantities."""

    async def ask(session: AsyncSession, roots: list[int]) -> Sequence[Any]:
        lots = await trace.trace_lots(session, direction, roots)
        return await trace.trace_sites(session, [lot.lot_id for lot in lots])

    return ask


def whole(direction: trace.Direction) -> Ask:
    """The whole trace, gaps included."""
    run = trace.trace_forward if direction == "forward" else trace.trace_backward

    async def ask(session: AsyncSession, roots: list[int]) -> Sequence[Any]:
        return (await run(session, roots)).sites

    return ask


async def consignees(session: AsyncSession, roots: list[int]) -> Sequence[Any]:
    """Everybody who received one of the lots, by lot."""
    lots = await trace.trace_lots(session, "forward", roots)
    return await trace_consignees(session, [lot.lot_id for lot in lots])


def questions(world: World, repeats: int) -> dict[str, tuple[list[list[int]], dict[str, Ask]]]:
    """Title -> roots to ask for, and the ways of asking; the first two are the yardsticks."""
    rng = random.Random(world.seed + 1)
    levels = level_ranges(world.lots)
    few = max(repeats // 4, 5)
    forward = {
        "bare SQL": bare(BARE),
        PLAIN: bare(trace_plain.SITES),
        "lots and sites": lots_and_sites("forward"),
        "with gaps": whole("forward"),
    }
    backward = {
        "bare SQL": bare(BARE_BACKWARD),
        PLAIN: bare(trace_plain.SITES_BACKWARD),
        "lots and sites": lots_and_sites("backward"),
        "with gaps": whole("backward"),
    }
    lists = {"bare SQL": bare(BARE_CONSIGNEES), PLAIN: bare(trace_plain.CONSIGNEES), "consignee list": consignees}

    def any_of(lots: range, count: int) -> list[list[int]]:
        return [[rng.choice(lots)] for _ in range(count)]

    wide = [[world.wide_lot]] * few
    return {
        "probe lot (fixed size)": (any_of(world.probes, repeats), forward),
        "finished lot": (any_of(levels[-1], repeats), forward),
        "bulk lot, 2 levels down": (any_of(levels[2], repeats), forward),
        "raw lot, 4 levels down": (any_of(levels[0], few), forward),
        "lot at many sites": (wide, forward),
        "finished lot, backward": (any_of(levels[-1], repeats), backward),
        "consignees of a raw lot": (any_of(levels[0], few), lists),
        "consignees, lot at many sites": (wide, lists),
    }


async def compare(sessions: SessionFactory, world: World, repeats: int) -> None:
    """Print one line per question and way of asking."""
    print(f"{'start':31}{'way':16}{'rows':>9}{'p50 ms':>10}{'p95 ms':>10}{'to bare':>9}{'to plain':>9}")
    for question, (samples, ways) in questions(world, repeats).items():
        await same_rows(sessions, samples[0], ways)
        await measure(sessions, samples[:3], ways)  # warm caches and plans alike
        took, rows = await measure(sessions, samples, ways)
        middle = {name: statistics.median(times) for name, times in took.items()}
        for name, times in took.items():
            p95 = statistics.quantiles(times, n=20)[-1]
            ratios = "".join(f"{middle[name] / middle[yardstick]:9.2f}" for yardstick in ("bare SQL", PLAIN))
            print(f"{question:31}{name:16}{rows[name]:9.0f}{middle[name]:10.1f}{p95:10.1f}{ratios}", flush=True)


async def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", type=int, default=100_000)
    parser.add_argument("--movements", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--wide", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    world = World(given.lots, given.movements, given.sites, given.wide, given.seed)
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        start = time.perf_counter()
        fill(addresses.admin_url, world)
        print(f"{world.lots} lots, {world.movements} movements loaded in {time.perf_counter() - start:.0f} s\n")
        engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
        await compare(make_session_factory(engine), world, given.repeats)
        await engine.dispose()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
