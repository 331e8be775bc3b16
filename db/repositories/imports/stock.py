"""Stock positions: a newer count supersedes an older one (kept in `stock_before`), an older one is refused.

A count below the quantity under a hold is a fact too, and is taken: `held` never exceeds what is there, the claims
behind it stay as they are, and the totals say how many such counts came (goods under a hold are missing).
"""

from typing import cast

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.load import Load
from db.repositories.imports.lots import insert_lots, resolve_lots
from db.repositories.imports.places import insert_places
from db.repositories.imports.products import insert_products
from db.repositories.imports.stage import Cursor
from db.repositories.imports.units import INEXACT_REASON, UNIT_REASON, resolve_units

_RESOLVE = composed(
    """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, s.lot, s.as_of, s.supplier_lot, s.made_on, s.expires_on, s.quantity_made,
        s.quantity AS stated, coalesce(s.unit, '') AS unit, s.quantity * coalesce(s.factor, u.units) AS quantity,
        coalesce(s.reserved, 0) * coalesce(s.factor, u.units) AS reserved,
        p.id AS product_id, site.id AS site_id, at.id AS location_id, NULL::bigint AS lot_id,
        true IN (p.kept, site.kept, at.kept) IS TRUE AS kept,
        coalesce(s.problem_field, rtrim('product.' || p.problem_field, '.'), rtrim('site.' || site.problem_field, '.'),
            rtrim('location.' || at.problem_field, '.'),
            CASE WHEN <unit_reason> IS NOT NULL THEN 'unit' WHEN <inexact> IS NOT NULL THEN 'quantity'
                 WHEN <inexact_reserved> IS NOT NULL OR s.reserved > s.quantity THEN 'reserved' END
        ) AS problem_field,
        coalesce(s.problem_value, p.problem_value, site.problem_value, at.problem_value,
            CASE WHEN <unit_reason> IS NOT NULL THEN s.unit WHEN <inexact> IS NOT NULL THEN s.quantity::text
                 WHEN <inexact_reserved> IS NOT NULL OR s.reserved > s.quantity THEN s.reserved::text END
        ) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason, site.problem_reason, at.problem_reason, <unit_reason>, <inexact>,
            <inexact_reserved>, CASE WHEN s.reserved > s.quantity THEN 'more is reserved than on hand' END
        ) AS problem_reason,
        NULL::bigint AS existing_id, NULL::int AS repeats
    FROM imp_row s
    LEFT JOIN imp_product p ON p.variant = s.product_v
    LEFT JOIN imp_place site ON site.variant = s.site_v
    LEFT JOIN imp_place at ON at.variant = s.location_v
    LEFT JOIN imp_unit u ON u.variant = s.product_v AND u.unit = s.unit
    """,
    unit_reason=UNIT_REASON,
    inexact=INEXACT_REASON.replace("<quantity>", "s.quantity * coalesce(s.factor, u.units)"),
    inexact_reserved=INEXACT_REASON.replace("<quantity>", "s.reserved * coalesce(s.factor, u.units)"),
)

_LOT_IDS = """
    UPDATE imp_resolved s SET lot_id = l.id FROM imp_lot l
    WHERE s.problem_reason IS NULL AND l.product_id = s.product_id AND l.number = s.lot
        AND coalesce(l.site_id, 0) = coalesce(s.site_id, 0)
"""

_LOCK_RECALLS = """
    SELECT count(*) FROM (
        SELECT FROM recall WHERE number IN (
            SELECT recall_number FROM scope_lot WHERE lot_id IN (SELECT lot_id FROM imp_resolved)
            UNION SELECT recall_number FROM hold WHERE lot_id IN (SELECT lot_id FROM imp_resolved))
        ORDER BY number FOR NO KEY UPDATE) AS locked
"""
"""Recalls before their stock, in the order everybody locks: a disposition of the lot waits, and never deadlocks."""

_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM stock k WHERE (k.lot_id, k.location_id) IN (SELECT lot_id, location_id FROM imp_resolved)
        ORDER BY k.lot_id, k.location_id FOR UPDATE) AS locked
"""

_KNOWN = """
    UPDATE imp_resolved s SET existing_id = k.lot_id FROM stock k
    WHERE s.problem_reason IS NULL AND k.lot_id = s.lot_id AND k.location_id = s.location_id
        AND (k.on_hand - k.booked, k.reserved, k.as_of) = (s.quantity, s.reserved, s.as_of)
"""

_STALE = composed(
    """
    WITH found AS (
        SELECT s.line, <joined>
        FROM imp_resolved s JOIN stock k ON k.lot_id = s.lot_id AND k.location_id = s.location_id
        CROSS JOIN LATERAL <pairs>
        WHERE s.problem_reason IS NULL AND s.existing_id IS NULL AND s.as_of <= k.as_of
            AND d.here IS DISTINCT FROM d.there
        GROUP BY s.line
    )
    UPDATE imp_resolved s SET problem_field = f.field, problem_value = f.value,
        problem_reason = 'the record has a count of the same time or later: ' || f.reason
    FROM found f WHERE f.line = s.line
    """,
    joined=JOINED,
    whence="'on record'",
    pairs=pairs(
        [
            ("quantity", "trim_scale(s.quantity)", "trim_scale(k.on_hand - k.booked)"),
            ("reserved", "trim_scale(s.reserved)", "trim_scale(k.reserved)"),
            ("as_of", "s.as_of AT TIME ZONE 'UTC'", "k.as_of AT TIME ZONE 'UTC'"),
        ]
    ),
)

_BELOW_HOLD = """
    SELECT count(*) FROM imp_resolved s JOIN stock k ON k.lot_id = s.lot_id AND k.location_id = s.location_id
    WHERE s.quantity < k.held AND <ok>
