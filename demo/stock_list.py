"""Stock lists as a warehouse or a logistics partner would send them, invented from the seed."""

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo.truth import LotKey


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
FRESH_SITE, FRESH_UNITS = "Bray, line 2", 2_000_000
LATE_PLACES = (Place("RDC-DOUALA", "Regional distribution centre, Douala", "logistics", "CM", "logistics"),)


def write_stock(path: Path, lots: Iterable[tuple[LotKey, str]], seed: int, places: Sequence[Place]) -> None:
    """A stock list: each lot, given with its unit of use, at one of the places."""
    chance = random.Random(f"{seed}/{path.name}")  # noqa: S311 - a story, not a secret
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        head = ["product", "lot", "site", "location", "location_name", "partner_kind", "country", "custody"]
        writer.writerow([*head, "on_hand", "unit", "as_of"])
        for (product, number, made_at), unit in lots:
            place = chance.choice(places)
            row = [product, number, made_at, place.code, place.name, place.kind, place.country, place.custody]
            counted = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
            writer.writerow([*row, chance.randrange(10, 400), unit, counted])


def write_fresh(path: Path, products: Iterable[tuple[str, str]]) -> None:
    """One unaffected lot of each product, given with its unit of use, made on another line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        head = ["product", "lot", "site", "location", "location_name", "partner_kind", "country", "custody"]
        writer.writerow([*head, "on_hand", "unit", "as_of", "expires"])
        place = PLACES[0]
        counted = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        for n, (product, unit) in enumerate(sorted(products), start=1):
            row = [product, f"NEW-{n:03}", FRESH_SITE, place.code, place.name, place.kind, place.country, place.custody]
            writer.writerow([*row, FRESH_UNITS, unit, counted, "2028-06-30"])
