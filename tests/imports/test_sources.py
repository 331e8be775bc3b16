"""Files of every kind and bad habit: gzip, worksheets, byte-order marks, Latin-1, old line ends, broken quoting."""

import codecs
import gzip
from datetime import date, datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook

from imports.errors import ImportRefusedError
from imports.mapping_parts import FileOptions
from imports.sources import BadCell, Source
from tests.imports.office import CREATE_ALL, MOVEMENTS, Office, counts, movement

PLAIN = FileOptions()
JANUARY_5, JANUARY_6 = (datetime.combine(date(2026, 1, day), time()) for day in (5, 6))  # cells have no zone


def read(path: Path, options: FileOptions = PLAIN) -> list[tuple[int, list[str]]]:
    return [(line, list(row)) for line, row in Source(path, options).rows()]


def write(folder: Path, content: bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.unit
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_line_ends_marks_and_packing_do_not_change_what_is_read(
    tmp_path: Path, end: str, packed: bool, mark: bytes
) -> None:
    content = mark + end.join(["Lot,Note", 'L1,"a, ""b"""', "", f'L2,"two{end}lines"', "L3,Côte"]).encode()
    path = write(tmp_path, gzip.compress(content) if packed else content)
    source = Source(path, PLAIN)
    assert source.header == ["Lot", "Note"]
    assert list(source.rows()) == [(2, ["L1", 'a, "b"']), (4, ["L2", f"two{end}lines"]), (6, ["L3", "Côte"])]
    assert source.blank_lines == 1


@pytest.mark.unit
def test_latin_1_is_read_where_the_mapping_says_so_and_refused_where_it_does_not(tmp_path: Path) -> None:
    path = write(tmp_path, "Lot;Note\nL1;Côte".encode("latin-1"))
    assert read(path, FileOptions(encoding="latin-1", delimiter=";")) == [(2, ["L1", "Côte"])]
    with pytest.raises(ImportRefusedError, match=r"not utf-8 text \(byte 0xf4\); set file.encoding"):
        read(path)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'Lot,Note\nL1,"open\nL2,x\n', "line 2: malformed CSV"),
        (b'Lot,Note\nL1,x\nL2,"a"b\n', "line 3: malformed CSV"),
        (b"", "no header in row 1"),
        (b",,\n1,2,3\n", "column names were expected"),
        (gzip.compress(b"Lot,Note\n" + b"L1,x\n" * 5000, mtime=0)[:60], "gzip file is damaged or cut off"),
        (b"PK\x03\x04 not a workbook", "not a readable XLSX workbook"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ImportRefusedError, match=message) as caught:
        read(write(tmp_path, content))
    assert "\n" not in str(caught.value)


@pytest.mark.unit
def test_quotes_are_plain_text_where_the_mapping_says_the_file_has_none(tmp_path: Path) -> None:
    path = write(tmp_path, b'Lot\tNote\nL1\t5" tube\n')
    assert read(path, FileOptions(delimiter="\t", quote=None)) == [(2, ["L1", '5" tube'])]


@pytest.mark.unit
def test_lines_above_the_header_are_passed_over_and_line_numbers_stay_true(tmp_path: Path) -> None:
    path = write(tmp_path, b"Report of May\n\nLot,Note\nL1,x\n")
    assert read(path, FileOptions(header_row=3)) == [(4, ["L1", "x"])]


def workbook(folder: Path, rows: list[list[object]], sheets: tuple[str, ...] = ("Data",)) -> Path:
    book = Workbook()
    for name in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    del book["Sheet"]
    path = folder / "file.xlsx"
    book.save(path)
    return path


