"""Genealogy and stock files on a small record of products, places and lots."""

from decimal import Decimal
from typing import Any

import pytest

from tests.imports.office import PLACE, RECALL, Office, counts, movement

pytestmark = pytest.mark.db

GENEALOGY = """
kind: genealogy
source_system: mes
source_id: Id
dates: {time_zone: UTC}
columns: {input_product: In, input_lot: In lot, input_site: Site, output_product: Out, output_lot: Out lot,
  output_site: Site, quantity: Qty, unit: Unit, occurred_at: Day}
create:
  input_product: {name: In, unit_of_use: {constant: g}}
  input_lot: {supplier_lot: Supplier}
  output_product: {name: Out, unit_of_use: {constant: kit}}
  output_lot: {quantity_made: Made, expires_on: Expires}""" + PLACE.format(
    role="input_site", column="Site", kind="manufacturer", custody="own"
)

STOCK = """
kind: stock
source_system: wms
dates: {time_zone: UTC}
columns: {product: Item, lot: Lot, site: Site, location: Place, quantity: On hand, reserved: Reserved, unit: Unit,
  as_of: Counted}
"""


def link(number: int, **changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "Id": f"G{number}",
        "Day": "2026-01-02",
        "In": "RESIN",
        "In lot": "R1",
        "Out": "KIT",
        "Out lot": "L1",
    }
    row |= {"Site": "PLANT", "Qty": 5, "Unit": "g", "Supplier": "S-9", "Made": 100, "Expires": "2028-01-01"}
    return row | changed


def count(on_hand: object, **changed: Any) -> dict[str, Any]:
    row = {"Item": "KIT", "Lot": "L1", "Site": "PLANT", "Place": "PLANT", "On hand": on_hand, "Reserved": 2}
    return row | {"Unit": "kit", "Counted": "2026-02-01"} | changed


async def test_genealogy_brings_lots_with_what_is_known_of_them_and_loops_are_facts(office: Office) -> None:
    loop = link(2, **{"In": "KIT", "Out": "RESIN", "In lot": "L1", "Out lot": "R1", "Unit": "kit", "Supplier": "",
                      "Made": "", "Expires": ""})  # fmt: skip
    mapping = GENEALOGY.replace("input_product: {name", "input_product: {differs: keep, name").replace(
        "output_product: {name", "output_product: {differs: keep, name"
    )
    file = office.file([link(1), loop])
    report = await office.load("genealogy", file, mapping)
    assert counts(report) == (2, 2, 0, 0), office.rejected()
    assert counts(await office.load("genealogy", file, mapping)) == (2, 0, 2, 0)
    assert office.sql("SELECT number, supplier_lot, quantity_made, expires_on::text FROM lot ORDER BY number") == [
        ("L1", None, Decimal(100), "2028-01-01"),
        ("R1", "S-9", None, None),
    ]
    assert office.count("lot_genealogy") == 2


async def test_a_changed_genealogy_link_is_rejected_by_field(office: Office) -> None:
    await office.load("genealogy", office.file([link(1)]), GENEALOGY)
    report = await office.load("genealogy", office.file([link(1, Qty=6)]), GENEALOGY)
    assert counts(report) == (1, 0, 0, 1)
    assert office.rejected()[0]["reason"].endswith("quantity: '6' here, '5' on record")


async def test_rows_that_contradict_each_other_on_a_lot_are_rejected(office: Office) -> None:
    report = await office.load("genealogy", office.file([link(1), link(2, Expires="2029-01-01")]), GENEALOGY)
    assert counts(report) == (2, 1, 0, 1)
    [row] = office.rejected()
    assert (row["field"], row["value"]) == ("output_lot.expires_on", "2029-01-01")
    assert row["reason"] == "expires_on: '2029-01-01' here, '2028-01-01' elsewhere in the file"


