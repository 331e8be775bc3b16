"""Contacts of partners on record; the key is the partner and the position in its calling order."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.duplicates import mark_repeats
from db.repositories.imports.load import Load
from db.repositories.imports.stage import Cursor
from db.repositories.opt_outs import OF_NUMBER

_CONTENT = ("name", "role", "email", "phone", "channels", "webhook_url", "webhook_format", "webhook_key", "party")
# Push is added by the recipient itself, on its page: a file that does not know of it is no other contact.
_ON_RECORD = {
    "channels": "CASE WHEN 'push' = ANY (s.channels) THEN c.channels ELSE array_remove(c.channels, 'push') END"
}

_RESOLVE = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, p.id AS partner_id, s.position, s.name, s.role, s.email, s.phone, s.channels,
        s.webhook_url, s.webhook_format, s.webhook_key, coalesce(s.party, 'ship_to') AS party,
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
    pairs=pairs([(name, f"s.{name}", _ON_RECORD.get(name, f"c.{name}")) for name in _CONTENT]),
)

_INSERT = f"""
    INSERT INTO contact (partner_id, position, name, role, email, phone, channels, webhook_url, webhook_format,
                         webhook_key, party, status, batch_id, sms_opted_out_at, voice_opted_out_at)
    SELECT s.partner_id, s.position, s.name, s.role, s.email, s.phone, s.channels, s.webhook_url, s.webhook_format,
           s.webhook_key, s.party, 'unverified', %(batch)s, opted.sms, opted.voice
    FROM imp_resolved s CROSS JOIN LATERAL ({OF_NUMBER} s.phone) opted
    WHERE s.problem_reason IS NULL AND s.existing_id IS NULL AND s.repeats IS NULL
"""  # noqa: S608 - constants


async def load_contacts(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and insert the accepted ones."""
    await cursor.execute(_RESOLVE)
    await cursor.execute("ANALYZE imp_resolved")
    await cursor.execute(_CONFLICTS)
    await mark_repeats(cursor, "partner_and_position", _CONTENT)
    await cursor.execute(_INSERT, {"batch": load.batch_id})
    return {"contacts": cursor.rowcount}
