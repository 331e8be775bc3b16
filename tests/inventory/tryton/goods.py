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

    async def lots_fitting(self, names: Sequence[LotName]) -> dict[LotName, list[int]]:
        """See `Directory`."""
        return {name: [lot] for name, lot in (await self.lot_ids(names)).items()}

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


def made(name: str, values: dict[str, Any]) -> Any:
    """A record written as it is: proteus would ask Tryton after each field what else changes."""
    from proteus.config import get_config

    (key,) = model(name)._proxy.create([values], get_config().context)
    return model(name)(key)


class Goods:
    """One product in Tryton and its lots; every method is an act of Tryton's users, or a look."""

    def __init__(self, tryton: TrytonForTests, names: Names, unit: str = "u", code: str | None = None) -> None:
        self.names = names
        self.code = code or tryton.name("P")
        self.known = tryton.known
        self.unit = self._one("product.uom", ("symbol", "=", unit))
        uom = self.unit.id
        values = {"name": self.code, "type": "goods", "default_uom": uom, "sale_uom": uom, "purchase_uom": uom}
        values |= {"salable": True, "purchasable": True, "producible": True, "list_price": Decimal(10)}
        template = made("product.template", values | {"products": [("create", [{"suffix_code": self.code}])]})
        (self.product,) = template.products
        self.lots: dict[int, Any] = {}

    def lot(self, number: str = "L1") -> int:
        """A lot there and on our record; its id with us."""
        there = made("stock.lot", {"number": number, "product": self.product.id})
        ours = len(self.names.lots) + 1
        self.names.lots[ours] = LotName(self.code, number)
        self.lots[ours] = there
        return ours

    def place(self, code: str) -> Any:
        """A location by code or name."""
        return self._one("stock.location", "OR", ("code", "=", code), ("name", "=", code))

    def party(self, name: str) -> Any:
        """A trading partner by name."""
        return self._one("party.party", ("name", "=", name))

    def _one(self, name: str, *domain: Any) -> Any:
        asked = f"{name} {domain}"
        if asked not in self.known:
            (self.known[asked],) = model(name).find(list(domain))
        return self.known[asked]

    def line(self, lot: int | None, quantity: float, source: str, target: str, price: int | None = None) -> Any:
        """Values of a draft move."""
        company = self._one("company.company")
        values = {"product": self.product.id, "unit": self.unit.id, "quantity": quantity, "company": company.id}
        values |= {"from_location": self.place(source).id, "to_location": self.place(target).id}
        values |= {"lot": self.lots[lot].id if lot else None}
        if price:
            values |= {"unit_price": Decimal(price), "currency": company.currency.id}
        return values

    def move(self, lot: int | None, quantity: float, source: str, target: str) -> Any:
        """A draft move."""
        return made("stock.move", self.line(lot, quantity, source, target))

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
        clinic = self.party("Clinic")
        shipment.customer = clinic
        shipment.warehouse = self.place("WH1")
        move = shipment.outgoing_moves.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place("OUT"), self.place("CUS")
        move.lot = self.lots[lot] if lot else None
        company = self._one("company.company")
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
        party = self.party("Clinic" if kind == "sale" else "Maker")
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
        maker = self.party("Maker")
        shipment.supplier, shipment.warehouse = maker, self.place("WH1")
        self._incoming(shipment, lot, quantity, "SUP", "IN")
        return shipment

    def returned(self, lot: int, quantity: float) -> Any:
        """A customer's return that is announced."""
        shipment = model("stock.shipment.out.return")()
        clinic = self.party("Clinic")
        shipment.customer, shipment.warehouse = clinic, self.place("WH1")
        self._incoming(shipment, lot, quantity, "CUS", "IN")
        return shipment

    def _incoming(self, shipment: Any, lot: int, quantity: float, source: str, target: str) -> None:
        move = shipment.incoming_moves.new()
        move.product, move.unit, move.quantity = self.product, self.unit, quantity
        move.from_location, move.to_location = self.place(source), self.place(target)
        move.lot = self.lots[lot]
        company = self._one("company.company")
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
        line = {"product": self.product.id, "lot": self.lots[lot].id, "quantity": quantity}
        values = {"location": self.place("WH1-A").id, "lines": [("create", [line])]}
        return made("stock.inventory", values)


def at(lot: int, quantity: int | Decimal, place: int = WAREHOUSE, **facts: Any) -> Position:
    """A position as `locate` gives it."""
    state = facts.pop("state", PositionState.ON_HAND)
    return Position(lot, place, "own", state, Decimal(quantity), **facts)


__all__ = ["CLINIC", "PLACES", "SECOND", "WAREHOUSE", "Goods", "Names", "Press", "at"]
