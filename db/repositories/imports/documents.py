"""Goods documents: one row per line; a later file may change what a document says of itself, never what it is.

Kind, number, product and places are the document's identity. State, lot, quantity, dates and carrier may change from
file to file; what they were is kept in `goods_document_before`, so that a batch can be reversed.
"""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats, reject_repeats_of_rejected
from db.repositories.imports.load import Load
from db.repositories.imports.lots import resolve_lots
from db.repositories.imports.stage import Cursor
from db.repositories.imports.units import INEXACT_REASON, UNIT_REASON, resolve_units

_RESOLVE = composed(
    """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.source_id, s.kind, s.number, coalesce(s.state, 'open') AS state, s.lot, s.requested_at,
        s.expected_at, s.quantity AS stated, coalesce(s.unit, '') AS unit,
        s.quantity * coalesce(s.factor, u.units) AS quantity,
        p.id AS product_id, site.id AS site_id, f.id AS from_id, t.id AS to_id, who.id AS partner_id,
        carrier.id AS carrier_id, NULL::bigint AS lot_id, false AS kept,
        coalesce(s.problem_field, rtrim('product.' || p.problem_field, '.'), rtrim('site.' || site.problem_field, '.'),
            rtrim('from.' || f.problem_field, '.'), rtrim('to.' || t.problem_field, '.'),
            CASE WHEN s.partner IS NOT NULL AND who.id IS NULL THEN 'partner'
                 WHEN s.carrier IS NOT NULL AND carrier.id IS NULL THEN 'carrier'
                 WHEN <unit_reason> IS NOT NULL THEN 'unit' WHEN <inexact> IS NOT NULL THEN 'quantity' END
        ) AS problem_field,
        coalesce(s.problem_value, p.problem_value, site.problem_value, f.problem_value, t.problem_value,
            CASE WHEN s.partner IS NOT NULL AND who.id IS NULL THEN s.partner
                 WHEN s.carrier IS NOT NULL AND carrier.id IS NULL THEN s.carrier
                 WHEN <unit_reason> IS NOT NULL THEN s.unit WHEN <inexact> IS NOT NULL THEN s.quantity::text END
        ) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason, site.problem_reason, f.problem_reason, t.problem_reason,
            CASE WHEN s.partner IS NOT NULL AND who.id IS NULL OR s.carrier IS NOT NULL AND carrier.id IS NULL
                 THEN 'no such partner on record' END, <unit_reason>, <inexact>) AS problem_reason,
        m.id AS line_id, NULL::bigint AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN imp_product p ON p.variant = s.product_v
    LEFT JOIN imp_place site ON site.variant = s.site_v
    LEFT JOIN imp_place f ON f.variant = s.from_v
    LEFT JOIN imp_place t ON t.variant = s.to_v
    LEFT JOIN partner who ON who.code = s.partner
    LEFT JOIN partner carrier ON carrier.code = s.carrier
    LEFT JOIN imp_unit u ON u.variant = s.product_v AND u.unit = s.unit
    LEFT JOIN goods_document_line m ON m.source_system = %(system)s AND m.source_id = s.source_id
    """,
    unit_reason=UNIT_REASON,
    inexact=INEXACT_REASON.replace("<quantity>", "s.quantity * coalesce(s.factor, u.units)"),
)

_CONFLICTS = composed(
    """
    WITH found AS (
        SELECT s.line, <joined>
        FROM imp_resolved s JOIN goods_document_line m ON m.id = s.line_id JOIN goods_document d ON d.id = m.document_id
        CROSS JOIN LATERAL <pairs>
        WHERE s.problem_reason IS NULL AND d.here IS DISTINCT FROM d.there
        GROUP BY s.line
    )
    UPDATE imp_resolved s SET problem_field = f.field, problem_value = f.value,
        problem_reason = 'the same source id is on record of another document line: ' || f.reason
    FROM found f WHERE f.line = s.line
    """.replace("goods_document d ON d.id", "goods_document g ON g.id"),
    joined=JOINED,
    whence="'on record'",
    pairs=pairs(
        [
            ("kind", "s.kind", "g.kind"),
            ("number", "s.number", "g.number"),
            (
                "product",
                "(SELECT code FROM product WHERE id = s.product_id)",
                "(SELECT code FROM product WHERE id = m.product_id)",
            ),
            (
                "from",
                "(SELECT code FROM location WHERE id = s.from_id)",
                "(SELECT code FROM location WHERE id = g.from_location_id)",
            ),
            (
                "to",
                "(SELECT code FROM location WHERE id = s.to_id)",
                "(SELECT code FROM location WHERE id = g.to_location_id)",
            ),
        ]
    ),
)

