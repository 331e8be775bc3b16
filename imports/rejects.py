"""The reject file: every rejected row with line, field, value and reason, then the row as it was.

It is written in the file's own encoding and delimiter, so that the sender can correct it in place and the same
mapping reads it again; the four leading columns are not part of any mapping.
"""

import csv
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from imports.convert import plain
from imports.errors import ImportRefusedError
from imports.sources import BadCell, Source

_BARE = re.compile(r"[\r\n]")

LEADING = ("line", "field", "value", "reason")


def default_path(source: Path, folder: Path) -> Path:
    """A name for the rejects of a file that no earlier reject file has."""
    stem = source.name.split(".")[0] or "file"
    path = folder / f"{stem}.rejects.csv"
    number = 2
    while path.exists():
        path = folder / f"{stem}.rejects-{number}.csv"
        number += 1
    return path


def refuse_own_source(source: Path, path: Path) -> None:
    """Rejects may not replace the file they come from.

    Raises:
        ImportRefusedError: both paths are one file.
    """
    if path.exists() and path.samefile(source):
        raise ImportRefusedError(f"--rejects {path} is the imported file itself")


async def write_rejects(source: Source, rejected: AsyncIterator[tuple[int, str, str, str]], path: Path) -> int:
    """Write the rejected rows, reading the source a second time; returns how many.

    Raises:
        ImportRefusedError: the path is the source itself, or cannot be written; the source changed meanwhile.
    """
    refuse_own_source(source.path, path)
    beside = path.with_name(path.name + ".part")
    options = source.options
    quoting = {"quotechar": options.quote} if options.quote else {"quoting": csv.QUOTE_NONE}
    try:
        with beside.open("w", encoding=_encoding(source), newline="", errors="backslashreplace") as file:
            writer = csv.writer(file, delimiter=options.delimiter, lineterminator="\r\n", **quoting)
            for _ in range(options.header_row - 1):
                file.write("\r\n")
            taken = set(source.header)
            writer.writerow([*(name if name not in taken else f"reject {name}" for name in LEADING), *source.header])
            count = await _rows(source, rejected, writer)
        os.replace(beside, path)  # noqa: PTH105 - atomic, and Path.replace is the same call
    except OSError as error:
        raise ImportRefusedError(f"--rejects {path}: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)
    return count


async def _rows(source: Source, rejected: AsyncIterator[tuple[int, str, str, str]], writer: Any) -> int:
    rows = source.rows()
    count = 0
    async for line, field, value, reason in rejected:
        cells = next((cells for number, cells in rows if number == line), None)
        if cells is None:
            raise ImportRefusedError(f"{source.path} changed while it was being imported; nothing was loaded")
        leading = [str(line), field, value, reason]
        if source.options.quote is None:  # nothing can be quoted in this file, so our own words must not need it
            leading = [_BARE.sub(" ", text.replace(source.options.delimiter, " ")) for text in leading]
        writer.writerow([*leading, *(_text(cell) for cell in cells)])
        count += 1
    return count


def _text(cell: Any) -> str:
    return cell.text if isinstance(cell, BadCell) else plain(cell)


def _encoding(source: Source) -> str:
    if source.is_xlsx or source.options.encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}:
        return "utf-8-sig"  # with the mark, worksheet programs open it right
    return source.options.encoding
