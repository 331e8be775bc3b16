"""The USAID delivery history read as a spreadsheet user would: one lot per item, order and manufacturing site.

The file has no lot column, so the order (`PO / SO #`) of one manufacturing site stands for the lot, and country and
project stand for the consignee. Quantities are packs; one pack holds `Unit of Measure (Per Pack)` units of use.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from demo.truth import LotKey, Truth, rows


@dataclass(frozen=True)
class Delivery:
    """One row of the file, as far as a recall needs it."""

    consignee: str
    lot: LotKey
    quantity: Decimal
    """Packs."""


def deliveries(path: Path, brand: str, site: str) -> Iterator[Delivery]:
    """Every delivery of a brand that left a manufacturing site."""
    for row in rows(path):
        if row["Brand"].strip() == brand and row["Manufacturing Site"].strip() == site:
            yield Delivery(
                consignee=consignee_code(row["Country"], row["Project Code"]),
                lot=(row["Item Description"].strip(), row["PO / SO #"].strip(), site),
                quantity=Decimal(row["Line Item Quantity"]),
            )


def consignee_code(country: str, project: str) -> str:
    """How the project's mapping writes the consignee."""
    return f"{country.strip()} / {project.strip()}"


def read_truth(path: Path, brand: str, site: str, stock: Sequence[Path]) -> Truth:
    """Lots, quantities and stock as the files have them."""
    truth = Truth()
    received: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for delivery in deliveries(path, brand, site):
        truth.lots.add(delivery.lot)
        received[delivery.consignee, delivery.lot] += delivery.quantity
    truth.received = dict(received)
    for file in stock:
        for row in rows(file):
            lot = (row["product"], row["lot"], row["site"])
            if lot in truth.lots:
                key = (row["location"], lot)
                truth.held[key] = truth.held.get(key, Decimal(0)) + Decimal(row["on_hand"])
    return truth
