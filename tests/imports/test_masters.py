"""Product, partner and contact masters: idempotent by code, never silently changed, each value checked."""

from decimal import Decimal
from typing import Any

import pytest

from tests.imports.office import Office, counts

pytestmark = pytest.mark.db

PRODUCTS = """
kind: products
source_system: pim
columns: {code: Code, name: Name, gtin: GTIN, unit_of_use: Unit, device_class: Class, sterile: Sterile, brand: Brand}
packages:
  - {unit: {constant: box}, units_of_use: Per box, gtin: Box GTIN}
"""
PARTNERS = """
kind: partners
source_system: crm
columns: {code: Code, name: Name, kind: Kind, country: {column: Country, map: countries}, language: Language,
  time_zone: Zone, gln: GLN, location: Site, location_name: Site, custody: Custody}
maps:
  countries: {Ireland: IE, China: CN}
"""
CONTACTS = """
kind: contacts
source_system: crm
columns: {partner: Partner, position: Order, name: Name, role: Role, email: Mail, phone: Phone, phone_region: Region,
  channels: Channels}
"""


def product(code: str, **changed: Any) -> dict[str, Any]:
    row = {"Code": code, "Name": f"Product {code}", "GTIN": "", "Unit": "piece", "Class": "IIa", "Sterile": "yes"}
    return row | {"Brand": "", "Per box": 12, "Box GTIN": ""} | changed


def partner(code: str, **changed: Any) -> dict[str, Any]:
    row = {"Code": code, "Name": f"Partner {code}", "Kind": "hospital", "Country": "Ireland", "Language": "en"}
    return row | {"Zone": "Europe/Dublin", "GLN": "", "Site": f"{code}-1", "Custody": "customer"} | changed


def contact(partner_code: str, order: int, **changed: Any) -> dict[str, Any]:
    row = {"Partner": partner_code, "Order": order, "Name": "Pat Roe", "Role": "Pharmacist", "Mail": "pat@roe.example"}
    return row | {"Phone": "+353 1 234 5678", "Region": "", "Channels": "email;sms"} | changed


async def test_products_come_with_the_package_levels_they_have(office: Office) -> None:
    file = office.file([product("A", GTIN="4006381333931"), product("B", **{"Per box": ""})])
    assert counts(await office.load("products", file, PRODUCTS)) == (2, 2, 0, 0)
    assert office.sql(
        "SELECT p.code, p.gtin, p.sterile, p.device_class, k.unit, k.units_of_use "
        "FROM product p LEFT JOIN package_level k ON k.product_id = p.id ORDER BY p.code"
    ) == [
        ("A", "04006381333931", True, "IIa", "box", Decimal(12)),
        ("B", None, True, "IIa", None, None),
    ]


async def test_a_value_comes_with_its_currency_and_is_compared_as_a_number(office: Office) -> None:
    priced = PRODUCTS.replace("brand: Brand}", "brand: Brand, unit_value: Value, unit_currency: Money}")
    rows = [
        product("A", Value="2.50", Money="eur"),
        product("B", Value="2.5", Money=""),
        product("C", Value="", Money="USD"),
        product("D", Value="1", Money="DEM"),
        product("E", Value="", Money=""),
    ]
    assert counts(await office.load("products", office.file(rows), priced)) == (5, 2, 0, 3)
    assert [each["reason"] for each in office.rejected()] == [
        "a value and its currency come together",
        "a value and its currency come together",
        "expected an ISO 4217 code such as EUR",
    ]
    assert office.sql("SELECT code, unit_value, unit_currency FROM product ORDER BY code") == [
        ("A", Decimal("2.5"), "EUR"),
        ("E", None, None),
    ]
    again = office.file([product("A", Value="2.5", Money="EUR"), product("E", Value="", Money="")])
    assert counts(await office.load("products", again, priced)) == (2, 0, 2, 0)


async def test_a_package_the_row_names_without_a_count_is_a_finding_not_a_guess(office: Office) -> None:
    named = PRODUCTS.replace("{constant: box}", "Brand")
    report = await office.load("products", office.file([product("B", Brand="box", **{"Per box": ""})]), named)
    assert counts(report) == (1, 0, 0, 1)
    assert office.rejected()[0]["reason"] == "is missing for the unit box"


async def test_a_product_master_is_idempotent_and_adds_only_new_levels(office: Office) -> None:
    file = office.file([product("A"), product("B"), product("A")])
    assert counts(await office.load("products", file, PRODUCTS)) == (3, 2, 1, 0)
    assert counts(await office.load("products", file, PRODUCTS)) == (3, 0, 3, 0)
    cartons = PRODUCTS.replace("constant: box", "constant: carton")
    report = await office.load("products", office.file([product("A", **{"Per box": 144})]), cartons)
    assert counts(report) == (1, 1, 0, 0)
    assert office.sql("SELECT unit, units_of_use FROM package_level WHERE product_id = 1 ORDER BY unit") == [
        ("box", Decimal(12)),
        ("carton", Decimal(144)),
    ]


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"Name": "Other"}, "name", "name: 'Other' here, 'Product A' on record"),
        ({"Class": "III"}, "device_class", "device_class: 'III' here, 'IIa' on record"),
        ({"Sterile": "no"}, "sterile", "sterile: 'false' here, 'true' on record"),
        ({"Per box": 10}, "packages.units_of_use", "packages.units_of_use: '10' here, '12' on record"),
        ({"GTIN": "4006381333932"}, "gtin", "wrong check digit 2, expected 1"),
        ({"Class": "9"}, "device_class", "expected one of I, IIa, IIb, II, III"),
        ({"Unit": ""}, "unit_of_use", "is missing"),
    ],
)
async def test_a_product_that_differs_or_is_wrong_is_rejected_by_field(
    office: Office, changed: dict[str, Any], field: str, reason: str
) -> None:
    await office.load("products", office.file([product("A")]), PRODUCTS)
    report = await office.load("products", office.file([product("A", **changed)]), PRODUCTS)
    assert counts(report) == (1, 0, 0, 1)
    [row] = office.rejected()
    assert (row["field"], row["reason"]) == (field, reason)


