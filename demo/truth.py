"""What the answer has to be, recomputed from the sender's own files by plain counting, and from what we did ourselves.

Nothing here was taken from the product: the files are read as a spreadsheet user would read them.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

LotKey = tuple[str, str, str]
"""Product code, lot number, manufacturing site."""


@dataclass(frozen=True)
class Told:
    """One answer a recipient gave, as the recipient remembers it."""

    consignee: str
    """Partner code; the name of the site where it is known only from another recipient's answer."""
    channel: str
    kind: str
    lines: Mapping[LotKey, tuple[Decimal, Decimal, Decimal, Decimal]] = field(default_factory=dict)
    """Lot -> on hand, used, held, passed on."""


@dataclass
class Truth:
    """The right answer."""

    lots: set[LotKey] = field(default_factory=set)
    received: dict[tuple[str, LotKey], Decimal] = field(default_factory=dict)
    """(consignee, lot) -> units of use shipped there."""
    held: dict[tuple[str, LotKey], Decimal] = field(default_factory=dict)
    """(location, lot) -> units of use that must be under hold."""
    addresses: dict[str, str] = field(default_factory=dict)
    """E-mail address or telephone number -> consignee it belongs to."""
    told: list[Told] = field(default_factory=list)
    onward: dict[tuple[str, LotKey], Decimal] = field(default_factory=dict)
    """(named site, lot) -> units of use passed on to it."""
    evidence: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256."""
    silent: set[str] = field(default_factory=set)
    """Consignees that never say anything."""

    def consignees(self) -> set[str]:
        """Who received anything."""
        return {consignee for consignee, _ in self.received}


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file, gzipped or not, with or without a byte-order mark, whatever ends its lines."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    yield from csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))


def read_diary(path: Path, truth: Truth) -> None:
    """Add what the people of the demonstration wrote down of their own doings."""
    diary: dict[str, Any] = json.loads(path.read_text())
    truth.addresses |= diary["addresses"]
    truth.evidence |= diary["evidence"]
    truth.silent |= set(diary.get("silent", ()))
    for told in diary["told"]:
        lines = {(p, n, s): tuple(Decimal(q) for q in figures) for p, n, s, *figures in told["lines"]}
        truth.told.append(Told(told["consignee"], told["channel"], told["kind"], lines))  # type: ignore[arg-type]
    for named, product, number, site, quantity in diary["onward"]:
        # Written down again with every answer of the one site that passed product on: the last answer counts.
        truth.onward[named, (product, number, site)] = Decimal(quantity)
