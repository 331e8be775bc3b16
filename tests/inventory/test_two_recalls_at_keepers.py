"""Two recalls on shared lots at several keepers: expanded, reduced, cancelled, disposed of, in a random order.

After every step the tables are asked whether they contradict each other, and the keepers whether they hold less than we
believe; whenever all keepers answer, they must hold exactly what our holds say.
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import pytest

from adapters.inventory.base import InventoryError
from db.repositories import holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from db.repositories.holds_of_lots import lots_to_nonconformity, reclaim_lots
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, disposals, who
from tests.inventory.conftest import Yard, yard
from tests.inventory.test_holds_at_keepers import Killer, partners, places
from tests.support.chain import Chain
from tests.support.keepers import Partner
from tests.support.stock_invariants import apart, overstated, violations

__all__ = ["disposals", "yard"]
pytestmark = pytest.mark.db
STEPS = 210
STOCK = "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (%s, %s, %s, 0, 0, %s)"
WAYS = (K.destroy, K.return_to_factory, K.rework, K.release)


@dataclass
class Story:
    """The two recalls, their scopes, and the keepers' bad days."""

    disposals: Disposals
    random: Random
    lots: list[int]
    scope: dict[str, set[int]] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)

    @property
    def yard(self) -> Yard:
        return self.disposals.yard

    @property
    def keepers(self) -> list[Partner]:
        return [places(self.yard)[self.yard.warehouse], places(self.yard)[self.yard.carrier]]

    def now(self) -> datetime:
        """One clock for everybody; each look at it is a moment later."""
        return who("clock").at

    def running(self) -> list[str]:
        return sorted(self.scope.keys() - self.cancelled)

    def write_scope(self, number: str, lots: set[int]) -> None:
        self.version[number] = self.version.get(number, 0) + 1
        self.scope[number] = lots
        for lot in sorted(lots):
            self.yard.run("INSERT INTO scope_lot VALUES (%s, %s, %s, true, 0)", number, self.version[number], lot)

    async def expand(self) -> None:
        for number in self.running():
            if added := set(self.lots) - self.scope[number]:
                lot = self.random.choice(sorted(added))
                self.write_scope(number, self.scope[number] | {lot})
                async with self.yard.sessions.begin() as session:
                    await reclaim_lots(session, number, [lot])
                    await holds.request_holds(session, number, self.version[number], self.now())

    async def reduce(self) -> None:
        for number in self.running():
            if len(self.scope[number]) > 1 and self.random.random() < 0.6:
                lot = self.random.choice(sorted(self.scope[number]))
                self.write_scope(number, self.scope[number] - {lot})
                async with self.yard.sessions.begin() as session:
                    await lots_to_nonconformity(session, number, [lot], self.now())

    async def cancel(self) -> None:
        if len(self.running()) == 2 and len(self.steps) > STEPS // 2:
            number = self.random.choice(self.running())
            async with self.yard.sessions.begin() as session:
                await holds.to_nonconformity(session, number, self.now())
            self.yard.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", number)
            self.cancelled.add(number)

    async def dispose(self) -> None:
        number, lot = self.random.choice(sorted(self.scope)), self.random.choice(self.lots)
        place = self.random.choice([self.yard.warehouse, self.yard.carrier])
        kind, units = (
            self.random.choice([K.destroy, K.return_to_factory, K.rework, K.release]),
            self.random.randint(1, 9),
        )
        found = await self.disposals.approved(kind, units, number=number, lot=lot, place=place)
        more: dict[str, Any] = {}
        if kind is K.rework:
            more["result_lot"] = ResultLotFacts(f"R{len(self.steps)}")
        if kind is K.return_to_factory:
            more["destination_id"] = next(p for p in places(self.yard) if p != place)
        await self.disposals.carry_out(found, units, number=number, **more)

    async def appear(self) -> None:
        place = self.random.choice([self.yard.warehouse, self.yard.carrier])
        keeper, lot = places(self.yard)[place], self.random.choice(self.lots)
        keeper.stock[lot, place] = keeper.stock.get((lot, place), D(0)) + self.random.randint(1, 5)

    async def bad_day(self) -> None:
        keeper, odds = self.random.choice(self.keepers), self.random.random()

        def fail(call: str) -> None:
            if self.random.random() < odds:
                raise InventoryError("not now")

        keeper.before = None if keeper.before else fail

    async def killed(self) -> None:
        keeper = self.random.choice(self.keepers)
        number = self.random.choice(sorted(self.scope))
        killer = Killer(keeper, self.random.randint(1, 6), after=self.random.random() < 0.5)
        await killer.kills(self.turn(number))

    async def turn(self, number: str) -> None:
        running = number not in self.cancelled
        await self.yard.execute(number, claim=running, now=self.now(), version=self.version[number])

    async def watch(self) -> None:
        await self.turn(self.random.choice(sorted(self.scope)))

    async def settle(self) -> None:
        """Everybody answers, and goods sent from place to place have arrived: nothing may be left to tell."""
        for keeper in self.keepers:
            keeper.before = keeper.after = None
        for _ in range(2):
            for number in sorted(self.scope):
                await self.turn(number)
        await self.yard.settle(self.now())
        found = [each for each in apart(self.yard.postgres.owner_url, places(self.yard)) if "hold" in each]
        due = self.yard.rows("SELECT key, attempts, last_error FROM keeper_disposal WHERE acknowledged_at IS NULL")
        assert (found, due) == ([], []), self.steps[-12:]

    async def step(self) -> None:
        name = self.random.choice(
            ["dispose"] * 5 + ["watch"] * 4 + ["expand", "reduce"] * 2 + ["appear", "bad_day", "killed", "cancel"]
        )
        self.steps.append(name)
        try:
            await getattr(self, name)()
        except DisposalRefused as refused:
            self.steps[-1] += f" refused: {refused}"


@pytest.mark.parametrize("seed", [1])
async def test_keepers_and_record_agree_whatever_two_recalls_do(disposals: Disposals, seed: int) -> None:
    yard = disposals.yard
    wms, carrier = partners(yard)
    more = Chain(base=50_000)
    lots = [yard.lot, *(more.lot(more.product()) for _ in range(2))]
    more.write(yard.postgres.owner_url)
    for lot in lots[1:]:
        wms.stock[lot, yard.warehouse], carrier.stock[lot, yard.carrier] = D(40), D(15)
        for place, units in ((yard.warehouse, 40), (yard.carrier, 15)):
            yard.run(STOCK, lot, place, units, NOW)
    story = Story(disposals, Random(seed), lots)  # noqa: S311 - a story, not a secret
    story.version[NUMBER] = 1
    story.scope[NUMBER] = {yard.lot}
    yard.recall(OTHER, lots[1])
    yard.run("UPDATE recall SET phase = 'resolution', scope_version = 1")
    story.version[OTHER], story.scope[OTHER] = 1, {lots[1]}
    for turn in range(STEPS):
        await story.step()
        assert violations(yard.postgres.owner_url) == [], story.steps[-12:]
        assert overstated(yard.postgres.owner_url, story.keepers) == [], story.steps[-12:]
        if turn % 30 == 29:
            await story.settle()
            assert violations(yard.postgres.owner_url) == [], story.steps[-12:]
    done = [each for each in story.steps if each == "dispose"]
    assert len(done) > 10
    assert story.cancelled
