"""Files as rows: CSV, gzipped CSV and XLSX, streamed, with the physical line each row came from.

The format is read off the first bytes, never off the name. What is broken in the file itself (encoding, quoting,
a truncated archive) refuses the whole file, because column borders can no longer be trusted.
"""

import csv
import gzip
import hashlib
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, cast

from imports.convert import Cell
from imports.errors import ImportRefusedError
from imports.mapping_parts import FileOptions

_EXCEL_DIGITS = 15
"""A worksheet stores numbers with 15 significant digits; longer codes have lost some."""

_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")

csv.field_size_limit(10 * 1024 * 1024)


@dataclass(frozen=True)
class BadCell:
    """A worksheet cell without a usable value: an error, or digits the worksheet has lost."""

    text: str
    reason: str


@dataclass(frozen=True)
class Bounds:
    """How far the sheet of a workbook is read, where its sender is not one of our own desks."""

    columns: int
    """What stands further right is left out."""
    rows: int
    """A sheet with more rows, empty ones included, is refused."""


Row = Sequence[Any]
"""One `Cell` or `BadCell` per column of the header."""


class Source:
    """One file, readable any number of times."""

    def __init__(self, path: Path, options: FileOptions, decimal: str = ".", *, bounds: Bounds | None = None) -> None:
        """`decimal` is the mapping's decimal mark: a number cell of a worksheet has none of its own."""
        self.path = path
        self.options = options
        self._decimal = decimal
        self._bounds = bounds
        try:
            with path.open("rb") as file:
                self._magic = file.read(4)
            self.size = path.stat().st_size
        except OSError as error:
            raise ImportRefusedError(f"{path}: {error.strerror}") from None
        self.is_xlsx = self._magic == b"PK\x03\x04"
        self.position = 0
        """Bytes of the file read so far in this pass, for progress."""
        self.blank_lines = 0
        """Rows without any value in this pass; they are not counted as read."""
        self.header: list[str] = []
        self.header = self._read_header()

    def sha256(self) -> str:
        """Hash of the file as it lies on disk."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(physical line or worksheet row, cells) of every row after the header.

        Raises:
            ImportRefusedError: the file cannot be decoded, or its quoting or archive is broken.
        """
        self.position = self.blank_lines = 0
        records = self._records()
        for line, _ in records:
            if line >= self.header_line:
                break
        for line, record in records:
            if not any(record):
                self.blank_lines += 1
                continue
            yield line, record

    def _read_header(self) -> list[str]:
        self.header_line = 0
        for number, (line, record) in enumerate(self._records(), start=1):
            if number == self.options.header_row:
                self.header_line = line
                header = [str(cell).strip() for cell in record]
                while self.is_xlsx and header and not header[-1]:
                    header.pop()
                if not any(header):
                    raise ImportRefusedError(f"{self.path} line {line}: column names were expected")
                return header
        raise ImportRefusedError(f"{self.path}: no header in row {self.options.header_row}: the file is too short")

    def _records(self) -> Iterator[tuple[int, list[Any]]]:
        try:
            yield from self._sheet_records() if self.is_xlsx else self._csv_records()
        except UnicodeDecodeError as error:
            raise ImportRefusedError(
                f"{self.path}: not {self.options.encoding} text (byte {error.object[error.start]:#04x}); "
                "set file.encoding in the mapping"
            ) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ImportRefusedError(f"{self.path}: the gzip file is damaged or cut off ({error})") from None

    def _csv_records(self) -> Iterator[tuple[int, list[str]]]:
        options = self.options
        encoding = "utf-8-sig" if options.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else options.encoding
        with self.path.open("rb") as raw:
            binary = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if self._magic[:2] == b"\x1f\x8b" else raw)
            # newline="" lets the csv module see \r, \n and \r\n alike, inside quotes too
            text = io.TextIOWrapper(binary, encoding=encoding, newline="")
            reader = csv.reader(
                text,
                delimiter=options.delimiter,
                quotechar=options.quote,
                quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
                strict=True,
            )
            start = 1
            while True:
                try:
                    record = next(reader, None)
                except csv.Error as error:
                    raise ImportRefusedError(f"{self.path} line {start}: malformed CSV: {error}") from None
                if record is None:
                    return
                if not start & 0x3FF:
                    self.position = raw.tell()
                yield start, record
                start = reader.line_num + 1

    def _sheet_records(self) -> Iterator[tuple[int, list[Any]]]:
        from openpyxl import load_workbook  # noqa: PLC0415 - slow to import, needed for worksheets only

        with self.path.open("rb") as file:  # an open file, because openpyxl judges paths by their names
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # styles and validations we do not use
                    book = load_workbook(file, read_only=True, data_only=True)
            except Exception as error:  # noqa: BLE001 - whatever a part that is not as expected makes the reader trip over
                raise ImportRefusedError(f"{self.path}: not a readable XLSX workbook ({error})") from None
            try:
                yield from self._cells(book[self._sheet_name(book.sheetnames)])
            except ImportRefusedError:
                raise
            except Exception as error:  # noqa: BLE001
                raise ImportRefusedError(f"{self.path}: the workbook is damaged ({error})") from None
            finally:
                book.close()

    def _cells(self, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
        sheet.reset_dimensions()  # some writers state a wrong size
        width = len(self.header)
        bounds = self._bounds
        formulas = _formulas(self.path, sheet.title, bounds)
        for number, cells in enumerate(sheet.iter_rows(max_col=bounds.columns if bounds else None), start=1):
            if bounds is not None and number > bounds.rows:
                raise ImportRefusedError(f"{self.path}: more than {bounds.rows} rows; delete the empty ones")
            record = [_cell(cell, self._decimal) for cell in cells]
            for column, formula in next(formulas, ()):
                if record[column] == "":
                    record[column] = BadCell(formula, "a formula without a stored result; save the workbook again")
            while width and len(record) > width and record[-1] == "":
                record.pop()
            self.position = min(self.size, self.position + 64)
            yield number, record + [""] * (width - len(record))

    def _sheet_name(self, names: list[str]) -> str:
        wanted = self.options.sheet
        if wanted is None and len(names) == 1:
            return names[0]
        if wanted not in names:
            problem = "name one in file.sheet of the mapping" if wanted is None else f"no sheet {wanted!r}"
            raise ImportRefusedError(f"{self.path}: {problem}; it has: {', '.join(names)}")
        return wanted


def _formulas(path: Path, sheet: str, bounds: Bounds | None) -> Iterator[list[tuple[int, str]]]:
    """Per row, (column, formula) of formula cells. Programs that only write workbooks store no results with them.

    Yields nothing for a workbook without formulas, which is not read twice then.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 - slow to import, needed for worksheets only

    with zipfile.ZipFile(path) as archive:
        parts = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        if not any(_contains_formula(archive, name) for name in parts):
            return
    with path.open("rb") as file:
        book = load_workbook(file, read_only=True, data_only=False)
        try:
            rows = book[sheet]
            rows.reset_dimensions()
            for cells in rows.iter_rows(max_col=bounds.columns if bounds else None):
                yield [(place, str(cell.value)) for place, cell in enumerate(cells) if cell.data_type == "f"]
        finally:
            book.close()


def _contains_formula(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as part:
        tail = b""
        while block := part.read(1 << 16):
            if _FORMULA.search(tail + block):
                return True
            tail = block[-4:]
    return False


def _cell(cell: Any, decimal: str) -> Any:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return BadCell(value, f"the worksheet shows the error {value}") if cell.data_type == "e" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value, decimal)
    if isinstance(value, datetime | date):
        return value
    return BadCell(str(value), f"a {type(value).__name__} cell cannot be read; format it as text")


def _number(value: float, decimal: str) -> Cell | BadCell:
    # As the file's text writes it: 1.234 under `decimal: ","` must never be taken for one thousand.
    if abs(value) >= 10**_EXCEL_DIGITS:
        return BadCell(str(value), f"a number cell keeps {_EXCEL_DIGITS} digits only; format the column as text")
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    text = format(value, f".{_EXCEL_DIGITS}g")
    return (text if "e" not in text else format(value, ".15f").rstrip("0")).replace(".", decimal)


def column_index(header: Sequence[str], name: str, where: str, path: Path) -> int:
    """Position of a column the mapping names.

    Raises:
        ImportRefusedError: the file has no such column, or more than one.
    """
    found = [index for index, title in enumerate(header) if title == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ImportRefusedError(f"{where}: {path} has {len(found)} columns named {name!r}")
    known = ", ".join(title for title in header if title)
    raise ImportRefusedError(f"{where}: no column {name!r} in {path}; it has: {known}")
