"""Genealogy links (input lot -> output lot): resolved, told apart, inserted. Cycles (rework) are facts, not errors."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats, reject_repeats_of_rejected
from db.repositories.imports.load import Load
from db.repositories.imports.lots import insert_lots, resolve_lots
from db.repositories.imports.places import insert_places
from db.repositories.imports.products import insert_products
from db.repositories.imports.stage import LOT_ATTRIBUTES, Cursor
from db.repositories.imports.units import INEXACT_REASON, UNIT_REASON, resolve_units

_RESOLVE = composed(
    """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.source_id, s.input_lot, s.output_lot, s.occurred_at, <lot_attributes>,
        s.quantity AS stated, coalesce(s.unit, '') AS unit, s.quantity * coalesce(s.factor, u.units) AS quantity,
        i.id AS input_product, o.id AS output_product, si.id AS input_site, so.id AS output_site,
        true IN (i.kept, o.kept, si.kept, so.kept) IS TRUE AS kept,
        coalesce(s.problem_field, rtrim('input_product.' || i.problem_field, '.'),
            rtrim('output_product.' || o.problem_field, '.'), rtrim('input_site.' || si.problem_field, '.'),
            rtrim('output_site.' || so.problem_field, '.'),
            CASE WHEN <unit_reason> IS NOT NULL THEN 'unit' WHEN <inexact> IS NOT NULL THEN 'quantity' END
        ) AS problem_field,
        coalesce(s.problem_value, i.problem_value, o.problem_value, si.problem_value, so.problem_value,
            CASE WHEN <unit_reason> IS NOT NULL THEN s.unit WHEN <inexact> IS NOT NULL THEN s.quantity::text END
        ) AS problem_value,
        coalesce(s.problem_reason, i.problem_reason, o.problem_reason, si.problem_reason, so.problem_reason,
            <unit_reason>, <inexact>) AS problem_reason,
        g.id AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN imp_product i ON i.variant = s.input_product_v
    LEFT JOIN imp_product o ON o.variant = s.output_product_v
    LEFT JOIN imp_place si ON si.variant = s.input_site_v
    LEFT JOIN imp_place so ON so.variant = s.output_site_v
    LEFT JOIN imp_unit u ON u.variant = s.input_product_v AND u.unit = s.unit
    LEFT JOIN lot_genealogy g ON g.source_system = %(system)s AND g.source_id = s.source_id
    """,
    lot_attributes=", ".join(f"s.{role}_{name}" for role in ("input", "output") for name in LOT_ATTRIBUTES),
    unit_reason=UNIT_REASON,
    inexact=INEXACT_REASON.replace("<quantity>", "s.quantity * coalesce(s.factor, u.units)"),
)


def _site(role: str) -> tuple[str, str, str]:
    staged = f"(SELECT code FROM imp_place WHERE id = s.{role}_site LIMIT 1)"  # noqa: S608 - constants
    return f"{role}_site", f"CASE WHEN s.{role}_site IS NULL THEN {role}_s.code ELSE {staged} END", f"{role}_s.code"


def _product(role: str) -> tuple[str, str, str]:
    staged = f"(SELECT code FROM imp_product WHERE id = s.{role}_product LIMIT 1)"  # noqa: S608 - constants
    return f"{role}_product", staged, f"{role}_p.code"


_CONFLICTS = composed(
    """
    WITH found AS (
        SELECT s.line, <joined>
        FROM imp_resolved s JOIN lot_genealogy g ON g.id = s.existing_id
        JOIN lot input_l ON input_l.id = g.input_lot_id JOIN product input_p ON input_p.id = input_l.product_id
        JOIN lot output_l ON output_l.id = g.output_lot_id JOIN product output_p ON output_p.id = output_l.product_id
        LEFT JOIN location input_s ON input_s.id = input_l.site_id
        LEFT JOIN location output_s ON output_s.id = output_l.site_id
        CROSS JOIN LATERAL <pairs>
        WHERE s.problem_reason IS NULL AND d.here IS DISTINCT FROM d.there
        GROUP BY s.line
    )
    UPDATE imp_resolved s SET problem_field = f.field, problem_value = f.value,
        problem_reason = 'the same source id is on record with other content: ' || f.reason
    FROM found f WHERE f.line = s.line
    """,
    joined=JOINED,
    whence="'on record'",
    pairs=pairs(
        [
            _product("input"),
            ("input_lot", "s.input_lot", "input_l.number"),
            _site("input"),
            _product("output"),
            ("output_lot", "s.output_lot", "output_l.number"),
            _site("output"),
            ("quantity", "trim_scale(s.quantity)", "trim_scale(g.quantity)"),
            ("occurred_at", "s.occurred_at AT TIME ZONE 'UTC'", "g.occurred_at AT TIME ZONE 'UTC'"),
        ]
    ),
)

_CONTENT = (
    *("input_product", "input_lot", "input_site", "output_product", "output_lot", "output_site", "quantity"),
    "occurred_at",
)

_ACCEPTED = "problem_reason IS NULL AND existing_id IS NULL AND repeats IS NULL"

_USED = (
    """
    CREATE TEMP TABLE imp_used_product ON COMMIT DROP AS
    SELECT input_product AS id FROM imp_resolved WHERE <ok> UNION SELECT output_product FROM imp_resolved WHERE <ok>
    """,
    """
    CREATE TEMP TABLE imp_used_place ON COMMIT DROP AS
    SELECT v.id, v.partner_id FROM imp_place v WHERE v.id IN (
        SELECT input_site FROM imp_resolved WHERE <ok> UNION SELECT output_site FROM imp_resolved WHERE <ok>)
    """,
)

_INSERT = """
    INSERT INTO lot_genealogy (input_lot_id, output_lot_id, quantity, occurred_at, source_system, source_id, batch_id)
    SELECT i.id, o.id, s.quantity, s.occurred_at, %(system)s, s.source_id, %(batch)s
    FROM imp_resolved s
    JOIN imp_lot i ON i.product_id = s.input_product AND i.number = s.input_lot
        AND coalesce(i.site_id, 0) = coalesce(s.input_site, 0)
    JOIN imp_lot o ON o.product_id = s.output_product AND o.number = s.output_lot
        AND coalesce(o.site_id, 0) = coalesce(s.output_site, 0)
    WHERE <ok>
    ORDER BY s.line
