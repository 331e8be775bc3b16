"""Readings of devices: one value at one instant per row, kept as series; what a series comes to is worked out anew.

A series is what one device measured of one shipment (document number), place or both, in one unit, with one pair of
limits. The same reading again is already there; another value at the same instant, another unit or other limits of the
same series are rejected.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import cast

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats
from db.repositories.imports.load import Load
from db.repositories.imports.stage import Cursor
from domain.readings import Limits, Measure, Reading, Summary, TemperatureUnit, summary

_SERIES = """
    <a>.device = <b>.device AND <a>.measure = <b>.measure
    AND coalesce(<a>.document_no, '') = coalesce(<b>.document_no, '')
    AND coalesce(<a>.location_id, 0) = coalesce(<b>.location_id, 0)
"""
"""Equal in all four, which a join can hash: one device may be named for every shipment there is."""

_RESOLVE = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.device, s.measure, s.document_no, s.in_unit, s.lower, s.upper, s.at, s.value,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit, at.id AS location_id, false AS kept,
        coalesce(s.problem_field, rtrim('location.' || at.problem_field, '.')) AS problem_field,
        coalesce(s.problem_value, at.problem_value) AS problem_value,
        coalesce(s.problem_reason, at.problem_reason) AS problem_reason,
        NULL::bigint AS existing_id, NULL::int AS repeats, NULL::bigint AS series_id, NULL::text AS series_and_time
    FROM imp_row s LEFT JOIN imp_place at ON at.variant = s.location_v
"""

# Series named for the first time get their number here and are written with their readings.
_NAMED = composed(
    """
    CREATE TEMP TABLE imp_series ON COMMIT DROP AS
    SELECT first.*, coalesce(k.id, nextval(pg_get_serial_sequence('sensor_series', 'id'))) AS id,
        k.id IS NULL AS fresh, coalesce(k.unit, first.in_unit) AS series_unit,
        CASE WHEN k.id IS NULL THEN first.lower ELSE k.lower END AS series_lower,
        CASE WHEN k.id IS NULL THEN first.upper ELSE k.upper END AS series_upper
    FROM (
        SELECT DISTINCT ON (device, measure, document_no, location_id)
            device, measure, document_no, location_id, in_unit, lower, upper, line
        FROM imp_resolved WHERE problem_reason IS NULL
        ORDER BY device, measure, document_no, location_id, line
    ) AS first
    LEFT JOIN sensor_series k ON k.source_system = %(system)s AND <same>
    """,
    same=_SERIES.replace("<a>", "k").replace("<b>", "first"),
)

_STEPS = (
    composed(
        """
        UPDATE imp_resolved s SET series_id = r.id,
            series_and_time = concat_ws(' / ', r.id, s.at AT TIME ZONE 'UTC')
        FROM imp_series r WHERE s.problem_reason IS NULL AND <same>
        """,
        same=_SERIES.replace("<a>", "s").replace("<b>", "r"),
    ),
    composed(
        """
        WITH found AS (
            SELECT s.line, <joined>
            FROM imp_resolved s JOIN imp_series r ON r.id = s.series_id CROSS JOIN LATERAL <pairs>
            WHERE d.here IS DISTINCT FROM d.there GROUP BY s.line
        )
        UPDATE imp_resolved s SET problem_field = f.field, problem_value = f.value,
            problem_reason = 'one series has one unit and one pair of limits: ' || f.reason
        FROM found f WHERE f.line = s.line
        """,
        joined=JOINED,
        whence="CASE WHEN r.fresh THEN 'in line ' || r.line ELSE 'on record' END",
        pairs=pairs(
            [
                ("unit", "s.in_unit", "r.series_unit"),
                ("lower", "trim_scale(s.lower)", "trim_scale(r.series_lower)"),
                ("upper", "trim_scale(s.upper)", "trim_scale(r.series_upper)"),
            ]
        ),
    ),
    composed(
        """
        UPDATE imp_resolved s SET existing_id = k.series_id,
            problem_field = CASE WHEN k.value <> s.value THEN 'value' END,
            problem_value = CASE WHEN k.value <> s.value THEN s.value::text END,
            problem_reason = CASE WHEN k.value <> s.value
                THEN 'the record has ' || trim_scale(k.value) || ' of this series at the same time' END
        FROM sensor_reading k
        WHERE s.problem_reason IS NULL AND k.series_id = s.series_id AND k.at = s.at
        """
    ),
)

