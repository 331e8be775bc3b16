"""A recall stops the goods documents of its lots at every keeper, and frees them when it ends or somebody decides."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from adapters.inventory.base import InventoryAdapter, InventoryError
from adapters.inventory.ledger import LedgerInventory
from db.repositories import holds_late, recall_documents
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.stock import StockLedger
from domain.inventory import (
    Document,
    DocumentAnswer,
    DocumentKind,
    DocumentLine,
    Documents,
    DocumentState,
    UnreadDocument,
)
from models.messages import HoldFigures, RecallScopeRef
from models.recall_document import StopState
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard
from tests.inventory.test_goods_documents import document

pytestmark = pytest.mark.db


@pytest.fixture(autouse=True)
def _free_ids(yard: Yard) -> None:
    for table in ("movement", "lot"):
        yard.rows("SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000)", table)


class Wms(LedgerInventory):
    """Another keeper, with one order of the lot; it refuses, forgets or answers as told."""

    name = "wms"

    def __init__(self, yard: Yard) -> None:
        super().__init__(StockLedger(yard.sessions))
        lines = (DocumentLine("P", yard.lot, Decimal(5)),)
        self.order = Document("W-1", DocumentKind.ORDER, DocumentState.OPEN, yard.warehouse, None, lines)
        self.down = self.dies = self.lags = False
        self.blocks: dict[str, bool] = {}
        self.unread: list[UnreadDocument] = []

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        if self.down:
            raise InventoryError("the WMS is down")
        state = DocumentState.BLOCKED if any(self.blocks.values()) and not self.lags else DocumentState.OPEN
        return Documents([replace(self.order, state=state)], self.unread)

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        if self.down:
            raise InventoryError("the WMS is down")
        self.blocks[key] = True
        if self.dies:
            raise RuntimeError("killed after the keeper had answered")
        return DocumentAnswer(document.number, DocumentState.CANCELLED if cancel else DocumentState.BLOCKED, "WB-1")

    async def unblock(self, key: str) -> DocumentAnswer | None:
        if self.down:
            raise InventoryError("the WMS is down")
        self.blocks[key] = False
        return DocumentAnswer(self.order.number, DocumentState.OPEN)


class Everyone:
    """The keepers of the installation."""

    def __init__(self, *keepers: InventoryAdapter) -> None:
        self._keepers = keepers

    async def at(self, location_id: int) -> InventoryAdapter:
        return self._keepers[0]

    async def everyone(self) -> Sequence[InventoryAdapter]:
        return self._keepers


async def turn(
    yard: Yard, *keepers: InventoryAdapter, number: str = NUMBER, claim: bool = True, version: int = 1, days: int = 0
) -> HoldFigures:
    """One turn of the recall's watch."""
    everyone = Everyone(yard.inventory(), *keepers)
    quarantine = QuarantineActivities(yard.sessions, everyone)
    ref = RecallScopeRef(number=number, now=NOW + timedelta(days=days), scope_version=version, claim=claim)
    result: HoldFigures = await ActivityEnvironment().run(quarantine.execute_holds, ref)
    return result


def states(yard: Yard, number: str = NUMBER) -> dict[str, str]:
    found = yard.rows("SELECT document_no, state FROM recall_document WHERE recall_number = %s", number)
    return dict(found)


def open_blocks(yard: Yard) -> int:
    return len(yard.rows("SELECT FROM goods_document_block WHERE ended_at IS NULL"))


async def decide(yard: Yard, no: str, wanted: StopState, by: str = "Ada", number: str = NUMBER) -> None:
    (found,) = yard.rows("SELECT id FROM recall_document WHERE recall_number = %s AND document_no = %s", number, no)[0]
    async with yard.sessions.begin() as session:
        who = Who(by, "approver", NOW, f"{wanted} {no}")
        await recall_documents.decide(session, number, [found], wanted, who, "it goes on with other lots")


def ledgers_documents(yard: Yard) -> None:
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    document(yard, "SO-2", "order", yard.warehouse, yard.clinic, (None, 4))
    document(yard, "PO-1", "receipt", None, yard.warehouse, (yard.lot, 50))
    document(yard, "RT-1", "return", yard.clinic, yard.warehouse, (yard.lot, 2))


async def test_open_documents_are_stopped_until_closure_whenever_they_appear(yard: Yard) -> None:
    yard.recall()
    ledgers_documents(yard)
    figures = await turn(yard)
    assert (figures.requested, figures.failed) == (0, 0)
    expected = {"SO-1": "confirmed", "SO-2": "watched", "PO-1": "confirmed", "RT-1": "watched"}
    assert states(yard) == expected
    assert open_blocks(yard) == 2
    events = yard.rows("SELECT action FROM audit_event WHERE action LIKE 'documents.%%' ORDER BY seq")
    await turn(yard, days=1)
    same = yard.rows("SELECT action FROM audit_event WHERE action LIKE 'documents.%%' ORDER BY seq")
    assert (states(yard), same) == (expected, events), "a turn that finds nothing new writes nothing"
    document(yard, "SO-3", "shipment", yard.warehouse, yard.clinic, (yard.lot, 1))
    yard.run(
        "UPDATE goods_document_line SET lot_id = %s WHERE document_id ="
        " (SELECT id FROM goods_document WHERE number = 'SO-2')",
        yard.lot,
    )
    await turn(yard, days=2)
    assert {no: states(yard)[no] for no in ("SO-2", "SO-3")} == {"SO-2": "confirmed", "SO-3": "confirmed"}
    assert yard.rows("SELECT late FROM recall_document WHERE document_no = 'SO-3'") == [(True,)]


