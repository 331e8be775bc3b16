"""A file of answers as rows of named cells: which text it is, which separator, which columns; nothing is guessed.

CSV or a workbook, read by the reader of imports. What is wrong with the file as a whole refuses it, with the line and
what to do about it.
"""

import codecs
import csv
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from api import bulk_workbook
from api.bulk_columns import ASKED, READ_ONLY, folded, known_titles
from domain.visible_text import visible
from imports.errors import ImportRefusedError
from imports.mapping_parts import FileOptions
from imports.sources import BadCell, Source

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_ROWS: Final = 20_000
_LONGEST: Final = 4000
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SEPARATORS: Final = (",", ";", "\t")
_OTHER_FORMATS: Final = {b"\x1f\x8b": "a compressed file", b"\xd0\xcf": "an old workbook"}
_SHOWN_AS_TEXT: Final = re.compile(r"'[=+\-@＝＋－＠]")


class SheetEncoding(StrEnum):
    """What a spreadsheet program may have saved."""

    UTF_8 = "utf-8"
    WINDOWS_1252 = "windows-1252"
    GB18030 = "gb18030"
    UTF_16 = "utf-16"


class SheetRefused(ValueError):  # noqa: N818 - a term of the API
    """The file cannot be read; the message is for its sender."""

    def __init__(self, message: str, line: int = 1, column: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of the file; cells are visible text, empty ones are left out."""

    line: int
    """Where it is in the file; the titles are line 1."""
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadValue:
    """A cell of a workbook that holds no value that can be read."""

    line: int
    column: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as read."""

    media_type: str
    rows: tuple[SheetRow, ...]
    ragged: tuple[int, ...] = ()
    """Lines with something in a column that has no title."""
    bad: tuple[BadValue, ...] = ()


def read_sheet(content: bytes, encoding: SheetEncoding | None = None, *, decimal_comma: bool = False) -> Sheet:
    """The rows of a file; blocking.

    Args:
        content: the file.
        encoding: as its sender says; without it a byte order mark decides, else it has to be UTF-8. A workbook says
            so itself.
        decimal_comma: how its reader will read decimals.

    Raises:
        SheetRefused: it is no table of answers, or too long.
    """
    workbook = content.startswith(bulk_workbook.MARK)
    codec, separator = ("", "") if workbook else _text_of(content, encoding)
    with tempfile.TemporaryDirectory(prefix="answers-") as folder:
        path = Path(folder) / "answers"
        path.write_bytes(content)
        try:
            if workbook:
                source = bulk_workbook.open_workbook(content, path, decimal_comma=decimal_comma)
            else:
                source = Source(path, FileOptions(encoding=codec, delimiter=separator))
            columns = _columns(source.header)
            found: list[tuple[int, Sequence[object]]] = []
            for line, cells in source.rows():
                if len(found) >= MAX_ROWS:
                    raise SheetRefused(f"expected at most {MAX_ROWS} rows; send the file in parts", line)
                found.append((line, cells))
        except ImportRefusedError as error:
            raise SheetRefused(_without_path(error, path)) from None
    ragged = [line for line, cells in found if _without_title(columns, cells)]
    rows = [SheetRow(line, _cells(columns, cells)) for line, cells in found]
    bad = [each for line, cells in found for each in _bad(columns, line, cells)]
    media_type = bulk_workbook.MEDIA_TYPE if workbook else f"text/csv; charset={codec}"
    return Sheet(media_type, tuple(row for row in rows if row.cells), tuple(ragged), tuple(bad))


def _text_of(content: bytes, encoding: SheetEncoding | None) -> tuple[str, str]:
    """Encoding and separator of a CSV file."""
    codec = _codec(content, encoding)
    text = _decoded(content, codec)
    return codec, _separator(text)


def _codec(content: bytes, given: SheetEncoding | None) -> str:
    for mark, name in _OTHER_FORMATS.items():
        if content.startswith(mark):
            raise SheetRefused(f"expected a CSV or XLSX file, got {name}: save the sheet as CSV (UTF-8) or XLSX")
    if content.startswith(codecs.BOM_UTF8):
        return SheetEncoding.UTF_8.value
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return SheetEncoding.UTF_16.value
    return (given or SheetEncoding.UTF_8).value


def _decoded(content: bytes, codec: str) -> str:
    if not content.strip():
        raise SheetRefused("expected a table with one row per lot, got an empty file")
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        others = ", ".join(each.value for each in SheetEncoding if each.value != codec)
        raise SheetRefused(f"this is no {codec} text: name the right `encoding` ({others})", line) from None
    if found := _CONTROL.search(text.encode("utf-8", "replace")):
        line = text.encode("utf-8", "replace").count(b"\n", 0, found.start()) + 1
        raise SheetRefused("control characters are not allowed; expected a CSV or XLSX file", line)
    return text


def _separator(text: str) -> str:
    """The separator under which the first line has the most titles that are known."""
    first = re.split(r"[\r\n]", text.lstrip("\ufeff"), maxsplit=1)[0]
    known = known_titles()
    counts = {}
    for separator in _SEPARATORS:
        try:
            cells = next(csv.reader([first], delimiter=separator), [])
        except csv.Error:
            cells = []
        counts[separator] = sum(folded(cell) in known for cell in cells)
    best = max(counts, key=lambda separator: counts[separator])
    if counts[best] < len(ASKED):
        raise SheetRefused(
            f"expected titles of columns in the first line, among them {', '.join(ASKED)}; take the table that is "
            "given out for this recall"
        )
    return best


def _columns(header: Sequence[str]) -> list[str | None]:
    """The column of each title; None for one that is empty."""
    known = known_titles()
    columns = [known.get(folded(title)) if title.strip() else None for title in header]
    for title, name in zip(header, columns, strict=True):
        if title.strip() and name is None:
            raise SheetRefused(f"no such column: {visible(title, 60)}; remove it or use one of the titles given out")
    for name in columns:
        if name is not None and columns.count(name) > 1:
            raise SheetRefused("this column is there twice", column=name)
    for name in ASKED:
        if name not in columns:
            raise SheetRefused("this column is missing", column=name)
    if "key" not in columns and not ({"consignee", "lot"} <= set(columns) or {"consignee", "serial"} <= set(columns)):
        raise SheetRefused("expected the column key, or consignee with lot or serial", column="consignee")
    return columns


def _without_title(columns: Sequence[str | None], cells: Sequence[object]) -> bool:
    titled = zip(cells, [*columns, *[None] * len(cells)], strict=False)
    return any(name is None and str(cell).strip() for cell, name in titled)


def _cells(columns: Sequence[str | None], cells: Sequence[object]) -> dict[str, str]:
    read = {
        name: _cell(str(cell))
        for name, cell in zip(columns, cells, strict=False)
        if name is not None and not isinstance(cell, BadCell)
    }
    return {name: text for name, text in read.items() if text}


def _bad(columns: Sequence[str | None], line: int, cells: Sequence[object]) -> list[BadValue]:
    """What cannot be read of what is read; the other columns are there for people."""
    return [
        BadValue(line, name, cell.reason)
        for name, cell in zip(columns, cells, strict=False)
        if isinstance(cell, BadCell) and name is not None and name not in READ_ONLY
    ]


def _cell(text: str) -> str:
    """Visible text; the apostrophe that keeps a spreadsheet from computing is taken off again."""
    shown = visible(text, _LONGEST)
    return shown[1:] if _SHOWN_AS_TEXT.match(shown) else shown


def _without_path(error: ImportRefusedError, path: Path) -> str:
    text = " ".join(str(error).replace(str(path), "the file").split())
    return text.replace("name one in file.sheet of the mapping", "expected one worksheet; delete the others")


__all__ = ["MAX_BYTES", "MAX_ROWS", "BadValue", "Sheet", "SheetEncoding", "SheetRefused", "SheetRow", "read_sheet"]
