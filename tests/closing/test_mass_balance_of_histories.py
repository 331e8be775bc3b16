"""The mass balance of random histories against books that follow every unit."""

import random
from dataclasses import asdict
from decimal import Decimal

import pytest

from db.engine import SessionFactory
from db.repositories import mass_balance
from domain.mass_balance import Terms
from tests.closing.world import HOUR, NUMBER, T0, World, build
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


class History:
    """A random history of several lots, written to the record, with books that follow every unit."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.chain = Chain()
        self.plant, self.depot = self.chain.place("own", "manufacturer"), self.chain.place("logistics", "warehouse")
        self.hospitals = [self.chain.place() for _ in range(5)]
        self.books: dict[int, dict[str, int]] = {}
        self.got: dict[tuple[int, int], int] = {}
        for _ in range(4):
            self._make(self.chain.lot(self.chain.product(), site=self.plant, made=Decimal(self.rng.randint(500, 900))))

    def _make(self, lot: int) -> None:
        chain, rng = self.chain, self.rng
        book = self.books[lot] = dict.fromkeys(Terms.__dataclass_fields__, 0)
        book["produced"] = book["own_stock"] = int(chain.lots[lot].made or 0)
        sent = rng.randint(300, 450)
        chain.move("shipment", lot, sent, self.plant, self.depot, document=f"T{lot}")
        if rng.random() < 0.7:
            chain.move("receipt", lot, sent, self.plant, self.depot, document=f"T{lot}")
        for hospital in self.hospitals:
            quantity = rng.randint(-20, 60)
            if quantity > 0:
                chain.move("shipment", lot, quantity, self.depot, hospital, delivered=rng.random() < 0.5)
                self.got[hospital, lot] = quantity
                book["distributed"] += quantity
                book["own_stock"] -= quantity
        if waste := rng.randint(0, 20):
            chain.move("destruction", lot, waste, self.plant, None)
            book["scrapped"] += waste
            book["own_stock"] -= waste

    def answers(self, world: World) -> None:
        """Most hospitals state what they used and have, some twice, and something becomes of what they have."""
        for hospital in self.hospitals:
            world.consignee(hospital)
            mine = {lot: quantity for (place, lot), quantity in self.got.items() if place == hospital}
            for lot, quantity in mine.items():
                world.received(hospital, lot, quantity)
            if not mine or self.rng.random() < 0.2:
                continue
            if self.rng.random() < 0.3:  # an earlier answer, which the later one replaces
                world.statement(hospital, {lot: {"used": 1} for lot in mine}, at=T0)
            used = {lot: self.rng.randint(0, quantity) for lot, quantity in mine.items()}
            have = {lot: self.rng.randint(0, quantity - used[lot]) for lot, quantity in mine.items()}
            world.statement(hospital, {lot: {"used": used[lot], "on_hand": have[lot]} for lot in mine})
            for lot in mine:
                self.books[lot]["used"] += used[lot]
                self._dispose(world, hospital, lot, have[lot])

    def _dispose(self, world: World, hospital: int, lot: int, have: int) -> None:
        book = self.books[lot]
        for kind in self.rng.sample(["return_to_us", "destroy", "field_correction", "release"], 2):
            part = self.rng.randint(0, have)
            if not part:
                continue
            have -= part
            back = kind == "return_to_us"
            move = world.moved("return", lot, part, hospital, self.depot, T0 + 2 * HOUR) if back else None
            world.disposed(kind, lot, part, place=hospital, movement=move)
            names = {"destroy": "destroyed_in_place", "field_correction": "corrected", "release": "released"}
            book[names.get(kind, "returned")] += part
            book["own_stock"] += part if back else 0
        book["held_pending"] += have


@pytest.mark.parametrize("seed", range(6))
async def test_any_history_balances_against_books_kept_beside_it(
    db: SessionFactory, clean_db: PostgresForTests, seed: int
) -> None:
    history = History(seed)
    world = build(clean_db.admin_url, history.chain)
    world.scope(*history.books)
    history.answers(world)
    async with db() as session:
        found = (await mass_balance.balance(session, NUMBER)).lots
    assert [lot.lot_id for lot in found] == list(history.books)
    for lot in found:
        assert {name: int(value or 0) for name, value in asdict(lot.terms).items()} == history.books[lot.lot_id]
        assert lot.terms.residual == 0
        assert lot.terms.contradictions() == ()
