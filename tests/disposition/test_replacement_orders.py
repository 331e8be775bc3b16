"""Replacements ordered where the stock is kept: once per key whatever fails, never of a suspect lot."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.testing import ActivityEnvironment

from activities.replacement_orders import ReplacementOrders
from adapters.inventory import http_client
from adapters.inventory.base import NotShipped
from adapters.inventory.factory import build_keepers, builders
from adapters.inventory.routing import LedgerOnly, RoutedKeepers
from db.repositories import allocations, goods_documents, holds, keeper_shipments, ledger, replacement_orders
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.keepers import KeeperStore
from domain.inventory import Shipment
from models.disposition import Allocation
from models.keeper_hold import KeeperShipment
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who
from tests.disposition.test_shortages import decide, fresh, look, proposed
from tests.inventory.http.conftest import Paced, server
from tests.inventory.http.test_feeds import KEEPER
from tests.wms.server import TOKEN, Wms

__all__ = ["server"]
pytestmark = pytest.mark.db
_turns = itertools.count(1)


async def approved(disposals: Disposals) -> Allocation:
    """Six units of the unaffected lot 901 (ten lie in the warehouse) for the clinic."""
    disposals.consignee(stated=6)
    fresh(disposals, 901, 10)
    await look(disposals)
    (row,) = await proposed(disposals)
    return await decide(disposals, allocations.approve, row, who("Ada", "approver"))


async def turn(disposals: Disposals, keepers: Any) -> None:
    orders = ReplacementOrders(disposals.yard.sessions, keepers, timedelta(seconds=30))
    await ActivityEnvironment().run(orders.turn, NOW + next(_turns) * keeper_shipments.AGAIN)


def order(disposals: Disposals) -> list[tuple[Any, ...]]:
    return disposals.yard.rows("SELECT keeper, number, state, ended_at IS NOT NULL, last_error FROM keeper_shipment")


def allocation(disposals: Disposals) -> list[tuple[Any, ...]]:
    return disposals.yard.rows("SELECT state, document_no, shipped_by FROM allocation")


@dataclass
class Site:
    """The warehouse kept by a WMS, which has the ten units too."""

    disposals: Disposals
    wms: Wms
    keepers: RoutedKeepers
    lot: dict[str, str]
    row: Allocation

    async def turn(self) -> None:
        await turn(self.disposals, self.keepers)

    def orders(self) -> list[tuple[Any, ...]]:
        found = self.wms.warehouse.rows("SELECT number, state FROM document")
        return [tuple(each) for each in found]

    async def ship(self, number: str) -> Allocation:
        return await decide(self.disposals, allocations.ship, self.row, number, who("Wanda", "warehouse"))


@pytest_asyncio.fixture
async def site(disposals: Disposals, server: Wms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE", 0.005)
    server.reset()
    yard = disposals.yard
    yard.run(KEEPER, "wms", server.url)
    yard.run("INSERT INTO keeper_location VALUES (%s, 'wms', 'WH-1')", yard.warehouse)
    row = await approved(disposals)
    store = KeeperStore(yard.sessions, now=lambda: datetime.now(UTC))
    (name,) = (await store.directory("wms").lot_names([901])).values()
    lot = {"product": name.product_code, "number": name.number}
    server.warehouse.put(lot, "WH-1", 10)
    keepers = build_keepers(yard.inventory(), store, {"RECALL_KEEPER_T": TOKEN}, lambda record: Paced(), builders())
    yield Site(disposals, server, keepers, lot, row)
    await keepers.close()
    assert server.violations == []
    assert disposals.broken() == []


async def test_our_own_ledger_makes_the_order_once_and_a_person_ships_it(disposals: Disposals) -> None:
    row = await approved(disposals)
    keepers = LedgerOnly(disposals.yard.inventory())
    for _ in range(2):
        await turn(disposals, keepers)
    number = f"{NUMBER}-R{row.id}"
    assert order(disposals) == [("ledger", number, "open", False, None)]
    assert disposals.yard.rows("SELECT attempts FROM keeper_shipment") == [(1,)]
    document = (
        "SELECT d.number, d.state, d.from_location_id, d.to_location_id, l.lot_id, l.quantity FROM goods_document d"
        " JOIN goods_document_line l ON l.document_id = d.id"
    )
    made = (disposals.place, disposals.yard.clinic, 901, D(6))
    assert disposals.yard.rows(document) == [(number, "open", *made)]
    assert disposals.actions().count("allocation.ordered") == 1
    await decide(disposals, allocations.ship, row, "SHIP-1", who("Wanda", "warehouse"))
    await turn(disposals, keepers)
    assert disposals.yard.rows(document) == [(number, "done", *made)]
    assert (allocation(disposals), order(disposals)[0][2:4]) == ([("shipped", "SHIP-1", "Wanda")], ("done", True))
    assert disposals.broken() == []


async def test_our_own_ledger_orders_nothing_that_is_locked_and_takes_back_what_becomes_suspect(
    disposals: Disposals,
) -> None:
    await approved(disposals)
    ledger = disposals.yard.inventory()
    for lot, units, why in ((disposals.yard.lot, 1, "a recall claims the lot"), (901, 11, "11 units asked, 10 are")):
        with pytest.raises(NotShipped, match=why):
            await ledger.ship("k", Shipment(lot, disposals.place, disposals.yard.clinic, D(units)))
    await turn(disposals, LedgerOnly(ledger))
    disposals.yard.recall(OTHER, 901)
    await disposals.yard.request(OTHER)
    await turn(disposals, LedgerOnly(ledger))
    assert disposals.yard.rows("SELECT state FROM goods_document") == [("cancelled",)]
    assert (allocation(disposals)[0][0], order(disposals)[0][2:4]) == ("void", ("cancelled", True))


async def test_a_wms_makes_one_order_however_often_the_line_is_cut_or_we_die_before_we_wrote_it_down(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wms.faults.drop_after = http_client.MOST_TRIES
    await site.turn()
    site.wms.faults.drop_after, asked = 0, len(site.wms.asked("/shipments"))
    assert site.orders() == [("SO-1", "open")]
    keeper, number, state, over, error = order(site.disposals)[0]
    assert (keeper, number, state, over) == ("wms", None, None, False)
    assert "before an answer" in error
    with pytest.raises(DisposalRefused, match="was asked to ship it and has not answered yet"):
        await site.ship("BY-HAND")

    site.disposals.yard.recall(OTHER, 901)  # in a scope, and not claimed yet: nothing is asked for meanwhile
    await site.turn()
    assert len(site.wms.asked("/shipments")) == asked
    site.disposals.yard.run("DELETE FROM scope_lot WHERE lot_id = 901")

    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(replacement_orders, "answered", die)
        await site.turn()
    assert order(site.disposals)[0][1] is None
    for _ in range(2):
        await site.turn()
    assert order(site.disposals) == [("wms", "SO-1", "open", False, None)]
    with pytest.raises(DisposalRefused, match="has the order SO-1 for it"):
        await site.ship("BY-HAND")
    assert site.disposals.yard.rows("SELECT on_hand FROM stock WHERE lot_id = 901") == [(D(10),)]
    site.wms.warehouse.dispatch("SO-1")
    for _ in range(2):
        await site.turn()
    assert allocation(site.disposals) == [("shipped", "SO-1", "wms")]
    moved = "SELECT kind, quantity, from_location_id, to_location_id, document_no FROM movement WHERE lot_id = 901"
    yard = site.disposals.yard
    assert yard.rows(moved) == [("shipment", D(6), yard.warehouse, yard.clinic, "SO-1")]
    assert yard.rows("SELECT on_hand FROM stock WHERE lot_id = 901") == [(D(4),)]
    assert site.orders() == [("SO-1", "done")]
    assert site.disposals.actions().count("allocation.shipped") == 1


async def test_a_process_killed_while_the_wms_answers_leaves_one_order_that_the_next_one_finds(site: Site) -> None:
    site.wms.faults.until = answer = asyncio.Event()
    yard = site.disposals.yard
    yard.run("UPDATE keeper SET timeout_seconds = 100, give_up_seconds = 100")
    names = {"DATABASE_URL": yard.postgres.app_url, "RECALL_KEEPER_T": TOKEN, "PATH": os.environ["PATH"]}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.replacement_turn", env=names, cwd=Path(__file__).parents[2]
    )
    async with asyncio.timeout(100):
        while not site.orders():
            assert started.returncode is None
            await asyncio.sleep(0.02)
    started.kill()
    assert await started.wait() == -signal.SIGKILL
    answer.set()
    assert order(site.disposals) == [("wms", None, None, False, None)]
    await site.turn()
    assert order(site.disposals) == [("wms", "SO-1", "open", False, None)]
    assert site.orders() == [("SO-1", "open")]


async def test_what_a_wms_refuses_or_does_not_serve_is_shipped_by_a_person(site: Site) -> None:
    held = {"key": "RC-9:hold:1", "claimant": "RC-9", "lot": site.lot, "place": "WH-1", "state": "on_hand"}
    site.wms.warehouse.hold(held | {"quantity": {"amount": "7", "unit": "unit-of-use"}}, pending=False)
    await site.turn()
    assert site.orders() == []
    assert order(site.disposals)[0][1:4] == (None, None, True)
    assert "not so much is free" in order(site.disposals)[0][4]
    assert (await site.ship("BY-HAND")).state == "shipped"


@pytest.mark.parametrize("gone", [False, True])
async def test_a_lot_that_becomes_suspect_is_taken_back_or_known_to_have_left(site: Site, gone: bool) -> None:
    await site.turn()
    site.disposals.yard.recall(OTHER, 901)
    site.disposals.yard.run("UPDATE recall SET scope_version = 1 WHERE number = %s", OTHER)
    if gone:
        site.wms.warehouse.dispatch("SO-1")
    await site.disposals.yard.request(OTHER)
    assert allocation(site.disposals)[0][0] == "void"
    site.wms.faults.drop_after = 1
    for _ in range(2):
        await site.turn()
    assert site.orders() == [("SO-1", "done" if gone else "cancelled")]
    assert order(site.disposals)[0][2:4] == ("done" if gone else "cancelled", True)
    shipped = site.disposals.yard.rows("SELECT quantity FROM movement WHERE lot_id = 901 AND kind = 'shipment'")
    assert shipped == ([(D(6),)] if gone else [])
    assert allocation(site.disposals)[0][0] == ("shipped" if gone else "void")
    async with site.disposals.yard.sessions() as session:
        # Whoever got suspect units is a consignee that the recall has not found yet.
        assert (await holds.hold_summary(session, OTHER)).records_arrived is gone


async def test_a_recall_that_comes_while_an_answer_is_recorded_traces_what_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.turn()
    site.wms.warehouse.dispatch("SO-1")
    read = ledger.running_on

    async def just_before(session: AsyncSession, lot_id: int) -> list[ledger.Running]:
        found = await read(session, lot_id)
        monkeypatch.setattr(ledger, "running_on", read)
        site.disposals.yard.recall(OTHER, 901)
        site.disposals.yard.run("UPDATE recall SET scope_version = 1 WHERE number = %s", OTHER)
        return found

    monkeypatch.setattr(ledger, "running_on", just_before)
    await site.turn()
    await site.disposals.yard.request(OTHER)
    await site.turn()
    assert allocation(site.disposals)[0][:2] == ("shipped", "SO-1")
    async with site.disposals.yard.sessions() as session:
        assert (await holds.hold_summary(session, OTHER)).records_arrived


def risk(disposals: Disposals) -> Any:
    query = "SELECT k.abandoned_at, k.number, k.ended_at, k.state, a.document_no FROM keeper_shipment k, allocation a"
    ((abandoned, number, ended, state, document),) = disposals.yard.rows(query)
    row = KeeperShipment(abandoned_at=abandoned, number=number, ended_at=ended, state=state)
    return keeper_shipments.risk_of(row, document)


@pytest.mark.parametrize("gone", [False, True])
async def test_a_keeper_that_never_answers_is_waited_for_until_somebody_decides_otherwise(
    site: Site, gone: bool
) -> None:
    dora = who("Dora", "head_of_supply")

    async def abandon(by: Who = dora) -> Allocation:
        return await decide(site.disposals, replacement_orders.abandon, site.row, by, "The WMS burnt down")

    with pytest.raises(DisposalRefused, match="No keeper is waited for"):
        await abandon()
    site.wms.faults.drop_after = http_client.MOST_TRIES
    await site.turn()
    assert (site.orders(), risk(site.disposals)) == ([("SO-1", "open")], None)
    for _ in range(2):
        await abandon()
    with pytest.raises(DisposalRefused, match="Dora has decided so"):
        await abandon(who("Hugo", "head_of_supply"))
    assert site.disposals.actions().count("allocation.order_abandoned") == 1
    assert (await site.ship("BY-HAND")).state == "shipped"
    site.wms.faults.drop_before = 99
    await site.turn()
    assert (risk(site.disposals), order(site.disposals)[0][3]) == ("possible", False)
    assert site.disposals.yard.rows("SELECT attempts FROM keeper_shipment") == [(2,)]
    site.wms.faults.drop_before = 0
    if gone:
        site.wms.warehouse.dispatch("SO-1")
    for _ in range(2):
        await site.turn()
    assert site.orders() == [("SO-1", "done" if gone else "cancelled")]
    assert risk(site.disposals) == ("happened" if gone else None)
    left = site.disposals.yard.rows("SELECT document_no, quantity FROM movement WHERE lot_id = 901 ORDER BY id")
    assert left == [("BY-HAND", D(6)), *([("SO-1", D(6))] if gone else [])]
    assert allocation(site.disposals)[0][:2] == ("shipped", "BY-HAND")
    assert site.disposals.actions().count("allocation.shipped_twice") == int(gone)


async def stopped(*_: Any) -> str:
    return "RC-2026-000077"


async def test_what_a_person_shipped_counts_also_when_the_keeper_tells_first_that_its_order_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wms.faults.drop_after = http_client.MOST_TRIES
    await site.turn()
    await decide(site.disposals, replacement_orders.abandon, site.row, who("Dora", "head_of_supply"), "No answer")
    site.wms.warehouse.dispatch("SO-1")
    await site.turn()
    assert (allocation(site.disposals)[0][:2], risk(site.disposals)) == (("shipped", "SO-1"), None)
    with monkeypatch.context() as patched:
        patched.setattr(goods_documents, "blocked_by", stopped)
        with pytest.raises(DisposalRefused, match="stops the document BY-HAND"):
            await site.ship("BY-HAND")
    for _ in range(2):
        await site.ship("BY-HAND")
    query = "SELECT m.document_no, a.shipped_by = 'wms' FROM allocation a JOIN movement m ON m.id = a.movement_id"
    assert site.disposals.yard.rows(query) == [("BY-HAND", False)]
    left = site.disposals.yard.rows("SELECT document_no, quantity FROM movement WHERE lot_id = 901 ORDER BY id")
    assert (left, risk(site.disposals)) == ([("SO-1", D(6)), ("BY-HAND", D(6))], "happened")
    with pytest.raises(DisposalRefused, match="is shipped"):
        await site.ship("A-THIRD")


async def test_a_turn_that_was_under_way_orders_nothing_that_was_given_up_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wms.faults.drop_before = http_client.MOST_TRIES
    await site.turn()
    async with site.disposals.yard.sessions() as session:
        read_before = await keeper_shipments.due(session, NOW)
    await decide(site.disposals, replacement_orders.abandon, site.row, who("Dora", "head_of_supply"), "No answer")

    async def due(*_: Any) -> Any:
        return read_before

    monkeypatch.setattr(keeper_shipments, "due", due)
    await site.turn()
    assert site.orders() == []


async def test_a_keeper_that_answers_is_not_given_up(site: Site) -> None:
    await site.turn()
    with pytest.raises(DisposalRefused, match="has not failed to answer"):
        await decide(site.disposals, replacement_orders.abandon, site.row, who("Dora", "head_of_supply"), "Hurry")


async def test_one_place_whose_keeper_cannot_be_told_and_one_order_that_fails_hold_up_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = (
        "INSERT INTO allocation (id, recall_number, shortage_id, lot_id, location_id, quantity, state, proposed_at) "
        "OVERRIDING SYSTEM VALUE SELECT %s, recall_number, shortage_id, lot_id, %s, 1, state, proposed_at "
        "FROM allocation WHERE id = %s"
    )
    yard = site.disposals.yard
    yard.run(twin, -2, yard.carrier, site.row.id)
    yard.run(twin, -1, yard.warehouse, site.row.id)
    at = site.keepers.at

    async def some(location_id: int) -> Any:
        if location_id == yard.carrier:
            raise LookupError("no such place")
        return await at(location_id)

    monkeypatch.setattr(site.keepers, "at", some)
    begin = replacement_orders.begin

    async def broken(session: AsyncSession, number: str, allocation_id: int, *rest: Any) -> Shipment | None:
        if allocation_id == -1:
            raise RuntimeError("a fault of ours")
        return await begin(session, number, allocation_id, *rest)

    monkeypatch.setattr(replacement_orders, "begin", broken)
    await site.turn()
    assert site.orders() == [("SO-1", "open")]
    assert yard.rows("SELECT allocation_id FROM keeper_shipment") == [(site.row.id,)]


async def test_an_order_whose_keeper_is_on_record_no_more_says_so(site: Site) -> None:
    await site.turn()
    site.disposals.yard.run("UPDATE keeper_shipment SET keeper = 'former'")
    await site.turn()
    assert order(site.disposals)[0][4] == "its keeper is on record no more"


async def test_a_drill_orders_nothing(site: Site) -> None:
    site.disposals.yard.run("UPDATE recall SET drill = true")
    await site.turn()
    assert (order(site.disposals), site.orders()) == ([], [])
    site.disposals.yard.run("UPDATE recall SET drill = false")  # what the yard has locked is earnest