async def test_two_recalls_stop_one_document_and_the_end_of_one_leaves_the_other(yard: Yard) -> None:
    for number in (NUMBER, OTHER):
        yard.recall(number)
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    await turn(yard)
    await turn(yard, number=OTHER)
    assert open_blocks(yard) == 2
    await turn(yard, claim=False, days=1)
    assert (states(yard)["SO-1"], open_blocks(yard)) == ("released", 1)
    assert yard.rows("SELECT keeper_state FROM recall_document WHERE recall_number = %s", NUMBER) == [("blocked",)]
    await turn(yard, number=OTHER, version=2, days=2)
    assert (states(yard, OTHER)["SO-1"], open_blocks(yard)) == ("released", 0), "its lot has left the scope"
    reasons = yard.rows("SELECT decided_by, reason FROM recall_document ORDER BY id")
    assert reasons == [("system", "the recall has ended"), ("system", "no lot of it is in scope")]


async def test_a_keeper_that_refuses_is_asked_again_holds_up_nobody_and_is_shown(yard: Yard) -> None:
    yard.recall()
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    wms = Wms(yard)
    await turn(yard, wms)
    assert states(yard) == {"SO-1": "confirmed", "W-1": "confirmed"}
    wms.down = True
    await decide(yard, "W-1", StopState.releasing)
    figures = await turn(yard, wms, days=1)
    assert (figures.requested, figures.failed, states(yard)["W-1"]) == (0, 2, "releasing"), "not freed, and not read"
    shown = yard.rows("SELECT attempts, last_error FROM recall_document WHERE document_no = 'W-1'")
    assert shown == [(1, "the WMS is down")]
    wms.down = False
    assert (await turn(yard, wms, days=2)).failed == 0
    assert states(yard)["W-1"] == "released"
    await turn(yard, wms, days=3)
    assert states(yard)["W-1"] == "released", "a person's word stands, the order is open at its keeper"


async def test_a_crash_between_the_keepers_answer_and_ours_stops_nothing_twice(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    wms.dies = True
    assert (await turn(yard, wms)).failed == 1
    wms.dies = False
    assert (await turn(yard, wms, days=1)).failed == 0
    assert (list(wms.blocks), states(yard)) == ([f"{NUMBER}:document:1"], {"W-1": "confirmed"})


async def test_a_stop_that_leaked_at_its_keeper_is_found_and_placed_anew(yard: Yard) -> None:
    yard.recall()
    wms = Wms(yard)
    await turn(yard, wms)
    wms.blocks = dict.fromkeys(wms.blocks, False)
    await turn(yard, wms, days=1)
    assert (len(wms.blocks), states(yard)["W-1"]) == (2, "confirmed")
    found = yard.rows("SELECT data -> 'freed_by_keeper' FROM audit_event WHERE action = 'documents.requested'")
    assert sum(len(row[0]) for row in found) == 1


async def test_a_document_is_cancelled_or_released_by_somebody_else_than_who_started_the_recall(yard: Yard) -> None:
    yard.recall()
    ledgers_documents(yard)
    await turn(yard)
    with pytest.raises(DisposalRefused, match="started"):
        await decide(yard, "SO-1", StopState.releasing, by="QA")
    await decide(yard, "SO-1", StopState.cancelling)
    await decide(yard, "PO-1", StopState.releasing)
    await turn(yard, days=1)
    assert (states(yard)["SO-1"], states(yard)["PO-1"], open_blocks(yard)) == ("cancelled", "released", 1)
    assert yard.rows("SELECT state FROM goods_document WHERE number = 'SO-1'") == [("cancelled",)]
    with pytest.raises(DisposalRefused, match="is cancelled"):
        await decide(yard, "SO-1", StopState.releasing)


async def test_what_moved_before_it_was_stopped_is_done(yard: Yard) -> None:
    yard.recall()
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    await turn(yard)
    yard.move("shipment", 10, yard.warehouse, yard.clinic, document="SO-1", day=101)
    await turn(yard, days=2)
    assert states(yard) == {"SO-1": "done"}


async def test_what_moves_on_a_stopped_document_is_a_gap_and_counted_once(yard: Yard) -> None:
    yard.recall()
    yard.run("UPDATE recall SET scope_version = 1")
    document(yard, "PO-1", "receipt", None, yard.warehouse, (yard.lot, 50))
    keeper = LedgerInventory(StockLedger(yard.sessions, now=lambda: NOW))
    quarantine = QuarantineActivities(yard.sessions, Everyone(keeper))
    ref = RecallScopeRef(number=NUMBER, now=NOW, scope_version=1)
    await ActivityEnvironment().run(quarantine.execute_holds, ref)
    batch = yard.batch()
    yard.move("receipt", 20, None, yard.warehouse, document="PO-1", day=101, batch=batch)
    yard.move("receipt", 7, None, yard.warehouse, document="PO-2", day=101, batch=batch)
    for _ in range(2):
        async with yard.sessions.begin() as session:
            await holds_late.claim_late_stock(session, batch, now=NOW)
    gaps = yard.rows("SELECT kind, detail ->> 'document_no', detail ->> 'quantity' FROM scope_gap")
    assert gaps == [("moved_on_stopped_document", "PO-1", "20")]
    late = yard.rows("SELECT quantity FROM hold WHERE location_id = %s AND position = 'on_hand'", yard.warehouse)
    assert late == [(Decimal(97),)], "what arrived all the same is held"
