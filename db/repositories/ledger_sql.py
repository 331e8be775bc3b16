"""SQL of the one place where stock moves: balances, holds that shrink or follow the goods, claims beside them."""

from db.repositories import trace_sql

BALANCES = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)}
SELECT p.lot_id, p.location_id, l.custody, p.on_hand, coalesce(p.reserved, 0) AS reserved
FROM position p JOIN location l ON l.id = p.location_id
"""  # noqa: S608 - constants
"""What lies where, customers included: the last count plus later movements, as the trace reads it."""

CLAIMANTS = """
SELECT DISTINCT recall_number FROM hold WHERE lot_id = ANY(CAST(:lot_ids AS bigint[])) ORDER BY recall_number
"""

ONE_AT_A_TIME = """
SELECT pg_advisory_xact_lock(hashtextextended('stock:' || CAST(queue AS text), 0))
FROM (SELECT DISTINCT lot_id % 512 AS queue FROM unnest(CAST(:lot_ids AS bigint[])) AS lot_id ORDER BY 1 OFFSET 0) AS q
"""
"""Bookings of one lot queue up, whoever makes them: a place without a count has no row to lock. In the queues' order.

512 queues: the server's table of locks is shared by all and small, and a scope may have any number of lots.
"""

INSERT_MOVEMENTS = """
INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, occurred_at,
                      document_no, source_system, source_id)
SELECT b.kind, lot.product_id, lot.id, b.source, b.target, b.quantity, b.delivered, CAST(:at AS timestamptz),
       b.document_no, :system, b.reference
FROM unnest(CAST(:kinds AS text[]), CAST(:lot_ids AS bigint[]), CAST(:sources AS bigint[]), CAST(:targets AS bigint[]),
            CAST(:quantities AS numeric[]), CAST(:delivered AS boolean[]), CAST(:document_nos AS text[]),
            CAST(:references AS text[]))
     WITH ORDINALITY AS b(kind, lot_id, source, target, quantity, delivered, document_no, reference, turn)
JOIN lot ON lot.id = b.lot_id ORDER BY b.turn
RETURNING id, source_id
"""

_PLACES = """unnest(CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[]), CAST(:quantities AS numeric[]))
     AS x(lot_id, location_id, quantity)"""

SHIFT_COUNTS = f"""
UPDATE stock SET on_hand = greatest(on_hand + x.quantity, 0),
       held = least(held, greatest(on_hand + x.quantity, 0)),
       reserved = least(reserved, greatest(on_hand + x.quantity, 0))
FROM {_PLACES}
WHERE stock.lot_id = x.lot_id AND stock.location_id = x.location_id AND as_of >= CAST(:at AS timestamptz)
"""  # noqa: S608 - constants
"""A count dated after the booking does not know of it, and the movements after it do not hold it either."""

SYNC = f"""
UPDATE stock SET on_hand = x.quantity, booked = x.quantity - (on_hand - booked),
       held = least(held, x.quantity), reserved = least(reserved, x.quantity)
FROM {_PLACES}
WHERE stock.lot_id = x.lot_id AND stock.location_id = x.location_id AND on_hand IS DISTINCT FROM x.quantity
"""  # noqa: S608 - constants
"""The rows show what lies there now; `on_hand - booked` is still what was counted."""

FIRST_COUNT = """
INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of)
VALUES (:lot_id, :location_id, CAST(:on_hand AS numeric), 0, 0, CAST(:at AS timestamptz))
ON CONFLICT DO NOTHING
"""

MADE_MORE = """
UPDATE stock SET on_hand = on_hand + CAST(:quantity AS numeric) WHERE lot_id = :lot_id AND location_id = :location_id
"""
"""Another part of a rework went into the same lot: what was made is no movement, so the count rises."""

OPEN_HOLD = "(old.ended_at IS NULL OR old.state = 'nonconformity' AND old.quantity > 0)"
"""Whether the hold `old` still covers something."""

TAKE = """
WITH wanted AS (
    SELECT * FROM unnest(CAST(:numbers AS text[]), CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[]),
                         CAST(:quantities AS numeric[])) AS w(number, lot_id, location_id, units)
), ordered AS (
    SELECT h.id, h.quantity, w.units,
           sum(h.quantity) OVER (PARTITION BY h.recall_number, h.lot_id, h.location_id
                                 ORDER BY h.position = 'reserved', h.id) - h.quantity AS before
    FROM wanted w JOIN hold h ON h.recall_number = w.number AND h.lot_id = w.lot_id AND h.location_id = w.location_id
    WHERE h.position <> 'in_transit' AND h.quantity > 0
      AND (h.confirmed_at IS NOT NULL OR NOT CAST(:confirmed AS boolean))
), part AS (
    SELECT id, least(quantity, greatest(units - before, 0)) AS taken FROM ordered
)
UPDATE hold h SET quantity = h.quantity - part.taken,
       released = h.released + CASE WHEN CAST(:release AS boolean) THEN part.taken ELSE 0 END,
       state = CASE WHEN h.quantity > part.taken THEN h.state
                    WHEN h.released > 0 OR CAST(:release AS boolean) THEN 'released' ELSE 'disposed' END,
       ended_at = CASE WHEN h.quantity > part.taken THEN h.ended_at ELSE CAST(:at AS timestamptz) END,
       ended_by = CASE WHEN h.quantity > part.taken THEN h.ended_by ELSE :by END