@pytest.mark.unit
def test_worksheet_cells_become_what_the_sheet_shows(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Lot", "Qty", "Day", "Ok"], ["L1", 12, JANUARY_5, True], [None], ["L2", 0.1]])
    source = Source(path, PLAIN)
    assert list(source.rows()) == [
        (2, ["L1", "12", JANUARY_5, "true"]),
        (4, ["L2", "0.1", "", ""]),
    ]
    assert source.blank_lines == 1


@pytest.mark.unit
def test_a_formula_whose_result_was_never_stored_is_no_empty_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Lot", "Qty"], ["L1", "=1+2"], ["L2", 4]])
    (_, first), (_, second) = Source(path, PLAIN).rows()
    assert first[0] == "L1"
    assert isinstance(first[1], BadCell)
    assert first[1].text == "=1+2"
    assert second == ["L2", "4"]


@pytest.mark.unit
def test_a_number_cell_is_written_with_the_decimal_mark_of_the_mapping(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Lot", "Qty"], ["L1", 1.234], ["L2", 1234], ["L3", 1e-7]])
    read = [row[1] for _, row in Source(path, PLAIN, ",").rows()]
    assert read == ["1,234", "1234", "0,0000001"]


def test_a_workbook_with_several_sheets_needs_the_name_of_one(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Lot"], ["L1"]], ("One", "Two"))
    with pytest.raises(ImportRefusedError, match=r"name one in file.sheet of the mapping; it has: One, Two"):
        read(path)
    with pytest.raises(ImportRefusedError, match="no sheet 'Three'"):
        read(path, FileOptions(sheet="Three"))
    assert read(path, FileOptions(sheet="Two")) == [(2, ["L1"])]


@pytest.mark.db
async def test_a_worksheet_imports_like_the_csv_file_and_its_lost_digits_are_rejected(office: Office) -> None:
    rows = [movement(1), movement(2, Day=JANUARY_6), movement(3, Doc=12345678901234567)]
    path = workbook(office.folder, [list(rows[0]), *(list(row.values()) for row in rows)])
    report = await office.load("movements", path, MOVEMENTS + CREATE_ALL)
    assert counts(report) == (3, 2, 0, 1)
    [row] = office.rejected()
    assert (row["line"], row["field"]) == ("4", "document_no")
    assert "15 digits" in row["reason"]
    assert office.sql("SELECT occurred_at::date::text FROM movement ORDER BY id") == [("2026-01-05",), ("2026-01-06",)]


@pytest.mark.db
async def test_a_row_of_another_width_is_rejected_not_shifted(office: Office) -> None:
    path = office.file([movement(1), movement(2)])
    path.write_text(path.read_text().replace(",D2", ",D2,surplus"))
    report = await office.load("movements", path, MOVEMENTS + CREATE_ALL)
    assert counts(report) == (2, 1, 0, 1)
    assert office.rejected()[0]["reason"] == "the row has 12 columns, the header 11"


@pytest.mark.db
async def test_rejects_of_a_latin_1_file_can_be_corrected_in_latin_1(office: Office) -> None:
    mapping = MOVEMENTS + "file: {encoding: latin-1, delimiter: ';'}\n" + CREATE_ALL
    path = office.file(
        [movement(1, To="Hôpital"), movement(2, To="Hôpital", Qty="x")], encoding="latin-1", delimiter=";"
    )
    assert counts(await office.load("movements", path, mapping)) == (2, 1, 0, 1)
    corrected = office.folder / "corrected.csv"
    corrected.write_bytes(office.rejects.read_bytes().replace(b";x;kit", b";7;kit"))
    assert counts(await office.load("movements", corrected, mapping)) == (1, 1, 0, 0)
    assert office.sql("SELECT code FROM location WHERE custody = 'customer'") == [("Hôpital",)]


@pytest.mark.db
async def test_a_number_cell_is_never_a_thousand_times_too_much(office: Office) -> None:
    row = movement(1) | {"Qty": 1.234}
    path = workbook(office.folder, [list(row), list(row.values())])
    german = 'numbers: {decimal: ",", thousands: "."}\n' + MOVEMENTS + CREATE_ALL
    report = await office.load("movements", path, german)
    assert counts(report) == (1, 1, 0, 0)
    assert str(office.one("SELECT trim_scale(quantity) FROM movement")) == "1.234"
