"""The table of a walk: a fresh chain, a first recall, and what is there to pick from."""

from random import Random
from typing import Any

import psycopg

from tests.process.checks import Checks
from tests.process.desk import Bench, Desk
from tests.process.model import Case, Consignee
from tests.process.staff_work import StaffWork
from tests.process.world import OUR_PLACES, Shape, Shipping, build

PICK = range(12)
BOTH = (False, True)
STAFF = {
    "Wanda": "warehouse", "Quinn": "qa", "Ada": "approver", "Hedda": "head_of_quality", "Hugo": "head_of_quality",
    "Reg": "regulatory", "Hilde": "head_of_supply",
}  # fmt: skip


def shape(rng: Random) -> Shape:
    """A chain at random."""
    return Shape(
        edges=tuple(rng.random() < 0.6 for _ in range(6)),
        shipments=tuple(
            Shipping(rng.randrange(4), rng.randrange(4), rng.randint(1, 15), arrived=rng.random() < 0.6)
            for _ in range(rng.randrange(6))
        ),
        miscount=rng.choice([0, 0, 3, -2]),
        reserved=rng.choice([0, 5]),
    )


class Table:
    """One walk over one database: how it begins, what is checked, and how a step picks among what is there."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.postgres.truncate()
        bench.examples += 1
        self.connection = psycopg.connect(bench.postgres.owner_url, autocommit=True)
        self.tried = ""

    def close(self) -> None:
        """The walk is over."""
        self.connection.close()

    def begin(self, rng: Random) -> None:
        """A chain, its staff and a first recall, mostly with its notice sent."""
        world = build(self.bench.postgres.owner_url, shape(rng))
        self.work = StaffWork(Desk(self.bench, self.connection), world)
        for name, role in STAFF.items():
            self.connection.execute(
                "INSERT INTO staff (principal, name, roles, email, phone, language, on_call)"
                " VALUES (%s, %s, %s, %s, '+15550123', 'en', %s)",
                [name, name, [role], f"{name.lower()}@firm.example", name == "Quinn"],
            )
        self.work.desk.settle()
        self.checks = Checks(self.work)
        case = self.work.start(rng.choice(["K1", "K2", "R1"]))
        if rng.random() < 0.8:
            self.work.hold(case)
            self.work.approve(case)

    def holds(self) -> None:
        """Everything that must be true is true."""
        self.checks.all_hold()

    # ------------------------------------------------------------------ picking

    def case(self, pick: int) -> Case:
        return self.work.cases[pick % len(self.work.cases)]

    def consignee(self, case: Case, pick: int) -> Consignee | None:
        known = sorted(case.consignees.values(), key=lambda each: each.id)
        return known[pick % len(known)] if known else None

    def lot(self, case: Case, pick: int) -> int:
        known = sorted(case.scope)
        return known[pick % len(known)]

    def place(self, pick: int) -> int:
        return self.work.world.places[OUR_PLACES[pick % len(OUR_PLACES)]]

    def row(self, pick: int, query: str, *values: Any) -> dict[str, Any] | None:
        rows = self.work.desk.rows(query, *values)
        return rows[pick % len(rows)] if rows else None

    def disposition(self, pick: int, *states: str) -> tuple[Case, dict[str, Any]] | None:
        found = self.row(
            pick, "SELECT * FROM disposition WHERE state = ANY(%s) ORDER BY id", list(states) or ["proposed"]
        )
        if found is None:
            return None
        return next(case for case in self.work.cases if case.number == found["recall_number"]), found


__all__ = ["BOTH", "PICK", "STAFF", "Table"]
