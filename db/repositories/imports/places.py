"""Places named by a file: a location with its partner, or (in a partner master) a partner alone."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.stage import LOCATION_ATTRIBUTES, PARTNER_ATTRIBUTES, Cursor

_FIND = (
    """
    UPDATE imp_place v SET id = l.id, partner_id = l.partner_id FROM location l WHERE l.code = v.code
    """,
    """
    UPDATE imp_place v SET partner_id = p.id FROM partner p WHERE v.partner_id IS NULL AND p.code = v.partner_code
    """,
)

_RESERVE = (
    """
    UPDATE imp_place v SET partner_id = n.id, partner_fresh = true
    FROM (SELECT partner_code, nextval(pg_get_serial_sequence('partner', 'id')) AS id
          FROM (SELECT DISTINCT partner_code FROM imp_place
                WHERE partner_id IS NULL AND creates AND partner_code IS NOT NULL) AS wanted) AS n
    WHERE v.partner_code = n.partner_code AND v.partner_id IS NULL
    """,
    """
    UPDATE imp_place v SET id = n.id, fresh = true
    FROM (SELECT code, nextval(pg_get_serial_sequence('location', 'id')) AS id
          FROM (SELECT DISTINCT code FROM imp_place WHERE id IS NULL AND creates AND code IS NOT NULL) AS wanted) AS n
    WHERE v.code = n.code AND v.id IS NULL
    """,
)

_UNKNOWN = """
    UPDATE imp_place SET problem_field = '', problem_value = code,
        problem_reason = 'no such location on record, and the mapping creates none'
    WHERE id IS NULL AND code IS NOT NULL
"""

_REFERENCES = """
    CREATE TEMP TABLE imp_place_reference ON COMMIT DROP AS
    SELECT 'partner' AS of, p.id, 'on record' AS whence, <partner_recorded>, <location_null>
    FROM partner p WHERE p.id IN (SELECT partner_id FROM imp_place WHERE NOT partner_fresh)
    UNION ALL
    (SELECT DISTINCT ON (v.partner_id) 'partner', v.partner_id, 'in line ' || v.line, v.partner_code, <partner_staged>,
        <location_null>
     FROM imp_place v WHERE v.partner_fresh AND v.creates ORDER BY v.partner_id, v.variant)
    UNION ALL
    SELECT 'location', l.id, 'on record', p.code, <partner_null>, <location_recorded>
    FROM location l JOIN partner p ON p.id = l.partner_id
    WHERE l.id IN (SELECT id FROM imp_place WHERE NOT fresh)
    UNION ALL
    (SELECT DISTINCT ON (v.id) 'location', v.id, 'in line ' || v.line, v.partner_code, <partner_null>, <location_staged>
     FROM imp_place v WHERE v.fresh AND v.creates ORDER BY v.id, v.variant)
"""

_DIFFERENCES = composed(
    """
    WITH found AS (
        SELECT v.variant, <joined>
        FROM imp_place v
        JOIN imp_place_reference r ON r.id = CASE r.of WHEN 'partner' THEN v.partner_id ELSE v.id END
        CROSS JOIN LATERAL <pairs>
        WHERE v.creates AND d.here IS NOT NULL AND d.here IS DISTINCT FROM d.there
            AND (r.of = 'partner') = (d.field LIKE 'partner.%' AND d.field <> 'partner.code')
        GROUP BY v.variant
    )
    UPDATE imp_place v SET kept = v.keeps,
        problem_field = CASE WHEN NOT v.keeps THEN f.field END,
        problem_value = CASE WHEN NOT v.keeps THEN f.value END,
        problem_reason = CASE WHEN NOT v.keeps THEN f.reason END
    FROM found f WHERE f.variant = v.variant
    """,
    joined=JOINED,
    whence="r.whence",
    pairs=pairs(
        [
            *((f"partner.{name.removeprefix('partner_')}", f"v.{name}", f"r.{name}") for name in PARTNER_ATTRIBUTES),
            ("partner.code", "v.partner_code", "r.partner_code"),
            *((f"location.{name}", f"v.{name}", f"r.{name}") for name in LOCATION_ATTRIBUTES),
        ]
    ),
)

_GLN_TAKEN = """
    UPDATE imp_place v SET problem_field = '<field>', problem_value = v.<gln>,
        problem_reason = 'is the GLN of <table> ' || t.code
    FROM (SELECT gln, code, id FROM <table>
          UNION ALL
          (SELECT DISTINCT ON (<gln>) <gln>, <code>, <id> FROM imp_place
           WHERE <fresh> AND creates AND <gln> IS NOT NULL ORDER BY <gln>, variant)) AS t
    WHERE v.<fresh> AND t.gln = v.<gln> AND t.id <> v.<id> AND v.problem_reason IS NULL
