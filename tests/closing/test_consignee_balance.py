"""The balance by consignee against books that follow every unit: rows are right and add up to the lots."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from db.engine import SessionFactory
from db.repositories import consignee_balance, mass_balance
from db.repositories.consignee_balance import After, ConsigneeBalance
from domain.mass_balance import MARKET_TERMS
from tests.closing.world import HOUR, NUMBER, T0, World, build
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
COLUMNS = ("received", "taken_over", "passed_on", *MARKET_TERMS)
OTHER = "RC-2026-000002"


@dataclass
class Books:
    """Units by hospital, lot and what became of them; kept by hand, knowing nothing of the record."""

    rows: dict[tuple[int, int], dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    left: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    """What a hospital really has."""

    def add(self, place: int, lot: int, what: str, units: int, sign: int) -> None:
        self.rows[place, lot][what] += units
        self.left[place, lot] += sign * units


class Market:
    """Lots merged, reworked and counted in boxes at our side, then a random life at hospitals that pass things on."""

    def __init__(self, seed: int) -> None:
        self.rng, self.chain, self.books = random.Random(seed), Chain(), Books()  # noqa: S311 - repeatable
        chain = self.chain
        self.plant, self.depot = chain.place("own", "manufacturer"), chain.place("logistics", "warehouse")
        self.maker = chain.place("customer", "supplier")
        self.hospitals = [chain.place() for _ in range(4)]
        product = chain.product()
        inputs = [chain.lot(product, site=self.plant, made=Decimal(900)) for _ in range(2)]
        merged = chain.lot(product, site=self.plant, made=Decimal(600))
        reworked = chain.lot(product, site=self.plant, made=Decimal(80))
        for each in inputs:  # merged from both, a rest of each goes out as it is
            chain.step(each, merged, 300)
        chain.step(merged, reworked, 80)
        chain.step(reworked, inputs[0], 5)  # and a loop: some of it went back into the first
        self.lots = [*inputs, merged, reworked]
        for lot in self.lots:
            chain.move("shipment", lot, 70, self.plant, self.depot, document=f"T{lot}")
            chain.move("receipt", lot, 70, self.plant, self.depot, document=f"T{lot}")
            self._ship(lot)

    def _ship(self, lot: int) -> None:
        stock = 70
        for place in self.hospitals:
            boxes = self.rng.randint(0, min(2, stock // 10))  # boxes of ten units, counted in units
            if not boxes:
                continue
            stock -= 10 * boxes
            document = f"D{lot}-{place}"
            self.chain.move("shipment", lot, 10 * boxes, self.depot, place, document=document)
            if self.rng.random() < 0.5:
                self.chain.move("receipt", lot, 10 * boxes, self.depot, place, document=document)
            self.books.add(place, lot, "received", 10 * boxes, 1)
        for source, target in self.rng.sample([(a, b) for a in self.hospitals for b in self.hospitals if a != b], 3):
            if units := self.rng.randint(0, self.books.left[source, lot]):
                self.chain.move("shipment", lot, units, source, target, delivered=True)
                self.books.add(source, lot, "passed_on", units, -1)
                self.books.add(target, lot, "taken_over", units, 1)

    def live(self, world: World) -> None:
        """What hospitals say and send back, before and after."""
        for place in self.hospitals:
            world.consignee(place)
            early = self.rng.random() < 0.5
            if early:
                self._gone(world, place, T0 - HOUR)
            said: dict[int, dict[str, float]] = {}
            for lot in self.lots:
                if (place, lot) not in self.books.rows or self.rng.random() < 0.2:
                    continue
                have = self.rng.randint(0, max(self.books.left[place, lot], 0))
                used = self.rng.randint(0, self.books.left[place, lot] - have)
                said[lot] = {"used": used, "on_hand": have, "held": self.rng.randint(0, have)}
            if said:
                world.statement(place, said)
            for lot, line in said.items():
                self.books.add(place, lot, "used", int(line["used"]), -1)
                self._after(world, place, lot, int(line["on_hand"]))

    def _gone(self, world: World, place: int, at: object) -> None:
        for lot in self.lots:
            if units := self.rng.randint(0, max(self.books.left[place, lot], 0)):
                to_maker = self.rng.random() < 0.3
                world.moved("return", lot, units, place, self.maker if to_maker else self.depot, at)  # type: ignore[arg-type]
                self.books.add(place, lot, "returned_to_maker" if to_maker else "returned", units, -1)

    def _after(self, world: World, place: int, lot: int, have: int) -> None:
        for kind, term in (("destroy", "destroyed_in_place"), ("return_to_us", "returned"), ("replace", "replaced")):
            if not (units := self.rng.randint(0, have)):
                continue
            have -= units
            back = kind == "return_to_us"
            move = world.moved("return", lot, units, place, self.depot, T0 + 2 * HOUR) if back else None
            world.disposed(kind, lot, units, place=place, movement=move)
            self.books.add(place, lot, term, units, -1)
        if have:
            self.books.add(place, lot, "held_pending", have, -1)


def _shown(row: ConsigneeBalance) -> dict[str, int]:
    own = {name: int(getattr(row, name)) for name in ("received", "taken_over", "passed_on")}
    return own | {name: int(getattr(row.terms, name)) for name in MARKET_TERMS}


@pytest.mark.parametrize("seed", range(8))
async def test_rows_are_what_happened_and_add_up_to_the_lots(
    db: SessionFactory, clean_db: PostgresForTests, seed: int
) -> None:
    market = Market(seed)
    world = build(clean_db.admin_url, market.chain)
    world.scope(*market.lots)
    market.live(world)
    async with db() as session:
        found = await consignee_balance.rows(session, NUMBER)
        lots = (await mass_balance.balance(session, NUMBER)).lots
        paged = await _by_pages(session, market.rng.randint(1, 4))
    expected = {
        key: {name: row.get(name, 0) for name in COLUMNS} for key, row in market.books.rows.items() if any(row.values())
    }
    assert {(row.partner_id, row.lot_id): _shown(row) for row in found if any(_shown(row).values())} == expected
    for row in found:
        assert row.terms.unaccounted == market.books.left[row.partner_id, row.lot_id]
    for lot in lots:
        mine = [row.terms for row in found if row.lot_id == lot.lot_id]
        for name in ("distributed", *MARKET_TERMS):
            assert sum(getattr(terms, name) for terms in mine) == getattr(lot.terms, name), name
        assert sum(terms.unaccounted for terms in mine) == lot.terms.unaccounted
    assert paged == found
    rests = [abs(row.terms.unaccounted) for row in found]
    assert rests == sorted(rests, reverse=True)


async def _by_pages(session: object, size: int) -> list[ConsigneeBalance]:
    found: list[ConsigneeBalance] = []
    after: After | None = None
    while page := await consignee_balance.rows(session, NUMBER, after=after, limit=size):  # type: ignore[arg-type]
        found += page
        last = page[-1]
        after = After(last.terms.unaccounted, last.partner_id, last.lot_id)
    return found


async def test_each_recall_counts_its_own_answers_over_the_same_shipments(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    plant, hospital = chain.place("own", "manufacturer"), chain.place()
    lot = chain.lot(chain.product(), site=plant, made=Decimal(100))
    chain.move("shipment", lot, 30, plant, hospital, delivered=True)
    world = build(clean_db.admin_url, chain)
    world.scope(lot)
    world.consignee(hospital)
    world.statement(hospital, {lot: {"used": 10, "on_hand": 20}})
    world.run(
        "INSERT INTO recall SELECT (r).* FROM (SELECT jsonb_populate_record("
        "r, jsonb_build_object('number', CAST(%s AS text))) AS r FROM recall r) s",
        OTHER,
    )
    world.run("INSERT INTO scope_lot SELECT %s, scope_version, lot_id, root, depth FROM scope_lot", OTHER)
    world.add("consignee", recall_number=OTHER, partner_id=hospital, tier=1, state="open", step=1, added_at=T0)
    async with db() as session:
        (first,) = await consignee_balance.rows(session, NUMBER)
        (second,) = await consignee_balance.rows(session, OTHER)
    assert [first.terms.used, first.terms.held_pending, first.terms.unaccounted] == [10, 20, 0]
    assert [second.terms.used, second.terms.held_pending, second.terms.unaccounted] == [0, 0, 30]
    assert first.received == second.received == 30


async def test_passing_on_by_words_alone_is_taken_from_one_and_given_to_the_other(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    plant, dealer, clinic = chain.place("own", "manufacturer"), chain.place("customer", "distributor"), chain.place()
    lot = chain.lot(chain.product(), site=plant, made=Decimal(100))
    chain.move("shipment", lot, 30, plant, dealer, delivered=True)
    chain.move("shipment", lot, 4, plant, None)
    world = build(clean_db.admin_url, chain)
    world.scope(lot)
    world.consignee(dealer)
    world.consignee(clinic, tier=2)
    reply = world.statement(dealer, {lot: {"on_hand": 18, "passed_on": 12}})
    world.add("passed_on", reply_id=reply, lot_id=lot, consignee_id=world.consignees[clinic], quantity=12)
    world.received(clinic, lot, 12, stated=True)
    world.statement(clinic, {lot: {"used": 7, "on_hand": 5}})
    async with db() as session:
        found = {row.partner_id: row for row in await consignee_balance.rows(session, NUMBER)}
    assert [found[dealer].terms.distributed, found[dealer].terms.unaccounted] == [18, 0]
    assert [found[clinic].terms.distributed, found[clinic].terms.unaccounted] == [12, 0]
    assert [found[0].terms.distributed, found[0].consignee_id, found[0].code] == [4, None, ""]
