"""What feeds bring: movements and counts, by the import that production uses; each told to the model."""

import csv
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from imports.loader import Order, run_import
from models.chain import ImportKind
from tests.process.desk import Refused
from tests.process.recall_work import RecallWork

MOVEMENTS = """
kind: movements
source_system: erp
source_id: Id
dates: {formats: ["%Y-%m-%d %H:%M"], time_zone: UTC}
columns: {kind: Type, product: Item, lot: Lot, site: Site, from: From, to: To, quantity: Qty, unit: Unit, \
delivered: Proof, occurred_at: At, document_no: Doc}
"""
STOCK = """
kind: stock
source_system: erp
dates: {formats: ["%Y-%m-%d %H:%M"], time_zone: UTC}
columns: {product: Item, lot: Lot, site: Site, location: Place, quantity: Qty, reserved: Kept, unit: Unit, as_of: At}
"""


class FeedWork(RecallWork):
    """Files that arrive while recalls run."""

    # ------------------------------------------------------------------ imports

    def bring(self, what: str, lot: str, units: Decimal, source: str, target: str, at: datetime, document: str) -> None:
        """A movement becomes known by an import: shipment, delivery, receipt or consumption."""
        goods, lot_id = self.world.goods, self.world.lots[lot]
        row = self._row(lot, units, at) | {
            "Id": f"M{self.desk.hours}", "Type": {"delivery": "shipment"}.get(what, what), "Doc": document,
            "From": self.world.place_codes.get(source, ""), "To": self.world.place_codes.get(target, ""),
            "Proof": "yes" if what == "delivery" else "",
        }  # fmt: skip
        self._import(ImportKind.movements, MOVEMENTS, row, f"{what} {units} {lot} {source} -> {target} {document}")
        places = self.world.places
        if what == "consumption":
            goods.use(lot_id, places[source], units, at)
        elif what == "receipt":
            goods.receive(lot_id, places[target], units, at, document=document)
        else:
            goods.ship(
                lot_id, places[source], places[target], units, at, document=document, delivered=what == "delivery"
            )

    def count(self, lot: str, place: str, units: Decimal, reserved: Decimal) -> None:
        """A count of stock is imported."""
        at = self.desk.now.replace(minute=0)
        row = self._row(lot, units, at) | {"Place": self.world.place_codes[place], "Kept": str(reserved)}
        self._import(ImportKind.stock, STOCK, row, f"count {units} {lot} at {place}")
        self.world.goods.count(self.world.lots[lot], self.world.places[place], units, at)

    def _row(self, lot: str, units: Decimal, at: datetime) -> dict[str, str]:
        site = self.desk.one(
            "SELECT site.code FROM lot JOIN location site ON site.id = lot.site_id WHERE lot.id = %s",
            self.world.lots[lot],
        )
        return {
            "Item": self.world.codes[lot], "Lot": lot, "Site": site, "Qty": str(units), "Unit": "unit",
            "At": at.strftime("%Y-%m-%d %H:%M"),
        }  # fmt: skip

    def _import(self, kind: ImportKind, mapping: str, row: dict[str, str], note: str) -> None:
        folder = self.desk.bench.folder
        file, rules, rejects = folder / f"{kind.value}.csv", folder / f"{kind.value}.yaml", folder / "rejects.csv"
        rules.write_text(mapping, encoding="utf-8")
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(row))
            writer.writeheader()
            writer.writerow(row)

        async def work() -> Any:
            order = Order(kind, file, rules, "importer", self.desk.now + timedelta(minutes=30), rejects=rejects)
            report = await run_import(self.desk.bench.sessions, order)
            assert report.totals.by_outcome["new"].rows + report.totals.by_outcome["rejected"].rows == 1, report.totals
            assert not report.totals.by_outcome["rejected"].rows, rejects.read_text()
            return report

        assert not isinstance(self.desk.attempt("import", work, note), Refused)
        for case in self.cases:
            if not case.ended:
                self.retrace(case)


__all__ = ["FeedWork"]