"""

_ORPHANS = """
    UPDATE imp_place v SET problem_field = '', problem_value = v.code,
        problem_reason = 'no such location on record, and the rows that would create it are rejected'
    WHERE v.fresh AND NOT v.creates AND NOT EXISTS (
        SELECT FROM imp_place o WHERE o.id = v.id AND o.creates AND o.problem_reason IS NULL)
"""

_INSERT_PARTNERS = """
    INSERT INTO partner (id, code, name, kind, country, region, group_name, account_manager, language, time_zone,
        gln, batch_id)
    SELECT DISTINCT ON (v.partner_id) v.partner_id, v.partner_code, v.partner_name, v.partner_kind, v.country, v.region,
        v.group_name, v.account_manager, v.language, v.time_zone, v.partner_gln, %(batch)s
    FROM imp_place v
    WHERE v.partner_fresh AND v.creates AND v.problem_reason IS NULL
        AND v.partner_id IN (SELECT partner_id FROM imp_used_place)
    ORDER BY v.partner_id, v.variant
"""

_INSERT_LOCATIONS = """
    INSERT INTO location (id, partner_id, code, name, custody, gln, batch_id)
    SELECT DISTINCT ON (v.id) v.id, v.partner_id, v.code, v.name, v.custody, v.gln, %(batch)s
    FROM imp_place v
    WHERE v.fresh AND v.creates AND v.problem_reason IS NULL AND v.id IN (SELECT id FROM imp_used_place)
    ORDER BY v.id, v.variant
"""


def _references() -> str:
    text = ("name", "kind", "country", "region", "group_name", "account_manager", "language", "time_zone", "gln")
    named = zip(text, PARTNER_ATTRIBUTES, strict=True)
    return (
        _REFERENCES.replace(
            "<partner_recorded>",
            "p.code AS partner_code, " + ", ".join(f"p.{column}::text AS {name}" for column, name in named),
        )
        .replace("<partner_staged>", ", ".join(f"v.{name}" for name in PARTNER_ATTRIBUTES))
        .replace("<partner_null>", ", ".join("NULL" for _ in PARTNER_ATTRIBUTES))
        .replace("<location_recorded>", ", ".join(f"l.{name}" for name in LOCATION_ATTRIBUTES))
        .replace("<location_staged>", ", ".join(f"v.{name}" for name in LOCATION_ATTRIBUTES))
        .replace("<location_null>", ", ".join(f"NULL::text AS {name}" for name in LOCATION_ATTRIBUTES))
    )


async def resolve_places(cursor: Cursor) -> None:
    """Give each place variant the ids of its location and partner, or its problem."""
    for statement in (*_FIND, *_RESERVE, _UNKNOWN):
        await cursor.execute(statement)
    await cursor.execute(composed(_references()))
    await cursor.execute(_DIFFERENCES)
    for table, field, gln, code, fresh, row_id in (
        ("partner", "partner.gln", "partner_gln", "partner_code", "partner_fresh", "partner_id"),
        ("location", "location.gln", "gln", "code", "fresh", "id"),
    ):
        await cursor.execute(composed(_GLN_TAKEN, table=table, field=field, gln=gln, code=code, fresh=fresh, id=row_id))
    await cursor.execute(_ORPHANS)


async def insert_places(cursor: Cursor, batch_id: int) -> dict[str, int]:
    """Insert the new partners and locations that accepted rows need (`imp_used_place`)."""
    await cursor.execute(_INSERT_PARTNERS, {"batch": batch_id})
    partners = cursor.rowcount
    await cursor.execute(_INSERT_LOCATIONS, {"batch": batch_id})
    return {"partners": partners, "locations": cursor.rowcount}
