"""A recipient's lots as a file for spreadsheets: UTF-8 with its mark, one row for each lot.

A cell that a spreadsheet would run as a formula is given a leading apostrophe; the exact value is in `notice.json`.
"""

import csv
import io
from typing import Final

from domain.notice_content import RecipientLot, plain
from domain.notice_enclosure import SheetWords
from domain.visible_text import visible

_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""What starts a formula in Excel, LibreOffice or Google Sheets, full-width signs included."""


def lots_csv(lots: tuple[RecipientLot, ...], words: SheetWords) -> bytes:
    """The file; the same lots give the same bytes. Where there are several sites, the first column names them."""
    several = any(row.site for row in lots)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    titles = (words.product, words.gtin, words.udi_di, words.lot, words.serials, words.expires_on, words.quantity)
    writer.writerow(map(sheet_cell, (*([words.site] if several else []), *titles, words.unit, words.shipped_on)))
    for row in lots:
        days = (day.isoformat() if day else "" for day in (row.expires_on, row.shipped_on))
        expires, shipped = days
        serials = " ".join(row.serials)
        cells = (row.product, row.gtin or "", row.udi_di or "", row.lot, serials, expires, plain(row.quantity))
        writer.writerow(map(sheet_cell, (*([row.site] if several else []), *cells, row.unit, shipped)))
    return out.getvalue().encode("utf-8-sig")


def sheet_cell(value: str) -> str:
    """The value as one line that no spreadsheet runs as a formula."""
    shown = visible(value, 32_000)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


__all__ = ["lots_csv", "sheet_cell"]
