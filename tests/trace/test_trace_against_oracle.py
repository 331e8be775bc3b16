"""Property test: on random chains the SQL and a brute-force oracle give the same lots, sites, quantities and gaps."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from db.engine import SessionFactory
from db.repositories import trace
from domain.scope import Window
from tests.support.chain import Chain, day
from tests.support.servers import PostgresForTests
from tests.trace import oracle, oracle_gaps
from tests.trace.random_chain import random_chain

pytestmark = pytest.mark.db
GRAPHS = 60
STALE, MARGIN = timedelta(days=60), timedelta(days=10)


def chains(seed: int) -> list[tuple[int, Chain]]:
    return [(seed * GRAPHS + n, random_chain(seed * GRAPHS + n, base=1 + n * 1000)) for n in range(GRAPHS)]


def sites_as_rows(result: trace.TraceResult) -> dict[tuple[int, int], tuple[Decimal | None, ...]]:
    return {
        (s.lot_id, s.location_id): (
            s.shipped_to, s.received, s.in_transit, s.returned_in, s.shipped_out, s.returned_out,
            s.consumed, s.destroyed, s.adjusted, s.on_hand,
        )
        for s in result.sites
    }  # fmt: skip


def expected_sites(chain: Chain, lots: set[int]) -> dict[tuple[int, int], tuple[Decimal, ...]]:
    spots, there = oracle.spots(chain, lots).spots, oracle.on_hand(chain, lots)
    rows: dict[tuple[int, int], tuple[Decimal, ...]] = {}
    for key in there:
        s = spots[key]
        rows[key] = (
            s.shipped_to, s.received, s.in_transit, s.returned_in, s.shipped_out, s.returned_out,
            s.consumed, s.destroyed, s.adjusted, there[key],
        )  # fmt: skip
    return rows


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("direction", ["forward", "backward"])
async def test_random_chains_are_traced_as_the_oracle_says(
    db: SessionFactory, clean_db: PostgresForTests, seed: int, direction: trace.Direction
) -> None:
    run = trace.trace_forward if direction == "forward" else trace.trace_backward
    for number, chain in chains(seed):
        chain.write(clean_db.owner_url)
        rng = random.Random(number)  # noqa: S311 - a seed, not a secret
        roots = rng.sample(sorted(chain.lots), rng.randint(1, min(3, len(chain.lots))))
        async with db() as session:
            result = await run(session, roots, stale_after=STALE, arrival_margin=MARGIN)
        depths = oracle.reach(chain, roots, backward=direction == "backward")
        assert {lot.lot_id: lot.depth for lot in result.lots} == depths, f"graph {number}"
        assert {lot.lot_id for lot in result.lots if lot.root} == set(roots)
        check_paths(chain, result, depths, roots)
        lots = set(depths)
        assert sites_as_rows(result) == expected_sites(chain, lots), f"graph {number}"
        found = Counter(oracle_gaps.essence(gap.kind, gap.detail) for gap in result.gaps)
        assert found == oracle_gaps.gaps(chain, lots, STALE, MARGIN), f"graph {number}"


@pytest.mark.parametrize("direction", ["forward", "backward"])
async def test_random_chains_inside_a_window_are_traced_as_the_oracle_says(
    db: SessionFactory, clean_db: PostgresForTests, direction: trace.Direction
) -> None:
    run = trace.trace_forward if direction == "forward" else trace.trace_backward
    for number, chain in chains(99):
        chain.write(clean_db.owner_url)
        rng = random.Random(number)  # noqa: S311 - a seed, not a secret
        roots = rng.sample(sorted(chain.lots), rng.randint(1, min(3, len(chain.lots))))
        start, end = day(rng.randint(0, 250)), day(rng.randint(251, 420))
        async with db() as session:
            result = await run(session, roots, window=Window(start=start, end=end), arrival_margin=MARGIN)
        inside = replace(
            chain,
            moves=[m for m in chain.moves if m.lot is None or start <= m.at < end],
            # Within a window nothing but its movements says when goods moved.
            lots={key: replace(row, made_on=None) for key, row in chain.lots.items()},
        )
        lots = set(oracle.reach(chain, roots, backward=direction == "backward"))
        found = {key: row[:-1] for key, row in sites_as_rows(result).items()}
        assert found == {key: row[:-1] for key, row in expected_sites(inside, lots).items()}, f"graph {number}"
        kinds = {"no_lot_receipt", "recall_period", "broken_link"}
        expected = oracle_gaps.gaps(inside, lots, STALE, MARGIN)
        gaps = Counter(oracle_gaps.essence(gap.kind, gap.detail) for gap in result.gaps)
        assert gaps == Counter({gap: count for gap, count in expected.items() if gap[0] in kinds}), f"graph {number}"


def check_paths(chain: Chain, result: trace.TraceResult, depths: dict[int, int], roots: list[int]) -> None:
    """Each path starts at a root, follows genealogy edges and is as short as can be."""
    edges = {(s.tail, s.head) for s in chain.steps}
    for lot, depth in depths.items():
        path = result.path(lot)
        assert path[0] in roots
        assert len(path) == depth + 1
        for a, b in pairwise(path):
            assert ((a, b) if result.direction == "forward" else (b, a)) in edges