async def test_stock_is_counted_on_known_lots_and_a_newer_count_supersedes(office: Office) -> None:
    await office.movements([movement(1)])
    assert counts(await office.load("stock", office.file([count(40)]), STOCK)) == (1, 1, 0, 0)
    assert counts(await office.load("stock", office.file([count(40)]), STOCK)) == (1, 0, 1, 0)
    report = await office.load("stock", office.file([count(35, Counted="2026-02-02")]), STOCK)
    assert counts(report) == (1, 1, 0, 0)
    assert report.totals.created["superseded"] == 1
    assert office.sql("SELECT on_hand, reserved, held, as_of::date::text FROM stock") == [(35, 2, 0, "2026-02-02")]
    assert office.sql("SELECT on_hand FROM stock_before") == [(40,)]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (count(41), "quantity", "same time or later: quantity: '41' here, '40' on record"),
        (
            count(40, Counted="2026-01-31"),
            "as_of",
            "as_of: '2026-01-31 00:00:00' here, '2026-02-01 00:00:00' on record",
        ),
        (count(1, Counted="2026-03-01"), "reserved", "more is reserved than on hand"),
        (count(-1), "quantity", "zero or more"),
        (count(5, Lot="L7"), "lot", "no such lot of that product (and site) on record"),
        (count(5, Place="MOON"), "location", "no such location on record"),
    ],
)
async def test_a_count_that_cannot_stand_is_rejected_by_field(
    office: Office, row: dict[str, Any], field: str, reason: str
) -> None:
    await office.movements([movement(1)])
    await office.load("stock", office.file([count(40)]), STOCK)
    report = await office.load("stock", office.file([row]), STOCK)
    assert counts(report) == (1, 0, 0, 1)
    [rejected] = office.rejected()
    assert rejected["field"] == field
    assert reason in rejected["reason"]
    assert office.sql("SELECT on_hand FROM stock") == [(40,)]


async def test_of_several_counts_of_one_place_in_a_file_the_newest_stands(office: Office) -> None:
    await office.movements([movement(1)])
    rows = [count(40), count(30, Counted="2026-02-03"), count(30, Counted="2026-02-03")]
    report = await office.load("stock", office.file(rows), STOCK)
    assert counts(report) == (3, 1, 1, 1)
    assert office.rejected()[0]["reason"].startswith("line 3 counts the same lot and location")
    assert office.sql("SELECT on_hand FROM stock") == [(30,)]


async def test_a_count_below_the_held_quantity_is_taken_and_told(office: Office) -> None:
    await office.movements([movement(1)])
    await office.load("stock", office.file([count(40)]), STOCK)
    office.sql("UPDATE stock SET held = 38")
    report = await office.load("stock", office.file([count(20, Counted="2026-02-02")]), STOCK)
    assert counts(report) == (1, 1, 0, 0)
    assert report.totals.below_hold == 1
    assert office.one("SELECT on_hand >= held FROM stock") is True


async def test_stock_of_a_lot_under_recall_is_claimed_in_the_transaction_that_brings_it(office: Office) -> None:
    await office.movements([movement(1)])
    office.sql(RECALL)
    office.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    file = office.file([count(40)])
    await office.load("stock", file, STOCK, dry_run=True)
    assert office.count("hold") == 0
    report = await office.load("stock", file, STOCK)
    assert report.late_stock == ("RC-2026-000001",)
    assert office.sql(
        "SELECT recall_number, state, sum(quantity) FROM hold WHERE position <> 'in_transit' GROUP BY 1, 2"
    ) == [("RC-2026-000001", "requested", 40)]


async def test_movements_and_links_of_lots_under_recall_name_the_recall_to_trace_again(office: Office) -> None:
    await office.movements([movement(1)])
    office.sql(RECALL)
    office.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    report = await office.movements([movement(2, To="OTHER CLINIC")])
    assert report.retrace == ("RC-2026-000001",)
    report = await office.movements([movement(3, Item="OTHER", Lot="X")])
    assert report.retrace == ()
