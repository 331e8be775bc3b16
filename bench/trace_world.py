"""The chain of the trace's bench: five levels of genealogy with fan-in and fan-out, movements, sites; by one seed.

Beside the chain stand one *wide* lot that reached a stated number of sites, and *probe* lots whose answers have the
same size whatever the world's: they show what growth of the record costs. Rows go in by COPY with the secondary
indexes and the checks of foreign keys away, and the indexes are built afterwards.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, pairwise

import psycopg
from psycopg import sql

LEVELS = (0.01, 0.04, 0.10, 0.25, 0.60)
"""Share of the lots per level, raw material first."""
OWN = 20
"""Sites of our own; the others are customers'."""
PROBES = 50
PROBE_ROUNDS = 5
"""Rounds of movements (a round is up to four) of each probe lot."""
_MOVEMENT = (
    "movement (id, kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, occurred_at, "
    "document_no, source_system, source_id)"
)


@dataclass(frozen=True)
class World:
    """Sizes of the generated chain."""

    lots: int
    movements: int
    sites: int
    wide: int
    """Sites the wide lot reached."""
    seed: int

    @property
    def wide_lot(self) -> int:
        """Its id; above the chain's."""
        return self.lots + 1

    @property
    def probes(self) -> range:
        """Ids of the lots whose answers have a fixed size."""
        return range(self.lots + 2, self.lots + 2 + PROBES)


def level_ranges(lots: int) -> list[range]:
    """Ids of the lots of each level."""
    ranges, start = [], 1
    for share in LEVELS:
        count = max(int(lots * share), 1)
        ranges.append(range(start, start + count))
        start += count
    return ranges


def genealogy(world: World, rng: random.Random) -> Iterator[str]:
    """Two or three inputs per lot, from the level above."""
    number = 0
    for above, below in pairwise(level_ranges(world.lots)):
        for lot in below:
            for source in {rng.choice(above) for _ in range(rng.randint(2, 3))}:
                number += 1
                yield f"{number}\t{source}\t{lot}\t1\tbench\t{number}\n"


class _Rounds:
    """Shipment and receipt, a delivered shipment onward, a return; some receipts are still to come."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self.number = 0

    def of(self, lot: int, customer: int | None = None) -> Iterator[str]:
        """One round of a lot; to this customer, or to any."""
        rng, sites = self._rng, self._world.sites
        start = 1 + int(rng.random() * OWN)
        end = customer or OWN + 1 + int(rng.random() * (sites - OWN))
        onward = OWN + 1 + int(rng.random() * (sites - OWN))
        # A lot is made on some day of the year and moves for two months.
        day = date(2025, 1, 1) + timedelta(days=lot * 7919 % 365 + int(rng.random() * 60))
        document = f"D{self.number}"
        on_its_way = self.number % 50 == 1
        rows = [("shipment", start, end, 100, "f"), ("receipt", start, end, 100, "f")][: 1 if on_its_way else 2]
        if customer is None:
            rows += [("shipment", end, onward, 40, "t"), ("return", onward, start, 5, "f")]
        for kind, source, target, quantity, delivered in rows:
            self.number += 1
            yield (
                f"{self.number}\t{kind}\t{1 + lot % 50}\t{lot}\t{source}\t{target}\t{quantity}\t{delivered}\t"
                f"{day} 12:00+00\t{document}\tb\t{self.number}\n"
            )


def movements(world: World, rng: random.Random) -> Iterator[str]:
    """Movements of finished lots, in no order of lots or time; the wide lot's and the probes' among them."""
    finished = level_ranges(world.lots)[-1]
    rounds = _Rounds(world, rng)
    special = [(world.wide_lot, OWN + 1 + n) for n in range(min(world.wide, world.sites - OWN))]
    special += [(probe, 0) for probe in world.probes for _ in range(PROBE_ROUNDS)]
    rng.shuffle(special)
    every = max(world.movements // 4 // max(len(special), 1), 1)
    turn = 0
    while rounds.number < world.movements or special:
        turn += 1
        if special and (turn % every == 0 or rounds.number >= world.movements):
            lot, customer = special.pop()
            yield from rounds.of(lot, customer or None)
        else:
            yield from rounds.of(rng.choice(finished))


def fill(admin_url: str, world: World) -> None:
    """COPY the chain into an empty, migrated database, as its superuser."""
    rng = random.Random(world.seed)
    with psycopg.connect(admin_url, autocommit=True) as db:
        db.execute("SET session_replication_role = replica")
        db.execute("SET maintenance_work_mem = '512MB'")
        indexes = _without_indexes(db, "movement", "lot_genealogy", "lot")
        sites = range(1, world.sites + 1)
        kinds = ((n, "warehouse" if n <= OWN else "hospital", "own" if n <= OWN else "customer") for n in sites)
        places = [(n, kind, custody) for n, kind, custody in kinds]
        copy(
            db,
            "partner (id, code, name, kind, country, language, time_zone)",
            (f"{n}\tT{n}\tT{n}\t{kind}\tUS\ten\tUTC\n" for n, kind, _ in places),
        )
        copy(
            db,
            "location (id, partner_id, code, name, custody)",
            (f"{n}\t{n}\tL{n}\tL{n}\t{custody}\n" for n, _, custody in places),
        )
        copy(
            db,
            "product (id, code, name, unit_of_use, implantable, life_supporting, sterile)",
            (f"{n}\tP{n}\tP{n}\tunit\tf\tf\tf\n" for n in range(1, 51)),
        )
        lots = [*(lot for level in level_ranges(world.lots) for lot in level), world.wide_lot, *world.probes]
        copy(db, "lot (id, product_id, number)", (f"{n}\t{1 + n % 50}\tN{n}\n" for n in lots))
        copy(
            db,
            "lot_genealogy (id, input_lot_id, output_lot_id, quantity, source_system, source_id)",
            genealogy(world, rng),
        )
        copy(db, _MOVEMENT, movements(world, rng))
        for definition in indexes:
            db.execute(definition)
        db.execute("VACUUM ANALYZE")


def _without_indexes(db: psycopg.Connection, *tables: str) -> list[sql.SQL]:
    """Drop the secondary indexes of these tables; returns what builds them again."""
    rows = db.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s)"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [list(tables)],
    ).fetchall()
    for name, _ in rows:
        db.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [sql.SQL(definition) for _, definition in rows]


def copy(db: psycopg.Connection, into: str, lines: Iterable[str]) -> None:
    """COPY lines of PostgreSQL's text format into a table."""
    with db.cursor().copy(sql.SQL(f"COPY {into} FROM STDIN")) as stream:  # names of this file
        rest = iter(lines)
        while some := "".join(islice(rest, 2000)):
            stream.write(some)
