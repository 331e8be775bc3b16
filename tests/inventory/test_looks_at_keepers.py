"""What keepers report of a recall's lots: counted, held, under way, missing, or not to be read at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from adapters.inventory.base import InventoryError
from db.engine import SessionFactory
from db.repositories.keeper_turn_lock import one_at_a_time
from domain.disposition import DispositionKind as K
from domain.inventory import (
    Document,
    DocumentKind,
    Documents,
    DocumentState,
    Position,
    PositionState,
    Unread,
    UnreadDocument,
)
from tests.disposition.conftest import NOW, OTHER, D, Disposals, disposals
from tests.inventory.conftest import Yard, yard
from tests.inventory.test_holds_at_keepers import partners, places
from tests.support.keepers import Partner
from tests.support.stock_invariants import apart, violations

__all__ = ["disposals", "yard"]
pytestmark = pytest.mark.db
LATER = NOW + timedelta(hours=1)


async def held(yard: Yard) -> tuple[Partner, Partner]:
    found = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    return found


def gaps(yard: Yard, kind: str) -> list[Any]:
    return [row[0] for row in yard.rows("SELECT detail FROM scope_gap WHERE kind = %s ORDER BY id", kind)]


async def test_what_appears_at_a_keeper_is_counted_with_its_source_and_held(yard: Yard) -> None:
    wms, carrier = await held(yard)
    wms.stock[yard.lot, yard.warehouse] += 7
    carrier.stock[yard.lot, yard.carrier] += 3
    await yard.execute(now=LATER)
    assert yard.stock() == (D(107), D(0), D(107))
    ((source, counted),) = yard.rows("SELECT source, as_of FROM stock WHERE location_id = %s", yard.warehouse)
    # Dated when the keeper was asked, not when the look was due.
    assert source == "wms"
    assert LATER < counted < LATER + timedelta(minutes=1)
    assert wms.locked(yard.lot, yard.warehouse) == D(107)
    assert carrier.locked(yard.lot, yard.carrier) == D(23)
    assert yard.rows("SELECT count(*) FROM hold WHERE late") == [(2,)]
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []


async def test_units_missing_under_a_hold_are_a_gap_until_they_are_found(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 9
    await yard.execute(now=LATER)
    (gap,) = gaps(yard, "missing_under_hold")
    assert (gap["keeper"], gap["held"], gap["found"]) == ("wms", "100", "91")
    assert wms.locked(yard.lot, yard.warehouse) == D(100)
    assert violations(yard.postgres.owner_url) == []
    wms.stock[yard.lot, yard.warehouse] += 9
    await yard.execute(now=LATER + timedelta(hours=1))
    assert gaps(yard, "missing_under_hold") == []


async def test_a_keeper_that_finds_less_than_we_believed_confirms_all_there_is(yard: Yard) -> None:
    wms, _ = partners(yard)
    wms.stock[yard.lot, yard.warehouse] = D(60)
    yard.recall()
    await yard.request()
    await yard.execute(now=LATER)
    figures = await yard.execute(now=LATER + timedelta(hours=1))
    assert figures.failed == figures.requested == 0
    (gap,) = gaps(yard, "missing_under_hold")
    assert (gap["held"], gap["found"]) == ("100", "60")


async def test_a_look_that_was_taken_in_is_no_gap_when_its_lock_dies_afterwards(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await held(yard)

    @asynccontextmanager
    async def dying(sessions: SessionFactory, keeper: str) -> AsyncIterator[bool]:
        async with one_at_a_time(sessions, keeper) as alone:
            yield alone
        raise OperationalError("COMMIT", {}, ConnectionError("the connection is closed"))

    monkeypatch.setattr("activities.keeper_looks.one_at_a_time", dying)
    await yard.execute(now=LATER)
    assert gaps(yard, "stale_keeper") == []
    assert yard.rows("SELECT DISTINCT source FROM stock WHERE location_id = %s", yard.warehouse) == [("wms",)]


async def test_an_unreadable_keeper_is_a_gap_and_the_others_are_read(yard: Yard) -> None:
    wms, carrier = await held(yard)

    def down(call: str) -> None:
        raise InventoryError("maintenance")

    wms.before = down
    carrier.stock[yard.lot, yard.carrier] += 3
    await yard.execute(now=LATER)
    await yard.execute(now=LATER)
    (gap,) = gaps(yard, "stale_keeper")
    assert (gap["keeper"], gap["error"]) == ("wms", "maintenance")
    assert carrier.locked(yard.lot, yard.carrier) == D(23)
    wms.before = None
    await yard.execute(now=LATER)
    assert gaps(yard, "stale_keeper") == []
    actions = [row[0] for row in yard.rows("SELECT action FROM audit_event ORDER BY seq")]
    assert actions.count("holds.keeper_unread") == 1


def way(yard: Yard, quantity: int) -> Position:
    return Position(yard.lot, yard.clinic, "customer", PositionState.IN_TRANSIT, D(quantity), "WMS-9")


async def test_goods_under_way_by_a_keepers_report_are_stopped_where_they_left(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    yard.run("UPDATE recall SET traced_batches = 0")
    figures = await yard.execute(now=LATER)
    assert gaps(yard, "stale_keeper") == []
    assert figures.records_arrived
    stopped = yard.rows("SELECT quantity, state FROM hold WHERE document_no = 'WMS-9'")
    assert stopped == [(D(8), "confirmed")]
    assert any(each.position.document_no == "WMS-9" for each in wms.holds.values())
    # Our ledger had been told that nothing leaves: it is a violation of the hold.
    assert [gap["document_no"] for gap in gaps(yard, "shipped_under_hold")] == ["WMS-9"]
    before = yard.rows("SELECT count(*) FROM movement")
    await yard.execute(now=LATER + timedelta(hours=1))
    assert yard.rows("SELECT count(*) FROM movement") == before
    wms.transit = []
    wms.papers = [paper(yard, DocumentState.DONE)]
    await yard.execute(now=LATER + timedelta(hours=2))
    arrived = yard.rows("SELECT kind, quantity, to_location_id FROM movement WHERE source_id LIKE '%%:in'")
    assert arrived == [("receipt", D(8), yard.clinic)]
    assert violations(yard.postgres.owner_url) == []


def paper(yard: Yard, state: DocumentState, kind: DocumentKind = DocumentKind.SHIPMENT) -> Document:
    return Document("WMS-9", kind, state, yard.warehouse, yard.clinic, ())


@pytest.mark.parametrize("listed", [None, DocumentState.OPEN, DocumentState.BLOCKED])
async def test_goods_under_way_that_vanish_from_a_report_stay_held(yard: Yard, listed: DocumentState | None) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    key = next(key for key, each in wms.holds.items() if each.position.document_no == "WMS-9")
    wms.transit, wms.papers = [], [paper(yard, listed)] if listed else []
    await yard.execute(now=LATER + timedelta(hours=1))
    assert not wms.holds[key].released
    (gap,) = gaps(yard, "vanished_in_transit")
    assert (gap["document_no"], gap["quantity"], gap["keeper"]) == ("WMS-9", "8", "wms")
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER + timedelta(hours=2))
    assert gaps(yard, "vanished_in_transit") == []
    assert not wms.holds[key].released
    assert violations(yard.postgres.owner_url) == []


async def test_goods_under_way_that_were_said_to_be_done_are_held_again_when_they_reappear(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit, wms.papers = [], [paper(yard, DocumentState.DONE)]
    await yard.execute(now=LATER + timedelta(hours=1))
    await yard.execute(now=LATER + timedelta(hours=2))
    assert "WMS-9" not in {wms.holds[key].position.document_no for key in wms.standing()}
    wms.transit, wms.papers = [way(yard, 8)], []
    await yard.execute(now=LATER + timedelta(hours=3))
    assert "WMS-9" in {wms.holds[key].position.document_no for key in wms.standing()}
    assert yard.rows("SELECT count(*) FROM movement WHERE source_id LIKE '%%:in'") == [(0,)]
    assert violations(yard.postgres.owner_url) == []


@pytest.mark.parametrize("number", ["WMS-9", None])
async def test_goods_whose_document_cannot_be_read_have_not_arrived(yard: Yard, number: str | None) -> None:
    wms, _ = await held(yard)
    wms.transit = [replace(way(yard, 8), location_id=yard.warehouse, custody="own")]
    await yard.execute(now=LATER)
    wms.transit, wms.papers = [], Documents([], [UnreadDocument(number, "document WMS-9: state: not one of ours")])
    await yard.execute(now=LATER + timedelta(hours=1))
    (gap,) = gaps(yard, "vanished_in_transit")
    assert gap["document_no"] == "WMS-9"
    wms.papers = []
    await yard.execute(now=LATER + timedelta(hours=2))
    assert gaps(yard, "vanished_in_transit") == []


async def test_what_could_not_be_read_of_a_report_is_not_nothing(yard: Yard) -> None:
    wms, _ = partners(yard)
    wms.stock = {(yard.lot, yard.carrier): D(1)}
    wms.unread = [Unread(yard.lot, yard.warehouse, "no package 'PAL' of the product")]
    yard.recall()
    await yard.request()
    await yard.execute(now=LATER)
    assert yard.stock()[0] == D(100)
    assert sum(h[0] for at, h in yard.holds().items() if at[1] == yard.warehouse) == D(100)
    (gap,) = gaps(yard, "stale_keeper")
    assert "PAL" in gap["error"]
    # More than we believed counts all the same, and is held.
    wms.stock = {(yard.lot, yard.warehouse): D(130)}
    await yard.execute(now=LATER + timedelta(hours=1))
    assert yard.stock()[2] == D(130)
    wms.stock, wms.unread = {(yard.lot, yard.warehouse): D(90)}, []
    await yard.execute(now=LATER + timedelta(hours=2))
    assert (yard.stock()[0], gaps(yard, "stale_keeper")) == (D(90), [])


async def test_a_shipment_does_not_arrive_by_a_report_that_could_not_be_read(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit, wms.papers = [], [paper(yard, DocumentState.DONE)]
    wms.unread = [Unread(yard.lot, None, "state: not one of ours")]
    await yard.execute(now=LATER + timedelta(hours=1))
    assert yard.rows("SELECT count(*) FROM movement WHERE source_id LIKE '%%:in'") == [(0,)]
    assert "WMS-9" in {wms.holds[key].position.document_no for key in wms.standing()}


async def test_a_stopped_shipment_never_arrived(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit = []
    wms.stock[yard.lot, yard.warehouse] += 8
    wms.papers = [paper(yard, DocumentState.CANCELLED)]
    await yard.execute(now=LATER + timedelta(hours=1))
    assert yard.rows("SELECT count(*) FROM movement WHERE document_no = 'WMS-9'") == [(0,)]
    assert yard.stock()[0] == wms.locked(yard.lot, yard.warehouse) == D(100)
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []


async def test_another_document_of_a_shipments_number_undoes_nothing(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit = []
    for hour, (kind, state) in enumerate(
        [
            (DocumentKind.ORDER, DocumentState.OPEN),
            (DocumentKind.ORDER, DocumentState.CANCELLED),
            (DocumentKind.PICK, DocumentState.DONE),
            (DocumentKind.RECEIPT, DocumentState.CANCELLED),
        ]
    ):
        wms.papers = [paper(yard, state, kind)]
        await yard.execute(now=LATER + timedelta(hours=hour + 1))
    assert yard.rows("SELECT kind, quantity FROM movement WHERE document_no = 'WMS-9'") == [("shipment", D(8))]
    wms.papers.append(paper(yard, DocumentState.DONE))
    await yard.execute(now=LATER + timedelta(hours=9))
    wms.papers = [paper(yard, DocumentState.OPEN, DocumentKind.ORDER)]
    await yard.execute(now=LATER + timedelta(hours=10))
    kinds = yard.rows("SELECT kind FROM movement WHERE document_no = 'WMS-9' ORDER BY kind")
    assert kinds == [("receipt",), ("shipment",)]


async def test_a_shipment_cancelled_after_it_arrived_is_a_return(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit, wms.papers = [], [paper(yard, DocumentState.DONE)]
    await yard.execute(now=LATER + timedelta(hours=1))
    wms.papers = [paper(yard, DocumentState.CANCELLED)]
    wms.stock[yard.lot, yard.warehouse] += 8
    (batches,) = yard.rows("SELECT count(*) FROM import_batch")
    for hour in (2, 3):
        await yard.execute(now=LATER + timedelta(hours=hour))
    told = "SELECT kind, quantity, from_location_id FROM movement WHERE document_no = 'WMS-9' ORDER BY kind"
    assert yard.rows(told) == [
        ("receipt", D(8), None),
        ("return", D(8), yard.clinic),
        ("shipment", D(8), yard.warehouse),
    ]
    assert yard.rows("SELECT count(*) FROM import_batch") == [(batches[0] + 1,)]
    ((facts,),) = yard.rows("SELECT data FROM audit_event WHERE action = 'holds.shipments_cancelled'")
    assert (facts["shipments"][0]["document_no"], D(facts["shipments"][0]["arrived"])) == ("WMS-9", D(8))
    assert yard.stock()[0] == wms.locked(yard.lot, yard.warehouse) == D(100)
    wms.papers = [paper(yard, DocumentState.DONE)]
    wms.stock[yard.lot, yard.warehouse] -= 8
    await yard.execute(now=LATER + timedelta(hours=4))
    assert [kind for kind, _, _ in yard.rows(told)] == ["receipt", "shipment"]
    assert violations(yard.postgres.owner_url) == []


async def test_the_firms_own_record_of_a_shipment_takes_the_place_of_the_keepers(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    yard.move("shipment", 8, yard.warehouse, yard.clinic, day=100, document="WMS-9")
    await yard.execute(now=LATER + timedelta(hours=1))
    told = yard.rows("SELECT source_system, quantity FROM movement WHERE document_no = 'WMS-9'")
    assert told == [("test", D(8))]
    assert yard.rows("SELECT sum(quantity) FROM hold WHERE document_no = 'WMS-9'") == [(D(8),)]


@pytest.mark.parametrize(("first", "units", "left"), [("import", 8, 0), ("keeper", 8, 0), ("keeper", 5, 3)])
async def test_a_receipt_told_by_an_import_and_by_the_keeper_counts_once(
    yard: Yard, first: str, units: int, left: int
) -> None:
    wms, _ = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, 8)]
    await yard.execute(now=LATER)
    wms.transit, wms.papers = [], [paper(yard, DocumentState.DONE)]
    if first == "keeper":
        await yard.execute(now=LATER + timedelta(hours=1))
        assert received(yard) == {"keeper:wms": D(8)}
    yard.move("receipt", units, yard.warehouse, yard.clinic, day=100, document="WMS-9")
    for hour in (2, 3):
        await yard.execute(now=LATER + timedelta(hours=hour))
        assert received(yard) == {"test": D(units)} | ({"keeper:wms": D(left)} if left else {})
    assert violations(yard.postgres.owner_url) == []


@pytest.mark.parametrize("keeper_first", [True, False])
async def test_what_is_still_under_way_is_not_let_go_for_a_part_that_two_tell_of(
    yard: Yard, keeper_first: bool
) -> None:
    wms, carrier = await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 10
    carrier.transit = [replace(way(yard, 10), location_id=yard.carrier)]
    await yard.execute(now=LATER)
    carrier.transit = [replace(way(yard, 4), location_id=yard.carrier)]
    carrier.stock[yard.lot, yard.carrier] += 6
    if keeper_first:
        await yard.execute(now=LATER + timedelta(hours=1))
    yard.move("receipt", 6, None, yard.carrier, day=100, document="WMS-9")
    for hour in (2, 3):
        await yard.execute(now=LATER + timedelta(hours=hour))
        assert received(yard) == {"test": D(6)}
        assert yard.rows("SELECT quantity FROM hold WHERE document_no = 'WMS-9' AND quantity > 0") == [(D(4),)]


def received(yard: Yard) -> dict[str, Decimal]:
    told = "SELECT source_system, quantity FROM movement WHERE document_no = 'WMS-9' AND kind = 'receipt'"
    return dict(yard.rows(told))


async def test_what_is_being_disposed_of_does_not_come_back_by_a_count(disposals: Disposals) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    await disposals.carry_out(await disposals.approved(K.destroy, 30), 12)

    def refuse(call: str) -> None:
        if call.startswith("dispose"):
            raise InventoryError("paper missing")

    wms.before = refuse
    for hour in (2, 3):
        await yard.execute(now=NOW + timedelta(hours=hour))
        assert yard.stock()[0] == yard.stock()[2] == D(88)
    wms.before = None
    for hour in (4, 5):
        await yard.execute(now=NOW + timedelta(hours=hour))
        assert yard.stock()[0] == wms.stock[yard.lot, yard.warehouse] == D(88)
    assert gaps(yard, "missing_under_hold") == []
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []


async def test_what_one_recall_disposes_of_does_not_come_back_by_the_look_of_another(disposals: Disposals) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    await disposals.carry_out(await disposals.approved(K.destroy, 30), 12)
    yard.recall(OTHER)
    await yard.request(OTHER)
    for hour in (2, 3):
        await yard.execute(OTHER, now=NOW + timedelta(hours=hour))
        assert yard.stock()[0] == yard.stock()[2] == wms.stock[yard.lot, yard.warehouse] == D(88)
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []
