"""Inspection reports and production parameters: one measured characteristic of a lot per row, judged and inserted.

A row is known by its source system and id. Lots, products and sites are on record; such a file creates none.
"""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats, reject_repeats_of_rejected
from db.repositories.imports.load import Load
from db.repositories.imports.lots import resolve_lots
from db.repositories.imports.stage import Cursor

_RESOLVE = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.source_id, s.stage, s.lot, s.step, s.characteristic, s.result, s.result_text, s.lower, s.upper,
        s.in_unit, s.document_no, s.at,
        coalesce(s.result < s.lower, false) OR coalesce(s.result > s.upper, false) AS out_of_limits,
        coalesce(s.verdict = 'pass', NOT (coalesce(s.result < s.lower, false) OR coalesce(s.result > s.upper, false)))
            AS passed,
        NULL::text AS supplier_lot, NULL::date AS made_on, NULL::date AS expires_on, NULL::numeric AS quantity_made,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit,
        p.id AS product_id, site.id AS site_id, NULL::bigint AS lot_id, false AS kept,
        coalesce(s.problem_field, rtrim('product.' || p.problem_field, '.'), rtrim('site.' || site.problem_field, '.')
        ) AS problem_field,
        coalesce(s.problem_value, p.problem_value, site.problem_value) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason, site.problem_reason) AS problem_reason,
        m.id AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN imp_product p ON p.variant = s.product_v
    LEFT JOIN imp_place site ON site.variant = s.site_v
    LEFT JOIN lot_measurement m ON m.source_system = %(system)s AND m.source_id = s.source_id
"""

_LOT_IDS = """
    UPDATE imp_resolved s SET lot_id = l.id FROM imp_lot l
    WHERE s.problem_reason IS NULL AND l.product_id = s.product_id AND l.number = s.lot
        AND coalesce(l.site_id, 0) = coalesce(s.site_id, 0)
"""

_CONTENT = (
    *("stage", "lot_id", "step", "characteristic", "result", "result_text", "lower", "upper", "in_unit", "passed"),
    *("document_no", "at"),
)

_FIELDS = [
    ("stage", "s.stage", "m.stage"),
    ("lot", "s.lot", "CASE WHEN s.lot_id = m.lot_id THEN s.lot ELSE ml.number || ' of another product or site' END"),
    ("step", "s.step", "m.step"),
    ("characteristic", "s.characteristic", "m.characteristic"),
    ("result", "trim_scale(s.result)", "trim_scale(m.result)"),
    ("result_text", "s.result_text", "m.result_text"),
    ("lower", "trim_scale(s.lower)", "trim_scale(m.lower)"),
    ("upper", "trim_scale(s.upper)", "trim_scale(m.upper)"),
    ("unit", "s.in_unit", "m.unit"),
    ("passed", "s.passed", "m.passed"),
    ("document_no", "s.document_no", "m.document_no"),
    ("at", "s.at AT TIME ZONE 'UTC'", "m.measured_at AT TIME ZONE 'UTC'"),
]

_CONFLICTS = composed(
    """
    WITH found AS (
        SELECT s.line, <joined>
        FROM imp_resolved s JOIN lot_measurement m ON m.id = s.existing_id JOIN lot ml ON ml.id = m.lot_id
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
    pairs=pairs(_FIELDS),
)

_USES = """
    SELECT line, 'lot' AS role, product_id, lot AS number, site_id, supplier_lot, made_on, expires_on, quantity_made,
        false AS creates
    FROM imp_resolved WHERE problem_reason IS NULL
"""

_INSERT = """
    INSERT INTO lot_measurement (stage, lot_id, step, characteristic, result, result_text, lower, upper, unit, passed,
        out_of_limits, document_no, measured_at, source_system, source_id, batch_id)
    SELECT stage, lot_id, step, characteristic, result, result_text, lower, upper, in_unit, passed, out_of_limits,
        document_no, at, %(system)s, source_id, %(batch)s
    FROM imp_resolved WHERE problem_reason IS NULL AND existing_id IS NULL AND repeats IS NULL ORDER BY line
"""


async def load_measurements(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones; `not_passed` of them say that something is wrong."""
    await cursor.execute(_RESOLVE, {"system": load.source_system})
    await cursor.execute("ANALYZE imp_resolved")
    await resolve_lots(cursor, _USES, attributes=False, keeps=False)
    await cursor.execute(_LOT_IDS)
    await cursor.execute(_CONFLICTS)
    await mark_repeats(cursor, "source_id", _CONTENT)
    await reject_repeats_of_rejected(cursor, "source_id")
    await cursor.execute(_INSERT, {"system": load.source_system, "batch": load.batch_id})
    inserted = cursor.rowcount
    await cursor.execute(
        "SELECT count(*) FROM lot_measurement WHERE batch_id = %s AND (NOT passed OR out_of_limits)", [load.batch_id]
    )
    [(failed,)] = await cursor.fetchall()
    return {"measurements": inserted, "not_passed": int(str(failed))}
