"""Stock that a recall can lock, as SQL: built on the trace's positions, limited to our own and logistics custody."""

from db.repositories import trace_sql

UNDER_WAY = """
under_way AS (
    SELECT a.lot_id, a.target_id AS location_id, t.custody, 'in_transit' AS part, a.in_transit AS quantity,
           0::numeric AS reserved, a.document_no::text AS document_no
    FROM arrival a JOIN location t ON t.id = a.target_id LEFT JOIN location s ON s.id = a.sent_from
    -- On its way from us or to us: still in the hands of our carrier.
    WHERE a.in_transit > 0 AND (t.custody <> 'customer' OR s.custody <> 'customer')
    UNION ALL
    -- Nobody recorded where it goes: the place it left can still be asked to stop it.
    SELECT m.lot_id, m.source_id, s.custody, 'in_transit', sum(m.quantity), 0, m.document_no
    FROM moved m JOIN location s ON s.id = m.source_id
    WHERE m.kind = 'shipment' AND NOT m.delivered AND m.target_id IS NULL AND s.custody <> 'customer'
    GROUP BY m.lot_id, m.source_id, s.custody, m.document_no
)
"""
"""CTE `under_way` over `trace_sql.positions`; goods in transit stand at their destination."""

LOCATED = f"""{UNDER_WAY},
located AS MATERIALIZED (
    -- One row per lot and place, and one per document under way.
    SELECT p.lot_id, p.location_id, l.custody, 'stock' AS part, p.on_hand AS quantity,
           least(coalesce(p.reserved, 0), p.on_hand) AS reserved, NULL::text AS document_no
    FROM position p JOIN location l ON l.id = p.location_id
    WHERE l.custody <> 'customer' AND p.on_hand > 0
    UNION ALL
    SELECT * FROM under_way
)
"""  # noqa: S608 - constants
"""CTE `located` over `trace_sql.positions`: what a recall can lock."""

POSITIONS = """
SELECT lot_id, location_id, custody, 'on_hand' AS state, quantity - reserved AS quantity, document_no
FROM located WHERE part = 'stock' AND quantity > reserved
UNION ALL
SELECT lot_id, location_id, custody, 'reserved', reserved, document_no
FROM located WHERE part = 'stock' AND reserved > 0
UNION ALL
SELECT lot_id, location_id, custody, 'in_transit', sum(quantity), document_no
FROM located WHERE part = 'in_transit' GROUP BY lot_id, location_id, custody, document_no
ORDER BY 1, 2, 4, 6
"""

LOCK_LOTS = """
SELECT FROM stock WHERE lot_id = ANY(CAST(:lot_ids AS bigint[])) ORDER BY lot_id, location_id FOR UPDATE
"""
"""Order of locks everywhere: recalls by number, stock rows, holds, claims, the audit's head."""
LOCK_STOCK = "SELECT FROM stock WHERE lot_id = :lot_id AND location_id = :location_id FOR UPDATE"

PLACE_CLAIM = """
INSERT INTO stock_claim AS old (key, claimant, lot_id, location_id, position, document_no, quantity)
VALUES (:key, :claimant, :lot_id, :location_id, :position, :document_no, :quantity)
ON CONFLICT (key) DO UPDATE SET quantity = greatest(old.quantity, excluded.quantity)
WHERE old.released_at IS NULL
  AND (old.claimant, old.lot_id, old.location_id, old.position, old.document_no)
      IS NOT DISTINCT FROM (excluded.claimant, excluded.lot_id, excluded.location_id, excluded.position,
                            excluded.document_no)
RETURNING key
"""

REDUCE_CLAIM = """
UPDATE stock_claim SET quantity = CASE WHEN CAST(:left AS numeric) > 0 THEN CAST(:left AS numeric) ELSE quantity END,
       released_at = CASE WHEN CAST(:left AS numeric) > 0 THEN NULL ELSE now() END
WHERE key = :key AND released_at IS NULL AND quantity > CAST(:left AS numeric)
"""

_HOLD_KEY = "h.recall_number || ':hold:' || h.id || CASE WHEN h.turn > 0 THEN ':' || h.turn ELSE '' END"
"""`domain.inventory.hold_key` as SQL."""
_UNDER_HOLD = """CASE WHEN h.ended_at IS NULL OR h.state = 'nonconformity' THEN h.quantity ELSE 0 END"""

ALIGN_CLAIMS = f"""
UPDATE stock_claim c SET quantity = CASE WHEN {_UNDER_HOLD} > 0 THEN h.quantity ELSE c.quantity END,
       released_at = CASE WHEN {_UNDER_HOLD} > 0 THEN NULL ELSE CAST(:now AS timestamptz) END
FROM hold h
WHERE h.lot_id = ANY(CAST(:lot_ids AS bigint[])) AND c.lot_id = h.lot_id
  AND c.key = {_HOLD_KEY} AND c.released_at IS NULL AND c.quantity > {_UNDER_HOLD}
RETURNING c.key
"""  # noqa: S608 - constants
"""No claim stays larger than the hold it carries out."""

_CLAIMED = """least(stock.on_hand, coalesce((
    -- Each claimant means all the units at the place, so claims overlap and the largest one counts.
    SELECT max(mine.quantity) FROM (
        SELECT sum(c.quantity) AS quantity FROM stock_claim c
        WHERE c.lot_id = stock.lot_id AND c.location_id = stock.location_id
          AND c.released_at IS NULL AND c.position <> 'in_transit'
        GROUP BY c.claimant) AS mine), 0))"""

LOCK_UNITS = f"""
UPDATE stock SET held = {_CLAIMED}, reserved = least(reserved, on_hand - {_CLAIMED})
WHERE lot_id = :lot_id AND location_id = :location_id
"""  # noqa: S608 - constants
"""What is under a claim is held; a reservation beyond the rest is broken."""

LOCK_UNITS_AT = f"""
UPDATE stock SET held = {_CLAIMED}, reserved = least(reserved, on_hand - {_CLAIMED})
WHERE (lot_id, location_id) IN (SELECT * FROM unnest(CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[])))
"""  # noqa: S608 - constants
"""The same at several places."""

REFRESH_HELD = f"""
UPDATE stock SET held = {_CLAIMED}
WHERE (lot_id, location_id) IN (
    SELECT c.lot_id, c.location_id FROM stock_claim c
    WHERE c.released_at IS NULL AND c.position <> 'in_transit' AND c.lot_id = ANY(CAST(:lot_ids AS bigint[])))
  AND held IS DISTINCT FROM {_CLAIMED}
"""  # noqa: S608 - constants

REFRESH_ALL = f"""
UPDATE stock SET held = {_CLAIMED}
WHERE lot_id = ANY(CAST(:lot_ids AS bigint[])) AND held IS DISTINCT FROM {_CLAIMED}
"""  # noqa: S608 - constants
"""As REFRESH_HELD, at places too whose last claim has ended."""

BOOKED_ON = "SELECT EXISTS (SELECT FROM stock WHERE booked <> 0 AND lot_id = ANY(CAST(:lot_ids AS bigint[])))"

FOLLOW_MOVEMENTS = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)}
UPDATE stock s SET on_hand = p.on_hand, booked = p.on_hand - (s.on_hand - s.booked),
       held = least(s.held, p.on_hand), reserved = least(s.reserved, p.on_hand)
FROM position p
WHERE s.lot_id = p.lot_id AND s.location_id = p.location_id AND s.booked <> 0 AND s.on_hand <> p.on_hand
"""  # noqa: S608 - constants
"""A row we booked on shows what lies there now, so it takes in movements that became known since."""
