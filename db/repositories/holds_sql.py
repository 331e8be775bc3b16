"""Claims of recalls on stock, as SQL: one statement works for one recall or for many at once.

The caller names who claims what in a CTE `claimant(recall_number, lot_id)`. A place is claimed as a whole: what is
there beyond the recall's own claims on it is asked for, split into free and reserved stock.
"""

from db.repositories import stock_sql, trace_sql

CLAIMANT_OF_SCOPE = """claimant AS MATERIALIZED (
    SELECT recall_number, lot_id FROM scope_lot
    WHERE recall_number = :recall_number AND scope_version = :scope_version
)"""

CLAIMANTS_OF_LOTS = """claimant AS MATERIALIZED (
    SELECT s.recall_number, s.lot_id FROM scope_lot s
    WHERE s.recall_number = ANY(CAST(:recall_numbers AS text[])) AND s.lot_id = ANY(CAST(:lot_ids AS bigint[]))
      AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = s.recall_number)
)"""

_SCOPE_OF_CLAIMANTS = "scope AS MATERIALIZED (SELECT DISTINCT lot_id FROM claimant)"

_CLAIMED = """
transit AS (
    SELECT lot_id, location_id, document_no, sum(quantity) AS quantity
    FROM located WHERE part = 'in_transit' GROUP BY lot_id, location_id, document_no
),
mine AS (
    -- What a signed release took out is no new stock; `released` shrinks with what has left (see CAP_RELEASED).
    SELECT h.recall_number, h.lot_id, h.location_id, sum(h.quantity + h.released) AS claimed,
           coalesce(sum(h.quantity) FILTER (WHERE h.position = 'reserved' AND h.confirmed_at IS NULL), 0) AS breaking
    FROM hold h JOIN claimant USING (recall_number, lot_id)
    WHERE h.position <> 'in_transit' GROUP BY h.recall_number, h.lot_id, h.location_id
),
missing AS (
    SELECT c.recall_number, l.lot_id, l.location_id, l.quantity - coalesce(m.claimed, 0) AS quantity,
           least(l.quantity - coalesce(m.claimed, 0), greatest(l.reserved - coalesce(m.breaking, 0), 0)) AS reserved
    FROM claimant c JOIN located l ON l.lot_id = c.lot_id AND l.part = 'stock'
    LEFT JOIN mine m ON m.recall_number = c.recall_number AND m.lot_id = l.lot_id AND m.location_id = l.location_id
    WHERE l.quantity > coalesce(m.claimed, 0)
),
way AS (
    SELECT c.recall_number, t.lot_id, t.location_id, t.document_no, t.quantity, h.id AS hold_id,
           CASE WHEN h.ended_at IS NULL OR h.state = 'nonconformity' THEN coalesce(h.quantity, 0) ELSE 0 END AS claimed
    FROM claimant c JOIN transit t USING (lot_id)
    LEFT JOIN hold h ON h.recall_number = c.recall_number AND h.lot_id = t.lot_id AND h.location_id = t.location_id
         AND h.position = 'in_transit' AND h.document_no IS NOT DISTINCT FROM t.document_no
),
arrived AS (
    -- What has arrived with us is claimed where it lies; what reached a customer is a violation of its own.
    UPDATE hold h SET ended_at = CASE WHEN open.left_over IS NULL THEN CAST(:now AS timestamptz) END,
                      quantity = coalesce(open.left_over, h.quantity)
    FROM (SELECT o.id, way.quantity AS left_over
          FROM hold o JOIN claimant USING (recall_number, lot_id) LEFT JOIN way ON way.hold_id = o.id
          WHERE o.position = 'in_transit' AND o.ended_at IS NULL AND o.quantity > coalesce(way.quantity, 0)) AS open
    WHERE h.id = open.id
    RETURNING h.recall_number
),
asked AS (
    SELECT DISTINCT s.recall_number, s.lot_id
    FROM claimant JOIN scope_lot s USING (recall_number, lot_id)
    JOIN audit_event e ON e.stream = s.recall_number AND e.action = 'holds.requested'
         AND (e.data ->> 'scope_version')::int = s.scope_version
),
wanted AS (
    SELECT recall_number, lot_id, location_id, 'on_hand' AS position, NULL AS document_no,
           quantity - reserved AS quantity
    FROM missing WHERE quantity > reserved
    UNION ALL
    SELECT recall_number, lot_id, location_id, 'reserved', NULL, reserved FROM missing WHERE reserved > 0
    UNION ALL
    SELECT recall_number, lot_id, location_id, 'in_transit', document_no, quantity - claimed
    FROM way WHERE quantity > claimed
),
requested AS (
    INSERT INTO hold AS old (recall_number, lot_id, location_id, position, document_no, quantity, state, attempts,
                             late, requested_at)
    SELECT w.recall_number, w.lot_id, w.location_id, w.position, w.document_no, w.quantity, 'requested', 0,
           a.lot_id IS NOT NULL, CAST(:now AS timestamptz)
    FROM wanted w LEFT JOIN asked a ON a.recall_number = w.recall_number AND a.lot_id = w.lot_id
    ORDER BY w.recall_number, w.lot_id, w.location_id, w.position, w.document_no
    ON CONFLICT (recall_number, lot_id, location_id, position, document_no) DO UPDATE
        SET quantity = CASE WHEN old.ended_at IS NULL OR old.state = 'nonconformity' THEN old.quantity ELSE 0 END
                       + excluded.quantity,
            turn = old.turn + (old.ended_at IS NOT NULL AND old.state <> 'nonconformity')::int, ended_by = NULL,
            state = CASE WHEN old.state = 'nonconformity' THEN old.state ELSE 'requested' END,
            attempts = 0, last_error = NULL, late = old.late OR excluded.late,
            confirmed_at = NULL, confirmed_by = NULL, ended_at = NULL
    RETURNING recall_number, late, CASE WHEN state = 'nonconformity' THEN lot_id END AS joined
)
SELECT recall_number, sum(requested)::int AS requested, sum(late)::int AS late, sum(arrived)::int AS arrived,
       array_remove(array_agg(DISTINCT joined), NULL) AS joined
FROM (SELECT recall_number, 1 AS requested, late::int AS late, 0 AS arrived, joined FROM requested
      UNION ALL SELECT recall_number, 0, 0, 1, NULL FROM arrived) AS change
GROUP BY recall_number ORDER BY recall_number
"""
"""CTEs from what lies where to the claims that are added, then the figures per recall."""


def claim(claimants: str) -> str:
    """Statement: add what is missing to the claims, end claims on shipments that have arrived. Binds `:now`.

    Returns one row per recall with `recall_number, requested, late, arrived, joined` (lots of which units came under a
    hold that was carried over). Holds must be locked by the caller (the recall's row): quantities are added to.
    """
    return f"WITH {claimants},{trace_sql.positions(_SCOPE_OF_CLAIMANTS)},{stock_sql.LOCATED},{_CLAIMED}"


def departed(claimants: str) -> str:
    """Statement: forget released units that are no longer there, so that they do not hide stock that comes later.

    Returns `recall_number, id, units` for each hold it looked at.
    """
    return f"""
WITH {claimants},{trace_sql.positions(_SCOPE_OF_CLAIMANTS)},
freed AS (
    SELECT h.id, h.released, sum(h.released) OVER place AS released_here, sum(h.quantity) OVER place AS held_here,
           sum(h.released) OVER (PARTITION BY h.recall_number, h.lot_id, h.location_id ORDER BY h.id) AS up_to,
           coalesce(p.on_hand, 0) AS on_hand
    FROM hold h JOIN claimant USING (recall_number, lot_id)
    LEFT JOIN position p ON p.lot_id = h.lot_id AND p.location_id = h.location_id
    WHERE h.position <> 'in_transit'
    WINDOW place AS (PARTITION BY h.recall_number, h.lot_id, h.location_id)
)
UPDATE hold h SET released = least(h.released, greatest(
    -- What may still lie there free of this claim, given to the older rows first.
    greatest(f.on_hand - f.held_here, 0) - (f.up_to - f.released), 0))
FROM freed f
WHERE h.id = f.id AND h.released > 0 AND f.released_here > greatest(f.on_hand - f.held_here, 0)
RETURNING h.recall_number, h.id, f.released - h.released AS units
"""  # noqa: S608 - the caller's CTE is one of the constants above


