"""The mass balance by consignee and the unit-hours of exposure over HTTP."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from domain.roles import Role
from tests.closing.complete import CompleteRecall
from tests.closing.world import NUMBER
from tests.support.api import Callers

pytestmark = pytest.mark.workflow
BASE = f"/v1/recalls/{NUMBER}"


async def test_the_balance_by_consignee_adds_up_in_units_and_boxes(
    offline: Callers, complete_recall: CompleteRecall
) -> None:
    complete_recall.world.run(
        "INSERT INTO package_level (product_id, unit, units_of_use) SELECT id, 'box', 4 FROM product"
    )
    whole = (await offline.get(f"{BASE}/mass-balance", Role.AUDITOR)).json()
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await offline.get(f"{BASE}/mass-balance/consignees", Role.AUDITOR, limit=1, cursor=cursor or "")).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    for term in ("distributed", "returned", "used", "held_pending", "unaccounted"):
        assert sum(Decimal(row[term]) for row in found) == Decimal(whole["total"][term]), term
    for row in found:
        (box,) = row["packages"]
        shown = box["terms"]["distributed"]
        assert 4 * shown["whole"] + Decimal(shown["rest"]) == Decimal(row["distributed"])
    (box,) = whole["lots"]["items"][0]["packages"]
    assert (box["unit"], box["units_of_use"]) == ("box", "4")
    exported = await offline.get(f"{BASE}/mass-balance/consignees.csv", Role.AUDITOR)
    assert exported.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert [row["unaccounted"] for row in rows] == [row["unaccounted"] for row in found]
    other = await offline.get(f"{BASE}/mass-balance/consignees", Role.AUDITOR, consignee=2**40)
    assert other.status_code == 404


async def test_exposure_is_read_whole_by_site_and_as_csv(offline: Callers, complete_recall: CompleteRecall) -> None:
    complete_recall.world.run("UPDATE recall SET pace = 24")
    whole = (await offline.get(f"{BASE}/exposure", Role.AUDITOR)).json()
    assert Decimal(whole["unit_hours"]) > 0
    assert abs(Decimal(whole["policy_unit_hours"]) - 24 * Decimal(whole["unit_hours"])) < 1
    assert Decimal(whole["unit_hours"]) == sum(Decimal(lot["unit_hours"]) for lot in whole["lots"])
    assert whole["curve"][-1]["at_risk"] == whole["at_risk"]
    found: list[dict[str, Any]] = []
    cursor, untils = "", set()
    while True:
        page = (await offline.get(f"{BASE}/exposure/sites", Role.AUDITOR, limit=1, cursor=cursor)).json()
        found += page["items"]
        untils.add(page["until"])
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert len(untils) == 1, "pages of a live figure are of one instant"
    sizes = [Decimal(row["unit_hours"]) for row in found]
    assert len(found) > 1
    assert sizes == sorted(sizes, reverse=True)
    for name, count in (("sites", len(found)), ("curve", None)):
        exported = await offline.get(f"{BASE}/exposure/{name}.csv", Role.AUDITOR)
        rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
        assert len(rows) == (count or len(whole["curve"]))
    progress = (await offline.get(f"{BASE}/progress", Role.AUDITOR, exposure=True)).json()
    assert Decimal(progress["exposure"]["unit_hours"]) >= Decimal(whole["unit_hours"])
    assert (await offline.get(f"{BASE}/progress", Role.AUDITOR)).json()["exposure"] is None
    assert (await offline.get(f"{BASE}/exposure", Role.AUDITOR, points=1)).status_code == 422