async def test_a_gtin_of_another_product_or_package_is_refused(office: Office) -> None:
    gtin = "4006381333931"
    rows = [product("A", GTIN=gtin), product("B", GTIN=gtin), product("C", **{"Box GTIN": "96385074"})]
    assert counts(await office.load("products", office.file(rows), PRODUCTS)) == (3, 2, 0, 1)
    assert office.rejected()[0]["reason"] == "is the GTIN of product A"
    report = await office.load("products", office.file([product("D", **{"Box GTIN": "96385074"})]), PRODUCTS)
    assert counts(report) == (1, 0, 0, 1)
    assert office.count("product") == 2, "a product whose package is refused is not left behind"


async def test_partners_bring_their_locations_and_a_second_location_is_new(office: Office) -> None:
    rows = [
        partner("P"),
        partner("P", Site="P-2"),
        partner("Q", Country="China", Language="zh-CN", Site="", Custody=""),
    ]
    report = await office.load("partners", office.file(rows), PARTNERS)
    assert counts(report) == (3, 3, 0, 0)
    assert report.totals.created == {"partners": 2, "locations": 2}
    assert counts(await office.load("partners", office.file(rows), PARTNERS)) == (3, 0, 3, 0)
    assert office.sql("SELECT code, country, language FROM partner ORDER BY code") == [
        ("P", "IE", "en"),
        ("Q", "CN", "zh-CN"),
    ]


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"Country": "Eire"}, "country", "is not in maps.countries of the mapping"),
        ({"Zone": "Dublin"}, "time_zone", "expected an IANA time zone"),
        ({"Kind": "shop"}, "kind", "expected one of supplier"),
        ({"Custody": ""}, "custody", "is missing for the location"),
        ({"Site": ""}, "location", "is missing, but the row describes a location"),
        ({"GLN": "4006381333930"}, "gln", "wrong check digit 0, expected 1"),
        ({"Name": "Other"}, "partner.name", "partner.name: 'Other' here, 'Partner P' on record"),
        ({"Code": "Q"}, "partner.code", "partner.code: 'Q' here, 'P' on record"),
    ],
)
async def test_a_partner_that_differs_or_is_wrong_is_rejected_by_field(
    office: Office, changed: dict[str, Any], field: str, reason: str
) -> None:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    report = await office.load("partners", office.file([partner("P", **changed)]), PARTNERS)
    assert counts(report) == (1, 0, 0, 1)
    [row] = office.rejected()
    assert field in row["field"].split(" | ")
    assert reason in row["reason"]
    assert office.count("partner") == 1


async def test_contacts_belong_to_a_partner_and_keep_their_order(office: Office) -> None:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    rows = [contact("P", 1), contact("P", 2, Mail="", Channels="sms", Phone="01 234 5678", Region="IE")]
    file = office.file(rows)
    assert counts(await office.load("contacts", file, CONTACTS)) == (2, 2, 0, 0)
    assert counts(await office.load("contacts", file, CONTACTS)) == (2, 0, 2, 0)
    assert office.sql("SELECT position, email, phone, channels FROM contact ORDER BY position") == [
        (1, "pat@roe.example", "+35312345678", ["email", "sms"]),
        (2, None, "+35312345678", ["sms"]),
    ]


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"Partner": "X"}, "partner", "no such partner on record"),
        ({"Mail": "pat"}, "email", "expected an e-mail address"),
        ({"Mail": ""}, "email", "is missing, but the channel email is used"),
        ({"Phone": ""}, "phone", "is missing, but the channel sms is used"),
        ({"Phone": "01 234"}, "phone", "expected an international number"),
        ({"Channels": "fax"}, "channels", "expected each once, in order of preference"),
        ({"Order": "first"}, "position", "expected a whole number"),
        ({"Name": "Kim Poe"}, "name", "'Kim Poe' here, 'Pat Roe' on record"),
    ],
)
async def test_a_contact_that_cannot_be_reached_or_differs_is_rejected_by_field(
    office: Office, changed: dict[str, Any], field: str, reason: str
) -> None:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    await office.load("contacts", office.file([contact("P", 1)]), CONTACTS)
    report = await office.load("contacts", office.file([contact("P", 1, **changed)]), CONTACTS)
    assert counts(report) == (1, 0, 0, 1)
    [row] = office.rejected()
    assert row["field"] == field
    assert reason in row["reason"]
