"""A workbook of answers before it is read: what a small file may grow to is bounded, and nothing in it is passed over.

An XLSX file is a compressed archive; four megabytes can unpack to gigabytes, and one cell at the sheet's far corner to
billions of empty ones.
"""

import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Final

from imports.errors import ImportRefusedError
from imports.mapping_parts import FileOptions
from imports.sources import Bounds, Source

MARK: Final = b"PK\x03\x04"
"""How the file begins."""
MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_PARTS: Final = 1000
BOUNDS: Final = Bounds(columns=50, rows=100_000)
"""Of the one sheet, empty cells and rows included."""
# A cell that has something in it, to the right of column AX (the fiftieth).
_OUTSIDE: Final = re.compile(rb'<(?:\w+:)?c\s[^<>]{0,200}?\br="(?:[A-Z]{3}|[B-Z][A-Z]|A[YZ])[0-9][^<>]{0,200}(?<!/)>')
_LONGEST_CELL: Final = 500


def open_workbook(content: bytes, path: Path, *, decimal_comma: bool) -> Source:
    """The workbook as a source of rows; `path` is where it lies.

    Raises:
        ImportRefusedError: it is no workbook, or unpacks to more than is read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check(archive)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError) as error:
        raise ImportRefusedError(f"not a readable XLSX workbook ({error})") from None
    return Source(path, FileOptions(), "," if decimal_comma else ".", bounds=BOUNDS)


def _check(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    # More than is stated here is never unpacked: the reader of archives stops at the stated size.
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_BYTES:
        raise ImportRefusedError("the workbook unpacks to more than 64 MB: send it in parts, or as CSV")
    for part in parts:
        if (
            part.filename.startswith("xl/worksheets/")
            and part.filename.endswith(".xml")
            and _reaches_out(archive, part)
        ):
            raise ImportRefusedError(f"expected at most {BOUNDS.columns} columns; delete what stands beside the table")


def _reaches_out(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    with archive.open(part) as sheet:
        tail = b""
        while block := sheet.read(1 << 16):
            text = tail + block
            if _OUTSIDE.search(text):
                return True
            tail = text[-_LONGEST_CELL:]
    return False


__all__ = ["MARK", "MEDIA_TYPE", "open_workbook"]
