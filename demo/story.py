"""The story told on the real deliveries: files are made, imported, and the people's own books kept.

`UsaidStory` recalls every Uni-Gold HIV product that left one manufacturer in the USAID delivery history.
"""

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import yaml

from demo.cast import Cast, cast_roles, write_contacts
from demo.embedded import PROJECT
from demo.recipients import Books
from demo.truth import LotKey
from demo.usaid import Delivery, deliveries

HERE = Path(__file__).parent
USAID_MAPPING = PROJECT / "imports" / "mappings" / "usaid_movements.yaml"
_STOCKED_LOTS, _LATE_LOTS = 24, 3


@dataclass(frozen=True)
class ImportStep:
    """One `recall import` to run."""

    kind: str
    file: Path
    mapping: Path


class Story(Protocol):
    """What the demonstration needs to know of a story."""

    title: str
    about: str
    scope: Mapping[str, Any]
    cast: Cast
    imports: Sequence[ImportStep]
    late_stock: ImportStep

    def books(self, partner: str) -> Books:
        """One site's own books."""
        ...

    def checker_arguments(self) -> list[str]:
        """How the checker finds the raw files."""
        ...


@dataclass
class UsaidStory:
    """Every Uni-Gold product that left the manufacturer's site."""

    file: Path
    folder: Path
    seed: int
    brand: str = "Uni-Gold"
    site: str = "Trinity Biotech, Plc"
    title: str = "Uni-Gold HIV tests: false negative results"
    about: str = field(init=False)
    scope: Mapping[str, Any] = field(init=False)
    cast: Cast = field(init=False)
    imports: Sequence[ImportStep] = field(init=False)
    late_stock: ImportStep = field(init=False)

    def __post_init__(self) -> None:
        self._received: defaultdict[str, defaultdict[LotKey, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        rows = list(deliveries(self.file, self.brand, self.site))
        for row in rows:
            self._received[row.consignee][row.lot] += row.quantity
        self.about = (
            f"{self.file.name}: {len(rows)} deliveries of {self.brand} from {self.site},"
            f" {len({row.lot[1] for row in rows})} purchase orders, {len(self._received)} consignees"
        )
        self.scope = {"brands": [self.brand], "manufacturing_sites": [self.site]}
        self.cast = cast_roles(sorted(self._received), self.seed, self._richest())
        self._write_files(rows)

    def _richest(self) -> str:
        """The consignee that got most: it is the one that passes product on."""
        return max(sorted(self._received), key=lambda code: max(self._received[code].values()))

    def books(self, partner: str) -> Books:
        """A consignee's own books; the named clinic knows what it got from the one that passed on."""
        passed = self._passed_on()
        if partner == self.cast.clinic.name:
            return Books({passed[0]: passed[1]}, _Same(), Decimal("0.5"))
        share = Decimal(random.Random(f"{self.seed}/{partner}").randrange(30, 100)) / 100  # noqa: S311 - a story
        return Books(self._received[partner], _Same(), share, passed if partner == self.cast.passing_on else None)

    def _passed_on(self) -> tuple[LotKey, Decimal]:
        received = self._received[self.cast.passing_on]
        lot = max(sorted(received), key=lambda each: received[each])
        return lot, (received[lot] / 10).to_integral_value(rounding="ROUND_UP")

    def checker_arguments(self) -> list[str]:
        """Raw file, selection, and the stock lists that were imported."""
        stock = [str(step.file) for step in (*self.imports, self.late_stock) if step.kind == "stock"]
        named = ["--file", str(self.file), "--brand", self.brand, "--site", self.site]
        return [*named, *(part for file in stock for part in ("--stock", file))]

    def _write_files(self, rows: Sequence[Delivery]) -> None:
        partners, contacts = self.folder / "partners.csv", self.folder / "contacts.csv"
        stock, late = self.folder / "stock.csv", self.folder / "late-stock.csv"
        write_contacts(self.cast, contacts)
        self._write_partners(partners)
        lots = sorted({row.lot for row in rows})
        chosen = random.Random(self.seed).sample(lots, _STOCKED_LOTS + _LATE_LOTS)  # noqa: S311 - a story
        write_stock(stock, chosen[:_STOCKED_LOTS], self.seed, self.site, PLACES)
        write_stock(late, chosen[_STOCKED_LOTS:], self.seed + 1, self.site, PLACES[1:2])
        self.imports = (
            ImportStep("partners", partners, HERE / "mappings" / "partners.yaml"),
            ImportStep("movements", self.file, USAID_MAPPING),
            ImportStep("contacts", contacts, HERE / "mappings" / "contacts.yaml"),
            ImportStep("stock", stock, HERE / "mappings" / "stock.yaml"),
        )
        self.late_stock = ImportStep("stock", late, HERE / "mappings" / "stock.yaml")

    def _write_partners(self, path: Path) -> None:
        """Consignees that read Chinese are on record before the deliveries, as a master list would have them."""
        maps = yaml.safe_load(USAID_MAPPING.read_text())["maps"]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["code", "name", "kind", "country", "language", "time_zone"])
            for code in sorted(self.cast.chinese):
                country, project = code.split(" / ")
                zone = maps["time_zones"][country]
                name = f"{country}, project {project}"
                writer.writerow([code, name, "distributor", maps["countries"][country], "zh-CN", zone])


class _Same(dict[str, str]):
    """In this file the product's code is its name."""

    def __missing__(self, code: str) -> str:
        return code


@dataclass(frozen=True)
class Place:
    """Where stock lies that has not reached a consignee."""

    code: str
    name: str
    kind: str
    country: str
    custody: str


PLACES = (
    Place("FG-BRAY", "Finished goods store, Bray", "warehouse", "IE", "own"),
    Place("RDC-NAIROBI", "Regional distribution centre, Nairobi", "logistics", "KE", "logistics"),
    Place("RDC-ACCRA", "Regional distribution centre, Accra", "logistics", "GH", "logistics"),
)


def write_stock(path: Path, lots: Iterable[LotKey], seed: int, site: str, places: Sequence[Place]) -> None:
    """A stock list: each lot at one of the places."""
    chance = random.Random(f"{seed}/{site}")  # noqa: S311 - a story
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        head = ["product", "lot", "site", "location", "location_name", "partner_kind", "country", "custody"]
        writer.writerow([*head, "on_hand", "unit", "as_of"])
        for product, number, made_at in lots:
            place = chance.choice(places)
            row = [product, number, made_at, place.code, place.name, place.kind, place.country, place.custody]
            counted = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
            writer.writerow([*row, chance.randrange(10, 400), "pack", counted])
