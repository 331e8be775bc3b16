"""Files of goods documents: new lines, changed ones, rejects, and batches that are taken back."""

from typing import Any

import pytest

from tests.imports.office import RECALL, Office, counts, movement
from tests.imports.test_reverse import reverse

pytestmark = pytest.mark.db

DOCUMENTS = """
kind: documents
source_system: erp
source_id: Id
dates: {formats: [iso], time_zone: UTC}
units: {carton: 4}
columns: {kind: Type, number: Doc, state: State, product: Item, lot: Lot, site: Site, from: From, to: To,
  partner: Customer, carrier: Carrier, quantity: Qty, unit: Unit, expected_at: Due}
"""


def line(number: int, **changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "Id": f"SO-{number}-1",
        "Type": "order",
        "Doc": f"SO-{number}",
        "State": "open",
        "Item": "KIT",
        "Lot": "L1",
    }
    row |= {"Site": "PLANT", "From": "PLANT", "To": "CLINIC", "Customer": "CLINIC", "Carrier": "", "Qty": 3}
    return row | {"Unit": "kit", "Due": "2026-07-01"} | changed


@pytest.fixture
async def desk(office: Office) -> Office:
    await office.movements([movement(1)])
    return office


async def load(desk: Office, rows: list[dict[str, Any]], **changed: Any) -> Any:
    return await desk.load("documents", desk.file(rows), DOCUMENTS, **changed)


STANDING = """
SELECT d.number, d.state, l.quantity, lot.number FROM goods_document d
JOIN goods_document_line l ON l.document_id = d.id LEFT JOIN lot ON lot.id = l.lot_id ORDER BY l.source_id
"""


async def test_lines_become_documents_once_and_later_files_change_what_may_change(desk: Office) -> None:
    rows = [line(1), line(1, Id="SO-1-2", Lot="", Qty=2, Unit="carton"), line(2, Lot="")]
    first = await load(desk, rows)
    assert counts(first) == (3, 3, 0, 0)
    assert desk.sql(STANDING) == [("SO-1", "open", 3, "L1"), ("SO-1", "open", 8, None), ("SO-2", "open", 3, None)]
    assert counts(await load(desk, rows)) == (3, 0, 3, 0)
    second = await load(desk, [line(2, State="done", Qty=5), line(3, Type="return", From="CLINIC", To="PLANT")])
    assert counts(second) == (2, 2, 0, 0)
    assert desk.sql(STANDING)[2] == ("SO-2", "done", 5, "L1")
    with pytest.raises(Exception, match="documents changed by batch"):
        await reverse(desk, first)
    await reverse(desk, second)
    assert desk.sql(STANDING)[2] == ("SO-2", "open", 3, None)
    await reverse(desk, first)
    assert (desk.count("goods_document"), desk.count("goods_document_line")) == (0, 0)


async def test_what_does_not_fit_is_rejected_by_field_and_a_dry_run_writes_nothing(desk: Office) -> None:
    await load(desk, [line(1)])
    rows = [
        line(1, To="PLANT"),
        line(4, Lot="L9"),
        line(5, Carrier="NOBODY"),
        line(6),
        line(6, Id="SO-6-2", State="done"),
        line(7, Type="receipt", To=""),
        line(8, Type="gift"),
    ]
    dry = await load(desk, rows, dry_run=True)
    assert desk.count("goods_document") == 1
    report = await load(desk, rows)
    assert counts(report) == counts(dry) == (7, 1, 0, 6)
    found = {row["line"]: (row["field"], row["reason"]) for row in desk.rejected()}
    assert {each: field for each, (field, _) in found.items()} == {
        "2": "to",
        "3": "lot",
        "4": "carrier",
        "6": "number",
        "7": "to",
        "8": "kind",
    }
    assert "line 5 says otherwise" in found["6"][1]


async def test_a_running_recall_of_a_named_lot_is_woken_and_the_feed_tells_of_it(desk: Office) -> None:
    desk.sql(RECALL)
    desk.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    assert (await load(desk, [line(1)])).retrace == ("RC-2026-000001",)
    assert (await load(desk, [line(2, Lot="")])).retrace == ("RC-2026-000001",)
    assert desk.sql("SELECT what FROM ledger_change ORDER BY id") == [("stock",), ("document",), ("document",)]
