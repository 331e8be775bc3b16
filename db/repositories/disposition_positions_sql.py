"""Open positions of a recall as SQL: what its holds still lock at our places, and what consignees state to have."""

from db.repositories import trace_sql
from db.repositories.incident_evidence import RETURNED
from db.repositories.mass_balance_sql import SCOPE, STATED

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
    SELECT lot_id, location_id, sum(quantity) AS quantity
    FROM (SELECT lot_id, location_id, quantity FROM retained_sample WHERE settled_at IS NULL
          UNION ALL ({RETURNED})) AS each
    GROUP BY lot_id, location_id
)
SELECT h.lot_id, lot.number AS lot_number, product.code AS product_code, product.unit_of_use AS unit,
       h.location_id, NULL::bigint AS consignee_id, place.code AS place_code, place.name AS place_name,
       least(h.held, coalesce(p.on_hand, 0)) AS quantity, h.unconfirmed, h.in_transit,
       coalesce(k.quantity, 0) AS retained, coalesce(pl.quantity, 0) AS planned, h.nonconforming,
       coalesce((SELECT array_agg(DISTINCT o.recall_number::text ORDER BY o.recall_number::text) FROM hold o
                 WHERE o.lot_id = h.lot_id AND o.location_id = h.location_id AND o.quantity > 0
                   AND o.recall_number <> :number AND (o.ended_at IS NULL OR o.state = 'nonconformity')
                   AND NOT EXISTS (SELECT FROM recall d WHERE d.number = o.recall_number AND d.drill)),
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

CONSIGNEES = f"""
WITH {SCOPE}, {STATED}, {_PLANNED}
SELECT r.lot_id, lot.number AS lot_number, product.code AS product_code, product.unit_of_use AS unit,
       NULL::bigint AS location_id, c.id AS consignee_id, partner.code AS place_code, partner.name AS place_name,
       r.pending AS quantity, 0::numeric AS unconfirmed, 0::numeric AS in_transit, 0::numeric AS retained,
       coalesce(pl.quantity, 0) AS planned, false AS nonconforming, '{{}}'::text[] AS also_held_by
FROM remaining r JOIN consignee c ON c.id = r.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN lot ON lot.id = r.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN planned pl ON pl.consignee_id = r.consignee_id AND pl.lot_id = r.lot_id
WHERE r.pending > 0 AND (CAST(:consignee_id AS bigint) IS NULL OR r.consignee_id = :consignee_id)
ORDER BY r.lot_id, r.consignee_id
"""  # noqa: S608 - constants
"""What consignees still have, as the mass balance reads their statements: one reading for both."""
