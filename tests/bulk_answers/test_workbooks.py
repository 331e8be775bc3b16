"""A workbook of answers is read as the same table in CSV would be: same checks, same limits, nothing guessed."""

import io
import zipfile
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook

from api import bulk_workbook
from api.bulk_columns import COLUMNS, key_of
from api.bulk_sheet import MAX_ROWS, SheetRefused, read_sheet
from api.bulk_workbook import MEDIA_TYPE
from tests.bulk_answers.conftest import ALL_USED, WHO, Desk, rows_of

pytestmark = pytest.mark.db
Row = dict[str, Any]
NUMBERS = {"on_hand": 0, "held": 0, "used": 9.5, "passed_on": 0}


def book(*rows: Row, sheets: tuple[str, ...] = ("Answers",)) -> bytes:
    """A workbook with these rows."""
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    return sheet_of([columns, *([row.get(name) for name in columns] for row in rows)], sheets)


def sheet_of(rows: list[list[Any]], sheets: tuple[str, ...] = ("Answers",)) -> bytes:
    made = Workbook(write_only=True)
    for title in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def grace(**cells: Any) -> Row:
    return rows_of("Grace", "A1")[0] | NUMBERS | cells


@pytest.mark.parametrize("decimal", ["point", "comma"])
async def test_a_workbook_is_recorded_and_kept_as_it_came(desk: Desk, decimal: str) -> None:
    content = book(grace(remark="Boxed up", patients_final=None))
    sent = await desk.send(content, {"decimal": decimal})
    assert sent.status_code == 201, sent.text
    assert [str(row["used"]) for row in desk.world.rows("SELECT used FROM reply_line")] == ["9.500000"]
    assert [reply["free_text"] for reply in desk.replies()] == ["Boxed up"]
    url = f"/v1/evidence/{sent.json()['evidence_id']}"
    assert (await desk.callers.get(url)).content == content
    assert (await desk.callers.get(f"{url}/record")).json()["content_type"] == MEDIA_TYPE


async def test_numbers_dates_and_yes_are_read_as_what_they_stand_for(desk: Desk, sites: dict[str, int]) -> None:
    desk.world.run("UPDATE lot SET number = '007' WHERE number = 'A1'")
    key = key_of(sites["Grace"], desk.world.lot_ids[0])
    counts = {f"patients_{name}": 2 for name in ("exposed", "contacted", "monitored")} | {"patients_replaced": 0}
    spoilt = grace(lot=7, key=key, patients_final=True, **counts)
    assert (await desk.send(book(spoilt), preview=True)).status_code == 200
    # What a spreadsheet took for a date is no other lot, and without the key no lot at all.
    assert (await desk.send(book(spoilt | {"lot": date(2026, 1, 7)}), preview=True)).status_code == 200
    found = await desk.refused(book(grace(lot=date(2026, 1, 7))))
    assert found == {"#/rows/2/lot": "expected a lot this consignee is asked for: 007"}


async def test_cells_without_a_value_that_can_be_read_are_named(desk: Desk) -> None:
    found = await desk.refused(
        book(
            grace(used="=1+2"),
            *(row | NUMBERS | {"gtin": 95060001343520000} for row in rows_of("Hope", "A1", "B2")),
        )
    )
    assert found["#/rows/2/used"] == "a formula without a stored result; save the workbook again"
    assert "a number cell keeps 15 digits only" in found["#/rows/3/gtin"]
    assert "#/rows/2/on_hand" not in found
    assert (await desk.send(book(grace(delivered="=1+2")), preview=True)).status_code == 200, "for people only"


async def test_wrong_cells_of_a_workbook_are_named_as_those_of_a_table(desk: Desk) -> None:
    assert await desk.refused(book(grace(used="ten"), {"consignee": "P-Nobody", "lot": "A1"} | ALL_USED | WHO)) == {
        "#/rows/2/used": "expected a number like 1234.5",
        "#/rows/3/consignee": "no consignee of this recall has this code",
    }
    beside = sheet_of([[*grace()], [*grace().values(), "and more"]])
    assert await desk.refused(beside) == {"#/rows/2": "a cell stands in a column without a title"}


def _packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def _with(content: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """A workbook with a part changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    assert old in parts[name]
    return _packed(parts | {name: parts[name].replace(old, new)})


_SHEET = "xl/worksheets/sheet1.xml"
_GOOD = book(grace())
_REFUSED = {
    "no archive": (b"PK\x03\x04xl/workbook", "not a readable XLSX workbook"),
    "cut off": (_GOOD[:-200], "not a readable XLSX workbook"),
    "another archive": (_packed({"a.txt": b"a"}), "not a readable XLSX workbook"),
    "broken part": (_with(_GOOD, _SHEET, b"</sheetData>", b""), "not a readable XLSX workbook"),
    "broken list of sheets": (_with(_GOOD, "xl/workbook.xml", b"<sheets>", b""), "not a readable XLSX workbook"),
    "an entity": (
        _with(_GOOD, _SHEET, b"<worksheet", b'<!DOCTYPE x [<!ENTITY e "ee">]><worksheet'),
        "not a readable XLSX workbook",
    ),
    "a bomb": (_packed({_SHEET: b"\0" * (65 * 1024 * 1024)}), "unpacks to more than 64 MB"),
    "many parts": (_packed({f"{number}": b"" for number in range(1001)}), "unpacks to more than 64 MB"),
    "far columns": (
        sheet_of([list(grace()), [*grace().values(), *[None] * 100, "x"]]),
        "expected at most 50 columns; delete what stands beside the table",
    ),
    "far rows": (
        _with(_GOOD, _SHEET, b'<row r="2"', b'<row r="1048576"'),
        "more than 100000 rows; delete the empty ones",
    ),
    "two sheets": (book(grace(), sheets=("One", "Two")), "expected one worksheet; delete the others; it has: One, Two"),
    "no titles": (sheet_of([["a", "b"], [1, 2]]), "no such column: a"),
    "empty": (sheet_of([]), "the file is too short"),
    "a title twice": (sheet_of([[*grace(), "used"]]), "this column is there twice"),
}


@pytest.mark.unit
@pytest.mark.parametrize("case", _REFUSED)
def test_a_workbook_that_is_no_table_of_answers_is_refused_as_a_whole(case: str) -> None:
    content, said = _REFUSED[case]
    with pytest.raises(SheetRefused) as refused:
        read_sheet(content)
    assert said in str(refused.value)
    assert "/answers" not in str(refused.value), "where we put it is nobody's business"


@pytest.mark.unit
def test_a_workbook_has_no_more_rows_than_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bulk_sheet.MAX_ROWS", 3)
    with pytest.raises(SheetRefused, match="at most 3 rows"):
        read_sheet(book(*[grace()] * 4))
    assert len(read_sheet(book(*[grace()] * 3)).rows) == 3
    assert bulk_workbook.BOUNDS.rows > MAX_ROWS
    assert len(COLUMNS) < bulk_workbook.BOUNDS.columns