_HEAD = ("state", "from_id", "to_id", "partner_id", "carrier_id", "requested_at", "expected_at")
_SAYS_OTHERWISE = composed(
    """
    WITH first AS (
        SELECT DISTINCT ON (kind, number) kind, number, line, <head> FROM imp_resolved
        WHERE problem_reason IS NULL ORDER BY kind, number, line
    )
    UPDATE imp_resolved s SET problem_field = 'number', problem_value = s.number,
        problem_reason = 'line ' || f.line || ' says otherwise of the same document (state, places, partner or dates)'
    FROM first f
    WHERE s.kind = f.kind AND s.number = f.number AND s.problem_reason IS NULL
      AND (<here>) IS DISTINCT FROM (<there>)
    """,
    head=", ".join(_HEAD),
    here=", ".join(f"s.{name}" for name in _HEAD),
    there=", ".join(f"f.{name}" for name in _HEAD),
)
_ELSEWHERE = """
    UPDATE imp_resolved s SET problem_field = 'number', problem_value = s.number,
        problem_reason = 'the document is on record between other places'
    FROM goods_document d
    WHERE d.source_system = %(system)s AND d.kind = s.kind AND d.number = s.number AND s.problem_reason IS NULL
      AND (d.from_location_id, d.to_location_id) IS DISTINCT FROM (s.from_id, s.to_id)
"""
_LOT_IDS = """
    UPDATE imp_resolved s SET lot_id = l.id FROM imp_lot l
    WHERE s.problem_reason IS NULL AND l.product_id = s.product_id AND l.number = s.lot
        AND coalesce(l.site_id, 0) = coalesce(s.site_id, 0)
"""
_KNOWN = """
    UPDATE imp_resolved s SET existing_id = m.id
    FROM goods_document_line m JOIN goods_document d ON d.id = m.document_id
    WHERE m.id = s.line_id AND s.problem_reason IS NULL
      AND (m.lot_id, m.quantity, d.state, d.partner_id, d.carrier_id, d.requested_at, d.expected_at)
          IS NOT DISTINCT FROM
          (s.lot_id, s.quantity, s.state, s.partner_id, s.carrier_id, s.requested_at, s.expected_at)
"""

_CONTENT = (
    *("kind", "number", "state", "product_id", "lot", "site_id", "from_id", "to_id", "partner_id", "carrier_id"),
    *("quantity", "requested_at", "expected_at"),
)
_ACCEPTED = "s.problem_reason IS NULL AND s.existing_id IS NULL AND s.repeats IS NULL"
_USES = f"""SELECT line, 'lot' AS role, product_id, lot AS number, site_id, NULL::text AS supplier_lot,
    NULL::date AS made_on, NULL::date AS expires_on, NULL::numeric AS quantity_made, false AS creates
    FROM imp_resolved s WHERE lot IS NOT NULL AND {_ACCEPTED}"""  # noqa: S608 - constants

_LAST_CHANGED = """coalesce((SELECT max(b.batch_id) FROM goods_document_before b
    WHERE b.document_id = <document> AND b.line_id IS NOT DISTINCT FROM <line>), <own>)"""