SOMETHING_RELEASED = (
    "SELECT EXISTS (SELECT FROM hold WHERE released > 0 AND recall_number = ANY(CAST(:numbers AS text[])))"
)

RESERVED_AGAIN = """
WITH {claimants}
UPDATE hold h SET state = 'requested', late = true, attempts = 0, confirmed_at = NULL, confirmed_by = NULL
FROM claimant c, stock s
WHERE h.recall_number = c.recall_number AND h.lot_id = c.lot_id AND h.state = 'confirmed' AND h.quantity > 0
  AND h.position <> 'in_transit' AND s.lot_id = h.lot_id AND s.location_id = h.location_id
  AND s.reserved > s.on_hand - s.held
"""
"""A count that still shows reservations on held stock: the keeper is asked once more to break them."""

MOVED_UNDER_HOLD = """
-- A drill locks nothing: what moves in one breaks no hold.
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT found.recall_number, found.scope_version, 'shipped_under_hold', jsonb_build_object(
    'movement_id', m.id, 'movement', m.kind, 'lot_id', m.lot_id, 'lot', lot.number, 'product', product.code,
    'site', place.code, 'to', target.code, 'document_no', m.document_no, 'date', m.occurred_at,
    'quantity', trim_scale(m.quantity)::text, 'held_since', found.held_since)
FROM (
    SELECT h.recall_number, m.id, min(h.requested_at) AS held_since, min(h.location_id) AS location_id,
           (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = h.recall_number) AS scope_version
    FROM hold h JOIN recall r ON r.number = h.recall_number AND NOT r.drill JOIN movement m ON m.lot_id = h.lot_id
    WHERE h.state NOT IN ('released', 'disposed') AND m.occurred_at >= h.requested_at
      -- A disposition, return or replacement of ours was signed and moved the hold with the goods.
      AND m.source_system <> 'recall:ledger'
      AND (CAST(:recall_number AS text) IS NULL OR h.recall_number = :recall_number)
      AND (CAST(:batch_id AS bigint) IS NULL OR m.batch_id = :batch_id)
      AND CASE WHEN h.position = 'in_transit'
               THEN m.kind = 'receipt' AND m.to_location_id = h.location_id
                    AND m.document_no IS NOT DISTINCT FROM h.document_no
               ELSE m.kind = 'consumption' AND coalesce(m.from_location_id, m.to_location_id) = h.location_id
                    OR m.kind = 'shipment' AND m.from_location_id = h.location_id END
    GROUP BY h.recall_number, m.id
) AS found
JOIN movement m ON m.id = found.id
JOIN lot ON lot.id = m.lot_id JOIN product ON product.id = lot.product_id
JOIN location place ON place.id = found.location_id
LEFT JOIN location target ON target.id = m.to_location_id
-- A move between places of ours stays under our lock; only leaving our hands, or use, breaks the hold.
WHERE (m.kind = 'consumption' OR target.id IS NULL OR target.custody = 'customer')
  AND NOT EXISTS (
    SELECT FROM scope_gap old WHERE old.recall_number = found.recall_number AND old.kind = 'shipped_under_hold'
       AND (old.detail ->> 'movement_id')::bigint = m.id)
RETURNING recall_number
"""

