"""Unit-hours of exposure: a case worked by hand, and random histories against buckets that follow every unit."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.engine import SessionFactory
from db.repositories import exposure
from domain.exposure import Step, area
from tests.closing.world import HOUR, NUMBER, T0, World, build
from tests.support.chain import START, Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
AWARE = T0 - HOUR
END = T0 + 48 * HOUR


def _day(at: datetime) -> float:
    return (at - START) / timedelta(days=1)


async def test_a_case_worked_by_hand(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    depot, hospital, dealer = (
        chain.place("logistics", "warehouse"),
        chain.place(),
        chain.place("customer", "distributor"),
    )
    lot = chain.lot(chain.product(), site=depot, made=Decimal(200))
    chain.move("shipment", lot, 30, depot, hospital, delivered=True, day=_day(AWARE - 9 * HOUR))
    chain.move("shipment", lot, 8, depot, dealer, delivered=True, day=_day(T0 + HOUR))
    world = build(clean_db.admin_url, chain, pace=24)
    world.scope(lot)
    world.consignee(hospital)
    world.consignee(dealer, state="open")
    world.hold(lot, depot, 50, requested_at=T0, confirmed_at=T0 + 2 * HOUR)
    world.hold(lot, depot, 7, "requested", position="reserved", requested_at=T0)
    world.statement(hospital, {lot: {"used": 10, "on_hand": 15, "held": 12, "returned": 5}}, at=T0 + 4 * HOUR)
    world.moved("return", lot, 5, hospital, depot, T0 + 10 * HOUR)
    world.moved("return", lot, 3, hospital, depot, T0 + 20 * HOUR)
    async with db() as session:
        found = await exposure.exposure(session, NUMBER, END)
        assert found is not None
        rows = await exposure.sites(session, NUMBER, found.window)
        thinned = await exposure.exposure(session, NUMBER, END, points=3)
    (of_lot,) = found.lots
    by_site = {(row.side, row.place_id): row.unit_hours for row in rows}
    # 30 for 5 h; then 10 used, 12 set aside, 5 in the mail by its words: 8 at risk until the mail is counted; then 3.
    # Three of those set aside come back: what is at risk stays 3.
    assert by_site["consignee", hospital] == 30 * 5 + 8 * 6 + 3 * 38
    # 8 left our depot at T0 + 1 h: two hours there, the rest at the dealer, who says nothing.
    assert by_site["consignee", dealer] == 8 * 47
    assert by_site["own", depot] == 50 * 3 + 7 * 49 + 8 * 2
    assert of_lot.unit_hours == found.unit_hours == sum(by_site.values())
    assert [of_lot.at_risk, of_lot.used] == [3 + 8 + 7, 10]
    assert area(found.curve, END) == found.unit_hours
    assert thinned is not None
    assert (thinned.unit_hours, thinned.curve[-1].at_risk) == (found.unit_hours, found.curve[-1].at_risk)
    assert len(thinned.curve) <= 4 < len(found.curve)
    assert not found.window.final
    span = found.window.clock.to_policy(END) - found.window.clock.to_policy(AWARE)
    assert span == 24 * (END - AWARE)


async def test_it_is_final_when_the_recall_is_complete_and_live_again_when_it_is_reopened(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    depot, hospital = chain.place("own", "manufacturer"), chain.place()
    lot = chain.lot(chain.product(), site=depot, made=Decimal(200))
    chain.move("shipment", lot, 10, depot, hospital, delivered=True, day=1)
    world = build(clean_db.admin_url, chain)
    world.scope(lot)
    world.consignee(hospital)
    world.add("clock_start", recall_number=NUMBER, name="completion", at=T0 + 9 * HOUR, source="s", author="a",
              recorded_at=T0)  # fmt: skip
    hours = []
    for phase in ("resolution", "completed", "terminated", "resolution", "cancelled"):
        world.run("UPDATE recall SET phase = %s, phase_since = %s", phase, T0 + 19 * HOUR)
        async with db() as session:
            found = await exposure.exposure(session, NUMBER, END)
            assert found is not None
            hours.append((int(found.unit_hours), found.window.final))
    assert hours == [(490, False), (100, True), (100, True), (490, False), (200, True)]
    async with db() as session:
        assert await exposure.exposure(session, "RC-2026-999999", END) is None


@dataclass
class Shelf:
    """One hospital's units of one lot, in buckets; knows nothing of the record."""

    free: int = 0
    aside: int = 0
    announced: int = 0
    """In the mail by its words; at risk until they are counted."""
    used: int = 0
    gone: int = 0

    def says(self, used: int, aside: int, gone: int) -> None:
        here = self.free + self.aside + self.announced + self.used
        self.used, self.aside = used, aside
        self.announced = max(gone - self.gone, 0)
        self.free = here - self.used - self.aside - self.announced

    def leave(self, units: int) -> None:
        """Out of the mail first, then from what was set aside, then from the shelf."""
        self.gone += units
        for bucket in ("announced", "aside", "free"):
            taken = min(units, getattr(self, bucket))
            setattr(self, bucket, getattr(self, bucket) - taken)
            units -= taken

    @property
    def at_risk(self) -> int:
        return self.free + self.announced


