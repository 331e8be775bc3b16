"""Movements: every row is new, already there or rejected with its field and reason; nothing changes silently."""

import asyncio
from decimal import Decimal

import pytest

from imports.errors import ImportRefusedError
from imports.totals import Expected
from tests.imports.office import CREATE_ALL, MOVEMENTS, Office, counts, movement

pytestmark = pytest.mark.db


async def test_a_file_brings_movements_with_the_products_places_and_lots_they_name(office: Office) -> None:
    report = await office.movements([movement(1), movement(2, Lot="L2"), movement(3, To="OTHER CLINIC")])
    assert counts(report) == (3, 3, 0, 0)
    assert report.totals.created == {"products": 1, "partners": 3, "locations": 3, "lots": 2, "movements": 3}
    assert office.sql(
        "SELECT m.kind, p.code, l.number, s.code, f.code, t.code, m.quantity, m.occurred_at::date::text, m.document_no "
        "FROM movement m JOIN product p ON p.id = m.product_id JOIN lot l ON l.id = m.lot_id "
        "JOIN location s ON s.id = l.site_id JOIN location f ON f.id = m.from_location_id "
        "JOIN location t ON t.id = m.to_location_id WHERE m.source_id = 'M3'"
    ) == [("shipment", "KIT", "L1", "PLANT", "PLANT", "OTHER CLINIC", Decimal(30), "2026-01-05", "D3")]
    assert office.sql("SELECT code, custody FROM location ORDER BY code") == [
        ("CLINIC", "customer"),
        ("OTHER CLINIC", "customer"),
        ("PLANT", "own"),
    ]


async def test_the_same_file_again_brings_nothing_new_and_says_all_is_there(office: Office) -> None:
    rows = [movement(n) for n in range(1, 6)]
    first = await office.movements(rows)
    second = await office.movements(rows)
    assert counts(second) == (5, 0, 5, 0)
    assert second.totals.created == {}
    assert second.totals.by_outcome["already_there"].units_of_use == first.totals.by_outcome["new"].units_of_use == 150
    assert office.count("movement") == 5


async def test_a_file_that_overlaps_brings_only_its_new_rows(office: Office) -> None:
    await office.movements([movement(n) for n in range(1, 4)])
    report = await office.movements([movement(n) for n in range(2, 7)])
    assert counts(report) == (5, 3, 2, 0)
    assert office.one("SELECT sum(quantity) FROM movement") == sum(10 * n for n in range(1, 7))


@pytest.mark.parametrize(
    ("field", "change", "here", "there"),
    [
        ("quantity", {"Qty": 11}, "11", "10"),
        ("kind", {"Type": "return"}, "return", "shipment"),
        ("product", {"Item": "OTHER KIT"}, "OTHER KIT", "KIT"),
        ("lot", {"Lot": "L9"}, "L9", "L1"),
        ("site", {"Site": "CLINIC"}, "CLINIC", "PLANT"),
        ("to", {"To": "PLANT"}, "PLANT", "CLINIC"),
        ("occurred_at", {"Day": "2026-01-06"}, "2026-01-06 00:00:00", "2026-01-05 00:00:00"),
        ("document_no", {"Doc": "D9"}, "D9", "D1"),
    ],
)
async def test_a_known_source_id_with_other_content_is_rejected_by_field(
    office: Office, field: str, change: dict[str, object], here: str, there: str
) -> None:
    await office.movements([movement(1)])
    mapping = MOVEMENTS + CREATE_ALL
    for role in ("site", "from", "to"):
        mapping = mapping.replace(f"\n  {role}:\n    partner", f"\n  {role}:\n    differs: keep\n    partner")
    report = await office.movements([movement(1, **change)], mapping)
    assert counts(report) == (1, 0, 0, 1)
    [row] = office.rejected()
    assert (row["line"], row["field"], row["value"]) == ("2", field, here)
    assert row["reason"] == (
        f"the same source id is on record with other content: {field}: '{here}' here, '{there}' on record"
    )
    assert office.count("movement") == 1
    assert office.count("product") == 1, "a rejected row brings no product"
    assert office.count("lot") == 1, "a rejected row brings no lot"


async def test_a_source_id_twice_in_one_file_counts_once_or_is_rejected(office: Office) -> None:
    report = await office.movements([movement(1), movement(1), movement(1, Qty=99)])
    assert counts(report) == (3, 1, 1, 1)
    [row] = office.rejected()
    assert (row["line"], row["field"], row["value"]) == ("4", "source_id", "M1")
    assert "line 2 has the same source_id with other content" in row["reason"]


async def test_a_repeat_of_a_rejected_row_is_rejected_too(office: Office) -> None:
    without_lots = (MOVEMENTS + CREATE_ALL).replace("  lot: {}\n", "")
    report = await office.movements([movement(1), movement(1)], without_lots)
    assert counts(report) == (2, 0, 0, 2)
    assert [row["field"] for row in office.rejected()] == ["lot", "source_id"]


