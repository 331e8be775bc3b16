"""The USAID delivery history read as a spreadsheet user would: one lot per item, order and manufacturing site.

The file has no lot column, so the order (`PO / SO #`) of one manufacturing site stands for the lot, and country and
project stand for the consignee. Quantities are packs; one pack holds `Unit of Measure (Per Pack)` units of use.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from demo.truth import Truth, rows


@dataclass(frozen=True)
class Delivery:
    """One row of the file, as far as a recall needs it."""

    consignee: str
    product: str
    lot: str
    quantity: Decimal
    """Units of use."""


def deliveries(path: Path, brand: str, site: str) -> Iterator[Delivery]:
    """Every delivery of a brand that left a manufacturing site."""
    for row in rows(path):
        if row["Brand"].strip() == brand and row["Manufacturing Site"].strip() == site:
            yield Delivery(
                consignee=consignee_code(row["Country"], row["Project Code"]),
                product=row["Item Description"].strip(),
                lot=row["PO / SO #"].strip(),
                quantity=Decimal(row["Line Item Quantity"]) * Decimal(row["Unit of Measure (Per Pack)"]),
            )


def consignee_code(country: str, project: str) -> str:
    """How the project's mapping writes the consignee."""
    return f"{country.strip()} / {project.strip()}"


def read_truth(path: Path, brand: str, site: str, stock: Path | None) -> Truth:
    """Lots, quantities and stock as the files have them."""
    truth = Truth()
    received: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for delivery in deliveries(path, brand, site):
        truth.lots.add((delivery.product, delivery.lot))
        received[delivery.consignee, delivery.product, delivery.lot] += delivery.quantity
    truth.received = dict(received)
    if stock is not None:
        for row in rows(stock):
            if (row["product"], row["lot"]) in truth.lots:
                key = (row["location"], row["product"], row["lot"])
                truth.held[key] = truth.held.get(key, Decimal(0)) + Decimal(row["on_hand"])
    return truth
