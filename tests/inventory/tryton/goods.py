"""Goods in Tryton made with its own client, the names our record has for them, and looks at what lies where."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from domain.inventory import LotName, Position, PositionState
from tests.support.tryton import TrytonForTests, model

Press = Callable[[Any, str], Awaitable[None]]
WAREHOUSE, SECOND, CLINIC = 1, 2, 3
PLACES = {WAREHOUSE: "WH1", SECOND: "WH2", CLINIC: "CUS"}


@dataclass
class Names:
    """`Directory` of a test: the names it was told."""

    lots: dict[int, LotName] = field(default_factory=dict)
    packages: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=lambda: dict(PLACES))

    async def lot_names(self, lot_ids: Sequence[int]) -> dict[int, LotName]:
        """See `Directory`."""
        return {lot: self.lots[lot] for lot in lot_ids if lot in self.lots}

    async def lot_ids(self, names: Sequence[LotName]) -> dict[LotName, int]:
        """See `Directory`."""
        known = {(name.product_code, name.number): lot for lot, name in self.lots.items()}
        return {n: known[n.product_code, n.number] for n in names if (n.product_code, n.number) in known}

    async def place_codes(self, location_ids: Sequence[int]) -> dict[int, str]:
        """See `Directory`."""
        return {place: self.places[place] for place in location_ids if place in self.places}

    async def place_ids(self, codes: Sequence[str]) -> dict[str, int]:
        """See `Directory`."""
        return {code: place for place, code in self.places.items() if code in codes}

    async def custodies(self, location_ids: Sequence[int]) -> dict[int, str]:
        """See `Directory`."""
        return {place: "customer" if place == CLINIC else "own" for place in location_ids}

    async def units_of_use(self, product_code: str, unit: str) -> Decimal | None:
        """See `Directory`."""
        return self.packages.get((product_code, unit))


class Goods:
    """One product in Tryton and its lots; every method is an act of Tryton's users, or a look."""

    def __init__(self, tryton: TrytonForTests, names: Names, unit: str = "u", code: str | None = None) -> None:
        self.names = names
        self.code = code or tryton.name("P")
        unit_of = model("product.uom")
        (self.unit,) = unit_of.find([("symbol", "=", unit)])
        template = model("product.template")(name=self.code, type="goods", default_uom=self.unit)
        template.salable = template.purchasable = template.producible = True
        template.sale_uom, template.purchase_uom, template.list_price = self.unit, self.unit, Decimal(10)
        template.products[0].suffix_code = self.code
        template.save()
        self.product = template.products[0]
        self.lots: dict[int, Any] = {}

    def lot(self, number: str = "L1") -> int:
        """A lot there and on our record; its id with us."""
        made = model("stock.lot")(number=number, product=self.product)
        made.save()
        ours = len(self.names.lots) + 1
        self.names.lots[ours] = LotName(self.code, number)
        self.lots[ours] = made
        return ours

    def place(self, code: str) -> Any:
        """A location by code or name."""
        (found,) = model("stock.location").find(["OR", ("code", "=", code), ("name", "=", code)])
        return found

    def move(self, lot: int | None, quantity: float, source: str, target: str, **facts: Any) -> Any:
        """A draft move."""
        made = model("stock.move")(product=self.product, unit=self.unit, quantity=quantity)
        made.from_location, made.to_location = self.place(source), self.place(target)
        made.lot = self.lots[lot] if lot else None
        for name, value in facts.items():
            setattr(made, name, value)
        if made.unit_price_required:
            (company,) = model("company.company").find()
            made.unit_price, made.currency = Decimal(5), company.currency
        made.save()
        return made

    def receive(self, lot: int, quantity: float, target: str = "WH1-A") -> None:
        """Units found, as a count would book them."""
        self.move(lot, quantity, "Lost and Found", target).click("do")

    def stock(self, lot: int, place: str) -> float:
        """Units of a lot below a place, as Tryton's client shows them."""
        from proteus.config import get_config

        location = model("stock.location")
        with get_config().set_context(lot=self.lots[lot].id, product=self.product.id, with_childs=True):
            return float(location(self.place(place).id).quantity or 0)

    def state(self, lot: int) -> str | None:
        """What Tryton's users read on the lot."""
        return model("stock.lot")(self.lots[lot].id).recall_state  # type: ignore[no-any-return]

    def quarantined(self, lot: int) -> float:
        """Units of a lot in the first warehouse's quarantine."""
        return self.stock(lot, "WH1-QUARANTINE")

    def moves(self, lot: int) -> list[tuple[float, str, str]]:
        """Done moves of recalls: quantity, from, to."""
        found = model("stock.move").find(
            [("lot", "=", self.lots[lot].id), ("state", "=", "done"), ("origin", "like", "recall.%")],
            order=[("id", "ASC")],
        )
        return [(m.quantity, m.from_location.code, m.to_location.code) for m in found]

    def customer_shipment(self, lot: int | None, quantity: float, *steps: str) -> Any:
        """A customer shipment with one move, taken as far as these buttons."""
        shipment = model("stock.shipment.out")()
        (clinic,) = model("party.party").find([("name", "=", "Clinic")])
        shipment.customer = clinic
        shipment.warehouse = self.place("WH1")
        move = shipment.outgoing_moves.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place("OUT"), self.place("CUS")
        move.lot = self.lots[lot] if lot else None
        (company,) = model("company.company").find()
        move.unit_price, move.currency = Decimal(10), company.currency
        shipment.save()
        for step in steps:
            shipment.click(step)
        return shipment

    def internal_shipment(self, lot: int, quantity: float, *steps: str) -> Any:
        """Goods sent from the first warehouse to the second."""
        shipment = model("stock.shipment.internal")()
        shipment.from_location, shipment.to_location = self.place("WH1-A"), self.place("Storage 2")
        move = shipment.moves.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place("WH1-A"), self.place("Storage 2")
        move.lot = self.lots[lot]
        shipment.save()
        for step in steps:
            shipment.click(step)
        return shipment

    def order(self, kind: str, quantity: float, *steps: str) -> Any:
        """A sale to the clinic or a purchase from the maker (`sale`, `purchase`), taken as far as these buttons."""
        order = model(f"{kind}.{kind}")()
        (party,) = model("party.party").find([("name", "=", "Clinic" if kind == "sale" else "Maker")])
        order.party, order.invoice_method, order.warehouse = party, "manual", self.place("WH1")
        line = order.lines.new()
        line.product, line.quantity = self.product, quantity
        if kind == "purchase":
            line.unit_price = Decimal(5)
        order.save()
        for step in steps:
            order.click(step)
        return order

    def announced(self, lot: int, quantity: float) -> Any:
        """A supplier shipment that names the lot before it arrives."""
        shipment = model("stock.shipment.in")()
        (maker,) = model("party.party").find([("name", "=", "Maker")])
        shipment.supplier, shipment.warehouse = maker, self.place("WH1")
        self._incoming(shipment, lot, quantity, "SUP", "IN")
        return shipment

    def returned(self, lot: int, quantity: float) -> Any:
        """A customer's return that is announced."""
        shipment = model("stock.shipment.out.return")()
        (clinic,) = model("party.party").find([("name", "=", "Clinic")])
        shipment.customer, shipment.warehouse = clinic, self.place("WH1")
        self._incoming(shipment, lot, quantity, "CUS", "IN")
        return shipment

    def _incoming(self, shipment: Any, lot: int, quantity: float, source: str, target: str) -> None:
        move = shipment.incoming_moves.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place(source), self.place(target)
        move.lot = self.lots[lot]
        (company,) = model("company.company").find()
        move.unit_price, move.currency = Decimal(5), company.currency
        shipment.save()

    def production(self, lot: int, quantity: float, *steps: str) -> Any:
        """A production order that uses units of the lot."""
        order = model("production")()
        order.warehouse, order.location = self.place("WH1"), self.place("PROD")
        move = order.inputs.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place("STO"), self.place("PROD")
        move.lot = self.lots[lot]
        order.save()
        for step in steps:
            order.click(step)
        return order

    def count(self, lot: int, quantity: float) -> Any:
        """A count that is being taken."""
        count = model("stock.inventory")()
        count.location = self.place("WH1-A")
        line = count.lines.new()
        line.product, line.lot, line.quantity = self.product, self.lots[lot], quantity
        count.save()
        return count


def at(lot: int, quantity: int | Decimal, place: int = WAREHOUSE, **facts: Any) -> Position:
    """A position as `locate` gives it."""
    state = facts.pop("state", PositionState.ON_HAND)
    return Position(lot, place, "own", state, Decimal(quantity), **facts)


__all__ = ["CLINIC", "PLACES", "SECOND", "WAREHOUSE", "Goods", "Names", "Press", "at"]
