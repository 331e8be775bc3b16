"""Where a trace starts: selectors combine by clear rules, and a name that is not on record is an error."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from db.engine import SessionFactory
from db.repositories import trace
from db.repositories.trace_roots import undated_roots
from domain.scope import LotRange, LotRef, ScopeCriteria, SerialRange, SerialRef, UnknownScope, Window
from tests.support.chain import Chain, day
from tests.support.servers import PostgresForTests


@pytest.fixture
def plant(clean_db: PostgresForTests) -> dict[str, Any]:
    chain = Chain()
    north, south = chain.place("own", "manufacturer"), chain.place("own", "manufacturer")
    clinic = chain.place()
    kit, pump = chain.product("kits", "Uni"), chain.product("pumps", "Uni")
    ids: dict[str, Any] = {"north": f"L{north}", "south": f"L{south}", "kit": f"P{kit}", "pump": f"P{pump}"}
    ids["k1"] = chain.lot(kit, number="A1", site=north, made_on=date(2026, 1, 10), supplier_lot="S1")
    ids["k2"] = chain.lot(kit, number="A1", site=south, made_on=date(2026, 2, 10))
    ids["k3"] = chain.lot(kit, number="A2", site=north)
    ids["p1"] = chain.lot(pump, number="A1", site=south, made_on=date(2026, 1, 10), supplier_lot="S1")
    chain.move("shipment", ids["k1"], 1, north, clinic, day=10, delivered=True)
    chain.move("shipment", ids["p1"], 1, south, clinic, day=20)
    chain.move("receipt", ids["p1"], 1, south, clinic, day=25, document="DN-7")
    chain.move("shipment", ids["k2"], 1, south, clinic, day=25, document="DN-7")
    chain.move("receipt", None, 1, None, clinic, product=kit, document="DN-8")
    for number in ("SN-9", "SN-10", "SN-11"):
        chain.serial(ids["k3"], number)
    chain.serial(ids["k1"], "SN-10")
    chain.serial(ids["p1"], "SN-10")
    chain.write(clean_db.owner_url)
    return ids


@pytest.mark.db
@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"lots": [("kit", "A1", None)]}, ["k1", "k2"]),
        ({"lots": [("kit", "A1", "south")]}, ["k2"]),
        ({"product_codes": ["kit"]}, ["k1", "k2", "k3"]),
        ({"product_codes": ["kit", "pump"]}, ["k1", "k2", "k3", "p1"]),
        ({"families": ["pumps"]}, ["p1"]),
        ({"brands": ["Uni"], "manufacturing_sites": ["south"]}, ["k2", "p1"]),
        ({"supplier_lots": ["S1"], "product_codes": ["pump"]}, ["p1"]),
        ({"supplier_lots": ["S1"], "lots": [("kit", "A2", None)]}, ["k1", "k3", "p1"]),
        ({"brands": ["Uni"], "made_to": date(2026, 1, 10)}, ["k1", "k3", "p1"]),
        ({"brands": ["Uni"], "made_from": date(2026, 1, 11)}, ["k2", "k3"]),
        ({"documents": ["DN-7"]}, ["k2", "p1"]),
        ({"documents": ["DN-7"], "families": ["kits"]}, ["k2"]),
        ({"lot_ranges": [("kit", "a01", "A1")]}, ["k1", "k2"]),
        ({"lot_ranges": [("kit", "A1-5", "A10")]}, ["k3"]),
        ({"serials": [("kit", "SN-11")]}, ["k3"]),
        ({"serials": [("kit", "SN-10")], "families": ["pumps"]}, ["k1", "k3", "p1"]),
        ({"serial_ranges": [("kit", "SN-10", "SN-99")]}, ["k1", "k3"]),
        ({"serial_ranges": [("kit", "sn-1", "SN-9")]}, ["k3"]),
        ({"brands": ["Uni"], "shipped": Window(start=day(10), end=day(20))}, ["k1"]),
        ({"brands": ["Uni"], "received": Window(start=day(20))}, ["p1"]),
        ({"brands": ["Uni"], "received": Window(end=day(20))}, ["k1"]),
    ],
)
async def test_selectors_are_alternatives_inside_a_kind_and_all_needed_across_kinds(
    db: SessionFactory, plant: dict[str, Any], criteria: dict[str, Any], expected: list[str]
) -> None:
    async with db() as session:
        assert await trace.resolve_roots(session, build(plant, criteria)) == sorted(plant[name] for name in expected)


def build(plant: dict[str, Any], criteria: dict[str, Any]) -> ScopeCriteria:
    given = dict(criteria)
    for field in ("product_codes", "manufacturing_sites"):
        if field in given:
            given[field] = [plant.get(name, name) for name in given[field]]
    if "lots" in given:
        given["lots"] = [
            LotRef(product_code=plant.get(p, p), number=n, site_code=plant[s] if s else None)
            for p, n, s in given["lots"]
        ]
    for field in ("lot_ranges", "serial_ranges", "serials"):
        names = ("product_code", "number") if field == "serials" else ("product_code", "first", "last")
        given[field] = [dict(zip(names, (plant[row[0]], *row[1:]), strict=True)) for row in given.get(field, ())]
    return ScopeCriteria(**given)


@pytest.mark.db
async def test_every_unknown_name_is_listed(db: SessionFactory, plant: dict[str, Any]) -> None:
    criteria = ScopeCriteria(
        lots=(LotRef(product_code=plant["kit"], number="A9"), LotRef(product_code="nope", number="A1")),
        product_codes=(plant["kit"], "none-such"),
        families=("gone",),
        brands=("Uni",),
        supplier_lots=("S9",),
        manufacturing_sites=("moon",),
        documents=("DN-7", "DN-8", "DN-9"),
        lot_ranges=(LotRange(product_code=plant["kit"], first="B", last="C"),),
        serials=(SerialRef(product_code=plant["pump"], number="SN-11"),),
        serial_ranges=(SerialRange(product_code="nope", first="1", last="2"),),
    )
    async with db() as session:
        with pytest.raises(UnknownScope) as caught:
            await trace.resolve_roots(session, criteria)
    assert caught.value.unknown == (
        {"field": "product_codes", "value": "none-such"},
        {"field": "families", "value": "gone"},
        {"field": "supplier_lots", "value": "S9"},
        {"field": "manufacturing_sites", "value": "moon"},
        {"field": "documents", "value": "DN-9"},
        {"field": "documents", "value": "DN-8 (on record, but without any lot)"},
        {"field": "lots", "value": f"{plant['kit']}:A9"},
        {"field": "lots", "value": "nope:A1"},
        {"field": "lot_ranges", "value": f"{plant['kit']}:B..C"},
        {"field": "serials", "value": f"{plant['pump']}:SN-11"},
        {"field": "serial_ranges", "value": "nope:1..2"},
    )


@pytest.mark.db
async def test_known_names_that_no_lot_fits_together_are_an_error_too(
    db: SessionFactory, plant: dict[str, Any]
) -> None:
    criteria = ScopeCriteria(families=("pumps",), manufacturing_sites=(plant["north"],))
    async with db() as session:
        with pytest.raises(UnknownScope, match="no lot on record fits all selectors"):
            await trace.resolve_roots(session, criteria)


@pytest.mark.db
async def test_a_lot_without_a_making_date_is_kept_and_named(db: SessionFactory, plant: dict[str, Any]) -> None:
    async with db() as session:
        criteria = ScopeCriteria(brands=("Uni",), made_from=date(2026, 1, 1))
        assert await undated_roots(session, criteria) == [plant["k3"]]
        assert await undated_roots(session, ScopeCriteria(brands=("Uni",))) == []


@pytest.mark.unit
@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({}, "name at least one of"),
        ({"made_from": "2026-01-01"}, "name at least one of"),
        ({"lots": [{"product_code": "P", "number": "1"}], "made_from": "2026-01-01"}, "lots are taken as named"),
        ({"brands": ["x"], "made_from": "2026-02-01", "made_to": "2026-01-01"}, "made_from must not be after"),
        ({"brands": ["x"], "shipped": {}}, "give start, end or both"),
        ({"brands": ["x"], "shipped": {"start": "2026-01-01T00:00:00"}}, "timezone"),
        ({"brands": ["  "]}, "at least 1 character"),
        ({"brand": ["x"]}, "Extra inputs"),
    ],
)
def test_criteria_that_name_nothing_or_contradict_themselves_are_refused(
    criteria: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        ScopeCriteria.model_validate(criteria)