class Days:
    """A random two days at a few hospitals, an event an hour."""

    def __init__(self, seed: int) -> None:
        self.rng, self.chain = random.Random(seed), Chain()  # noqa: S311 - repeatable
        self.depot = self.chain.place("logistics", "warehouse")
        self.hospitals = [self.chain.place() for _ in range(3)]
        self.lots = [self.chain.lot(self.chain.product(), site=self.depot, made=Decimal(900)) for _ in range(2)]
        self.shelves: dict[tuple[int, int], Shelf] = defaultdict(Shelf)
        for place in self.hospitals:
            for lot in self.lots:
                units = self.rng.randint(1, 40)
                self.chain.move("shipment", lot, units, self.depot, place, delivered=True, day=_day(AWARE - 5 * HOUR))
                self.shelves[place, lot].free = units

    def live(self, world: World) -> Decimal:
        """Events hour by hour; returns the area by adding up every hour."""
        total = Decimal(0)
        for place in self.hospitals:
            world.consignee(place)
        at = AWARE
        while at < END:
            if at > T0:
                self._event(world, at)
            total += sum(shelf.at_risk for shelf in self.shelves.values())
            at += HOUR
        return total

    def _event(self, world: World, at: datetime) -> None:
        place, lot = self.rng.choice(self.hospitals), self.rng.choice(self.lots)
        shelf = self.shelves[place, lot]
        free = shelf.free + shelf.aside + shelf.announced
        kind = self.rng.choice(["says", "return", "destroy", "correct", "pass", "nothing"])
        units = self.rng.randint(0, free)
        if kind == "says":
            lines: dict[int, dict[str, float]] = {}
            for each in self.lots:  # a statement speaks of every lot
                lines[each] = self._says(self.shelves[place, each])
            world.statement(place, lines, at=at)
        elif units and kind == "return":
            world.moved("return", lot, units, place, self.depot, at)
            shelf.leave(units)
        elif units and kind == "destroy":
            world.moved("destruction", lot, units, place, None, at)
            shelf.leave(units)
        elif units and kind == "correct":
            world.disposed("field_correction", lot, units, place=place, at=at)
            shelf.leave(units)
        elif kind == "pass" and shelf.free:
            units = self.rng.randint(1, shelf.free)
            target = self.rng.choice([each for each in self.hospitals if each != place])
            world.moved("shipment", lot, units, place, target, at, delivered=True)
            shelf.free -= units
            self.shelves[target, lot].free += units

    def _says(self, shelf: Shelf) -> dict[str, float]:
        here = shelf.free + shelf.aside + shelf.announced + shelf.used
        used = self.rng.randint(shelf.used, here)
        mail = self.rng.randint(0, here - used)
        on_hand = here - used - mail
        aside = self.rng.randint(0, on_hand)
        gone = shelf.gone + mail
        shelf.says(used, aside, gone)
        return {"used": used, "on_hand": on_hand, "held": aside, "returned": gone}


@pytest.mark.parametrize("seed", range(8))
async def test_random_days_have_the_area_that_counting_hour_by_hour_gives(
    db: SessionFactory, clean_db: PostgresForTests, seed: int
) -> None:
    days = Days(seed)
    world = build(clean_db.admin_url, days.chain)
    world.scope(*days.lots)
    expected = days.live(world)
    async with db() as session:
        found = await exposure.exposure(session, NUMBER, END)
        assert found is not None
        rows = await exposure.sites(session, NUMBER, found.window)
        paged, after = [], None
        while page := await exposure.sites(session, NUMBER, found.window, after=after, limit=2):
            paged += page
            after = (page[-1].unit_seconds, page[-1].side, page[-1].place_id, page[-1].lot_id)
        places = await exposure.by_place(session, NUMBER, found.window)
    assert found.unit_hours == expected == sum(row.unit_hours for row in rows)
    assert area(found.curve, END) == expected
    assert {(row.place_id, row.lot_id): [row.at_risk, row.used] for row in rows} == {
        key: [shelf.at_risk, shelf.used] for key, shelf in days.shelves.items()
    }
    assert paged == rows
    summed: dict[tuple[str, int], list[Decimal]] = {}
    for row in rows:
        before = summed.get((row.side, row.place_id), [Decimal(0)] * 3)
        figures = (row.unit_hours, row.at_risk, row.used)
        summed[row.side, row.place_id] = [a + b for a, b in zip(before, figures, strict=True)]
    assert {(each.side, each.place_id): [each.unit_hours, each.at_risk, each.used] for each in places} == summed
    assert [each.unit_hours for each in places] == sorted((each.unit_hours for each in places), reverse=True)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 500)), max_size=20), st.integers(0, 10_000))
def test_an_area_is_the_sum_of_its_hours(points: list[tuple[int, int]], until: int) -> None:
    steps = [Step(T0 + at * HOUR, Decimal(units)) for at, units in sorted(dict(points).items())]
    whole = area(steps, T0 + until * HOUR)
    by_hour = sum(
        next((step.at_risk for step in reversed(steps) if step.at <= T0 + hour * HOUR), Decimal(0))
        for hour in range(0, until, max(until // 50, 1))
    ) if until <= 50 else whole  # fmt: skip
    assert whole == by_hour


def test_steps_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        area([Step(T0 + HOUR, Decimal(1)), Step(T0, Decimal(2))], END)