_DUE = """
SELECT h.id, h.turn, h.lot_id, h.location_id, h.position, h.quantity, h.document_no, h.attempts, l.custody
FROM hold h JOIN location l ON l.id = h.location_id
WHERE h.recall_number = :recall_number AND h.id > :after_id
  AND (h.state IN ('requested', 'failed') AND h.ended_at IS NULL
       -- The recall ended before the keeper locked it: the units are suspect all the same.
       OR h.state = 'nonconformity' AND h.confirmed_at IS NULL AND h.quantity > 0)
{ours}ORDER BY h.id LIMIT :limit
"""
DUE = _DUE.format(
    ours="""  -- Another keeper has the place, or sent what is on its way to a customer, and is asked in its own turn.
  AND NOT EXISTS (SELECT FROM keeper_hold k WHERE k.hold_id = h.id AND k.ended_at IS NULL AND NOT k.closing)
  AND NOT EXISTS (SELECT FROM keeper_location kept WHERE kept.location_id = h.location_id
                     AND (h.position <> 'in_transit' OR l.custody <> 'customer'))
  AND NOT EXISTS (SELECT FROM movement m JOIN keeper_location kept ON kept.location_id = m.from_location_id
                  WHERE h.position = 'in_transit' AND l.custody = 'customer' AND m.kind = 'shipment'
                    AND m.lot_id = h.lot_id AND m.to_location_id = h.location_id
                    AND m.document_no IS NOT DISTINCT FROM h.document_no)
"""
)
DUE_OF_DRILL = _DUE.format(ours="")
"""A drill asks no keeper for anything, so all of its holds are ours to answer, whoever keeps the place."""

LEFT_OVER = """
SELECT r.number FROM recall r
WHERE r.phase = ANY(CAST(:ended AS text[])) AND EXISTS (
    SELECT FROM hold h WHERE h.recall_number = r.number AND h.state = 'nonconformity' AND h.confirmed_at IS NULL
       AND h.quantity > 0)
ORDER BY r.number
"""

CONFIRM = """
UPDATE hold h SET state = CASE WHEN h.state = 'nonconformity' THEN h.state ELSE 'confirmed' END,
       attempts = h.attempts + 1, confirmed_at = CAST(:now AS timestamptz), confirmed_by = done.by,
       last_error = CASE WHEN done.held < h.quantity
                         THEN 'only ' || trim_scale(done.held) || ' of ' || trim_scale(h.quantity) || ' found' END
FROM unnest(CAST(:ids AS bigint[]), CAST(:asked AS numeric[]), CAST(:held AS numeric[]), CAST(:by AS text[]))
     AS done(id, asked, held, by)
-- A claim raised meanwhile is not what was confirmed: it stays requested.
WHERE h.id = done.id AND h.quantity = done.asked AND h.confirmed_at IS NULL
  AND h.state NOT IN ('released', 'disposed')
RETURNING h.id
"""

REOPEN = """
UPDATE hold h SET confirmed_at = NULL, confirmed_by = NULL,
       state = CASE WHEN h.state = 'nonconformity' THEN h.state ELSE 'requested' END
WHERE h.id = ANY(CAST(:ids AS bigint[])) AND h.confirmed_at IS NOT NULL AND h.quantity > 0
  AND h.state IN ('confirmed', 'nonconformity')
  AND (CAST(:by AS text) IS NULL OR h.confirmed_by = CAST(:by AS text))
RETURNING h.id
"""
"""What was confirmed and is not so is due again."""

FAIL = """
UPDATE hold h SET state = CASE WHEN h.state = 'nonconformity' THEN h.state ELSE 'failed' END,
       attempts = h.attempts + 1, last_error = left(failed.error, 500)
FROM unnest(CAST(:ids AS bigint[]), CAST(:errors AS text[])) AS failed(id, error)
WHERE h.id = failed.id AND h.confirmed_at IS NULL AND h.state IN ('requested', 'failed', 'nonconformity')
RETURNING h.id
"""

OWED = """
WITH counted AS (
    SELECT coalesce(told.keeper, CAST(:ledger AS text)) AS keeper, count(*) AS owed
    FROM hold h LEFT JOIN LATERAL (
        SELECT k.keeper FROM keeper_hold k WHERE k.hold_id = h.id AND k.turn = h.turn AND k.ended_at IS NULL
           AND NOT k.closing ORDER BY k.generation DESC LIMIT 1) AS told ON true
    WHERE h.recall_number = :number AND h.ended_at IS NULL AND h.state IN ('requested', 'failed')
    GROUP BY 1
),
ranked AS (SELECT counted.*, row_number() OVER (ORDER BY keeper) AS place FROM counted)
SELECT CASE WHEN place <= :most THEN keeper ELSE 'others' END AS keeper, CAST(sum(owed) AS int) AS owed
FROM ranked GROUP BY 1 ORDER BY 1
"""
"""Who has not confirmed how many holds."""
