"""Lots named by a file. A lot is product + number + manufacturing site; a number alone is never enough to guess.

A row without a site takes the one lot of that product and number there is; if there are several, or the record
has the number without a site, the row is rejected.
"""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.stage import LOT_ATTRIBUTES, Cursor

_KEY = "l.product_id = u.product_id AND l.number = u.number AND coalesce(l.site_id, 0) = coalesce(u.site_id, 0)"

_LOTS = """
    CREATE TEMP TABLE imp_lot ON COMMIT DROP AS
    SELECT u.product_id, u.number, u.site_id, u.creates, l.id, false AS fresh, NULL::text AS reason
    FROM (SELECT product_id, number, site_id, bool_or(creates) AS creates FROM (<uses>) AS each
          GROUP BY product_id, number, site_id) AS u
    LEFT JOIN lot l ON l.product_id = u.product_id AND l.number = u.number AND l.site_id IS NOT DISTINCT FROM u.site_id
"""

_STEPS = (
    """
    UPDATE imp_lot u SET reason = 'a lot of that number without a manufacturing site is on record'
    WHERE u.id IS NULL AND u.site_id IS NOT NULL AND EXISTS (
        SELECT FROM lot l WHERE l.product_id = u.product_id AND l.number = u.number AND l.site_id IS NULL)
    """,
    """
    UPDATE imp_lot SET id = nextval(pg_get_serial_sequence('lot', 'id')), fresh = true
    WHERE id IS NULL AND site_id IS NOT NULL AND creates AND reason IS NULL
    """,
    """
    WITH candidates AS (
        SELECT u.product_id, u.number, l.id FROM imp_lot u
        JOIN lot l ON l.product_id = u.product_id AND l.number = u.number WHERE u.site_id IS NULL
        UNION
        SELECT product_id, number, id FROM imp_lot WHERE fresh
    ), counted AS (
        SELECT product_id, number, count(*) AS n, min(id) AS id FROM candidates GROUP BY product_id, number
    )
    UPDATE imp_lot u SET id = CASE WHEN c.n = 1 THEN c.id END,
        reason = CASE WHEN c.n > 1 THEN format('ambiguous: %s sites made a lot of that number; give the site', c.n) END
    FROM counted c WHERE u.site_id IS NULL AND c.product_id = u.product_id AND c.number = u.number
    """,
    """
    UPDATE imp_lot SET id = nextval(pg_get_serial_sequence('lot', 'id')), fresh = true
    WHERE id IS NULL AND site_id IS NULL AND creates AND reason IS NULL
    """,
    """
    UPDATE imp_lot SET reason = 'no such lot of that product (and site) on record, and the mapping creates none'
    WHERE id IS NULL AND reason IS NULL
    """,
    "CREATE INDEX ON imp_lot (product_id, number)",
    "ANALYZE imp_lot",
)

_VALUES = """
    CREATE TEMP TABLE imp_lot_value ON COMMIT DROP AS
    SELECT l.id, <firsts>
    FROM (<uses>) AS u JOIN imp_lot l ON <key>
    WHERE l.id IN (SELECT id FROM imp_lot WHERE fresh) GROUP BY l.id
"""

_DIFFERENCES = """
    CREATE TEMP TABLE imp_lot_difference ON COMMIT DROP AS
    WITH reference AS (
        SELECT id, 'on record' AS whence, <names> FROM lot WHERE id IN (SELECT id FROM imp_lot WHERE NOT fresh)
        UNION ALL SELECT id, 'elsewhere in the file', <names> FROM imp_lot_value
    )
    SELECT u.line, u.role, <joined>
    FROM (<uses>) AS u JOIN imp_lot l ON <key> JOIN reference r ON r.id = l.id CROSS JOIN LATERAL <pairs>
    WHERE u.creates AND d.here IS NOT NULL AND d.here IS DISTINCT FROM d.there
    GROUP BY u.line, u.role
"""

_REJECT_DIFFERING = """
    UPDATE imp_resolved s SET problem_field = d.role || '.' || d.field, problem_value = d.value,
        problem_reason = d.reason
    FROM imp_lot_difference d WHERE d.line = s.line AND s.problem_reason IS NULL
"""

_KEEP_DIFFERING = "UPDATE imp_resolved s SET kept = true FROM imp_lot_difference d WHERE d.line = s.line"

_REJECT_UNRESOLVED = """
    UPDATE imp_resolved s SET problem_field = u.role, problem_value = u.number, problem_reason = l.reason
    FROM (<uses>) AS u JOIN imp_lot l ON <key>
    WHERE u.line = s.line AND s.problem_reason IS NULL AND l.reason IS NOT NULL
"""

_INSERT = """
    INSERT INTO lot (id, product_id, number, site_id, <names>, batch_id)
    SELECT l.id, l.product_id, l.number, l.site_id, <values>, %(batch)s
    FROM imp_lot l <join> WHERE l.fresh AND l.id IN (SELECT l.id FROM (<uses>) AS u JOIN imp_lot l ON <key>)
"""


async def resolve_lots(cursor: Cursor, uses: str, *, attributes: bool, keeps: bool) -> None:
    """Give each lot of the acceptable rows its id; rows whose lot stays unknown or contradicts are rejected.

    `uses` selects (line, role, product_id, number, site_id, creates and the lot attributes) of acceptable rows.
    """
    await cursor.execute(composed(_LOTS, uses=uses))
    for step in _STEPS:
        await cursor.execute(composed(step))
    await cursor.execute(composed(_REJECT_UNRESOLVED, uses=uses, key=_KEY))
    if not attributes:
        return
    firsts = ", ".join(
        f"(array_agg(u.{name} ORDER BY u.line) FILTER (WHERE u.{name} IS NOT NULL))[1] AS {name}"
        for name in LOT_ATTRIBUTES
    )
    await cursor.execute(composed(_VALUES, firsts=firsts, uses=uses, key=_KEY))
    compared = pairs(
        [
            *((name, f"u.{name}", f"r.{name}") for name in LOT_ATTRIBUTES if name != "quantity_made"),
            ("quantity_made", "trim_scale(u.quantity_made)", "trim_scale(r.quantity_made)"),
        ]
    )
    await cursor.execute(
        composed(
            _DIFFERENCES,
            joined=JOINED,
            whence="r.whence",
            names=", ".join(LOT_ATTRIBUTES),
            pairs=compared,
            uses=uses,
            key=_KEY,
        )
    )
    await cursor.execute(composed(_KEEP_DIFFERING if keeps else _REJECT_DIFFERING))


async def insert_lots(cursor: Cursor, uses: str, batch_id: int, *, attributes: bool) -> dict[str, int]:
    """Insert the new lots that accepted rows need."""
    values = ", ".join(f"v.{name}" if attributes else "NULL" for name in LOT_ATTRIBUTES)
    statement = composed(
        _INSERT,
        uses=uses,
        key=_KEY,
        names=", ".join(LOT_ATTRIBUTES),
        values=values,
        join="LEFT JOIN imp_lot_value v ON v.id = l.id" if attributes else "",
    )
    await cursor.execute(statement, {"batch": batch_id})
    return {"lots": cursor.rowcount}