"""

_SUPERSEDED_IN_FILE = """
    WITH ranked AS (
        SELECT line, first_value(line) OVER w AS first
        FROM imp_resolved WHERE problem_reason IS NULL AND lot_id IS NOT NULL
        WINDOW w AS (PARTITION BY lot_id, location_id ORDER BY as_of DESC, line)
    )
    UPDATE imp_resolved s SET
        repeats = CASE WHEN (s.quantity, s.reserved, s.as_of) = (f.quantity, f.reserved, f.as_of) THEN f.line END,
        problem_field = CASE WHEN (s.quantity, s.reserved, s.as_of) <> (f.quantity, f.reserved, f.as_of)
            THEN 'as_of' END,
        problem_value = CASE WHEN (s.quantity, s.reserved, s.as_of) <> (f.quantity, f.reserved, f.as_of)
            THEN s.as_of::text END,
        problem_reason = CASE WHEN (s.quantity, s.reserved, s.as_of) <> (f.quantity, f.reserved, f.as_of)
            THEN 'line ' || f.line || ' counts the same lot and location at the same time or later' END
    FROM ranked r JOIN imp_resolved f ON f.line = r.first
    WHERE r.line = s.line AND r.first <> r.line
"""

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

_KEEP_BEFORE = """
    INSERT INTO stock_before (batch_id, lot_id, location_id, on_hand, reserved, as_of, prior_batch_id)
    SELECT %(batch)s, k.lot_id, k.location_id, k.on_hand - k.booked, k.reserved, k.as_of, k.batch_id
    FROM stock k JOIN imp_resolved s ON s.lot_id = k.lot_id AND s.location_id = k.location_id WHERE <ok>
"""

_UPSERT = """
    INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of, batch_id)
    SELECT s.lot_id, s.location_id, s.quantity, s.reserved, 0, s.as_of, %(batch)s FROM imp_resolved s WHERE <ok>
    ON CONFLICT (lot_id, location_id) DO UPDATE
    SET on_hand = excluded.on_hand, held = least(stock.held, excluded.on_hand), reserved = excluded.reserved,
        as_of = excluded.as_of, batch_id = excluded.batch_id, booked = 0
"""

OWN_SINCE = """
    UPDATE stock k SET booked = own.quantity, on_hand = k.on_hand + own.quantity
    FROM (
        SELECT c.lot_id, c.location_id, greatest(-c.on_hand, sum(
            CASE WHEN m.to_location_id = c.location_id THEN m.quantity ELSE -m.quantity END)) AS quantity
        FROM stock c JOIN movement m ON m.lot_id = c.lot_id AND m.occurred_at > c.as_of
            AND c.location_id IN (m.from_location_id, m.to_location_id)
        WHERE m.source_system = 'recall:ledger' AND <which> GROUP BY c.lot_id, c.location_id
    ) AS own
    WHERE k.lot_id = own.lot_id AND k.location_id = own.location_id
"""
"""A count older than what we booked ourselves: those bookings stand on top of it (`Stock.booked`)."""
_OWN_SINCE = OWN_SINCE.replace("<which>", "c.batch_id = %(batch)s")


def _uses(load: Load) -> str:
    creates = "true" if load.creates_lots.get("lot") else "false"
    return (
        "SELECT line, 'lot' AS role, product_id, lot AS number, site_id, supplier_lot, made_on, expires_on,"  # noqa: S608
        f" quantity_made, {creates} AS creates FROM imp_resolved WHERE {_ACCEPTED}"
    )


async def load_stock(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged row and apply the accepted ones; returns how many master rows came along."""
    await resolve_units(cursor, load.units)
    await cursor.execute(_RESOLVE)
    await cursor.execute("ANALYZE imp_resolved")
    await resolve_lots(cursor, _uses(load), attributes=load.lot_attributes, keeps=load.keeps_lots)
    for statement in (_LOT_IDS, _LOCK_RECALLS, _LOCK, _KNOWN):
        await cursor.execute(statement)
    await cursor.execute(_STALE)
    await cursor.execute(_SUPERSEDED_IN_FILE)
    for statement in _USED:
        await cursor.execute(composed(statement, ok=_ACCEPTED))
    created = await insert_products(cursor, load.batch_id) | await insert_places(cursor, load.batch_id)
    created |= await insert_lots(cursor, _uses(load), load.batch_id, attributes=load.lot_attributes)
    await cursor.execute(composed(_BELOW_HOLD, ok=_ACCEPTED))
    below = cast(tuple[int], await cursor.fetchone())[0]
    await cursor.execute(composed(_KEEP_BEFORE, ok=_ACCEPTED), {"batch": load.batch_id})
    superseded = cursor.rowcount
    await cursor.execute(composed(_UPSERT, ok=_ACCEPTED), {"batch": load.batch_id})
    rows = cursor.rowcount
    await cursor.execute(_OWN_SINCE, {"batch": load.batch_id})
    return created | {"stock_rows": rows, "superseded": superseded, "below_hold": below}
