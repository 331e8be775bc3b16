"""Serialised units from files: units and where they were seen, judged row by row, taken back with their batch."""

from typing import Any

import pytest

from imports.errors import ImportRefusedError
from imports.reverse import reverse_batch
from tests.imports.office import NOW, RECALL, Office, counts, movement

pytestmark = pytest.mark.db

SERIALS = """
kind: serials
source_system: mes
dates: {formats: [iso], time_zone: UTC}
columns: {product: Item, lot: Lot, site: Site, serial: Serial, location: Place, as_of: Seen}
"""


def unit(number: str, place: str = "CLINIC", seen: str = "2026-02-01", **changed: Any) -> dict[str, Any]:
    """One good row of the serials file."""
    return {
        "Item": "KIT",
        "Lot": "L1",
        "Site": "PLANT",
        "Serial": number,
        "Place": place,
        "Seen": seen,
        **changed,
    }


@pytest.fixture
async def stocked(office: Office) -> Office:
    await office.movements([movement(1), movement(2, To="WARD")])
    return office


async def test_units_and_sightings_are_new_already_there_or_rejected(stocked: Office) -> None:
    rows = [
        unit("A1"),
        unit("A2", place="", seen=""),
        unit("A3", Lot="NONE"),
        unit("A4", place="MOON"),
        unit("A5", seen=""),
        unit("A1"),
        unit("A1", place="WARD"),
    ]
    report = await stocked.load("serials", stocked.file(rows), SERIALS)
    assert counts(report) == (7, 2, 1, 4)
    assert report.totals.created == {"serials": 2, "sightings": 1}
    reasons = {row["Serial"]: row["reason"] for row in stocked.rejected()}
    assert "no such lot" in reasons["A3"]
    assert "MOON" in {row["value"] for row in stocked.rejected()}
    assert "when was the unit" in reasons["A5"]
    again = await stocked.load("serials", stocked.file([unit("A1"), unit("A2", place="", seen="")]), SERIALS)
    assert counts(again) == (2, 0, 2, 0)
    elsewhere = await stocked.load("serials", stocked.file([unit("A1", place="WARD")]), SERIALS)
    assert counts(elsewhere) == (1, 0, 0, 1)
    assert "has the unit at CLINIC at the same time" in stocked.rejected()[0]["reason"]


def place_of(office: Office, number: str) -> Any:
    return office.one(
        "SELECT l.code FROM serial u LEFT JOIN location l ON l.id = u.location_id WHERE u.number = %s", number
    )


async def test_the_newest_sighting_is_the_place_and_a_reversal_brings_the_one_before_back(stocked: Office) -> None:
    first = await stocked.load("serials", stocked.file([unit("A1")]), SERIALS)
    later = await stocked.load("serials", stocked.file([unit("A1", place="WARD", seen="2026-03-01")]), SERIALS)
    assert place_of(stocked, "A1") == "WARD"
    await stocked.load("serials", stocked.file([unit("A1", place="PLANT", seen="2026-01-20")]), SERIALS)
    assert place_of(stocked, "A1") == "WARD", "an older sighting moves nothing"
    assert later.batch_id is not None
    assert first.batch_id is not None
    await reverse_batch(stocked.sessions, later.batch_id, actor="tester", at=NOW, reason="wrong file")
    assert place_of(stocked, "A1") == "CLINIC"
    with pytest.raises(ImportRefusedError, match="serial in serial sighting of batch"):
        await reverse_batch(stocked.sessions, first.batch_id, actor="tester", at=NOW, reason="wrong file")


async def test_a_unit_that_a_recall_names_stays(stocked: Office) -> None:
    report = await stocked.load("serials", stocked.file([unit("A1"), unit("A2")]), SERIALS)
    stocked.sql(RECALL)
    stocked.sql("INSERT INTO scope_serial SELECT 'RC-2026-000001', 1, id FROM serial WHERE number = 'A2'")
    assert report.batch_id is not None
    with pytest.raises(ImportRefusedError, match="serial in scope serial of recall RC-2026-000001"):
        await reverse_batch(stocked.sessions, report.batch_id, actor="tester", at=NOW, reason="wrong file")


async def test_a_place_without_its_time_is_refused_before_the_file_is_read(stocked: Office) -> None:
    mapping = SERIALS.replace(", as_of: Seen", "")
    with pytest.raises(ImportRefusedError, match="location and as_of go together"):
        await stocked.load("serials", stocked.file([unit("A1")]), mapping)
