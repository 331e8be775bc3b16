"""A made-up supply chain as files, for where no real data is at hand: same seed and size, same files.

Raw-material lots become product lots that travel through warehouses and distributors to hospitals, with merges,
splits, transfers, returns, rework loops, goods in transit, a wrong count, a stale store and receipts without a lot.
`manifest.json` holds the truths that a recall of it must find.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from imports.sample_flow import Chain, Lot, simulate
from imports.sample_truth import lotless, named, suspects, truth
from imports.sample_world import (
    AUTHORITY,
    BULK,
    DISTRIBUTORS,
    LOGISTICS,
    PRODUCTS,
    RAW,
    SITES,
    SUPPLIERS,
    WAREHOUSES,
    Place,
    contacts,
    hospitals,
)

COUNTED = datetime(2025, 11, 30, 18)  # noqa: DTZ001 - the files' times are in the mapping's zone
_STAMP = "%Y-%m-%d %H:%M"
_MISCOUNT = 3


def generate(folder: Path, *, seed: int, size: int) -> list[Path]:
    """Write the files of one chain and return their paths.

    Args:
        folder: made if missing; files of an earlier run are overwritten.
        seed: of every random choice.
        size: finished lots.
    """
    folder.mkdir(parents=True, exist_ok=True)
    served = hospitals(max(8, min(200, size // 3)))
    clinics = [hospital for group in served.values() for hospital in group]
    chain = simulate(seed, size, served)
    everyone = [*SUPPLIERS, *SITES, *WAREHOUSES, LOGISTICS, *DISTRIBUTORS, AUTHORITY, *clinics]
    places = {place.code: place for place in everyone}
    stock, miscount = _count(chain)
    tables: dict[str, Iterable[Mapping[str, Any]]] = {
        "products": _products(),
        "partners": _partners(everyone),
        "contacts": contacts([*DISTRIBUTORS, *clinics], Random(seed)),  # noqa: S311 - repeatable on purpose
        "genealogy": _genealogy(chain),
        "movements": _movements(chain),
        "stock": _stock(stock),
    }
    written = [_write(folder / f"{name}.csv", rows) for name, rows in tables.items()]
    manifest = folder / "manifest.json"
    body = {
        "seed": seed,
        "size": size,
        "rows": {path.stem: _lines(path) for path in written},
        "truths": [truth(chain, why, lot, places, stock) for why, lot in suspects(chain)],
        "receipts_without_lot": lotless(chain.moves),
        "rework_loops": [{"lot": named(lot), "through": named(bulk)} for lot, bulk in chain.reworked],
        "miscounted": miscount,
        "stale": [row for row in stock if row["location"] == WAREHOUSES[2].code][:1],
    }
    manifest.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [*written, manifest]


def _lines(path: Path) -> int:
    with path.open(encoding="utf-8") as file:
        return sum(1 for _ in file) - 1


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _products() -> Iterable[dict[str, Any]]:
    for product in PRODUCTS:
        yield {
            "Code": product.code,
            "Name": product.name,
            "Family": product.family,
            "Brand": product.brand,
            "GTIN": product.gtin,
            "Unit": product.unit,
            "Per box": product.per_box,
            "Class": product.device_class,
            "Sterile": "yes" if product.sterile else "no",
            "Life (years)": "" if product in RAW + BULK else 2,
        }


def _partners(everyone: Iterable[Place]) -> Iterable[dict[str, Any]]:
    for place in everyone:
        yield {
            "Code": place.code,
            "Name": place.name,
            "Kind": place.kind,
            "Country": place.country,
            "Region": place.region,
            "Language": place.language,
            "Time zone": place.time_zone,
            "Custody": place.custody,
        }


def _genealogy(chain: Chain) -> Iterable[dict[str, Any]]:
    for number, link in enumerate(chain.links, start=1):
        made = chain.made[link.target]
        yield {
            "Link": f"G{number:06d}",
            "Date": link.at.strftime(_STAMP),
            "Input product": link.source.product.code,
            "Input lot": link.source.number,
            "Input site": link.source.site,
            "Supplier lot": chain.made[link.source].supplier_lot,
            "Quantity": link.quantity,
            "Output product": link.target.product.code,
            "Output lot": link.target.number,
            "Output site": link.target.site,
            "Output made on": made.on.isoformat(),
            "Output expires": made.expires.isoformat(),
            "Output quantity": made.quantity,
        }


def _movements(chain: Chain) -> Iterable[dict[str, Any]]:
    for number, move in enumerate(sorted(chain.moves, key=lambda move: move.at), start=1):
        boxes, rest = divmod(move.quantity, move.product.per_box)
        in_boxes = move.kind in {"shipment", "receipt"} and rest == 0 and move.lot is not None
        yield {
            "Line": f"M{number:07d}",
            "Date": move.at.strftime(_STAMP),
            "Type": move.kind,
            "Product": move.product.code,
            "Lot": move.lot.number if move.lot else "",
            "Site": move.lot.site if move.lot else "",
            "Supplier lot": chain.made[move.lot].supplier_lot if move.lot else "",
            "From": move.start,
            "To": move.end,
            "Quantity": boxes if in_boxes else move.quantity,
            "Unit": "box" if in_boxes else move.product.unit,
            "Proof of delivery": "yes" if move.delivered else "no",
            "Document": move.document,
        }


def _count(chain: Chain) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Stock as counted at our own and our logistics partner's places; one count is wrong on purpose."""
    own = [place.code for place in (*SITES, *WAREHOUSES, LOGISTICS)]
    rows: list[dict[str, Any]] = []
    for (place, lot), book in chain.books.items():
        if place in own and (book["on_hand"] or book["got"] or book["made"]):
            rows.append(
                {
                    **named(lot),
                    "location": place,
                    "on_hand": book["on_hand"],
                    "reserved": _reserved(chain, place, lot, book["on_hand"]),
                    "as_of": _as_of(chain, place).strftime(_STAMP),
                }
            )
    rows.sort(key=lambda row: (row["location"], row["product"], row["lot"], row["site"]))
    for row in rows:
        if row["location"] == WAREHOUSES[0].code and row["on_hand"] - row["reserved"] > _MISCOUNT:
            miscount = {**row, "by_the_books": row["on_hand"]}
            row["on_hand"] -= _MISCOUNT
            return rows, miscount | {"on_hand": row["on_hand"]}
    return rows, None


def _reserved(chain: Chain, place: str, lot: Lot, on_hand: int) -> int:
    stocked = place.startswith(("WH-", "3PL-")) and place != WAREHOUSES[2].code
    return chain.random.randint(1, on_hand) if stocked and on_hand > 1 and lot.number.endswith(("2", "5A")) else 0


def _as_of(chain: Chain, place: str) -> datetime:
    """The overflow store stopped reporting after its last movement."""
    if place != WAREHOUSES[2].code:
        return COUNTED
    last = max((move.at for move in chain.moves if place in {move.start, move.end}), default=COUNTED)
    return last + timedelta(hours=1)


def _stock(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    units = {product.code: product.unit for product in PRODUCTS}
    for row in rows:
        yield {
            "Location": row["location"],
            "Product": row["product"],
            "Lot": row["lot"],
            "Site": row["site"],
            "On hand": row["on_hand"],
            "Reserved": row["reserved"],
            "Unit": units[row["product"]],
            "Counted": row["as_of"],
        }
