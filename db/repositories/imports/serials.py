"""Serialised units of lots, and where each was seen when: the newest sighting is the unit's place.

A unit is known by its lot and number, a sighting by the unit and the instant. The same row again is already there; the
same unit at the same instant somewhere else is rejected; a sighting older than the newest is kept and moves nothing.
"""

from db.repositories.imports.differences import composed
from db.repositories.imports.duplicates import mark_repeats
from db.repositories.imports.load import Load
from db.repositories.imports.lots import insert_lots, resolve_lots
from db.repositories.imports.places import insert_places
from db.repositories.imports.products import insert_products
from db.repositories.imports.stage import Cursor

_RESOLVE = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.lot, s.serial, s.as_of, s.supplier_lot, s.made_on, s.expires_on, s.quantity_made,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit,
        p.id AS product_id, site.id AS site_id, at.id AS location_id, NULL::bigint AS lot_id,
        true IN (p.kept, site.kept, at.kept) IS TRUE AS kept,
        coalesce(s.problem_field, rtrim('product.' || p.problem_field, '.'), rtrim('site.' || site.problem_field, '.'),
            rtrim('location.' || at.problem_field, '.')) AS problem_field,
        coalesce(s.problem_value, p.problem_value, site.problem_value, at.problem_value) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason, site.problem_reason, at.problem_reason) AS problem_reason,
        NULL::bigint AS existing_id, NULL::int AS repeats, NULL::text AS unit_and_time
    FROM imp_row s
    LEFT JOIN imp_product p ON p.variant = s.product_v
    LEFT JOIN imp_place site ON site.variant = s.site_v
    LEFT JOIN imp_place at ON at.variant = s.location_v
"""

_STEPS = (
    """
    UPDATE imp_resolved s SET lot_id = l.id,
        unit_and_time = concat_ws(' / ', l.id, s.serial, s.as_of AT TIME ZONE 'UTC') FROM imp_lot l
    WHERE s.problem_reason IS NULL AND l.product_id = s.product_id AND l.number = s.lot
        AND coalesce(l.site_id, 0) = coalesce(s.site_id, 0)
    """,
    """
    UPDATE imp_resolved s SET existing_id = u.id
    FROM serial u LEFT JOIN serial_sighting seen ON seen.serial_id = u.id
    WHERE s.problem_reason IS NULL AND u.lot_id = s.lot_id AND u.number = s.serial
        AND (s.location_id IS NULL OR seen.as_of = s.as_of AND seen.location_id = s.location_id)
    """,
    """
    UPDATE imp_resolved s SET problem_field = 'location', problem_value = s.as_of::text,
        problem_reason = 'the record has the unit at ' || l.code || ' at the same time'
    FROM serial u JOIN serial_sighting seen ON seen.serial_id = u.id JOIN location l ON l.id = seen.location_id
    WHERE s.problem_reason IS NULL AND s.existing_id IS NULL AND u.lot_id = s.lot_id AND u.number = s.serial
        AND seen.as_of = s.as_of AND seen.location_id <> s.location_id
    """,
)

_ACCEPTED = "problem_reason IS NULL AND existing_id IS NULL AND repeats IS NULL"

_USED = (
    """
    CREATE TEMP TABLE imp_used_product ON COMMIT DROP AS
    SELECT DISTINCT product_id AS id FROM imp_resolved WHERE <ok>
    """,
    """
    CREATE TEMP TABLE imp_used_place ON COMMIT DROP AS
    SELECT v.id, v.partner_id FROM imp_place v WHERE v.id IN (
        SELECT site_id FROM imp_resolved WHERE <ok> UNION SELECT location_id FROM imp_resolved WHERE <ok>)
    """,
)

_INSERT = """
    INSERT INTO serial (lot_id, number, batch_id)
    SELECT DISTINCT lot_id, serial, %(batch)s FROM imp_resolved WHERE <ok>
    ON CONFLICT (lot_id, number) DO NOTHING
"""

_SIGHTINGS = """
    INSERT INTO serial_sighting (serial_id, as_of, location_id, batch_id)
    SELECT u.id, s.as_of, s.location_id, %(batch)s
    FROM imp_resolved s JOIN serial u ON u.lot_id = s.lot_id AND u.number = s.serial
    WHERE s.location_id IS NOT NULL AND <ok>
"""

NEWEST_PLACE = """
    UPDATE serial u SET location_id = newest.location_id, as_of = newest.as_of
    FROM (
        SELECT DISTINCT ON (mine.serial_id) mine.serial_id, seen.location_id, seen.as_of
        FROM serial_sighting mine
        LEFT JOIN serial_sighting seen ON seen.serial_id = mine.serial_id <which>
        WHERE mine.batch_id = %(batch)s
        ORDER BY mine.serial_id, seen.as_of DESC NULLS LAST
    ) AS newest
    WHERE u.id = newest.serial_id
        AND (u.location_id, u.as_of) IS DISTINCT FROM (newest.location_id, newest.as_of)
"""
"""The place of every unit that a batch has seen, from all sightings or, reversing it, from those of other batches."""


def _uses(load: Load) -> str:
    creates = "true" if load.creates_lots.get("lot") else "false"
    return (
        "SELECT line, 'lot' AS role, product_id, lot AS number, site_id, supplier_lot, made_on, expires_on,"  # noqa: S608
        f" quantity_made, {creates} AS creates FROM imp_resolved WHERE {_ACCEPTED}"
    )


async def load_serials(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones; returns how many records came."""
    await cursor.execute(_RESOLVE)
    await cursor.execute("ANALYZE imp_resolved")
    uses = _uses(load)
    await resolve_lots(cursor, uses, attributes=load.lot_attributes, keeps=load.keeps_lots)
    for step in _STEPS:
        await cursor.execute(step)
    await mark_repeats(cursor, "unit_and_time", ("location_id",))
    for statement in _USED:
        await cursor.execute(composed(statement, ok=_ACCEPTED))
    created = await insert_products(cursor, load.batch_id) | await insert_places(cursor, load.batch_id)
    created |= await insert_lots(cursor, uses, load.batch_id, attributes=load.lot_attributes)
    await cursor.execute(composed(_INSERT, ok=_ACCEPTED), {"batch": load.batch_id})
    units = cursor.rowcount
    await cursor.execute(composed(_SIGHTINGS, ok=_ACCEPTED), {"batch": load.batch_id})
    sightings = cursor.rowcount
    await cursor.execute(composed(NEWEST_PLACE, which=""), {"batch": load.batch_id})
    return created | {"serials": units, "sightings": sightings}
