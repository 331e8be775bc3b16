"""The figures of many lots as one table: given out as CSV with the recipient's own lots, read back row by row.

A table states nothing by itself. It fills in the form, which is shown and sent as if it had been typed: that is its dry
run, and the form's one-time id makes sending it twice one answer.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.reply_fields import GONE, QUANTITIES, PageLot, quantity_field
from api.reply_numbers import number
from domain.lots_csv import sheet_cell
from domain.notice_content import plain, visible

FIGURES: Final = (*QUANTITIES, *GONE)
COLUMNS: Final = ("key", "lot", "product", "gtin", "unit", "delivered", *FIGURES)
MAX_BYTES: Final = 768 * 1024
_MAX_FAULTS: Final = 100


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one cell: a message `error_table_<reason>`."""

    row: int
    """As a spreadsheet counts: the header is row 1."""
    column: str
    reason: str
    given: str = ""


@dataclass(frozen=True, slots=True)
class TableReading:
    """Form values of every row, or what is wrong; never both."""

    values: dict[str, str]
    faults: tuple[RowFault, ...] = ()


def table_of(lots: Sequence[PageLot], values: Mapping[str, str]) -> bytes:
    """The table to fill in, in UTF-8 with a byte order mark, as spreadsheets expect it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for lot in lots:
        known = [lot.key, lot.lot, lot.product, lot.gtin or "", lot.unit, plain(lot.shipped)]
        figures = [values.get(quantity_field(name, lot.key), "") for name in FIGURES]
        writer.writerow([sheet_cell(cell) for cell in known + figures])
    return text.getvalue().encode("utf-8-sig")


def read_table(content: bytes, lots: Sequence[PageLot]) -> TableReading:
    """The figures of a table; every own lot has to be in it once, a row of another lot is refused."""
    rows = _rows(content)
    if rows is None or not rows:
        return TableReading({}, (RowFault(1, "", "unreadable"),))
    header = [cell.strip().casefold() for cell in rows[0]]
    missing = [name for name in ("key", *FIGURES) if header.count(name) != 1]
    if missing:
        return TableReading({}, tuple(RowFault(1, name, "column") for name in missing))
    own = {lot.key for lot in lots}
    values: dict[str, str] = {}
    faults: list[RowFault] = []
    seen: set[str] = set()
    for index, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        faults += _read_row(index, row, own, seen, values)
    last = len(rows) + 1
    faults += [RowFault(last, "key", "lot_missing", lot.lot) for lot in lots if lot.key not in seen]
    return TableReading({} if faults else values, tuple(faults[:_MAX_FAULTS]))


def _read_row(
    index: int, row: Mapping[str, str], own: set[str], seen: set[str], values: dict[str, str]
) -> list[RowFault]:
    key = row.get("key", "")
    if key not in own or key in seen:
        return [RowFault(index, "key", "twice" if key in seen else "lot", visible(key, 60))]
    seen.add(key)
    faults = []
    for name in FIGURES:
        text = row.get(name, "")
        if (text or name in QUANTITIES) and number(text) is None:
            faults.append(RowFault(index, name, "number", visible(text, 60)))
        elif text:
            values[quantity_field(name, key)] = text
    return faults


def _rows(content: bytes) -> list[list[str]] | None:
    for encoding in ("utf-8-sig", "gb18030"):  # what Excel writes in China
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        try:
            return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        except csv.Error:
            return None
    return None


__all__ = ["COLUMNS", "MAX_BYTES", "RowFault", "TableReading", "read_table", "table_of"]
