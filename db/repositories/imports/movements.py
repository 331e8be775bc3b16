"""Movements: staged rows resolved in one pass, told apart into new, already there and rejected, then inserted."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats, reject_repeats_of_rejected
from db.repositories.imports.load import Load
from db.repositories.imports.lots import insert_lots, resolve_lots
from db.repositories.imports.places import insert_places
from db.repositories.imports.products import insert_products
from db.repositories.imports.stage import Cursor
from db.repositories.imports.units import INEXACT_REASON, UNIT_REASON, resolve_units

_RESOLVE = composed(
    """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.source_id, s.kind, s.lot, s.delivered, s.occurred_at, s.document_no, s.supplier_lot, s.made_on,
        s.expires_on, s.quantity_made, s.quantity AS stated, coalesce(s.unit, '') AS unit,
        s.quantity * coalesce(s.factor, u.units) AS quantity,
        p.id AS product_id, site.id AS site_id, f.id AS from_id, t.id AS to_id,
        true IN (p.kept, site.kept, f.kept, t.kept) IS TRUE AS kept,
        coalesce(s.problem_field, rtrim('product.' || p.problem_field, '.'), rtrim('site.' || site.problem_field, '.'),
            rtrim('from.' || f.problem_field, '.'), rtrim('to.' || t.problem_field, '.'),
            CASE WHEN <unit_reason> IS NOT NULL THEN 'unit' WHEN <inexact> IS NOT NULL THEN 'quantity' END
        ) AS problem_field,
        coalesce(s.problem_value, p.problem_value, site.problem_value, f.problem_value, t.problem_value,
            CASE WHEN <unit_reason> IS NOT NULL THEN s.unit WHEN <inexact> IS NOT NULL THEN s.quantity::text END
        ) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason, site.problem_reason, f.problem_reason, t.problem_reason,
            <unit_reason>, <inexact>) AS problem_reason,
        m.id AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN imp_product p ON p.variant = s.product_v
    LEFT JOIN imp_place site ON site.variant = s.site_v
    LEFT JOIN imp_place f ON f.variant = s.from_v
    LEFT JOIN imp_place t ON t.variant = s.to_v
    LEFT JOIN imp_unit u ON u.variant = s.product_v AND u.unit = s.unit
    LEFT JOIN movement m ON m.source_system = %(system)s AND m.source_id = s.source_id
    """,
    unit_reason=UNIT_REASON,
    inexact=INEXACT_REASON.replace("<quantity>", "s.quantity * coalesce(s.factor, u.units)"),
)

_FIELDS = [
    ("kind", "s.kind", "m.kind"),
    ("product", "(SELECT code FROM imp_product WHERE id = s.product_id LIMIT 1)", "mp.code"),
    ("lot", "s.lot", "ml.number"),
    (
        "site",
        "CASE WHEN s.site_id IS NULL THEN ms.code ELSE (SELECT code FROM imp_place WHERE id = s.site_id LIMIT 1) END",
        "ms.code",
    ),
    ("from", "(SELECT code FROM imp_place WHERE id = s.from_id LIMIT 1)", "mf.code"),
    ("to", "(SELECT code FROM imp_place WHERE id = s.to_id LIMIT 1)", "mt.code"),
    ("quantity", "trim_scale(s.quantity)", "trim_scale(m.quantity)"),
    ("delivered", "coalesce(s.delivered, false)", "m.delivered"),
    ("occurred_at", "s.occurred_at AT TIME ZONE 'UTC'", "m.occurred_at AT TIME ZONE 'UTC'"),
    ("document_no", "s.document_no", "m.document_no"),
]

_CONFLICTS = composed(
    """
    WITH suspects AS (
        SELECT s.line FROM imp_resolved s JOIN movement m ON m.id = s.existing_id
        LEFT JOIN lot l ON l.id = m.lot_id
        WHERE s.problem_reason IS NULL AND (
            (s.kind, s.product_id, s.quantity, coalesce(s.delivered, false), s.occurred_at)
                <> (m.kind, m.product_id, m.quantity, m.delivered, m.occurred_at)
            OR (s.lot, s.from_id, s.to_id, s.document_no)
                IS DISTINCT FROM (l.number, m.from_location_id, m.to_location_id, m.document_no)
            OR (s.site_id IS NOT NULL AND s.lot IS NOT NULL AND s.site_id IS DISTINCT FROM l.site_id))
    ), found AS (
        SELECT s.line, <joined>
        FROM suspects JOIN imp_resolved s USING (line) JOIN movement m ON m.id = s.existing_id
        JOIN product mp ON mp.id = m.product_id
        LEFT JOIN lot ml ON ml.id = m.lot_id LEFT JOIN location ms ON ms.id = ml.site_id
        LEFT JOIN location mf ON mf.id = m.from_location_id LEFT JOIN location mt ON mt.id = m.to_location_id
        CROSS JOIN LATERAL <pairs>
        WHERE d.here IS DISTINCT FROM d.there
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

_CONTENT = (
    *("kind", "product_id", "lot", "site_id", "from_id", "to_id", "quantity", "delivered", "occurred_at"),
    "document_no",
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
        SELECT site_id FROM imp_resolved WHERE <ok> UNION SELECT from_id FROM imp_resolved WHERE <ok>
        UNION SELECT to_id FROM imp_resolved WHERE <ok>)
    """,
)

_INSERT = """
    INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, occurred_at,
        document_no, source_system, source_id, batch_id)
    SELECT s.kind, s.product_id, l.id, s.from_id, s.to_id, s.quantity, coalesce(s.delivered, false), s.occurred_at,
        s.document_no, %(system)s, s.source_id, %(batch)s
    FROM imp_resolved s
    LEFT JOIN imp_lot l ON l.product_id = s.product_id AND l.number = s.lot
        AND coalesce(l.site_id, 0) = coalesce(s.site_id, 0)
    WHERE <ok>
    ORDER BY s.line
"""


def _uses(load: Load) -> str:
    creates = "true" if load.creates_lots.get("lot") else "false"
    return (
        "SELECT line, 'lot' AS role, product_id, lot AS number, site_id, supplier_lot, made_on, expires_on,"  # noqa: S608
        f" quantity_made, {creates} AS creates FROM imp_resolved WHERE lot IS NOT NULL AND {_ACCEPTED}"
    )


async def load_movements(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones; returns how many master rows came along."""
    await resolve_units(cursor, load.units)
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
    return created | {"movements": cursor.rowcount}
