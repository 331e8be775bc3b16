"""Inspection reports, production parameters and readings from files: judged row by row, worked out, taken back."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.repositories.imports import readings
from imports.errors import ImportRefusedError
from imports.reverse import reverse_batch
from tests.imports.office import NOW, RECALL, Office, counts, movement
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db

INSPECTIONS = """
kind: inspections
source_system: lims
source_id: Id
dates: {formats: [iso], time_zone: UTC}
columns: {stage: Stage, product: Item, lot: Lot, characteristic: What, result: Found, lower: Least, upper: Most,
  unit: In, verdict: Verdict, document_no: Report, inspected_at: Day}
"""
PARAMETERS = """
kind: parameters
source_system: mes
source_id: Id
dates: {formats: [iso], time_zone: UTC}
columns: {product: Item, lot: Lot, step: Step, parameter: What, result: Found, lower: Least, upper: Most, unit: In,
  recorded_at: Day}
"""
READINGS = """
kind: readings
source_system: loggers
dates: {formats: [iso], time_zone: UTC}
columns: {device: Device, measure: {constant: temperature}, document_no: Doc, location: Place, unit: In, lower: Least,
  upper: Most, at: At, value: Value}
"""


def report(number: str, **changed: Any) -> dict[str, Any]:
    """One good row of an inspection report."""
    row = {
        "Id": number,
        "Stage": "final",
        "Item": "KIT",
        "Lot": "L1",
        "Step": "",
        "What": "seal strength",
        "Found": "1.4",
        "Least": "1.2",
        "Most": "",
        "In": "N",
        "Verdict": "",
        "Report": "QC-1",
        "Day": "2026-01-04",
    }
    return row | changed


def reading(minute: int, value: str, **changed: Any) -> dict[str, Any]:
    """One good row of a logger that went with document D1."""
    row = {
        "Device": "TL-7",
        "Doc": "D1",
        "Place": "",
        "In": "C",
        "Least": "2",
        "Most": "8",
        "At": f"2026-01-05T10:{minute:02}:00",
        "Value": value,
    }
    return row | changed


@pytest.fixture
async def stocked(office: Office) -> Office:
    await office.movements([movement(1), movement(2, To="WARD")])
    return office


async def test_reports_and_parameters_are_judged_row_by_row(stocked: Office) -> None:
    rows = [
        report("1"),
        report("2", Found="1.1"),
        report("3", Found="1.1", Verdict="pass"),
        report("4", Found="", Least="", Verdict="fail"),
        report("5", Least=""),
        report("6", Lot="NONE"),
        report("7", Stage="later"),
        report("8", Least="3", Most="2"),
        report("9", Found="one"),
        report("1"),
        report("1", Found="1.5"),
    ]
    loaded = await stocked.load("inspections", stocked.file(rows), INSPECTIONS)
    assert counts(loaded) == (11, 4, 1, 6)
    assert loaded.totals.created == {"measurements": 4, "not_passed": 3}
    assert stocked.sql("SELECT source_id, passed, out_of_limits FROM lot_measurement ORDER BY 1") == [
        ("1", True, False),
        ("2", False, True),
        ("3", True, True),
        ("4", False, False),
    ]
    said = {row["Id"] + row["Found"]: (row["field"], row["reason"]) for row in stocked.rejected()}
    assert said["51.4"] == ("verdict", "is missing: without it a result and a limit are needed")
    assert said["61.4"][0] == "lot"
    assert said["71.4"] == ("stage", "expected one of incoming, in_process, final")
    assert said["81.4"] == ("lower", "lies above the upper limit 2")
    assert said["9one"][0] == "result"
    assert said["11.5"] == ("source_id", "line 2 has the same source_id with other content")
    changed = await stocked.load("inspections", stocked.file([report("1"), report("2", Found="1.3")]), INSPECTIONS)
    assert counts(changed) == (2, 0, 1, 1)
    assert "result: '1.3' here, '1.1' on record" in stocked.rejected()[0]["reason"]
    made = [report("1", Step="sealing", What="jaw temperature", Found="171", Least="150", Most="170", In="C")]
    assert (await stocked.load("parameters", stocked.file(made), PARAMETERS)).totals.created["not_passed"] == 1
    assert stocked.one("SELECT stage || step FROM lot_measurement WHERE source_system = 'mes'") == "parametersealing"


async def test_a_series_is_worked_out_from_all_its_files_and_again_when_one_is_taken_back(stocked: Office) -> None:
    first = await stocked.load(
        "readings", stocked.file([reading(0, "5"), reading(10, "9"), reading(20, "10")]), READINGS
    )
    assert first.totals.created == {"readings": 3, "series": 1, "excursions": 1}
    open_end = stocked.sql("SELECT peak, readings, open FROM sensor_excursion")
    assert open_end == [(Decimal(10), 2, True)]
    later = await stocked.load("readings", stocked.file([reading(40, "6"), reading(20, "10")]), READINGS)
    assert counts(later) == (2, 1, 1, 0)
    whole = "SELECT readings, longest_gap_s, least, most, round(mean_kinetic_c::numeric, 2) FROM sensor_series"
    # 5, 9, 10 and 6 °C for 10, 10, 20 and 20 minutes: -10000 / ln(mean of exp(-10000 / T)) K.
    assert stocked.sql(whole) == [(4, 1200, Decimal(5), Decimal(10), Decimal("7.92"))]
    assert stocked.sql("SELECT extract(minute FROM ends_at - starts_at), open FROM sensor_excursion") == [(30, False)]
    await reverse_batch(stocked.sessions, later.batch_id or 0, actor="tester", at=NOW, reason="wrong file")
    assert stocked.sql("SELECT peak, readings, open FROM sensor_excursion") == open_end
    await reverse_batch(stocked.sessions, first.batch_id or 0, actor="tester", at=NOW, reason="wrong file")
    assert [stocked.count(f"sensor_{name}") for name in ("series", "reading", "excursion")] == [0, 0, 0]


async def test_what_was_measured_of_a_recalled_lot_or_its_shipment_stays(stocked: Office) -> None:
    seen = await stocked.load("inspections", stocked.file([report("1")]), INSPECTIONS)
    cold = await stocked.load("readings", stocked.file([reading(0, "5")]), READINGS)
    other = await stocked.load("readings", stocked.file([reading(0, "5", Doc="D99")]), READINGS)
    stocked.sql(RECALL)
    stocked.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    for batch in (seen, cold):
        with pytest.raises(ImportRefusedError, match="lot in scope lot of recall RC-2026-000001"):
            await reverse_batch(stocked.sessions, batch.batch_id or 0, actor="tester", at=NOW, reason="wrong file")
    await reverse_batch(stocked.sessions, other.batch_id or 0, actor="tester", at=NOW, reason="wrong file")
    assert stocked.count("sensor_series") == 1


async def test_readings_that_contradict_are_rejected_by_name(stocked: Office) -> None:
    rows = [
        reading(0, "41", In="°F", Least="35.6", Most="46.4"),
        reading(10, "41", In="F", Least="35.6", Most="46.4"),
        reading(10, "42", In="F", Least="35.6", Most="46.4"),
        reading(20, "5"),
        reading(0, "5", Place="CLINIC"),
        reading(0, "5", Place="MOON"),
        reading(0, "5", Doc=""),
        reading(0, "5", In="bar"),
        reading(0, "-300", Device="TL-8"),
        reading(0, "5", Device="TL-9", Doc="D99"),
    ]
    loaded = await stocked.load("readings", stocked.file(rows), READINGS)
    assert counts(loaded) == (10, 4, 0, 6)
    assert loaded.totals.created == {"readings": 4, "series": 3, "series_without_movement": 1}
    said = [(int(row["line"]), row["field"]) for row in stocked.rejected()]
    assert said == [
        (4, "series_and_time"),
        (5, "unit | lower | upper"),
        (7, "location"),
        (8, "document_no"),
        (9, "unit"),
        (10, "value"),
    ]
    assert round(stocked.one("SELECT mean_kinetic_c FROM sensor_series WHERE unit = 'F'"), 6) == 5
    other = await stocked.load("readings", stocked.file([reading(0, "6", Place="CLINIC")]), READINGS)
    assert counts(other) == (1, 0, 0, 1)
    assert stocked.rejected()[0]["reason"] == "the record has 5 of this series at the same time"


async def test_a_mapping_that_says_nothing_of_the_result_is_refused(stocked: Office) -> None:
    with pytest.raises(ImportRefusedError, match="give result, result_text or verdict"):
        await stocked.load("parameters", stocked.file([report("1")]), PARAMETERS.replace("result: Found, ", ""))
    mapping = READINGS.replace("document_no: Doc, location: Place, ", "")
    with pytest.raises(ImportRefusedError, match="give document_no, location or both"):
        await stocked.load("readings", stocked.file([reading(0, "5")]), mapping)


def test_one_device_of_many_shipments_takes_no_longer_than_many_devices(clean_db: PostgresForTests) -> None:
    with psycopg.connect(clean_db.owner_url) as owner:
        # Each reading against each of the device's shipments would be 600 million pairs.
        owner.execute("SET statement_timeout = '10s'")
        owner.execute(
            "CREATE TEMP TABLE imp_resolved AS SELECT g AS line, 'TL-7' AS device, 'temperature' AS measure,"
            " 'D' || g / 6 AS document_no, NULL::bigint AS location_id, 'C' AS in_unit, 2::numeric AS lower,"
            " 8::numeric AS upper, now() AS at, NULL::text AS problem_reason, NULL::bigint AS series_id,"
            " NULL::text AS series_and_time FROM generate_series(0, 59999) g"
        )
        owner.execute("ANALYZE imp_resolved")
        owner.execute(readings._NAMED, {"system": "loggers"})
        owner.execute(readings._STEPS[0])
        found = owner.execute("SELECT count(DISTINCT series_id), count(series_id) FROM imp_resolved").fetchone()
    assert found == (10_000, 60_000)
