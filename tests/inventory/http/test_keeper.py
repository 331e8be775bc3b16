"""What a WMS that works is asked and answers: every operation, names, units, partial success, signatures."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.inventory.base import CursorLost, InventoryError
from adapters.inventory.bulk import HoldAsked
from adapters.inventory.http_client import KeeperClient, Reply
from domain.goods_documents import named_lots, stops
from domain.inventory import (
    Change,
    Confirmation,
    Disposal,
    Document,
    DocumentKind,
    DocumentLine,
    Documents,
    DocumentState,
    Located,
    Position,
    PositionState,
)
from domain.keepers import KeeperAuth
from domain.webhook_signature import key_bytes
from tests.inventory.http.conftest import Paced, Site, at, record, signing_site
from tests.wms.server import TOKEN

A = {"product": "P-1", "number": "A"}
B = {"product": "P-1", "number": "B", "site": "PLANT"}
RECALL, OTHER = "RC-2026-000001", "RC-2026-000002"
D = Decimal


async def test_positions_come_back_by_our_ids_and_in_units_of_use(site: Site) -> None:
    stock = site.wms.warehouse
    stock.db.execute("INSERT INTO pack VALUES ('P-1', 'box', '12')")
    stock.put(B, "WH-2", 3, "box")
    stock.put(B, "WH-2", 4, state="reserved")
    stock.put(B, "CLINIC", 2, state="in_transit", document="D-7")
    stock.put(B, "CLINIC", 9)  # a customer holds its own
    stock.put({"product": "P-1", "number": "B", "site": "Plant number one"}, "WH-1", 1)
    stock.put(A, "NOWHERE", 8)
    stock.put(A, "WH-2", 1, "crate")
    stock.put(A, "WH-2", 2, "pallet", state="reserved")
    site.wms.faults.page = 2
    found = await site.adapter.locate([1, 2, 77])
    assert isinstance(found, Located)
    # What cannot be read is unknown there, not nothing.
    assert [(each.lot_id, each.location_id) for each in found.unread] == [(1, None), (1, 11)]
    assert sorted(found, key=lambda each: (each.lot_id, each.location_id, each.state)) == [
        Position(1, 10, "own", PositionState.ON_HAND, D(100)),
        Position(2, 10, "own", PositionState.ON_HAND, D(1)),
        Position(2, 11, "logistics", PositionState.ON_HAND, D(36)),
        Position(2, 11, "logistics", PositionState.RESERVED, D(4)),
        Position(2, 12, "customer", PositionState.IN_TRANSIT, D(2), "D-7"),
    ]
    assert site.reasons() == [
        "taken for our lot of that number, whose site has another name",
        "the place is not on record",
        "no package 'crate' of the product",
        "no package 'pallet' of the product",
    ]
    assert await site.adapter.locate([]) == []


async def test_rows_of_strange_lots_make_no_more_doubt_than_there_are_lots_and_places(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [f"?{n}" for n in range(3000)]
    one = {"state": "on_hand", "quantity": {"amount": "1", "unit": "unit-of-use"}}
    given = [
        one | {"lot": {"product": "P-1", "number": each}, "place": f"WH-{n % 2 + 1}"} for n, each in enumerate(numbers)
    ]

    async def answer(*_: object, **__: object) -> Reply:
        return Reply(200, {"positions": given})

    async def places(codes: Sequence[str]) -> dict[str, int]:
        return {code: int(code[3:]) for code in codes}

    async def custodies(ids: Sequence[int]) -> dict[int, str]:
        return dict.fromkeys(ids, "own")

    monkeypatch.setattr(KeeperClient, "post", answer)
    found = await site.adapter.locate([1, 2, 3])
    assert isinstance(found, Located)
    assert {(each.lot_id, each.location_id) for each in found.unread} == {(1, 10), (1, 11), (2, 10), (2, 11)}
    assert len(found.unread) == 4
    monkeypatch.setattr(site.adapter._directory, "place_ids", places)
    monkeypatch.setattr(site.adapter._directory, "custodies", custodies)
    given = [each | {"place": f"WH-{n}"} for n, each in enumerate(given)]
    found = await site.adapter.locate([1, 2, 3])
    assert isinstance(found, Located)
    assert [(each.lot_id, each.location_id) for each in found.unread] == [(1, None), (2, None)]


async def test_a_hold_locks_the_stock_and_ends_only_by_its_own_release(site: Site) -> None:
    stock, adapter = site.wms.warehouse, site.adapter
    receipt = await adapter.hold("k:1", RECALL, at(quantity=60))
    assert (receipt.key, receipt.reference) == ("k:1", "H1")
    assert await adapter.confirm("k:1") == Confirmation("k:1", D(60), "wms: shift lead")
    await adapter.hold("k:1", RECALL, at(quantity=60))
    await adapter.hold("k:2", OTHER, at(quantity=70))
    assert stock.free(A, "WH-1") == 30
    await adapter.hold("k:1", RECALL, at(quantity=80))  # more was found
    assert stock.free(A, "WH-1") == 20
    for _ in range(2):
        await adapter.release("k:1", D(10))
        assert stock.free(A, "WH-1") == 30
    await adapter.release("k:2")
    assert stock.free(A, "WH-1") == 90
    assert await adapter.confirm("k:2") is None
    with pytest.raises(InventoryError, match="released there"):
        await adapter.hold("k:2", OTHER, at())
    assert await adapter.confirm("never") is None
    await adapter.release("never")


async def test_less_is_confirmed_when_less_is_there(site: Site) -> None:
    await site.adapter.hold("k:1", RECALL, at(quantity=150))
    assert await site.adapter.confirm("k:1") == Confirmation("k:1", D(100), "wms: shift lead")


async def test_what_came_since_is_locked_when_the_same_hold_is_asked_again(site: Site) -> None:
    for there, held in ((100, 100), (130, 130), (190, 150), (200, 150)):
        site.wms.warehouse.put(A, "WH-1", D(there))
        await site.adapter.hold("k:1", RECALL, at(quantity=150))
        assert await site.adapter.confirm("k:1") == Confirmation("k:1", D(held), "wms: shift lead")
    await site.adapter.hold("k:2", RECALL, at(quantity=80))
    assert await site.adapter.confirm("k:2") == Confirmation("k:2", D(50), "wms: shift lead")
    await site.adapter.release("k:1", D(60))
    await site.adapter.hold("k:1", RECALL, at(quantity=60))
    assert await site.adapter.confirm("k:1") == Confirmation("k:1", D(60), "wms: shift lead")


async def test_a_hold_that_is_carried_out_later_is_confirmed_later(site: Site) -> None:
    site.wms.faults.pending = True
    await site.adapter.hold("k:1", RECALL, at())
    assert await site.adapter.confirm("k:1") is None
    (answer,) = await site.adapter.hold_many(RECALL, [HoldAsked("k:1", at())])
    assert (answer.confirmation, answer.error) == (None, None)
    assert site.wms.warehouse.settle() == 1
    (answer,) = await site.adapter.hold_many(RECALL, [HoldAsked("k:1", at())])
    assert answer.confirmation == Confirmation("k:1", D(5), "wms: shift lead")


async def test_each_of_many_holds_is_answered_for_itself(site: Site) -> None:
    site.wms.faults.refused_places = {"WH-2"}
    site.wms.faults.silent_keys = {"k:3"}
    asked = [HoldAsked(f"k:{n}", at(quantity=1)) for n in range(600)]
    asked[1] = HoldAsked("k:1", at(11))
    asked[2] = HoldAsked("k:2", at(lot=77))
    answers = await site.adapter.hold_many(RECALL, asked)
    assert [each.key for each in answers] == [each.key for each in asked]
    faults = {each.key: each.error for each in answers if each.error}
    assert faults == {
        "k:1": "wms: the aisle is closed",
        "k:2": "wms: lot 77 is not on record",
        "k:3": "wms: no answer for this hold",
    }
    assert [each.key for each in answers if each.refused] == ["k:1"], "of the others it says nothing"
    assert sum(each.confirmation is not None for each in answers) == 597
    assert [len(body["holds"]) for body in site.wms.asked("/holds")] == [249, 250, 100]


async def test_one_item_that_makes_the_wms_refuse_the_call_blocks_no_other(site: Site) -> None:
    # A unit that the WMS does not know: it refuses the whole call, which the contract does not ask for.
    site.wms.warehouse.put({"product": "P-2", "number": "C"}, "WH-1", 1)
    site.wms.faults.statuses = [422, 413]
    asked = [HoldAsked(f"k:{n}", at(quantity=1)) for n in range(4)]
    answers = await site.adapter.hold_many(RECALL, asked)
    assert [each.error for each in answers] == [None] * 4
    assert [len(body["holds"]) for body in site.wms.asked("/holds")] == [4, 2, 1, 1, 2]


async def test_documents_are_found_blocked_cancelled_and_freed(site: Site) -> None:
    lines = [{"product": "P-1", "number": "A", "quantity": {"amount": "2", "unit": "box"}}]
    later = [{"product": "P-1", "quantity": {"amount": "3", "unit": "unit-of-use"}}]
    other = [{"product": "P-2", "number": "C", "quantity": {"amount": "3", "unit": "unit-of-use"}}]
    insert = "INSERT INTO document VALUES (?,?,?,?,?,?)"
    for number, kind, place, what in (
        ("S-1", "shipment", "WH-1", lines),
        ("O-1", "order", "WH-1", later),
        ("O-2", "order", "WH-1", other),
        ("R-1", "receipt", "NOWHERE", lines),
    ):
        site.wms.warehouse.db.execute(insert, (number, kind, "open", place, "CLINIC", json.dumps(what)))
    found = {each.number: each for each in await site.adapter.documents([1])}
    shipment = Document("S-1", DocumentKind.SHIPMENT, DocumentState.OPEN, 10, 12, (DocumentLine("P-1", 1, D(24)),))
    assert found["S-1"] == shipment
    assert found["O-1"].lines == (DocumentLine("P-1", None, D(3)),)
    assert sorted(found) == ["O-1", "S-1"]
    assert site.reasons() == ["the place is not on record"]
    block, unblock = site.adapter.block, site.adapter.unblock
    assert (await block("b:1", RECALL, shipment)).state is DocumentState.BLOCKED
    assert (await block("b:2", OTHER, shipment)).reference == "B-S-1"
    freed = await unblock("b:1")
    assert freed is not None
    assert freed.state is DocumentState.BLOCKED  # the other recall's block stands
    assert (await block("b:2", OTHER, shipment, cancel=True)).state is DocumentState.CANCELLED
    assert await unblock("never") is None
    site.wms.warehouse.db.execute("UPDATE document SET state = 'done'")
    assert (await block("b:3", RECALL, shipment)).state is DocumentState.DONE


SEVERAL = "its name fits several of our lots; it counts as each of them that is asked about"


@pytest.mark.parametrize(
    ("asked", "named", "lots", "may_be", "note"),
    [
        ([2], ("B", "Plant number one"), 2, (), "taken for our lot of that number, whose site has another name"),
        ([2], ("B", None), 2, (), None),
        ([4], ("T", None), 4, (), SEVERAL),
        ([4], ("T", "Plant number one"), 4, (), SEVERAL),
        ([4, 5], ("T", None), None, (4, 5), SEVERAL),
        ([1, 2, 3], ("b", "PLANT"), None, (1, 2), "lot 'b' is not on record; it may be one in scope"),
        ([3], ("b", None), None, (), "lot 'b' is not on record"),
        ([1], ("B", "PLANT"), 2, (), None),
        ([1], ("T", None), 4, (), None),
        ([4], ("T", "OTHER PLANT"), 5, (), None),
    ],
)
async def test_a_document_stops_whatever_lot_in_question_its_name_may_mean(
    site: Site,
    asked: list[int],
    named: tuple[str, str | None],
    lots: int | None,
    may_be: tuple[int, ...],
    note: str | None,
) -> None:
    number, made_at = named
    line = {"product": "P-1", "number": number, "quantity": {"amount": "3", "unit": "unit-of-use"}}
    line |= {"site": made_at} if made_at else {}
    mine = {"product": "P-1" if asked != [3] else "P-2", "quantity": {"amount": "1", "unit": "unit-of-use"}}
    insert = "INSERT INTO document VALUES ('S-1','shipment','open','WH-1','CLINIC',?)"
    site.wms.warehouse.db.execute(insert, (json.dumps([line, mine]),))
    ((read, _),) = [each.lines for each in await site.adapter.documents(asked)]
    assert read == DocumentLine("P-1", lots, D(3), may_be)
    assert [reason.endswith(note or "") for reason in site.reasons()] == ([True] if note else [])
    stopped = {lots, *may_be} & set(asked)
    document = Document("S-1", DocumentKind.SHIPMENT, DocumentState.OPEN, 10, 12, (read,))
    assert stops(document.kind, named_lots(document, asked)) == bool(stopped)


async def test_a_document_listed_in_several_rows_names_the_lots_of_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(lot: dict[str, str]) -> dict[str, object]:
        line = lot | {"quantity": {"amount": "5", "unit": "unit-of-use"}}
        return {"number": "SO-1", "kind": "order", "state": "open", "place": "WH-1", "lines": [line]}

    async def answer(*_: object, **__: object) -> Reply:
        return Reply(200, {"documents": [row(A), row(B)]})

    monkeypatch.setattr(KeeperClient, "post", answer)
    (found,) = await site.adapter.documents([1, 2])
    assert named_lots(found, [1, 2]) == [1, 2]


async def test_a_document_that_cannot_be_read_is_told_where_it_may_name_a_lot_asked_about(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(number: object, lot: dict[str, str], amount: str = "5", **other: object) -> dict[str, object]:
        line = lot | {"quantity": {"amount": amount, "unit": "unit-of-use"}}
        facts = {"number": number, "kind": "order", "state": "open", "place": "WH-1", "lines": [line]}
        return {name: value for name, value in (facts | other).items() if value is not None}

    unknown, elsewhere = {"product": "P-9", "number": "Z"}, {"product": "P-2", "number": "C"}
    given = [
        row("SO-1", A),
        row("SO-2", A, "many"),
        row("SO-3", A, place=None),
        row(4, A),
        row("SO-5", A, place="NOWHERE"),
        row("SO-6", unknown),
        row("SO-7", A, lines=[]),
        row("SO-8", elsewhere, kind="letter"),
        row("SO-9", elsewhere, place="NOWHERE"),
        row("SO-10", elsewhere),
        row("SO-11", A, "many", state="done"),
        row("SO-12", {"product": "P-1"}, kind="letter"),
    ]

    async def answer(*_: object, **__: object) -> Reply:
        return Reply(200, {"documents": given})

    monkeypatch.setattr(KeeperClient, "post", answer)
    found = await site.adapter.documents([1, 2])
    assert [each.number for each in found] == ["SO-1", "SO-6", "SO-7", "SO-10"]
    assert isinstance(found, Documents)
    told = {each.number: each.reason for each in found.unread}
    assert told["SO-2"].startswith("document SO-2: lines.0.quantity.amount: expected a decimal number")
    assert told["SO-3"] == "document SO-3: place: Field required"
    assert told[None].startswith("document without a number: number: ")
    assert told["SO-5"] == "document SO-5: place: 'NOWHERE' is not on record"
    assert told["SO-6"] == "document SO-6: lines: product 'P-9' is not on record"
    assert told.keys() == {None, "SO-2", "SO-3", "SO-5", "SO-6", "SO-7", "SO-12"}


async def test_stock_under_a_name_that_fits_several_lots_counts_as_each_that_is_asked_about(site: Site) -> None:
    site.wms.warehouse.put({"product": "P-1", "number": "T"}, "WH-1", 7)
    site.wms.warehouse.put({"product": "P-1", "number": "T", "site": "PLANT"}, "WH-1", 2)
    here = {each.lot_id: each.quantity for each in await site.adapter.locate([4, 5])}
    assert here == {4: D(9), 5: D(7)}
    assert site.reasons() == [SEVERAL]
    assert {each.lot_id: each.quantity for each in await site.adapter.locate([5])} == {5: D(7)}
    changes = await site.adapter.changes(None)
    assert {each.lot_id for each in changes.changes} == {1, 4, 5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE hold SET status = 'released'", "says released"),
        ("DELETE FROM hold", "says unknown"),
        ("UPDATE hold SET held = '3'", "holds 3"),
    ],
)
async def test_a_release_that_leaves_less_than_was_to_stay_is_not_done(site: Site, change: str, said: str) -> None:
    await site.adapter.hold("k:1", RECALL, at(quantity=10))
    await site.adapter.release("k:1", D(6))
    site.wms.warehouse.db.execute(change)
    with pytest.raises(InventoryError, match=f"^wms: 5 units were to stay held, it {said}$"):
        await site.adapter.release("k:1", D(5))
    await site.adapter.release("k:1")


async def test_a_disposal_takes_from_what_is_locked_and_is_booked_once(site: Site) -> None:
    await site.adapter.hold("k:1", RECALL, at(quantity=100))
    disposal = Disposal("destroy", 1, 10, D(40), "CERT-1")
    for _ in range(2):
        assert (await site.adapter.dispose("d:1", disposal)).reference == "W-1"
    assert site.wms.warehouse.there(A, "WH-1") == 60
    with pytest.raises(InventoryError, match="not so much is there"):
        await site.adapter.dispose("d:2", disposal.__class__("destroy", 1, 10, D(61)))
    await site.adapter.dispose("d:3", Disposal("rework", 1, 10, D(1), result_lot_id=2))
    assert site.wms.asked("/disposals")[-1]["result_lot"] == B


async def test_changes_are_read_page_by_page_and_unknown_lots_are_noted(site: Site) -> None:
    stock = site.wms.warehouse
    stock.put({"product": "P-9", "number": "Z"}, "WH-1", 1)
    stock.ship(A, "WH-1", D(1))
    first = await site.adapter.changes(None, limit=2)
    assert (first.changes, first.more) == ((Change(1, 10, "stock"),), True)
    second = await site.adapter.changes(first.cursor, limit=2)
    assert (second.changes, second.more) == ((Change(1, 10, "stock"),), False)
    assert (await site.adapter.changes(second.cursor)).changes == ()
    assert [(each.what, each.subject) for each in site.skipped] == [("change", "P-9 Z")]
    site.wms.faults.forgotten = 99
    with pytest.raises(CursorLost):
        await site.adapter.changes(second.cursor)


async def test_requests_can_be_signed_instead_of_carrying_a_token(site: Site) -> None:
    key = "a key of the warehouse, long enough"
    site.wms.key = key_bytes(key)
    signed = signing_site(site.wms, key)
    await signed.adapter.hold("k:1", RECALL, at())
    assert (await signed.adapter.changes(None)).changes != ()
    assert "Authorization" not in site.wms.calls[-1][1]
    wrong = signing_site(site.wms, "another key that is long enough")
    with pytest.raises(InventoryError, match=r"our credential is refused \(HTTP 401\)"):
        await wrong.adapter.status()
    late = KeeperClient(
        record(site.wms.url, auth=KeeperAuth.HMAC), key, Paced(), now=lambda: datetime.now(UTC) - timedelta(minutes=6)
    )
    with pytest.raises(InventoryError, match="refused"):
        await late.get("/status")
    for each in (signed.adapter, wrong.adapter, late):
        await each.close()


async def test_a_probe_says_who_answers(site: Site) -> None:
    assert await site.adapter.status() == "Reference WMS 1"


@pytest.mark.parametrize(
    ("url", "credential", "auth", "fault"),
    [
        ("http://wms.example.com", TOKEN, KeeperAuth.BEARER, "begins with https"),
        ("https://user:pw@wms.example.com", TOKEN, KeeperAuth.BEARER, "without credentials"),
        ("https://wms.example.com/?a=b", TOKEN, KeeperAuth.BEARER, "without a query"),
        ("https://wms.example.com", "short", KeeperAuth.HMAC, "at least 24 bytes"),
        ("https://wms.example.com", "two\nlines", KeeperAuth.BEARER, "no header can carry"),
        ("https://wms.example.com", "name:password", KeeperAuth.PASSWORD, "bearer or hmac"),
    ],
)
def test_a_record_that_cannot_work_is_refused(url: str, credential: str, auth: KeeperAuth, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as found:
        KeeperClient(record(url, auth=auth), credential, Paced())
    assert credential not in str(found.value)