async def test_a_receipt_without_a_lot_is_kept_and_counted_as_a_gap(office: Office) -> None:
    report = await office.movements([movement(1, Type="receipt", Lot=""), movement(2)])
    assert counts(report) == (2, 2, 0, 0)
    assert report.totals.without_lot == 1
    assert office.sql("SELECT source_id FROM movement WHERE lot_id IS NULL") == [("M1",)]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"Qty": "ten"}, "quantity", "expected a number"),
        ({"Qty": ""}, "quantity", "is missing"),
        ({"Qty": 0}, "quantity", "other than zero"),
        ({"Qty": -3}, "quantity", "only an adjustment may be below zero"),
        ({"Qty": "1.2345678"}, "quantity", "6 decimals"),
        ({"Unit": "pallet"}, "unit", "unknown unit: neither the unit of use (kit)"),
        ({"Day": "yesterday"}, "occurred_at", "expected a date as iso"),
        ({"Day": "2031-01-01"}, "occurred_at", "lies in the future"),
        ({"Type": "gift"}, "kind", "expected one of receipt, shipment"),
        ({"To": ""}, "to", "a shipment ends somewhere"),
        ({"Id": ""}, "source_id", "is missing"),
        ({"Item": "x" * 121}, "product", "121 characters, at most 120 are kept"),
        ({"Lot": "L\t1"}, "lot", "control character"),
        ({"Lot": "L\0001"}, "lot", "control character"),
        ({"Lot": "two\nlines"}, "lot", "control character"),
    ],
)
async def test_a_bad_field_rejects_its_row_and_only_that(
    office: Office, change: dict[str, object], field: str, reason: str
) -> None:
    report = await office.movements([movement(1), movement(2, **change), movement(3)])
    assert counts(report) == (3, 2, 0, 1)
    [row] = office.rejected()
    assert (row["line"], row["field"]) == ("3", field)
    assert reason in row["reason"]
    assert row["Id"] == movement(2, **change)["Id"], "the row as it was follows, to be corrected"


async def test_all_findings_of_a_row_are_named_at_once(office: Office) -> None:
    await office.movements([movement(1, Qty="ten", Day="soon")])
    [row] = office.rejected()
    assert row["field"] == "quantity | occurred_at"
    assert row["value"] == "ten | soon"


async def test_a_corrected_reject_file_goes_through_the_same_mapping(office: Office) -> None:
    await office.movements([movement(1), movement(2, Qty="2O")])
    corrected = office.rejects.read_bytes().replace(b",2O,", b",20,")
    path = office.folder / "corrected.csv"
    path.write_bytes(corrected)
    report = await office.load("movements", path, MOVEMENTS + CREATE_ALL)
    assert counts(report) == (1, 1, 0, 0)
    assert office.one("SELECT sum(quantity) FROM movement") == 30


async def test_without_leave_to_create_unknown_masters_reject_the_row(office: Office) -> None:
    report = await office.movements([movement(1)], MOVEMENTS)
    assert counts(report) == (1, 0, 0, 1)
    [row] = office.rejected()
    assert row["field"] == "product"
    assert row["reason"] == "no such product on record, and the mapping creates none"


async def test_two_rows_that_contradict_each_other_on_a_product_are_not_merged(office: Office) -> None:
    mapping = (MOVEMENTS + CREATE_ALL).replace("{name: Item,", "{name: Item, brand: Doc,")
    report = await office.movements(
        [movement(1, Doc="Acme"), movement(2, Doc="Zeta"), movement(3, Doc="Acme")], mapping
    )
    assert counts(report) == (3, 2, 0, 1)
    [row] = office.rejected()
    assert row["field"] == "product.brand"
    assert row["reason"] == "brand: 'Zeta' here, 'Acme' in line 2"


async def test_a_recorded_product_stays_as_it_is_and_the_difference_is_told(office: Office) -> None:
    await office.movements([movement(1)])
    branded = (MOVEMENTS + CREATE_ALL).replace("{name: Item,", "{name: Item, brand: {constant: Acme},")
    report = await office.movements([movement(2)], branded)
    assert counts(report) == (1, 0, 0, 1)
    assert office.rejected()[0]["reason"] == "brand: 'Acme' here, nothing on record"
    keeping = branded.replace("{name: Item,", "{differs: keep, name: Item,")
    report = await office.movements([movement(2)], keeping)
    assert counts(report) == (1, 1, 0, 0)
    assert report.totals.kept_as_recorded == 1
    assert office.one("SELECT brand FROM product") is None


