"""Two recalls on shared lots at our own ledger and at a WMS that fails and repeats, in a random order.

After every step the tables are asked whether they contradict each other, and the WMS whether it holds less than we
believe. Whenever it answers again, it must hold exactly what our holds say, under one name each, and nothing else.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from db.repositories import holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from db.repositories.holds_of_lots import lots_to_nonconformity, reclaim_lots
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import Disposals, who
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard
from tests.inventory.http.conftest import server
from tests.inventory.http.test_recall_at_wms import Site, place
from tests.inventory.test_holds_at_keepers import yard
from tests.support.chain import Chain
from tests.support.stock_invariants import violations
from tests.wms.server import Faults

__all__ = ["place", "server", "yard"]
pytestmark = pytest.mark.db
SEED = 5
STEPS = 27
ROUND = 9
"""Steps between two calm moments."""
STOCK = "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (%s, %s, 40, 0, 0, %s)"
TOLD = "SELECT key, held FROM keeper_hold WHERE ended_at IS NULL AND NOT closing"
WANTED = """
SELECT h.id, h.recall_number || CASE WHEN h.state = 'nonconformity' THEN ':nonconformity' ELSE '' END, h.quantity
FROM hold h WHERE h.quantity > 0 AND (h.ended_at IS NULL OR h.state = 'nonconformity')
  AND (h.location_id = %s OR h.document_no = 'D1') ORDER BY h.id