_ACCEPTED = "problem_reason IS NULL AND existing_id IS NULL AND repeats IS NULL"

_INSERT_SERIES = composed(
    """
    INSERT INTO sensor_series (id, source_system, device, measure, document_no, location_id, unit, lower, upper,
        readings)
    SELECT id, %(system)s, device, measure, document_no, location_id, series_unit, series_lower, series_upper, 0
    FROM imp_series WHERE fresh AND id IN (SELECT series_id FROM imp_resolved WHERE <ok>) ORDER BY id
    """,
    ok=_ACCEPTED,
)

_INSERT_READINGS = composed(
    """
    INSERT INTO sensor_reading (series_id, at, value, batch_id)
    SELECT series_id, at, value, %(batch)s FROM imp_resolved WHERE <ok> ORDER BY series_id, at
    """,
    ok=_ACCEPTED,
)

_OF_BATCH = "SELECT DISTINCT series_id FROM sensor_reading WHERE batch_id = %(batch)s ORDER BY 1"

_UNKNOWN_DOCUMENT = """
    SELECT count(*) FROM sensor_series r
    WHERE r.id = ANY (%(series)s) AND r.document_no IS NOT NULL
        AND NOT EXISTS (SELECT FROM movement m WHERE m.document_no = r.document_no)
"""

_SUMMARY = """
    UPDATE sensor_series SET readings = %s, first_at = %s, last_at = %s, longest_gap_s = %s, least = %s, most = %s,
        mean_kinetic_c = %s
    WHERE id = %s
"""

_EXCURSION = """
    INSERT INTO sensor_excursion (series_id, starts_at, ends_at, side, peak, readings, open)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


async def load_readings(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones.

    Returns:
        How many readings came, in how many series, of those how many with a document number that no movement has
        (yet), and the excursions these series have now.
    """
    parameters = {"system": load.source_system, "batch": load.batch_id}
    await cursor.execute(_RESOLVE)
    await cursor.execute("ANALYZE imp_resolved")
    await cursor.execute(_NAMED, parameters)
    for step in _STEPS:
        await cursor.execute(step)
    await mark_repeats(cursor, "series_and_time", ("value",))
    await cursor.execute(_INSERT_SERIES, parameters)
    await cursor.execute(_INSERT_READINGS, parameters)
    inserted = cursor.rowcount
    series = await series_of_batch(cursor, load.batch_id)
    found = await work_out(cursor, series)
    await cursor.execute(_UNKNOWN_DOCUMENT, {"series": series})
    [(unknown,)] = await cursor.fetchall()
    return {
        "readings": inserted,
        "series": len(series),
        "series_without_movement": int(str(unknown)),
        "excursions": found,
    }


async def series_of_batch(cursor: Cursor, batch_id: int) -> list[int]:
    """The series a batch brought readings of."""
    await cursor.execute(_OF_BATCH, {"batch": batch_id})
    return [cast(int, row[0]) for row in await cursor.fetchall()]


async def work_out(cursor: Cursor, series: Sequence[int]) -> int:
    """Write anew what these series come to, one after the other; returns their excursions.

    One that has no reading left goes.
    """
    total = 0
    for each in series:
        await cursor.execute("DELETE FROM sensor_excursion WHERE series_id = %s", [each])
        found = await _summary(cursor, each)
        if found is None:
            await cursor.execute("DELETE FROM sensor_series WHERE id = %s", [each])
            continue
        gap = int(found.longest_gap.total_seconds())
        row = (found.readings, found.first_at, found.last_at, gap, found.least, found.most, found.mean_kinetic, each)
        await cursor.execute(_SUMMARY, row)
        await cursor.executemany(
            _EXCURSION, [(each, x.start, x.end, x.side, x.peak, x.readings, x.open) for x in found.excursions]
        )
        total += len(found.excursions)
    return total


async def _summary(cursor: Cursor, series: int) -> Summary | None:
    await cursor.execute("SELECT measure, unit, lower, upper FROM sensor_series WHERE id = %s", [series])
    [(measure, unit, lower, upper)] = cast(
        list[tuple[str, str, Decimal | None, Decimal | None]], await cursor.fetchall()
    )
    await cursor.execute("SELECT at, value FROM sensor_reading WHERE series_id = %s ORDER BY at", [series])
    readings = [Reading(*row) for row in cast(list[tuple[datetime, Decimal]], await cursor.fetchall())]
    temperature = TemperatureUnit(unit) if measure == Measure.temperature else None
    return summary(readings, Limits(lower, upper), temperature)
