"""FDA's enforcement reports as labelled texts, grouped by event and split by time.

One event (one firm, one cause) often has dozens of product lines with the same text, so that a split by row would test
on what was trained on. The unit is the event, and its year is that of its last report: only then was all of it known.
"""

import csv
import gzip
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from domain.class_suggestion import CLASSES
from domain.levels import RecallClass

_CLASS: Final = {f"Class {each.value}": each for each in CLASSES}
_COLUMNS: Final = (
    "Event ID",
    "Classification",
    "Product Description",
    "Reason for Recall",
    "Recalling Firm",
    "Report Date",
    "Product Type",
)


class DataError(ValueError):
    """The file is not an export of FDA's enforcement reports; the message names the line and the column."""


@dataclass(frozen=True, slots=True)
class Case:
    """One product line of one event, with the class FDA gave it."""

    event: str
    year: int
    """Year of the event's last report."""
    firm: str
    """First word of the recalling firm's name; only to leave out what one or two firms alone write."""
    kind: str
    """FDA's product type: Drugs, Devices, Biologics ..."""
    reason: str
    product: str
    recall_class: RecallClass
    lines: int
    """Product lines of the event in the file; figures by event give each of them 1 / lines."""


def read_cases(file: Path) -> tuple[list[Case], str]:
    """Every labelled row of the export, and the SHA-256 of its uncompressed bytes.

    Raises:
        DataError: a column is missing, or a row has a date or class that cannot be read.
    """
    raw = file.read_bytes()
    content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    reader = csv.DictReader(io.StringIO(content.decode("utf-8", errors="replace"), newline=""))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{file.name}: columns missing: {', '.join(missing)}")
    rows = [(number, row) for number, row in enumerate(reader, 2)]
    reported = [_day(row["Report Date"], number, file.name) for number, row in rows]
    last: dict[str, date] = {}
    for (_, row), day in zip(rows, reported, strict=True):
        last[row["Event ID"]] = max(day, last.get(row["Event ID"], day))
    lines = Counter(row["Event ID"] for _, row in rows)
    cases = [_case(row, number, last[row["Event ID"]].year, lines[row["Event ID"]], file.name) for number, row in rows]
    return cases, hashlib.sha256(content).hexdigest()


def between(cases: Iterable[Case], first: int, last: int) -> list[Case]:
    """The cases of events whose last report is in these years, both included."""
    return [case for case in cases if first <= case.year <= last]


def events(cases: Sequence[Case]) -> int:
    """How many events the cases belong to."""
    return len({case.event for case in cases})


def _day(text: str, number: int, name: str) -> date:
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a day, not an instant
    except ValueError as error:
        raise DataError(f"{name}, line {number}: Report Date must read MM/DD/YYYY, not {text[:40]!r}") from error


def _case(row: dict[str, str], number: int, year: int, lines: int, name: str) -> Case:
    recall_class = _CLASS.get(row["Classification"])
    if recall_class is None:
        known = ", ".join(_CLASS)
        raise DataError(f"{name}, line {number}: Classification must be one of {known}, not {row['Classification']!r}")
    firm = re.findall(r"[a-z]+", row["Recalling Firm"].lower())
    return Case(
        event=row["Event ID"],
        year=year,
        firm=firm[0] if firm else "",
        kind=row["Product Type"],
        reason=row["Reason for Recall"],
        product=row["Product Description"],
        recall_class=recall_class,
        lines=lines,
    )


__all__ = ["Case", "DataError", "between", "events", "read_cases"]
