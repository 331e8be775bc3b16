"""Single cases of the trace whose answer can be read off the page."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from db.engine import SessionFactory
from db.repositories import trace
from domain.scope import Window
from tests.support.chain import Chain, day
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


async def forward(db: SessionFactory, *lots: int, stale_after: timedelta = trace.STALE_AFTER) -> trace.TraceResult:
    async with db() as session:
        return await trace.trace_forward(session, lots, stale_after=stale_after)


def units(*numbers: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(number) for number in numbers)


async def test_a_rework_loop_ends_and_keeps_the_shortest_path(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    product = chain.product()
    a, b, c, d = (chain.lot(product) for _ in range(4))
    for tail, head in ((a, b), (b, c), (c, b), (c, a), (a, d), (d, c), (c, c)):
        chain.step(tail, head)
    chain.write(clean_db.owner_url)
    result = await forward(db, a)
    assert {lot.lot_id: lot.depth for lot in result.lots} == {a: 0, b: 1, d: 1, c: 2}
    assert result.path(c) == (a, b, c)
    with pytest.raises(KeyError):
        result.path(-1)


async def test_a_chain_of_two_thousand_steps_is_followed_to_its_end(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    product = chain.product()
    lots = [chain.lot(product) for _ in range(2001)]
    for tail, head in pairwise(lots):
        chain.step(tail, head)
    chain.write(clean_db.owner_url)
    result = await forward(db, lots[0])
    assert [lot.lot_id for lot in result.lots] == lots
    assert result.path(lots[-1]) == tuple(lots)


async def test_backward_finds_the_common_supplier_lot(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    product = chain.product()
    resin, box, left, right = (chain.lot(product) for _ in range(4))
    for tail, head in ((resin, left), (box, left), (resin, right)):
        chain.step(tail, head)
    chain.write(clean_db.owner_url)
    async with db() as session:
        result = await trace.trace_backward(session, [left, right])
    assert {lot.lot_id: lot.depth for lot in result.lots} == {left: 0, right: 0, resin: 1, box: 1}


async def test_goods_shipped_and_not_received_are_in_transit(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    lot = chain.lot(chain.product())
    chain.move("shipment", lot, 100, plant, clinic, document="D1")
    chain.move("receipt", lot, 60, plant, clinic, document="D1")
    chain.move("shipment", lot, 5, plant, clinic, document="D2")
    chain.write(clean_db.owner_url)
    (site,) = [s for s in (await forward(db, lot)).sites if s.location_id == clinic]
    assert (site.shipped_to, site.received, site.in_transit, site.on_hand) == units(105, 60, 45, 60)


async def test_a_receipt_that_repeats_a_delivered_shipment_counts_once(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    lot = chain.lot(chain.product())
    chain.move("shipment", lot, 100, plant, clinic, document="D1", delivered=True)
    chain.move("receipt", lot, 100, plant, clinic, document="D1")
    chain.write(clean_db.owner_url)
    result = await forward(db, lot)
    (site,) = [s for s in result.sites if s.location_id == clinic]
    assert (site.shipped_to, site.received, site.in_transit) == units(100, 100, 0)
    assert result.gaps == ()


async def test_movements_after_a_count_are_added_to_it(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    lot = chain.lot(chain.product())
    chain.move("receipt", lot, 100, None, plant, day=1)
    chain.move("shipment", lot, 30, plant, clinic, day=5, delivered=True)
    chain.move("receipt", lot, 7, None, plant, day=9)
    chain.count(lot, plant, 70, at=6)
    chain.write(clean_db.owner_url)
    result = await forward(db, lot)
    (site,) = [s for s in result.sites if s.location_id == plant]
    assert site.on_hand == 77
    assert result.gaps == ()


async def test_a_receipt_without_a_lot_is_reported_as_a_gap(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    product, other = chain.product(), chain.product()
    lot = chain.lot(product)
    chain.move("shipment", lot, 10, plant, clinic, day=10, delivered=True)
    chain.move("shipment", lot, 10, plant, clinic, day=20, delivered=True)
    chain.move("receipt", None, 4, None, clinic, day=15, product=product, document="R4")
    chain.move("receipt", None, 4, None, clinic, day=15, product=other)
    chain.move("receipt", None, 4, None, clinic, day=9, product=product)
    chain.move("receipt", None, 3, None, clinic, day=49, product=product)
    chain.move("receipt", None, 4, None, clinic, day=51, product=product)
    chain.write(clean_db.owner_url)
    found = [gap.detail for gap in (await forward(db, lot)).gaps if gap.kind == "no_lot_receipt"]
    assert sorted((g["document_no"] or "", g["quantity"], g["site"]) for g in found) == [
        ("", "3", f"L{clinic}"),
        ("R4", "4", f"L{clinic}"),
    ]


async def test_a_site_silent_for_longer_than_asked_is_stale(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, old, new = chain.place("own", "warehouse"), chain.place(), chain.place()
    lot = chain.lot(chain.product())
    chain.move("shipment", lot, 10, plant, old, day=1, delivered=True)
    chain.move("shipment", lot, 10, plant, new, day=40, delivered=True)
    chain.write(clean_db.owner_url)
    gaps = (await forward(db, lot, stale_after=timedelta(days=30))).gaps
    assert [(g.kind, g.detail["site"], g.detail["on_hand"]) for g in gaps] == [("stale_site", f"L{old}", "10")]
    assert (await forward(db, lot, stale_after=timedelta(days=40))).gaps == ()


async def test_quantities_that_do_not_balance_are_named(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "manufacturer"), chain.place()
    product = chain.product()
    lot, built = chain.lot(product, site=plant, made=Decimal(100)), chain.lot(product)
    chain.step(lot, built, 120)
    chain.move("shipment", lot, 60, plant, clinic, delivered=True)
    chain.count(lot, clinic, 50)
    chain.write(clean_db.owner_url)
    gaps = (await forward(db, lot)).gaps
    found = {(g.detail["check"], g.detail["difference"]) for g in gaps if g.kind == "unbalanced"}
    assert found == {("count_differs", "-10"), ("produced_differs", "-80"), ("used_more_than_made", "-20")}


async def test_a_receipt_nobody_shipped_is_a_broken_link_and_still_a_delivery(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    chain = Chain()
    distributor, clinic = chain.place("customer", "distributor"), chain.place()
    lot = chain.lot(chain.product())
    chain.move("receipt", lot, 8, distributor, clinic, document="X1")
    chain.move("shipment", lot, 3, distributor, None, document="X2")
    chain.write(clean_db.owner_url)
    result = await forward(db, lot)
    links = {(g.detail["link"], g.detail["quantity"]) for g in result.gaps if g.kind == "broken_link"}
    assert links == {("receipt_without_shipment", "8"), ("shipment_to_unknown", "3")}
    at = {s.location_id: s for s in result.sites}
    assert (at[clinic].received, at[distributor].shipped_out) == units(8, 11)


async def test_inside_a_window_only_its_movements_count(db: SessionFactory, clean_db: PostgresForTests) -> None:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    lot = chain.lot(chain.product())
    for at, quantity in ((1, 10), (5, 20), (9, 40)):
        chain.move("shipment", lot, quantity, plant, clinic, day=at, delivered=True)
    chain.write(clean_db.owner_url)
    async with db() as session:
        result = await trace.trace_forward(session, [lot], window=Window(start=day(5), end=day(9)))
    (site,) = [s for s in result.sites if s.location_id == clinic]
    assert site.shipped_to == 20
    assert site.on_hand is None


async def test_a_trace_of_nothing_is_empty(db: SessionFactory) -> None:
    result = await forward(db)
    assert (result.lots, result.sites, result.gaps) == ((), (), ())
