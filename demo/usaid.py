"""The USAID delivery history read as a spreadsheet user would: one lot per item, order and manufacturing site.

The file has no lot column, so the order (`PO / SO #`) of one manufacturing site stands for the lot, and country and
project stand for the consignee. Quantities are packs; one pack holds `Unit of Measure (Per Pack)` units of use.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from demo.truth import LotKey, Truth, by_lot, read_stock, rows


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


def read_truth(path: Path, brand: str, site: str, stock: Sequence[Path], wider: Sequence[str] = ()) -> Truth:
    """Lots, quantities and stock as the files have them; `wider`: brands by which the scope grew later."""
    truth = Truth(ours={site})
    received: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for each in (brand, *wider):
        for delivery in deliveries(path, each, site):
            truth.lots.add(delivery.lot)
            received[delivery.consignee, delivery.lot] += delivery.quantity
            if each != brand:
                truth.wider.add(delivery.lot)
    truth.received = dict(received)
    # Every delivery of the file comes straight from the maker: nothing is passed on in it.
    truth.distributed = dict(by_lot(received))
    read_stock(stock, truth)
    return truth
