"""Random sequences of holds, disposals, releases, returns, imports and counts: stock, holds and claims always agree.

Nothing here knows the order of events; after every step the tables alone are asked whether they contradict each other,
and that no unit ever became free except by a release.
"""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from db.repositories import holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NUMBER, OTHER, D, Disposals

pytestmark = pytest.mark.db
STEPS = 22


class Story:
    """One random story; every step is named for the message of a failure."""

    def __init__(self, disposals: Disposals, seed: int) -> None:
        self.disposals, self.random = disposals, Random(seed)  # noqa: S311 - a story, not a secret
        self.clinic = {NUMBER: disposals.consignee(stated=20)}
        self.maker = disposals.maker()
        self.steps: list[str] = []
        self.day = 200.0
        self.released: dict[str, Decimal] = {}

    async def step(self) -> None:
        name = self.random.choice(
            ["dispose"] * 5 + ["release"] * 2 + ["count_in", "receipt", "stocktake", "watch", "second_recall", "sell"]
        )
        self.steps.append(name)
        try:
            await getattr(self, name)()
        except DisposalRefused as refused:
            self.steps.append(f"refused: {refused}")

    def number(self) -> str:
        return self.random.choice(sorted(self.clinic))

    async def dispose(self) -> None:
        number, kind = self.number(), self.random.choice([K.destroy, K.return_to_factory, K.rework])
        units = self.random.randint(1, 60)
        found = await self.disposals.approved(kind, units, number=number)
        more: dict[str, Any] = {}
        if kind is K.rework:
            more["result_lot"] = ResultLotFacts(f"R{len(self.steps)}")
        if kind is K.return_to_factory:
            more["destination_id"] = self.random.choice([self.disposals.yard.carrier, self.maker])
        _, part = await self.disposals.carry_out(found, self.random.randint(1, units), number=number, **more)
        if part.quantity < units:
            await self.disposals.withdraw(found, number)

    async def release(self) -> None:
        number, units = self.number(), self.random.randint(1, 60)
        found = await self.disposals.approved(K.release, units, number=number)
        await self.disposals.carry_out(found, units, number=number)
        self.released[number] = self.released.get(number, D(0)) + units

    async def count_in(self) -> None:
        await self.disposals.count_in(self.clinic[NUMBER], self.random.randint(1, 9))

    async def receipt(self) -> None:
        await self._import("receipt", None, self.disposals.place)

    async def sell(self) -> None:
        await self._import("shipment", self.disposals.place, self.disposals.yard.clinic)

    async def _import(self, kind: str, source: int | None, target: int) -> None:
        yard, self.day = self.disposals.yard, self.day + 1
        batch = yard.batch()
        yard.move(
            kind, self.random.randint(1, 12), source, target, day=self.day, delivered=kind == "shipment", batch=batch
        )
        async with yard.sessions.begin() as session:
            await holds.claim_late_stock(session, batch)

    async def stocktake(self) -> None:
        """A count that finds other than the books say, as an import writes it."""
        yard, self.day = self.disposals.yard, self.day + 1
        batch, found = yard.batch(), self.random.randint(0, 120)
        yard.run(
            "UPDATE stock SET on_hand = %s, held = least(held, %s), reserved = 0, booked = 0, as_of = now() "
            "+ interval '1 day' * %s, batch_id = %s WHERE lot_id = %s AND location_id = %s",
            found,
            found,
            self.day,
            batch,
            yard.lot,
            self.disposals.place,
        )
        async with yard.sessions.begin() as session:
            await holds.claim_late_stock(session, batch)

    async def watch(self) -> None:
        for number in sorted(self.clinic):
            await self.disposals.yard.request(number)
            await self.disposals.yard.execute(number)

    async def second_recall(self) -> None:
        if OTHER not in self.clinic:
            await self.disposals.held(OTHER)
            self.clinic[OTHER] = self.clinic[NUMBER]

    def usable_units(self) -> Decimal:
        """Units of the lot nobody holds at our places, by the tables."""
        found = self.disposals.yard.rows(
            "SELECT coalesce(sum(on_hand - held), 0) FROM stock s JOIN location l "
            "ON l.id = s.location_id WHERE l.custody <> 'customer' AND lot_id = %s",
            self.disposals.yard.lot,
        )
        return Decimal(found[0][0])


@pytest.mark.parametrize("seed", range(6))
async def test_stock_holds_claims_and_movements_agree_after_every_step(disposals: Disposals, seed: int) -> None:
    story = Story(disposals, seed)
    for _ in range(STEPS):
        await story.step()
        assert disposals.broken() == [], story.steps
    await story.watch()
    assert disposals.broken() == [], story.steps
    least = min((story.released.get(number, D(0)) for number in story.clinic), default=D(0))
    assert story.usable_units() <= least, story.steps