"""


def _uses(load: Load) -> str:
    parts = []
    for role in ("input", "output"):
        creates = "true" if load.creates_lots.get(f"{role}_lot") else "false"
        attributes = ", ".join(f"{role}_{name} AS {name}" for name in LOT_ATTRIBUTES)
        parts.append(
            f"SELECT line, '{role}_lot' AS role, {role}_product AS product_id, {role}_lot AS number,"  # noqa: S608
            f" {role}_site AS site_id, {attributes}, {creates} AS creates FROM imp_resolved WHERE {_ACCEPTED}"
        )
    return " UNION ALL ".join(parts)


async def load_genealogy(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones; returns how many master rows came along."""
    await resolve_units(cursor, load.units, product="input_product_v")
    await cursor.execute(_RESOLVE, {"system": load.source_system})
    await cursor.execute("ANALYZE imp_resolved")
    await cursor.execute(_CONFLICTS)
    await mark_repeats(cursor, "source_id", _CONTENT)
    uses = _uses(load)
    await resolve_lots(cursor, uses, attributes=load.lot_attributes, keeps=load.keeps_lots)
    await reject_repeats_of_rejected(cursor, "source_id")
    for statement in _USED:
        await cursor.execute(composed(statement, ok=_ACCEPTED))
    created = await insert_products(cursor, load.batch_id) | await insert_places(cursor, load.batch_id)
    created |= await insert_lots(cursor, uses, load.batch_id, attributes=load.lot_attributes)
    parameters = {"system": load.source_system, "batch": load.batch_id}
    await cursor.execute(composed(_INSERT, ok=_ACCEPTED), parameters)
    return created | {"links": cursor.rowcount}
