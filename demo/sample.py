"""The sample chain's files read as a spreadsheet user would: who made what of which lot, who got it, what still lies.

Used where the USAID file is not at hand. Nothing is taken from the product or from the generator's manifest: lots are
followed through `genealogy.csv`, quantities are summed from `movements.csv`, stock from `stock.csv`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from demo.truth import Before, LotKey, Truth, by_lot, read_stock, rows

_MAKERS = frozenset({"supplier", "manufacturer", "regulator"})


@dataclass(frozen=True)
class Chain:
    """The folder that `recall sample-chain` wrote."""

    folder: Path

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of one file."""
        return list(rows(self.folder / f"{name}.csv"))

    @cached_property
    def partners(self) -> dict[str, dict[str, str]]:
        """Partners by code; each has one location of the same code."""
        return {row["Code"]: row for row in self.table("partners")}

    @cached_property
    def products(self) -> dict[str, dict[str, str]]:
        """Products by code."""
        return {row["Code"]: row for row in self.table("products")}

    @cached_property
    def made_of(self) -> dict[LotKey, set[LotKey]]:
        """Lot -> lots made from it."""
        edges: defaultdict[LotKey, set[LotKey]] = defaultdict(set)
        for row in self.table("genealogy"):
            source = (row["Input product"], row["Input lot"], row["Input site"])
            edges[source].add((row["Output product"], row["Output lot"], row["Output site"]))
        return dict(edges)

    def forward(self, start: LotKey) -> set[LotKey]:
        """The lot and everything made from it, through any number of steps; loops end."""
        found, todo = {start}, [start]
        while todo:
            new = self.made_of.get(todo.pop(), set()) - found
            found |= new
            todo += new
        return found

    def widest_raw_lot(self) -> LotKey:
        """The raw-material lot that most lots were made from: the alarm of this story."""
        made = {lot for lots in self.made_of.values() for lot in lots}
        return max(sorted(set(self.made_of) - made), key=lambda lot: len(self.forward(lot)))

    def quantity(self, row: dict[str, str]) -> Decimal:
        """Quantity of a movement in units of use."""
        per_unit = Decimal(self.products[row["Product"]]["Per box"]) if row["Unit"] == "box" else Decimal(1)
        return Decimal(row["Quantity"]) * per_unit

    def arrivals(self, lots: set[LotKey]) -> Iterator[tuple[LotKey, str, Decimal, Decimal, bool]]:
        """Per lot, destination and document: sent there in all, still under way, and whether it left our hands."""
        sums: defaultdict[tuple[LotKey, str, str], defaultdict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        ours: set[tuple[LotKey, str, str]] = set()
        for row in self.table("movements"):
            lot = (row["Product"], row["Lot"], row["Site"])
            if lot in lots and row["To"] and row["Type"] in {"shipment", "receipt", "return"}:
                key = (lot, row["To"], row["Document"])
                kind = "delivered" if row["Type"] == "shipment" and row["Proof of delivery"] == "yes" else row["Type"]
                sums[key][kind] += self.quantity(row)
                if kind == "shipment" and self._custody(row["From"]) != "customer":
                    ours.add(key)
        for (lot, place, document), by_kind in sums.items():
            announced = by_kind["shipment"] + by_kind["delivered"]
            # A receipt confirms what was announced under its document; what it has beyond that arrived unannounced.
            unannounced = max(Decimal(0), by_kind["receipt"] - announced - by_kind["return"])
            under_way = max(Decimal(0), by_kind["shipment"] - by_kind["receipt"])
            yield lot, place, announced + unannounced, under_way, (lot, place, document) in ours

    def returned(self, lots: set[LotKey]) -> dict[tuple[str, LotKey], Decimal]:
        """(place, lot) -> units of use sent back from there."""
        back: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
        for row in self.table("movements"):
            lot = (row["Product"], row["Lot"], row["Site"])
            if lot in lots and row["Type"] == "return":
                back[row["From"], lot] += self.quantity(row)
        return dict(back)

    def before(self, lots: set[LotKey]) -> Before:
        """What consignees sent back, passed on and used, and what was destroyed, by the movements on record."""
        sums: defaultdict[str, defaultdict[tuple[str, LotKey], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for row in self.table("movements"):
            lot, place = (row["Product"], row["Lot"], row["Site"]), row["From"] or row["To"]
            if lot not in lots or not place:
                continue
            consignee, goes_on = self.is_consignee(place), self.is_consignee(row["To"])
            kind = row["Type"]
            if kind == "destruction" or (kind == "consumption" and consignee):
                sums[kind][place, lot] += self.quantity(row)
            elif kind == "shipment" and consignee and goes_on:
                sums["passed"][place, lot] += self.quantity(row)
            elif kind == "return" and consignee and row["To"] in self.ours():
                sums["returned"][place, lot] += self.quantity(row)
        return Before(
            returned=dict(sums["returned"]),
            passed=dict(sums["passed"]),
            used=dict(sums["consumption"]),
            destroyed=dict(sums["destruction"]),
        )

    def ours(self) -> set[str]:
        """Places in our own or our logistics partners' custody."""
        return {code for code, row in self.partners.items() if row["Custody"] != "customer"}

    def _custody(self, place: str) -> str:
        return self.partners[place]["Custody"] if place in self.partners else ""

    def is_consignee(self, place: str) -> bool:
        """Whether a place holds its stock on our notice."""
        return self._custody(place) == "customer" and self.partners[place]["Kind"] not in _MAKERS


def read_truth(chain: Chain, start: LotKey, extra_stock: Sequence[Path], wider: Sequence[LotKey] = ()) -> Truth:
    """Lots, quantities and stock as the files have them; `wider`: lots by which the scope grew later."""
    first = chain.forward(start)
    further = {lot for each in wider for lot in chain.forward(each)} - first
    truth = Truth(lots=first | further, wider=further, ours=chain.ours())
    received: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    held: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for lot, place, sent, under_way, ours in chain.arrivals(truth.lots):
        if chain.is_consignee(place) and sent:
            received[place, lot] += sent
        if under_way and (ours or not chain.is_consignee(place)):
            held[place, lot] += under_way
    for row in chain.table("stock"):
        lot = (row["Product"], row["Lot"], row["Site"])
        if lot in truth.lots and Decimal(row["On hand"]):
            truth.on_hand[row["Location"], lot] = Decimal(row["On hand"])
            held[row["Location"], lot] += Decimal(row["On hand"])
    truth.received, truth.held = dict(received), dict(held)
    read_stock(extra_stock, truth)
    truth.before = chain.before(truth.lots)
    arrived, passed = by_lot(truth.received), by_lot(truth.before.passed)
    truth.distributed = {lot: arrived[lot] - passed[lot] for lot in truth.lots}
    return truth
