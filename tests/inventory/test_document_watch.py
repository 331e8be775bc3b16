"""Documents and keepers that do not behave: equal numbers, keepers away at the recall's end, lagging, unreadable."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from db.engine import SessionFactory
from db.repositories import checklist, keeper_counts, ledger
from db.repositories.keeper_counts import Report
from domain.checklist import Item
from domain.inventory import Document, DocumentAnswer, DocumentState, UnreadDocument
from models.recall_document import StopState
from tests.inventory.conftest import NOW, NUMBER, Yard
from tests.inventory.test_goods_documents import document
from tests.inventory.test_stopped_documents import Everyone, Wms, decide, open_blocks, states, turn

pytestmark = pytest.mark.db
FINDING = "SELECT detail ->> 'keeper', detail ->> 'error' FROM scope_gap WHERE kind = 'unread_documents'"


@pytest.fixture(autouse=True)
def _free_ids(yard: Yard) -> None:
    for table in ("movement", "lot"):
        yard.rows("SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000)", table)


async def test_one_number_in_two_source_systems_is_two_documents(yard: Yard) -> None:
    yard.recall()
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    yard.run("UPDATE goods_document SET source_system = 'old-erp'")
    yard.run("UPDATE goods_document_line SET source_system = 'old-erp'")
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 3))
    document(yard, "SO-2", "order", yard.warehouse, yard.clinic, (yard.lot, 1))
    figures = await turn(yard)
    assert (figures.requested, figures.failed, open_blocks(yard)) == (0, 0, 3)
    rows = yard.rows("SELECT document_no, source, state FROM recall_document ORDER BY document_no, source")
    assert rows == [("SO-1", "erp", "confirmed"), ("SO-1", "old-erp", "confirmed"), ("SO-2", "erp", "confirmed")]
    await turn(yard, claim=False, days=1)
    assert (set(states(yard).values()), open_blocks(yard)) == ({"released"}, 0)


async def test_a_keeper_away_at_the_recalls_end_is_told_when_it_is_back(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    await turn(yard, wms)
    yard.run("UPDATE recall SET phase = 'cancelled'")
    wms.down = True
    await turn(yard, wms, claim=False, days=1)
    yard.keepers = Everyone(yard.inventory(), wms)
    await yard.settle(NOW + timedelta(days=2))
    assert (states(yard)["W-1"], any(wms.blocks.values())) == ("releasing", True)
    wms.down = False
    await yard.settle(NOW + timedelta(days=3))
    assert (states(yard)["W-1"], any(wms.blocks.values())) == ("released", False)


async def test_a_document_is_not_freed_before_the_stock_it_could_take_is_locked(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    await turn(yard, wms)
    yard.run("UPDATE recall SET phase = 'cancelled'")
    unlocked = (
        "UPDATE hold SET state = 'nonconformity', ended_at = %s, confirmed_at = %s WHERE position <> 'in_transit'"
    )
    yard.run(unlocked, NOW, None)
    yard.keepers = Everyone(yard.inventory(), wms)
    yard.run("ALTER TABLE stock_claim RENAME TO away")  # so that nothing can be locked
    await yard.settle(NOW + timedelta(days=1))
    yard.run("ALTER TABLE away RENAME TO stock_claim")
    assert (states(yard)["W-1"], any(wms.blocks.values())) == ("confirmed", True)
    await decide(yard, "W-1", StopState.cancelling)
    await yard.settle(NOW + timedelta(days=2))
    assert states(yard)["W-1"] == "cancelled", "a signed decision after the end is carried out"


async def test_a_freed_document_waits_for_its_hold_only(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    await turn(yard, wms)
    yard.run("UPDATE recall SET phase = 'cancelled'")
    yard.keepers = Everyone(yard.inventory(), wms)
    yard.run("UPDATE hold SET state = 'nonconformity', ended_at = %s WHERE position <> 'in_transit'", NOW)
    await yard.settle(NOW + timedelta(days=1))
    assert (states(yard)["W-1"], any(wms.blocks.values())) == ("released", False)


async def test_documents_that_cannot_be_read_are_counted_and_a_gap_until_they_can(
    yard: Yard, db: SessionFactory
) -> None:
    yard.recall()
    yard.run("UPDATE recall SET scope_version = 1")
    wms = Wms(yard)
    wms.down = True
    for day in range(2):
        figures = await turn(yard, wms, days=day)
        assert (figures.requested, figures.failed) == (0, 1)
    assert yard.rows(FINDING) == [("wms", "the WMS is down")]
    async with db() as session:
        held = next(each for each in await checklist.checklist(session, NUMBER, NOW) if each.key == Item.HOLDS)
    assert any("documents of keeper wms could not be read" in line for line in held.open)
    assert yard.rows("SELECT count(*) FROM audit_event WHERE action = 'documents.unread'") == [(1,)]
    wms.down = False
    assert (await turn(yard, wms, days=2)).failed == 0
    assert (yard.rows(FINDING), states(yard)["W-1"]) == ([], "confirmed")


async def test_one_document_that_cannot_be_read_is_a_gap_and_the_others_are_stopped(yard: Yard) -> None:
    yard.recall()
    yard.run("UPDATE recall SET scope_version = 1")
    wms = Wms(yard)
    wms.unread = [UnreadDocument("W-9", "document W-9: place: Field required")]
    assert (await turn(yard, wms)).failed == 1
    assert states(yard)["W-1"] == "confirmed"
    assert yard.rows(FINDING) == [("wms", "1 of its documents could not be read: document W-9: place: Field required")]
    yard.run("UPDATE recall_document SET state = 'watched', document_no = 'W-9'")
    wms.unread = [UnreadDocument("W-9", "document W-9: kind: not one of ours")]
    await turn(yard, wms, days=1)
    assert states(yard) == {"W-1": "confirmed", "W-9": "watched"}, "nobody says that it is done"
    assert "kind" in yard.rows(FINDING)[0][1]
    wms.unread = []
    assert (await turn(yard, wms, days=2)).failed == 0
    assert (yard.rows(FINDING), states(yard)["W-9"]) == ([], "done")


async def test_a_keeper_that_lags_is_left_without_any_of_the_stops(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    await turn(yard, wms)
    wms.lags = True
    await turn(yard, wms, days=1)
    wms.lags = False
    await turn(yard, wms, days=2)
    assert list(wms.blocks.values()) == [True, True]
    await decide(yard, "W-1", StopState.releasing)
    await turn(yard, wms, days=3)
    assert (list(wms.blocks.values()), states(yard)["W-1"]) == ([False, False], "released")


async def test_a_large_scope_takes_few_of_the_servers_locks(yard: Yard, db: SessionFactory) -> None:
    yard.recall()
    lots = list(range(1, 20_001))
    count = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    async with db.begin() as session:
        kept = [yard.warehouse]
        report = Report("wms", NUMBER, 1, lots, kept, positions=[], documents=[], at=NOW)
        await keeper_counts.take_in(session, report)
        (known,) = (await (await session.connection()).exec_driver_sql(count)).one()
        await ledger.lock(session, [NUMBER], lots)
        (every,) = (await (await session.connection()).exec_driver_sql(count)).one()
    assert known <= 3, "only the lot that is known there, and the audit"
    assert every <= 600


async def test_a_drill_stops_and_locks_nothing(yard: Yard) -> None:
    yard.recall()
    yard.run("UPDATE recall SET drill = true")
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    before = yard.stock()
    wms = Wms(yard)
    yard.keepers = Everyone(yard.inventory(), wms)
    await yard.request()
    figures = await yard.execute()
    assert (figures.requested, figures.failed) == (0, 0)
    assert (states(yard), open_blocks(yard), wms.blocks) == ({"SO-1": "watched", "W-1": "watched"}, 0, {})
    assert (yard.stock(), yard.rows("SELECT FROM stock_claim")) == (before, [])
    assert yard.rows("SELECT DISTINCT state, confirmed_by FROM hold") == [("confirmed", "drill: nothing is locked")]
    yard.move("shipment", 5, yard.warehouse, yard.clinic, day=101)
    await yard.request(now=NOW + timedelta(days=2))
    assert yard.rows("SELECT FROM scope_gap WHERE kind = 'shipped_under_hold'") == []


class Stuck(Wms):
    """Three orders; about the first of them it never answers."""

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        state = {True: DocumentState.BLOCKED, False: DocumentState.OPEN}
        stopped = {f"W-{key.rsplit(':', 1)[-1]}" for key in self.blocks}
        return [replace(self.order, number=n, state=state[n in stopped]) for n in ("W-1", "W-2", "W-3")]

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        if document.number == "W-2":
            await asyncio.Event().wait()
        return await super().block(f"block:{document.number[-1]}", claimant, document, cancel=cancel)


async def test_a_document_about_which_a_keeper_hangs_holds_up_no_other(yard: Yard) -> None:
    yard.recall()
    yard.keepers = Everyone(yard.inventory(), Stuck(yard))
    await yard.request()
    await yard.execute(one_keeper=1)
    assert states(yard) == {"W-1": "confirmed", "W-2": "failed", "W-3": "requested"}
    await yard.execute(one_keeper=1)
    assert states(yard) == {"W-1": "confirmed", "W-2": "failed", "W-3": "confirmed"}
    said = "SELECT last_error FROM recall_document WHERE document_no = 'W-2'"
    assert yard.rows(said) == [("it did not answer in time",)]
