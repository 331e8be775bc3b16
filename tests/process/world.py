"""A small supply chain drawn at random: written into Postgres as rows, and told to the test's own model.

R1, R2 -> K1..K3 by a drawn genealogy; K9 of the same product stands alone. One plant, one depot, one carrier of ours,
four hospitals; shipments, goods under way and counts (some of them wrong) are drawn.
"""

from dataclasses import dataclass
from decimal import Decimal

import psycopg

from tests.process.model import Goods
from tests.support.chain import Chain, day

KITS = ("K1", "K2", "K3", "K9")
LOTS = ("R1", "R2", *KITS)
HOSPITALS = ("H1", "H2", "H3", "H4")
OUR_PLACES = ("plant", "depot", "carrier")
MADE = 200


@dataclass(frozen=True)
class Shipping:
    """A drawn shipment: lot, target and units; `arrived` False leaves it under way."""

    lot: int
    target: int
    units: int
    arrived: bool


@dataclass(frozen=True)
class Shape:
    """Everything that is drawn about a chain."""

    edges: tuple[bool, ...]
    """(R1, R2) x (K1, K2, K3)."""
    shipments: tuple[Shipping, ...]
    miscount: int
    """Units that the depot's count of K1 is short."""
    reserved: int


@dataclass
class World:
    """The chain in the database and in the model."""

    goods: Goods
    lots: dict[str, int]
    codes: dict[str, str]
    places: dict[str, int]
    place_codes: dict[str, str]


def build(url: str, shape: Shape) -> World:
    """Write the chain and book it in the model."""
    chain = Chain(base=100_000)  # what the product adds counts from 1
    places = {"plant": chain.place("own", "manufacturer"), "depot": chain.place("own", "warehouse")}
    places |= {"carrier": chain.place("logistics", "logistics")}
    places |= {name: chain.place("customer", "hospital") for name in HOSPITALS}
    raw, kit = chain.product(family="reagent"), chain.product(family="kits")
    of = {name: kit if name in KITS else raw for name in LOTS}
    lots = {name: chain.lot(of[name], number=name, site=places["plant"], made=Decimal(MADE)) for name in LOTS}
    goods = Goods(
        {place.id: place.custody for place in chain.places.values()},
        {place.id: place.partner for place in chain.places.values()},
    )
    for lot in lots.values():
        goods.make(lot, places["plant"], Decimal(MADE))
    for index, wanted in enumerate(shape.edges):
        if wanted:
            tail, head = lots[("R1", "R2")[index // 3]], lots[KITS[index % 3]]
            chain.step(tail, head, 10)
            goods.build_in(tail, places["plant"], Decimal(10), head)
    _ship(chain, goods, lots, places, shape)
    for name in KITS:
        units = goods.at(lots[name], places["depot"]) - (shape.miscount if name == "K1" else 0)
        chain.count(lots[name], places["depot"], float(units), min(shape.reserved, int(units)), at=100)
        goods.count(lots[name], places["depot"], units, day(100))
    chain.write(url)
    _contacts(url, places)
    codes = {name: chain.products[of[name]][0] for name in LOTS}
    return World(goods, lots, codes, places, {name: chain.places[place].code for name, place in places.items()})


def _ship(chain: Chain, goods: Goods, lots: dict[str, int], places: dict[str, int], shape: Shape) -> None:
    def shipped(lot: str, units: int, source: str, target: str, at: int, document: str, *, arrived: bool) -> None:
        chain.move(
            "shipment", lots[lot], units, places[source], places[target],
            day=at, document=document, delivered=arrived,
        )  # fmt: skip
        goods.ship(
            lots[lot], places[source], places[target], Decimal(units), day(at), document=document, delivered=arrived
        )

    for number, name in enumerate(KITS):
        shipped(name, 120, "plant", "depot", 1, f"P{number}", arrived=True)
    always = (Shipping(0, 0, 12, arrived=True), Shipping(1, 1, 9, arrived=True))
    for number, each in enumerate((*always, *shape.shipments)):
        target = (*HOSPITALS[:3], "carrier")[each.target]
        shipped(KITS[each.lot], each.units, "depot", target, 2 + number, f"D{number}", arrived=each.arrived)


def _contacts(url: str, places: dict[str, int]) -> None:
    with psycopg.connect(url) as db:
        for name in HOSPITALS:
            db.execute(
                "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
                " VALUES (%s, 1, %s, 'stores', %s, '{email}', 'verified')",
                [places[name], f"{name} stores", f"{name.lower()}@hospital.example"],
            )


__all__ = ["HOSPITALS", "KITS", "LOTS", "OUR_PLACES", "Shape", "Shipping", "World", "build"]