_KEEP_HEADS = """
    INSERT INTO goods_document_before (batch_id, document_id, line_id, prior_batch_id, content)
    SELECT DISTINCT ON (d.id) %(batch)s, d.id, NULL::bigint, <last>, to_jsonb(d)
    FROM imp_resolved s JOIN goods_document d
        ON d.source_system = %(system)s AND d.kind = s.kind AND d.number = s.number
    WHERE <ok> AND (d.state, d.partner_id, d.carrier_id, d.requested_at, d.expected_at)
        IS DISTINCT FROM (s.state, s.partner_id, s.carrier_id, s.requested_at, s.expected_at)
    ORDER BY d.id
"""
_CHANGE_HEADS = """
    UPDATE goods_document d SET state = s.state, partner_id = s.partner_id, carrier_id = s.carrier_id,
        requested_at = s.requested_at, expected_at = s.expected_at
    FROM imp_resolved s, goods_document_before b
    WHERE <ok> AND d.source_system = %(system)s AND d.kind = s.kind AND d.number = s.number
      AND b.batch_id = %(batch)s AND b.document_id = d.id AND b.line_id IS NULL
"""
_NEW_HEADS = """
    INSERT INTO goods_document (source_system, kind, number, state, from_location_id, to_location_id, partner_id,
        carrier_id, requested_at, expected_at, batch_id)
    SELECT DISTINCT ON (s.kind, s.number) %(system)s, s.kind, s.number, s.state, s.from_id, s.to_id, s.partner_id,
        s.carrier_id, s.requested_at, s.expected_at, %(batch)s
    FROM imp_resolved s WHERE <ok> ORDER BY s.kind, s.number, s.line
    ON CONFLICT (source_system, kind, number) DO NOTHING
"""
_KEEP_LINES = """
    INSERT INTO goods_document_before (batch_id, document_id, line_id, prior_batch_id, content)
    SELECT %(batch)s, m.document_id, m.id, <last>, to_jsonb(m)
    FROM imp_resolved s JOIN goods_document_line m ON m.id = s.line_id
    WHERE <ok> AND (m.lot_id, m.quantity) IS DISTINCT FROM (s.lot_id, s.quantity)
"""
_CHANGE_LINES = """
    UPDATE goods_document_line m SET lot_id = s.lot_id, quantity = s.quantity
    FROM imp_resolved s WHERE <ok> AND m.id = s.line_id
"""
_NEW_LINES = """
    INSERT INTO goods_document_line (document_id, product_id, lot_id, quantity, source_system, source_id, batch_id)
    SELECT d.id, s.product_id, s.lot_id, s.quantity, %(system)s, s.source_id, %(batch)s
    FROM imp_resolved s JOIN goods_document d
        ON d.source_system = %(system)s AND d.kind = s.kind AND d.number = s.number
    WHERE <ok> AND s.line_id IS NULL ORDER BY s.line
"""


def _last(document: str, line: str, own: str) -> str:
    return _LAST_CHANGED.replace("<document>", document).replace("<line>", line).replace("<own>", own)


async def load_documents(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row, then write what is new and what has changed; returns how many of each."""
    parameters = {"system": load.source_system, "batch": load.batch_id}
    await resolve_units(cursor, load.units)
    await cursor.execute(_RESOLVE, parameters)
    await cursor.execute("ANALYZE imp_resolved")
    await cursor.execute(_CONFLICTS)
    await cursor.execute(_ELSEWHERE, parameters)
    await mark_repeats(cursor, "source_id", _CONTENT)
    await resolve_lots(cursor, _USES, attributes=False, keeps=False)
    await cursor.execute(_SAYS_OTHERWISE)
    await reject_repeats_of_rejected(cursor, "source_id")
    for statement in (_LOT_IDS, _KNOWN):
        await cursor.execute(statement)
    counts: dict[str, int] = {}
    steps = (
        ("", _KEEP_HEADS, _last("d.id", "NULL::bigint", "d.batch_id")),
        ("documents_changed", _CHANGE_HEADS, ""),
        ("documents", _NEW_HEADS, ""),
        ("", _KEEP_LINES, _last("m.document_id", "m.id", "m.batch_id")),
        ("", _CHANGE_LINES, ""),
        ("document_lines", _NEW_LINES, ""),
    )
    for name, statement, last in steps:
        await cursor.execute(composed(statement, ok=_ACCEPTED, last=last), parameters)
        if name:
            counts[name] = cursor.rowcount
    return counts


__all__ = ["load_documents"]
