"""The real USAID delivery history through the project's own mapping, held against plain counting of the raw file."""

import csv
import gzip
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from imports.rejects import LEADING
from imports.reverse import reverse_batch
from tests.imports.office import NOW, Office, counts

FILE = Path(__file__).parents[3] / "shared/data/supply_chain/scms_delivery_history.csv.gz"
MAPPING = Path(__file__).parents[2] / "imports/mappings/usaid_movements.yaml"

pytestmark = [
    pytest.mark.db,
    pytest.mark.skipif(not FILE.exists(), reason="the USAID delivery history is not at ../shared/data"),
]


def deliveries() -> list[dict[str, str]]:
    with gzip.open(FILE, "rt", encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


async def test_every_site_consignee_and_lot_equals_a_group_by_of_the_file(office: Office) -> None:
    report = await office.load("movements", FILE, MAPPING)
    rows = deliveries()
    assert counts(report) == (len(rows), len(rows), 0, 0)

    by_site: Counter[str] = Counter()
    by_consignee: Counter[str] = Counter()
    by_lot: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        packs = int(row["Line Item Quantity"])
        by_site[row["Manufacturing Site"]] += packs
        by_consignee[f"{row['Country']} / {row['Project Code']}"] += packs
        by_lot[row["Item Description"], row["PO / SO #"], row["Manufacturing Site"]] += packs
    assert report.totals.read.quantity == {"pack": sum(by_site.values())}
    found = office.sql(
        "SELECT s.code, sum(m.quantity) FROM movement m JOIN lot l ON l.id = m.lot_id "
        "JOIN location s ON s.id = l.site_id GROUP BY 1"
    )
    assert dict(found) == {site: Decimal(packs) for site, packs in by_site.items()}
    found = office.sql(
        "SELECT p.code, sum(m.quantity) FROM movement m JOIN location t ON t.id = m.to_location_id "
        "JOIN partner p ON p.id = t.partner_id GROUP BY 1"
    )
    assert dict(found) == {code: Decimal(packs) for code, packs in by_consignee.items()}
    lots = office.sql(
        "SELECT p.code, l.number, s.code, sum(m.quantity) FROM movement m JOIN lot l ON l.id = m.lot_id "
        "JOIN product p ON p.id = l.product_id JOIN location s ON s.id = l.site_id GROUP BY 1, 2, 3"
    )
    assert {tuple(key): packs for *key, packs in lots} == {key: Decimal(packs) for key, packs in by_lot.items()}


async def test_the_uni_gold_kits_are_301_orders_at_53_consignees(office: Office) -> None:
    await office.load("movements", FILE, MAPPING)
    assert office.sql(
        "SELECT count(DISTINCT l.number), count(DISTINCT m.to_location_id), sum(m.quantity) FROM movement m "
        "JOIN lot l ON l.id = m.lot_id JOIN product p ON p.id = l.product_id WHERE p.family = 'Uni-Gold'"
    ) == [(301, 53, Decimal(692025))]


async def test_dates_and_countries_are_those_of_the_file(office: Office) -> None:
    await office.load("movements", FILE, MAPPING)
    [row] = [row for row in deliveries() if row["ID"] == "1"]
    assert (row["Delivered to Client Date"], row["Country"]) == ("2-Jun-06", "Côte d'Ivoire")
    assert office.sql(
        "SELECT to_char(m.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), p.country, p.time_zone, m.delivered "
        "FROM movement m JOIN location t ON t.id = m.to_location_id JOIN partner p ON p.id = t.partner_id "
        "WHERE m.source_id = '1'"
    ) == [("2006-06-02 00:00", "CI", "Africa/Abidjan", True)]
    assert office.one("SELECT count(DISTINCT country) FROM partner") == len({row["Country"] for row in deliveries()})


async def test_again_nothing_is_new_and_spoiled_rows_are_rejected_while_the_rest_is_there(office: Office) -> None:
    await office.load("movements", FILE, MAPPING)
    rows = deliveries()
    rows[10]["Line Item Quantity"] = "See note"
    rows[20]["Line Item Quantity"] = str(int(rows[20]["Line Item Quantity"]) + 1)
    rows[30]["Country"] = "Atlantis"
    rows[40]["Delivered to Client Date"] = "Date Not Captured"
    report = await office.load("movements", office.file(rows), MAPPING)
    assert counts(report) == (len(rows), 0, len(rows) - 4, 4)
    rejected = office.rejected()
    assert list(rejected[0])[:4] == list(LEADING)
    assert [(row["line"], row["field"].split(" | ")[0]) for row in rejected] == [
        ("12", "quantity"),
        ("22", "quantity"),
        ("32", "to.partner.country"),
        ("42", "occurred_at"),
    ]
    assert report.totals.unreadable_quantities == 1
    in_file: dict[str, int] = defaultdict(int)
    for row in rows:
        in_file["pack"] += int(row["Line Item Quantity"]) if row["Line Item Quantity"].isdigit() else 0
    assert report.totals.read.quantity == in_file


async def test_the_whole_history_can_be_taken_back(office: Office) -> None:
    report = await office.load("movements", FILE, MAPPING)
    assert report.batch_id is not None
    done = await reverse_batch(office.sessions, report.batch_id, actor="qa", at=NOW, reason="test")
    assert done.removed["movement"] == len(deliveries())
    assert [office.count(table) for table in ("movement", "lot", "location", "partner", "product")] == [0] * 5