FROM part WHERE part.id = h.id AND part.taken > 0
RETURNING h.recall_number, h.lot_id, h.location_id, part.taken
"""
"""Take units out of recalls' holds at places, free stock before what had been reserved. Each recall and place once."""

UNDER_HOLD = """
SELECT lot_id, location_id, recall_number, sum(quantity) AS quantity,
       coalesce(sum(quantity) FILTER (WHERE confirmed_at IS NOT NULL), 0) AS confirmed,
       bool_and(state = 'nonconformity') AS nonconforming
FROM hold JOIN recall ON recall.number = hold.recall_number
WHERE (lot_id, location_id) IN (SELECT * FROM unnest(CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[])))
  AND position <> 'in_transit' AND quantity > 0 AND (ended_at IS NULL OR state = 'nonconformity')
  AND (NOT recall.drill OR recall.number = CAST(:own AS text))
GROUP BY lot_id, location_id, recall_number ORDER BY lot_id, location_id, recall_number
"""
"""A drill's holds lock nothing, so nobody but the drill itself is shown them."""

RAISE = f"""
INSERT INTO hold AS old (recall_number, lot_id, location_id, position, quantity, state, attempts, late, requested_at,
                         confirmed_at, confirmed_by, ended_at)
VALUES (:number, :lot_id, :location_id, 'on_hand', CAST(:quantity AS numeric), CAST(:state AS text), 0, true,
        CAST(:at AS timestamptz), CAST(:at AS timestamptz), :by,
        CASE WHEN CAST(:state AS text) = 'nonconformity' THEN CAST(:at AS timestamptz) END)
ON CONFLICT (recall_number, lot_id, location_id, position, document_no) DO UPDATE
    SET quantity = CASE WHEN {OPEN_HOLD} THEN old.quantity ELSE 0 END + excluded.quantity,
        turn = old.turn + CASE WHEN {OPEN_HOLD} THEN 0 ELSE 1 END,
        state = CASE WHEN {OPEN_HOLD} THEN old.state ELSE excluded.state END,
        confirmed_at = CASE WHEN {OPEN_HOLD} THEN old.confirmed_at ELSE excluded.confirmed_at END,
        confirmed_by = CASE WHEN {OPEN_HOLD} THEN old.confirmed_by ELSE excluded.confirmed_by END,
        ended_at = CASE WHEN {OPEN_HOLD} THEN old.ended_at ELSE excluded.ended_at END,
        ended_by = CASE WHEN {OPEN_HOLD} THEN old.ended_by END, late = true
RETURNING id, turn, quantity, state
"""  # noqa: S608 - constants
"""Add units to one recall's hold at a place; whoever counted them there confirms that they are locked."""

CLAIM = """
INSERT INTO stock_claim AS old (key, claimant, lot_id, location_id, position, quantity)
VALUES (:key, :number, :lot_id, :location_id, 'on_hand', CAST(:quantity AS numeric))
ON CONFLICT (key) DO UPDATE SET quantity = least(old.quantity + excluded.quantity, CAST(:most AS numeric))
WHERE old.released_at IS NULL
"""

RUNNING_ON = """
SELECT s.recall_number, s.scope_version, s.depth FROM scope_lot s JOIN recall r ON r.number = s.recall_number
WHERE s.lot_id = :lot_id AND r.phase <> ALL(CAST(:ended AS text[])) AND NOT r.drill
  AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = s.recall_number)
ORDER BY s.recall_number
"""
"""Running recalls whose newest scope holds the lot; no drills, which hold nothing."""

JOIN_SCOPE = """
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)
VALUES (:number, :version, :lot_id, false, :depth) ON CONFLICT DO NOTHING
"""