async def test_the_same_lot_number_at_two_sites_is_two_lots_and_needs_its_site(office: Office) -> None:
    await office.movements([movement(1), movement(2, Site="OTHER", From="OTHER")])
    assert office.one("SELECT count(*) FROM lot WHERE number = 'L1'") == 2
    report = await office.movements([movement(3, Site="")])
    assert counts(report) == (1, 0, 0, 1)
    assert "ambiguous: 2 sites made a lot of that number" in office.rejected()[0]["reason"]


async def test_a_row_without_site_takes_the_only_lot_of_that_number(office: Office) -> None:
    await office.movements([movement(1)])
    report = await office.movements([movement(2, Site="")])
    assert counts(report) == (1, 1, 0, 0)
    assert office.count("lot") == 1


async def test_a_lot_recorded_without_site_is_not_guessed_to_be_the_one_of_a_site(office: Office) -> None:
    await office.movements([movement(1, Site="")])
    report = await office.movements([movement(2)])
    assert counts(report) == (1, 0, 0, 1)
    assert "without a manufacturing site is on record" in office.rejected()[0]["reason"]


async def test_units_come_from_the_mapping_the_product_or_its_package_levels(office: Office) -> None:
    mapping = (
        MOVEMENTS
        + "units: {tray: 4}\n"
        + CREATE_ALL.replace(
            "unit_of_use: {constant: kit}}",
            "unit_of_use: {constant: kit}, packages: [{unit: {constant: box}, units_of_use: {constant: 12.5}}]}",
        )
    )
    rows = [movement(1, Unit="kit"), movement(2, Unit="tray"), movement(3, Unit="box")]
    report = await office.movements(rows, mapping)
    assert counts(report) == (3, 3, 0, 0)
    assert office.sql("SELECT quantity FROM movement ORDER BY id") == [
        (Decimal(10),),
        (Decimal(80),),
        (Decimal("375"),),
    ]
    assert report.totals.read.quantity == {"kit": 10, "tray": 20, "box": 30}
    assert report.totals.by_outcome["new"].units_of_use == 465


async def test_a_factor_column_turns_quantities_into_units_of_use(office: Office) -> None:
    mapping = (MOVEMENTS + CREATE_ALL).replace("  unit: Unit", "  factor: Unit")
    report = await office.movements([movement(1, Unit="2.5"), movement(2, Unit="x")], mapping)
    assert counts(report) == (2, 1, 0, 1)
    assert office.one("SELECT quantity FROM movement") == 25
    assert office.rejected()[0]["field"] == "factor"


async def test_a_dry_run_says_what_the_real_run_says_and_leaves_nothing(office: Office) -> None:
    rows = [movement(1), movement(2, Qty="x"), movement(1)]
    file = office.file(rows)
    dry = await office.load("movements", file, MOVEMENTS + CREATE_ALL, dry_run=True)
    for table in ("movement", "lot", "product", "location", "partner", "import_batch", "audit_event"):
        assert office.count(table) == 0, table
    real = await office.load("movements", file, MOVEMENTS + CREATE_ALL)
    assert dry.batch_id is None
    assert dry.totals.as_json() == real.totals.as_json()


async def test_two_imports_of_one_file_at_once_bring_it_once(office: Office) -> None:
    file, mapping = office.file([movement(n) for n in range(1, 40)]), office.mapping(MOVEMENTS + CREATE_ALL)
    reports = await asyncio.gather(*(office.load("movements", file, mapping) for _ in range(3)))
    assert sorted(counts(report) for report in reports) == [(39, 0, 39, 0), (39, 0, 39, 0), (39, 39, 0, 0)]
    assert office.count("movement") == 39


async def test_totals_are_kept_with_the_batch_and_in_the_audit(office: Office) -> None:
    report = await office.movements([movement(1), movement(2, Qty="x"), movement(3, Unit="pallet")])
    [(totals, actor, state)] = office.sql(
        "SELECT totals, actor, state FROM import_batch WHERE id = %s", report.batch_id
    )
    assert (actor, state) == ("tester", "loaded")
    assert totals["quantity"] == {
        "read": {"kit": "10", "pallet": "30"},
        "new": {"kit": "10"},
        "rejected": {"pallet": "30"},
    }
    assert totals["unreadable_quantities"] == 1
    [(action, data)] = office.sql("SELECT action, data FROM audit_event WHERE stream = 'system'")
    assert action == "import.loaded"
    assert data["totals"] == totals


async def test_other_totals_than_the_sender_states_load_nothing(office: Office) -> None:
    file = office.file([movement(1), movement(2)])
    for expected in (Expected(rows=3), Expected(quantities=("31",)), Expected(quantities=("box=30",))):
        with pytest.raises(ImportRefusedError, match="totals differ, nothing was loaded"):
            await office.load("movements", file, MOVEMENTS + CREATE_ALL, expected=expected)
        assert office.count("movement") == 0
    right = Expected(rows=2, quantities=("30",))
    assert counts(await office.load("movements", file, MOVEMENTS + CREATE_ALL, expected=right)) == (2, 2, 0, 0)
