"""What the answer has to be, recomputed from the sender's own files by plain counting, and from what we did ourselves.

Nothing here was taken from the product: the files are read as a spreadsheet user would read them.
"""

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

LotKey = tuple[str, str, str]
"""Product code, lot number, manufacturing site."""
Figures = tuple[Decimal, Decimal, Decimal, Decimal]
"""On hand, used, held, passed on; units of use."""
Placed = dict[tuple[str, LotKey], Decimal]
"""(place or consignee, lot) -> units of use."""
_DOCK = "FG-BRAY"
"""Where returns are counted in, unless the entry names another place of ours at its end."""


@dataclass(frozen=True)
class Told:
    """One answer a recipient gave, as the recipient remembers it."""

    consignee: str
    """Partner code; the name of the site where it is known only from another recipient's answer."""
    channel: str
    kind: str
    lines: Mapping[LotKey, Figures] = field(default_factory=dict)


@dataclass
class Before:
    """What the files say of the lots besides shipments and stock: all of it happened before the alarm."""

    returned: Placed = field(default_factory=dict)
    """Sent back by a consignee to a place of ours."""
    passed: Placed = field(default_factory=dict)
    """Shipped by a consignee to another one."""
    used: Placed = field(default_factory=dict)
    """Recorded as used at a consignee; counts only where it has stated nothing itself."""
    destroyed: Placed = field(default_factory=dict)
    """At whatever place."""


@dataclass
class Doings:
    """What people did after the notices were out, as they wrote it down; quantities in units of use."""

    phone: list[Told] = field(default_factory=list)
    """Statements typed in by staff; they count over what the page said before."""
    documented: set[str] = field(default_factory=set)
    """Consignees that never answered, with a signed account."""
    second: list[tuple[str, LotKey]] = field(default_factory=list)
    """(number of another recall, lot it claimed as well)."""
    released: Placed = field(default_factory=dict)
    returned: Placed = field(default_factory=dict)
    """By consignee."""
    docked: Placed = field(default_factory=dict)
    """The same units by the place of ours that counted them in."""
    to_factory: Placed = field(default_factory=dict)
    destroyed: Placed = field(default_factory=dict)
    destroyed_in_place: Placed = field(default_factory=dict)
    replaced: Decimal = Decimal(0)


@dataclass
class Truth:
    """The right answer."""

    lots: set[LotKey] = field(default_factory=set)
    received: Placed = field(default_factory=dict)
    """(consignee, lot) -> units of use shipped there."""
    held: Placed = field(default_factory=dict)
    """(location, lot) -> units of use that must be under hold."""
    addresses: dict[str, str] = field(default_factory=dict)
    """E-mail address or telephone number -> consignee it belongs to."""
    told: list[Told] = field(default_factory=list)
    onward: Placed = field(default_factory=dict)
    """(named site, lot) -> units of use passed on to it."""
    evidence: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256."""
    silent: set[str] = field(default_factory=set)
    """Consignees that never say anything."""
    wider: set[LotKey] = field(default_factory=set)
    """Lots by which the scope grew later; part of `lots`."""
    on_hand: Placed = field(default_factory=dict)
    """(location, lot) -> units of use as the stock lists count them."""
    ours: set[str] = field(default_factory=set)
    """Places in our own or our logistics partners' custody."""
    distributed: dict[LotKey, Decimal] = field(default_factory=dict)
    """Lot -> units of use that left for consignees, each unit once however often it was passed on."""
    before: Before = field(default_factory=Before)
    doings: Doings = field(default_factory=Doings)
    papers: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256 of what was uploaded after the notices were out."""
    staff: set[str] = field(default_factory=set)
    """Addresses of our own people."""

    def consignees(self) -> set[str]:
        """Who received anything."""
        return {consignee for consignee, _ in self.received}


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file, gzipped or not, with or without a byte-order mark, whatever ends its lines."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    yield from csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))


def read_stock(files: Sequence[Path], truth: Truth) -> None:
    """Add stock lists as a warehouse sends them; lots outside the scope are left out."""
    for file in files:
        for row in rows(file):
            lot = (row["product"], row["lot"], row["site"])
            truth.ours.add(row["location"])
            if lot in truth.lots:
                for counted in (truth.on_hand, truth.held):
                    key = (row["location"], lot)
                    counted[key] = counted.get(key, Decimal(0)) + Decimal(row["on_hand"])


def read_diary(path: Path, truth: Truth) -> None:
    """Add what the people of the demonstration wrote down of their own doings."""
    diary: dict[str, Any] = json.loads(path.read_text())
    truth.addresses |= diary["addresses"]
    truth.evidence |= diary["evidence"]
    truth.silent |= set(diary.get("silent", ()))
    truth.papers |= diary.get("papers", {})
    truth.staff |= set(diary.get("staff", ()))
    for told in diary["told"]:
        lines = {(p, n, s): _figures(figures) for p, n, s, *figures in told["lines"]}
        truth.told.append(Told(told["consignee"], told["channel"], told["kind"], lines))
    for named, product, number, site, quantity in diary["onward"]:
        # Written down again with every answer of the one site that passed product on: the last answer counts.
        truth.onward[named, (product, number, site)] = Decimal(quantity)
    truth.doings = read_doings(diary.get("doings", {}))


def read_doings(written: Mapping[str, list[Any]]) -> Doings:
    """The second half of the diary.

    Raises:
        ValueError: something was written down that nobody here knows how to count.
    """
    sums = ("released", "returned", "to_factory", "destroyed", "destroyed_in_place")
    unknown = set(written) - {"phone", "documented", "second", "replaced", *sums}
    if unknown:
        raise ValueError(f"diary: doings {sorted(unknown)} are not known; expected {sorted(sums)} and the like")
    doings = Doings(phone=_phoned(written.get("phone", [])), documented=set(written.get("documented", ())))
    doings.second = [(each[0], _lot(each[1:4])) for each in written.get("second", [])]
    doings.replaced = sum((Decimal(each) for each in written.get("replaced", [])), Decimal(0))
    for kind in sums:
        setattr(doings, kind, _placed((each[0], _lot(each[1:4]), each[4]) for each in written.get(kind, [])))
    returned = written.get("returned", [])
    doings.docked = _placed(((*each, _DOCK)[5], _lot(each[1:4]), each[4]) for each in returned)
    return doings


def _placed(entries: Any) -> Placed:
    total: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for place, lot, quantity in entries:
        total[place, lot] += Decimal(quantity)
    return dict(total)


def _phoned(written: Sequence[Sequence[str]]) -> list[Told]:
    """Lines of one call follow each other; a lot that comes again is of a later call."""
    calls: list[tuple[str, dict[LotKey, Figures]]] = []
    for consignee, product, number, site, *figures in written:
        lot = (product, number, site)
        if not calls or calls[-1][0] != consignee or lot in calls[-1][1]:
            calls.append((consignee, {}))
        calls[-1][1][lot] = _figures(figures)
    return [Told(consignee, "phone", "statement", lines) for consignee, lines in calls]


def _lot(entry: Sequence[str]) -> LotKey:
    product, number, site = entry
    return product, number, site


def _figures(written: Sequence[str]) -> Figures:
    on_hand, used, held, passed_on = (Decimal(each) for each in written)
    return on_hand, used, held, passed_on


def by_lot(placed: Mapping[tuple[str, LotKey], Decimal]) -> defaultdict[LotKey, Decimal]:
    """Sums by lot; 0 for a lot that is not there."""
    total: defaultdict[LotKey, Decimal] = defaultdict(Decimal)
    for (_, lot), quantity in placed.items():
        total[lot] += quantity
    return total
