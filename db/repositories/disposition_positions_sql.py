"""Open positions of a recall as SQL: what its holds still lock at our places, and what consignees state to have."""

from db.repositories import trace_sql

_PLANNED = """
planned AS (
    SELECT lot_id, location_id, consignee_id, sum(quantity - done) AS quantity
    FROM disposition WHERE recall_number = :number AND state IN ('proposed', 'approved')
    GROUP BY lot_id, location_id, consignee_id
)"""

OURS = f"""
WITH held AS (
    SELECT lot_id, location_id, bool_and(state = 'nonconformity') AS nonconforming,
           coalesce(sum(quantity) FILTER (WHERE position <> 'in_transit'), 0) AS held,
           coalesce(sum(quantity) FILTER (WHERE position <> 'in_transit' AND confirmed_at IS NULL), 0) AS unconfirmed,
           coalesce(sum(quantity) FILTER (WHERE position = 'in_transit'), 0) AS in_transit
    FROM hold
    WHERE recall_number = :number AND quantity > 0 AND (ended_at IS NULL OR state = 'nonconformity')
      AND (CAST(:lot_id AS bigint) IS NULL OR lot_id = :lot_id)
      AND (CAST(:location_id AS bigint) IS NULL OR location_id = :location_id)
    GROUP BY lot_id, location_id
),
scope AS MATERIALIZED (SELECT DISTINCT lot_id FROM held),{trace_sql.moved()},{trace_sql.POSITIONS},{_PLANNED},
kept AS (
    SELECT lot_id, location_id, sum(quantity) AS quantity FROM retained_sample
    WHERE settled_at IS NULL GROUP BY lot_id, location_id
)
SELECT h.lot_id, lot.number AS lot_number, product.code AS product_code, product.unit_of_use AS unit,
       h.location_id, NULL::bigint AS consignee_id, place.code AS place_code, place.name AS place_name,
       least(h.held, coalesce(p.on_hand, 0)) AS quantity, h.unconfirmed, h.in_transit,
       coalesce(k.quantity, 0) AS retained, coalesce(pl.quantity, 0) AS planned, h.nonconforming,
       coalesce((SELECT array_agg(DISTINCT o.recall_number::text ORDER BY o.recall_number::text) FROM hold o
                 WHERE o.lot_id = h.lot_id AND o.location_id = h.location_id AND o.quantity > 0
                   AND o.recall_number <> :number AND (o.ended_at IS NULL OR o.state = 'nonconformity')),
                '{{}}') AS also_held_by
FROM held h
JOIN lot ON lot.id = h.lot_id JOIN product ON product.id = lot.product_id
JOIN location place ON place.id = h.location_id
LEFT JOIN position p ON p.lot_id = h.lot_id AND p.location_id = h.location_id
LEFT JOIN kept k ON k.lot_id = h.lot_id AND k.location_id = h.location_id
LEFT JOIN planned pl ON pl.lot_id = h.lot_id AND pl.location_id = h.location_id
WHERE least(h.held, coalesce(p.on_hand, 0)) > 0 OR h.in_transit > 0
ORDER BY h.lot_id, h.location_id
"""  # noqa: S608 - constants

STATED = """
stated AS (
    -- The last statement that counts: complete and unquestioned, or settled by quality.
    SELECT DISTINCT ON (r.consignee_id) r.id, r.consignee_id, r.received_at
    FROM reply r
    WHERE r.recall_number = :number AND r.kind = 'statement'
      AND (CAST(:consignee_id AS bigint) IS NULL OR r.consignee_id = :consignee_id)
      AND (NOT EXISTS (SELECT FROM jsonb_array_elements(r.findings) f WHERE f ->> 'severity' <> 'note')
           OR EXISTS (SELECT FROM consignee_documented d WHERE d.kind = 'settled' AND d.reply_id = r.id))
    ORDER BY r.consignee_id, r.id DESC
),
gone AS (
    -- What has happened to its units since it stated them.
    SELECT s.consignee_id, g.lot_id, sum(g.quantity) AS quantity
    FROM stated s JOIN goods_return g ON g.consignee_id = s.consignee_id AND g.counted_at > s.received_at
    GROUP BY s.consignee_id, g.lot_id
    UNION ALL
    SELECT s.consignee_id, m.lot_id, sum(m.quantity)
    FROM stated s JOIN consignee c ON c.id = s.consignee_id JOIN location l ON l.partner_id = c.partner_id
    JOIN movement m ON m.from_location_id = l.id AND m.kind = 'return' AND m.occurred_at > s.received_at
         AND m.source_system <> 'recall:ledger'
    GROUP BY s.consignee_id, m.lot_id
    UNION ALL
    SELECT s.consignee_id, d.lot_id, sum(p.quantity)
    FROM stated s JOIN disposition d ON d.consignee_id = s.consignee_id AND d.kind IN ('destroy', 'field_correction')
    JOIN disposition_part p ON p.disposition_id = d.id AND p.done_at > s.received_at
    GROUP BY s.consignee_id, d.lot_id
)"""
"""`stated(id, consignee_id, received_at)`, `gone(consignee_id, lot_id, quantity)`: binds number, consignee_id."""

CONSIGNEES = f"""
WITH {STATED},{_PLANNED},
less AS (SELECT consignee_id, lot_id, sum(quantity) AS quantity FROM gone GROUP BY consignee_id, lot_id)
SELECT line.lot_id, lot.number AS lot_number, product.code AS product_code, product.unit_of_use AS unit,
       NULL::bigint AS location_id, c.id AS consignee_id, partner.code AS place_code, partner.name AS place_name,
       line.on_hand - coalesce(less.quantity, 0) AS quantity, 0::numeric AS unconfirmed, 0::numeric AS in_transit,
       0::numeric AS retained, coalesce(pl.quantity, 0) AS planned, false AS nonconforming,
       '{{}}'::text[] AS also_held_by
FROM stated JOIN reply_line line ON line.reply_id = stated.id
JOIN consignee c ON c.id = stated.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.lot_id = line.lot_id AND cl.withdrawn_in IS NULL
JOIN lot ON lot.id = line.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN less ON less.consignee_id = c.id AND less.lot_id = line.lot_id
LEFT JOIN planned pl ON pl.consignee_id = c.id AND pl.lot_id = line.lot_id
WHERE line.on_hand > coalesce(less.quantity, 0) AND (CAST(:lot_id AS bigint) IS NULL OR line.lot_id = :lot_id)
ORDER BY line.lot_id, c.id
"""  # noqa: S608 - constants
