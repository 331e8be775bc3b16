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

    async def known_products(self, codes: Sequence[str]) -> set[str]:
        """See `Directory`."""
        return {name.product_code for name in self.lots.values()} & set(codes)

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

    def elsewhere(self, name: str) -> str:
        """The name of a new storage location outside every warehouse, without a code."""
        return str(made("stock.location", {"name": name, "type": "storage"}).name)

    def party(self, name: str) -> Any:
        """A trading partner by name."""
        return self._one("party.party", ("name", "=", name))

    def company(self, name: str = "Dunder Mifflin") -> Any:
        """The company whose stock the recall looks at, or its `Sister firm` in the same warehouses."""
        return self._one("company.company", ("party.name", "=", name))

    def _one(self, name: str, *domain: Any) -> Any:
        asked = f"{name} {domain}"
        if asked not in self.known:
            (self.known[asked],) = model(name).find(list(domain))
        return self.known[asked]

    def line(self, lot: int | None, quantity: float, source: str, target: str, price: int | None = None) -> Any:
        """Values of a draft move."""
        company = self.company()
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
        clinic = self.party("Clinic")
        values = {"customer": clinic.id, "delivery_address": clinic.addresses[0].id} | self._warehouse("output", "OUT")
        line = self.line(lot, quantity, "OUT", "CUS", 10)
        return self._taken("stock.shipment.out", values | {"outgoing_moves": [("create", [line])]}, *steps)

    def internal_shipment(self, lot: int, quantity: float, *steps: str) -> Any:
        """Goods sent from the first warehouse to the second."""
        values = {"from_location": self.place("WH1-A").id, "to_location": self.place("Storage 2").id}
        line = self.line(lot, quantity, "WH1-A", "Storage 2")
        return self._taken("stock.shipment.internal", values | {"moves": [("create", [line])]}, *steps)

    def _warehouse(self, zone: str, code: str) -> dict[str, int]:
        places = {"warehouse": "WH1", "warehouse_storage": "STO", f"warehouse_{zone}": code}
        return {name: self.place(place).id for name, place in places.items()}

    def _taken(self, name: str, values: dict[str, Any], *steps: str) -> Any:
        record = made(name, values)
        for step in steps:
            record.click(step)
        return record

    def order(self, kind: str, quantity: float, *steps: str, **more: Any) -> Any:
        """A sale to the clinic or a purchase from the maker (`sale`, `purchase`), taken as far as these buttons."""
        party, currency = self.party("Clinic" if kind == "sale" else "Maker"), self.company().currency
        address = party.addresses[0].id
        line = {"product": self.product.id, "quantity": quantity, "unit": self.unit.id, "unit_price": Decimal(5)}
        values = {"party": party.id, "company": self.company().id, "currency": currency.id, "invoice_method": "manual"}
        values |= {"invoice_address": address, "warehouse": self.place("WH1").id, "lines": [("create", [line])]}
        values |= {"shipment_address": address} if kind == "sale" else {}
        return self._taken(f"{kind}.{kind}", values | more, *steps)

    def announced(self, lot: int, quantity: float) -> Any:
        """A supplier shipment that names the lot before it arrives."""
        values = {"supplier": self.party("Maker").id} | self._warehouse("input", "IN")
        line = self.line(lot, quantity, "SUP", "IN", 5)
        return made("stock.shipment.in", values | {"incoming_moves": [("create", [line])]})

    def returned(self, lot: int, quantity: float) -> Any:
        """A customer's return that is announced."""
        values = {"customer": self.party("Clinic").id} | self._warehouse("input", "IN")
        line = self.line(lot, quantity, "CUS", "IN", 5)
        return made("stock.shipment.out.return", values | {"incoming_moves": [("create", [line])]})

    def sent_back(self, lot: int, quantity: float, *steps: str) -> Any:
        """Goods on their way back to the maker."""
        maker = self.party("Maker")
        values = {"supplier": maker.id, "delivery_address": maker.addresses[0].id}
        values |= {"from_location": self.place("WH1-A").id, "to_location": self.place("SUP").id}
        line = self.line(lot, quantity, "WH1-A", "SUP", 5)
        return self._taken("stock.shipment.in.return", values | {"moves": [("create", [line])]}, *steps)

    def production(self, lot: int, quantity: float, *steps: str, makes: bool = False) -> Any:
        """A production order that uses units of the lot, or makes them."""
        values = {"warehouse": self.place("WH1").id, "location": self.place("PROD").id}
        line = self.line(lot, quantity, "PROD", "STO", 5) if makes else self.line(lot, quantity, "STO", "PROD")
        return self._taken("production", values | {"outputs" if makes else "inputs": [("create", [line])]}, *steps)

    def count(self, lot: int, quantity: float, place: str = "WH1-A") -> Any:
        """A count that is being taken."""
        line = {"product": self.product.id, "lot": self.lots[lot].id, "quantity": quantity}
        values = {"location": self.place(place).id, "empty_quantity": "keep", "lines": [("create", [line])]}
        return made("stock.inventory", values)


def at(lot: int, quantity: int | Decimal, place: int = WAREHOUSE, **facts: Any) -> Position:
    """A position as `locate` gives it."""
    state = facts.pop("state", PositionState.ON_HAND)
    return Position(lot, place, "own", state, Decimal(quantity), **facts)


__all__ = ["CLINIC", "PLACES", "SECOND", "WAREHOUSE", "Goods", "Names", "Press", "at", "made"]