"""


@dataclass
class Story:
    """The two recalls, their scopes, and what the WMS is like today."""

    site: Site
    lots: list[int]
    names: dict[int, dict[str, str]]
    random: Random
    scope: dict[str, set[int]] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    let_go: set[str] = field(default_factory=set)
    """Keys of holds that the WMS ended by itself since the last calm moment."""
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.disposals = Disposals(self.yard)

    @property
    def yard(self) -> Yard:
        return self.site.yard

    def now(self) -> datetime:
        """One clock for everybody; each look at it is a moment later."""
        return who("clock").at

    def running(self) -> list[str]:
        return sorted(self.scope.keys() - self.cancelled)

    def write_scope(self, number: str, lots: set[int]) -> None:
        self.version[number] = self.version.get(number, 0) + 1
        self.scope[number] = lots
        if lots:
            self.yard.recall(number, *sorted(lots), version=self.version[number])

    # ------------------------------------------------------------------ steps

    async def expand(self) -> None:
        for number in self.running():
            if added := sorted(set(self.lots) - self.scope[number]):
                lot = self.random.choice(added)
                self.write_scope(number, self.scope[number] | {lot})
                async with self.yard.sessions.begin() as session:
                    await reclaim_lots(session, number, [lot], self.now())
                    await holds.request_holds(session, number, self.version[number], self.now())

    async def reduce(self) -> None:
        for number in self.running():
            if len(self.scope[number]) > 1:
                lot = self.random.choice(sorted(self.scope[number]))
                self.write_scope(number, self.scope[number] - {lot})
                async with self.yard.sessions.begin() as session:
                    await lots_to_nonconformity(session, number, [lot], self.now())

    async def cancel(self) -> None:
        if len(self.running()) == 2 and len(self.steps) > 2 * ROUND:
            number = self.random.choice(self.running())
            async with self.yard.sessions.begin() as session:
                await holds.to_nonconformity(session, number, self.now())
            self.yard.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", number)
            self.cancelled.add(number)

    async def dispose(self) -> None:
        number = self.random.choice(self.running())
        lot, at = self.random.choice(sorted(self.scope[number])), self.random.choice(self.places)
        kind, units = (
            self.random.choice([K.destroy, K.return_to_factory, K.rework, K.release]),
            self.random.randint(1, 9),
        )
        more: dict[str, Any] = {}
        if kind is K.rework:
            more["result_lot"] = ResultLotFacts(f"R{len(self.steps)}")
        if kind is K.return_to_factory:
            more["destination_id"] = next(each for each in self.places if each != at)
        found = await self.disposals.approved(kind, units, number=number, lot=lot, place=at)
        await self.disposals.carry_out(found, units, number=number, **more)
        if more.get("destination_id") == self.yard.warehouse:
            self.arrive(lot, units)

    async def appear(self) -> None:
        self.arrive(self.random.choice(self.lots), self.random.randint(1, 5))

    async def bad_day(self) -> None:
        self.site.wms.faults = Faults(chaos=None if self.site.wms.faults.chaos else self.random)

    async def people(self) -> None:
        """Those at the WMS carry out what they were slow with, or let go of a hold by mistake."""
        warehouse = self.site.wms.warehouse
        warehouse.settle()
        keys = [row["key"] for row in warehouse.rows("SELECT key FROM hold WHERE status = 'held' ORDER BY key")]
        if keys and self.random.random() < 0.5:
            key = self.random.choice(keys)
            warehouse.db.execute("UPDATE hold SET status = 'released', held = '0' WHERE key = ?", (key,))
            self.let_go.add(key)

    async def watch(self) -> None:
        await self.turn(self.random.choice(sorted(self.scope)))

    # ------------------------------------------------------------------ what steps are made of

    @property
    def places(self) -> list[int]:
        return [self.yard.warehouse, self.yard.carrier]

    def arrive(self, lot: int, units: int) -> None:
        warehouse, name = self.site.wms.warehouse, self.names[lot]
        warehouse.put(name, "WH-1", warehouse.there(name, "WH-1", "on_hand") + units)

    async def turn(self, number: str) -> None:
        running = number not in self.cancelled
        await self.yard.execute(number, claim=running, now=self.now(), version=self.version[number])

    async def step(self, chosen: str | None = None) -> None:
        kinds = ["dispose"] * 3 + ["watch"] * 3 + ["expand", "reduce"] * 2 + ["appear", "bad_day", "people", "cancel"]
        name = chosen or self.random.choice(kinds)
        self.steps.append(name)
        try:
            await getattr(self, name)()
        except DisposalRefused as refused:
            self.steps[-1] += f" refused: {refused}"
        assert violations(self.yard.postgres.owner_url) == [], self.steps
        assert self.overstated() == [], self.steps

    def overstated(self) -> list[str]:
        there = {row["key"]: Decimal(row["held"]) for row in self.site.wms.warehouse.rows("SELECT key, held FROM hold")}
        return [
            f"{key}: {held}"
            for key, held in self.yard.rows(TOLD)
            if held > there.get(key, 0) and key not in self.let_go
        ]

    async def settle(self) -> None:
        """The WMS answers, and its people have done their work: nothing may be left to tell."""
        self.site.wms.faults = Faults()
        for _ in range(2):
            self.site.wms.warehouse.settle()
            for number in sorted(self.scope):
                await self.turn(number)
        await self.yard.settle(self.now())
        self.let_go.clear()
        assert violations(self.yard.postgres.owner_url) == [], self.steps
        rows = self.site.wms.warehouse.rows("SELECT * FROM hold WHERE status <> 'released'")
        hold_of = dict(self.yard.rows("SELECT key, hold_id FROM keeper_hold"))
        standing = [(hold_of[row["key"]], row["claimant"], Decimal(row["asked"])) for row in rows]
        assert sorted(standing) == self.yard.rows(WANTED, self.yard.warehouse), self.steps
        counted = dict(self.yard.rows("SELECT lot_id, on_hand FROM stock WHERE location_id = %s", self.yard.warehouse))
        in_scope = set[int]().union(*(self.scope[number] for number in self.running()))
        for lot in in_scope:
            assert counted[lot] == self.site.wms.warehouse.there(self.names[lot], "WH-1"), self.steps
            assert self.site.wms.warehouse.free(self.names[lot], "WH-1") <= self.released(lot), self.steps

    def released(self, lot: int) -> Decimal:
        query = "SELECT coalesce(sum(released), 0) FROM hold WHERE lot_id = %s AND location_id = %s"
        return Decimal(self.yard.rows(query, lot, self.yard.warehouse)[0][0])


async def test_the_wms_and_the_record_agree_whatever_two_recalls_do(place: Site) -> None:
    yard = place.yard
    yard.keepers = place.keepers
    more = Chain(base=50_000)
    lots = [yard.lot, more.lot(more.product())]
    more.write(yard.postgres.owner_url)
    for at in (yard.warehouse, yard.carrier):
        yard.run(STOCK, lots[1], at, NOW)
    found = "SELECT p.code, l.number FROM lot l JOIN product p ON p.id = l.product_id WHERE l.id = %s"
    names = {lot: dict(zip(("product", "number"), yard.rows(found, lot)[0], strict=True)) for lot in lots}
    place.wms.warehouse.put(names[lots[1]], "WH-1", 40)
    story = Story(place, lots, names, Random(SEED))  # noqa: S311 - a story, not a secret
    for number, lot in zip((NUMBER, OTHER), lots, strict=True):
        story.write_scope(number, {lot})
        await yard.request(number)
        await story.turn(number)
    yard.run("UPDATE recall SET phase = 'resolution', scope_version = 1")
    await story.expand()
    await story.bad_day()
    for turn in range(STEPS):
        await story.step("cancel" if turn == 2 * ROUND else None)
        if turn % ROUND == ROUND - 1:
            await story.settle()
            await story.bad_day()
    assert len([each for each in story.steps if each == "dispose"]) > 3
    assert story.cancelled
