"""Contacts of partners on record; the key is the partner and the position in its calling order."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats
from db.repositories.imports.load import Load
from db.repositories.imports.stage import Cursor

_RESOLVE = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, p.id AS partner_id, s.position, s.name, s.role, s.email, s.phone, s.channels,
        s.partner || ' / ' || s.position AS partner_and_position,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit, false AS kept,
        coalesce(s.problem_field, CASE WHEN p.id IS NULL THEN 'partner' END) AS problem_field,
        coalesce(s.problem_value, CASE WHEN p.id IS NULL THEN s.partner END) AS problem_value,
        coalesce(s.problem_reason, CASE WHEN p.id IS NULL THEN 'no such partner on record' END) AS problem_reason,
        c.id AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN partner p ON p.code = s.partner
    LEFT JOIN contact c ON c.partner_id = p.id AND c.position = s.position
"""

_CONFLICTS = composed(
    """
    WITH found AS (
        SELECT s.line, <joined>
        FROM imp_resolved s JOIN contact c ON c.id = s.existing_id CROSS JOIN LATERAL <pairs>
        WHERE s.problem_reason IS NULL AND d.here IS DISTINCT FROM d.there
        GROUP BY s.line
    )
    UPDATE imp_resolved s SET problem_field = f.field, problem_value = f.value,
        problem_reason = 'the partner has another contact at this position: ' || f.reason
    FROM found f WHERE f.line = s.line
    """,
    joined=JOINED,
    whence="'on record'",
    pairs=pairs([(name, f"s.{name}", f"c.{name}") for name in ("name", "role", "email", "phone", "channels")]),
)

_INSERT = """
    INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status, batch_id)
    SELECT partner_id, position, name, role, email, phone, channels, 'unverified', %(batch)s FROM imp_resolved
    WHERE problem_reason IS NULL AND existing_id IS NULL AND repeats IS NULL
"""


async def load_contacts(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones."""
    await cursor.execute(_RESOLVE)
    await cursor.execute("ANALYZE imp_resolved")
    await cursor.execute(_CONFLICTS)
    content = ("name", "role", "email", "phone", "channels")
    await mark_repeats(cursor, "partner_and_position", content)
    await cursor.execute(_INSERT, {"batch": load.batch_id})
    return {"contacts": cursor.rowcount}
