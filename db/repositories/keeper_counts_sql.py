"""What keepers outside our ledger report, brought into our record, as SQL: counts, goods under way, and gaps."""

from typing import Final

from db.repositories import trace_sql
from db.repositories.keeper_holds_sql import GONE
from db.repositories.redirected_sql import ELSEWHERE

_REPORTED: Final = """reported AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:lots AS bigint[]), CAST(:places AS bigint[]), CAST(:on_hand AS numeric[]),
                         CAST(:reserved AS numeric[])) AS r(lot_id, location_id, on_hand, reserved)
)"""

COUNTS: Final = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{_REPORTED},
doubt AS (
    SELECT * FROM unnest(CAST(:doubt_lots AS bigint[]), CAST(:doubt_places AS bigint[])) AS u(lot_id, location_id)
),
believed AS MATERIALIZED (SELECT lot_id, location_id, on_hand FROM position),
known AS (
    -- Where we believe something to lie that the keeper does not report, it says that nothing is there.
    SELECT lot_id, location_id FROM reported
    UNION SELECT lot_id, location_id FROM stock
          WHERE lot_id = ANY(CAST(:asked_lots AS bigint[])) AND location_id = ANY(CAST(:kept AS bigint[]))
    UNION SELECT lot_id, to_location_id FROM movement
          WHERE lot_id = ANY(CAST(:asked_lots AS bigint[])) AND to_location_id = ANY(CAST(:kept AS bigint[]))
),
settled AS (
    SELECT known.lot_id, known.location_id, coalesce(r.on_hand, 0) AS on_hand, coalesce(r.reserved, 0) AS reserved
    FROM known LEFT JOIN reported r USING (lot_id, location_id) LEFT JOIN believed USING (lot_id, location_id)
    -- What is being disposed of there may be in the keeper's figures or not: the next look tells.
    WHERE (NOT EXISTS (
            -- Where not all could be read, more counts, less does not.
            SELECT FROM doubt WHERE doubt.lot_id = known.lot_id
               AND (doubt.location_id IS NULL OR doubt.location_id = known.location_id))
        OR r.on_hand > coalesce(believed.on_hand, 0))
      AND NOT EXISTS (
        SELECT FROM disposition d JOIN disposition_part p ON p.disposition_id = d.id
        LEFT JOIN keeper_disposal kd ON kd.part_id = p.id
        WHERE d.lot_id = known.lot_id AND d.location_id = known.location_id AND {GONE} AND kd.acknowledged_at IS NULL
          AND (kd.part_id IS NOT NULL OR EXISTS (
                  SELECT FROM hold h JOIN keeper_hold k ON k.hold_id = h.id
                  WHERE h.lot_id = d.lot_id AND h.location_id = d.location_id
                    AND k.keeper = CAST(:keeper AS text) AND k.planned_at <= p.done_at)))
      AND NOT EXISTS (
        SELECT FROM movement m
        WHERE m.lot_id = known.lot_id AND known.location_id IN (m.from_location_id, m.to_location_id)
          AND m.source_system = 'recall\\:ledger' AND m.occurred_at >= CAST(:at AS timestamptz))
)
INSERT INTO stock AS old (lot_id, location_id, on_hand, reserved, held, booked, as_of, source)
SELECT lot_id, location_id, on_hand, least(reserved, on_hand), 0, 0, CAST(:at AS timestamptz), CAST(:keeper AS text)
FROM settled ORDER BY lot_id, location_id
ON CONFLICT (lot_id, location_id) DO UPDATE
    SET on_hand = excluded.on_hand, reserved = excluded.reserved, held = least(old.held, excluded.on_hand), booked = 0,
        as_of = excluded.as_of, source = excluded.source, batch_id = NULL
    WHERE old.as_of < excluded.as_of
      AND (old.on_hand <> excluded.on_hand OR old.reserved <> excluded.reserved OR old.booked <> 0
           OR old.source IS DISTINCT FROM excluded.source OR old.as_of < excluded.as_of - CAST(:fresh AS interval)
           OR EXISTS (SELECT FROM movement m
                      WHERE m.lot_id = old.lot_id AND old.location_id IN (m.from_location_id, m.to_location_id)
                        AND m.occurred_at > old.as_of))
RETURNING lot_id
"""  # noqa: S608 - constants
"""A report is a count of its instant. Rows are rewritten when they say something else, or have grown old."""

KNOWN_THERE: Final = """
SELECT lot_id FROM stock
WHERE lot_id = ANY(CAST(:lots AS bigint[])) AND location_id = ANY(CAST(:kept AS bigint[]))
UNION
SELECT lot_id FROM movement
WHERE lot_id = ANY(CAST(:lots AS bigint[]))
  AND (to_location_id = ANY(CAST(:kept AS bigint[])) OR source_system = CAST(:system AS text))
"""
"""Lots that are or were at the keeper, as far as our record goes, or under way by its word."""

MISSING: Final = """
WITH found AS MATERIALIZED (
    SELECT 'missing_under_hold' AS kind, jsonb_build_object(
        'keeper', s.source, 'lot_id', s.lot_id, 'lot', lot.number, 'product', product.code, 'site', l.code,
        'held', trim_scale(h.quantity)::text, 'found', trim_scale(s.on_hand)::text) AS detail
    FROM (SELECT lot_id, location_id, sum(quantity) AS quantity FROM hold
          WHERE recall_number = CAST(:number AS text) AND position <> 'in_transit' AND quantity > 0
            AND (ended_at IS NULL OR state = 'nonconformity')
          GROUP BY lot_id, location_id) AS h
    JOIN stock s USING (lot_id, location_id) JOIN location l ON l.id = s.location_id
    JOIN lot ON lot.id = s.lot_id JOIN product ON product.id = lot.product_id
    WHERE s.source = CAST(:keeper AS text) AND s.on_hand < h.quantity
      AND NOT EXISTS (SELECT FROM keeper_disposal kd JOIN disposition_part p ON p.id = kd.part_id
                      JOIN disposition d ON d.id = p.disposition_id
                      WHERE d.lot_id = s.lot_id AND d.location_id = s.location_id AND kd.acknowledged_at IS NULL)
),
gone AS (
    DELETE FROM scope_gap old
    WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
       AND old.kind = 'missing_under_hold' AND old.detail ->> 'keeper' = CAST(:keeper AS text)
       AND NOT EXISTS (SELECT FROM found WHERE found.detail = old.detail)
    RETURNING id
)
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT CAST(:number AS text), CAST(:version AS int), kind, detail FROM found
WHERE NOT EXISTS (SELECT FROM scope_gap old
                  WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
                     AND old.kind = found.kind AND old.detail = found.detail)
RETURNING detail
"""
"""Fewer units lie there than are under the hold, and no disposition of ours says why."""

READ: Final = """
DELETE FROM scope_gap WHERE recall_number = :number AND scope_version = :version AND kind = 'stale_keeper'
   AND detail ->> 'keeper' = :keeper RETURNING id
"""
OTHER_FAULT: Final = """
DELETE FROM scope_gap WHERE recall_number = :number AND scope_version = :version AND kind = 'stale_keeper'
   AND detail ->> 'keeper' = CAST(:keeper AS text) AND detail ->> 'error' IS DISTINCT FROM CAST(:error AS text)
"""
UNREAD: Final = """
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT CAST(:number AS text), CAST(:version AS int), 'stale_keeper', jsonb_build_object(
    'keeper', CAST(:keeper AS text), 'error', left(CAST(:error AS text), 300), 'since', CAST(:at AS timestamptz),
    'last_data', (SELECT max(s.as_of) FROM stock s JOIN scope_lot v ON v.lot_id = s.lot_id
                  WHERE v.recall_number = CAST(:number AS text) AND v.scope_version = CAST(:version AS int)
                    AND s.source = CAST(:keeper AS text)))
WHERE NOT EXISTS (SELECT FROM scope_gap old
                  WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
                     AND old.kind = 'stale_keeper' AND old.detail ->> 'keeper' = CAST(:keeper AS text))
RETURNING id
"""
"""The keeper could not be read: what lies there may be other than what the trace says."""

UNDER_WAY: Final = """
SELECT m.source_id, m.document_no FROM movement m
WHERE m.source_system = CAST(:system AS text) AND m.kind = 'shipment' AND m.lot_id = ANY(CAST(:lots AS bigint[]))
"""

TOLD_BY_OTHERS: Final = """
DELETE FROM movement k
WHERE k.source_system = CAST(:system AS text) AND k.lot_id = ANY(CAST(:lots AS bigint[]))
  AND EXISTS (SELECT FROM movement m WHERE m.lot_id = k.lot_id AND m.kind = 'shipment'
                 AND m.document_no = k.document_no AND NOT starts_with(m.source_system, 'keeper\\:'))
RETURNING k.id
"""
"""A shipment that the firm's own records tell of is known from there."""

_BY_OTHERS: Final = """by_others AS MATERIALIZED (
    SELECT lot_id, document_no, to_location_id, sum(quantity) AS quantity FROM movement
    WHERE lot_id = ANY(CAST(:lots AS bigint[])) AND kind = 'receipt' AND source_system <> CAST(:system AS text)
    GROUP BY 1, 2, 3
)"""
"""What others say was received, by document and place."""

_ARRIVED: Final = f"""m.quantity - coalesce(r.quantity, 0) - coalesce(o.quantity, 0)
                - CASE WHEN EXISTS (
                      SELECT FROM unnest(CAST(:received AS text[]), CAST(:received_at AS bigint[])) AS d(number, place)
                      WHERE d.number = m.document_no AND d.place = m.to_location_id)
                  THEN 0 ELSE {ELSEWHERE} END"""
"""What of the keeper's shipment `m` has arrived by its word alone: not what it says is under way (`r`), others have
received (`o`), or was redirected, unless its receipt there is on record."""

RECEIVED_BY_OTHERS: Final = f"""
WITH {_BY_OTHERS},
told AS MATERIALIZED (
    SELECT i.id, i.quantity, {_ARRIVED} AS beyond
    FROM movement m JOIN by_others o USING (lot_id, document_no, to_location_id)
    JOIN movement i ON i.source_system = m.source_system AND i.source_id = m.source_id || '\\:in'
    LEFT JOIN unnest(CAST(:source_ids AS text[]), CAST(:quantities AS numeric[])) AS r(source_id, quantity)
         ON r.source_id = m.source_id
    WHERE m.source_system = CAST(:system AS text) AND m.kind = 'shipment'
),
gone AS (DELETE FROM movement i USING told WHERE i.id = told.id AND beyond <= 0),
fewer AS (UPDATE movement i SET quantity = beyond FROM told WHERE i.id = told.id AND beyond > 0 AND i.quantity > beyond)
SELECT id FROM told WHERE quantity > beyond
"""  # noqa: S608 - constants
"""What others received of a shipment that only the keeper tells of is not received once more by the keeper's word."""

CANCELLED: Final = """
WITH dead AS MATERIALIZED (
    SELECT s.id, s.source_id, s.product_id, s.lot_id, s.from_location_id, s.to_location_id, s.document_no, s.quantity,
           coalesce(i.quantity, 0) AS arrived
    FROM movement s
    LEFT JOIN movement i ON i.source_system = s.source_system AND i.source_id = s.source_id || '\\:in'
    LEFT JOIN movement b ON b.source_system = s.source_system AND b.source_id = s.source_id || '\\:back'
    WHERE s.source_system = CAST(:system AS text) AND s.kind = 'shipment' AND s.lot_id = ANY(CAST(:clear AS bigint[]))
      AND s.document_no = ANY(CAST(:void AS text[])) AND s.quantity > coalesce(b.quantity, 0)
),
gone AS (DELETE FROM movement m USING dead WHERE m.id = dead.id AND dead.arrived = 0),
fewer AS (UPDATE movement m SET quantity = dead.arrived FROM dead WHERE m.id = dead.id AND dead.arrived > 0),
back AS (
    INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, occurred_at,
                          document_no, source_system, source_id, batch_id)
    SELECT 'return', product_id, lot_id, to_location_id, from_location_id, arrived, false, CAST(:at AS timestamptz),
           document_no, CAST(:system AS text), source_id || '\\:back', NULL
    FROM dead WHERE arrived > 0 ORDER BY source_id
    ON CONFLICT (source_system, source_id) DO UPDATE SET quantity = excluded.quantity
)
SELECT document_no, lot_id, to_location_id, quantity - arrived AS never_left, arrived FROM dead ORDER BY source_id
"""
"""A cancelled shipment has not left; what was said to have arrived before has come back."""

NOT_BACK: Final = """
DELETE FROM movement b USING movement s
WHERE b.source_system = CAST(:system AS text) AND b.kind = 'return' AND b.source_id = s.source_id || '\\:back'
  AND s.source_system = b.source_system AND s.kind = 'shipment' AND s.lot_id = ANY(CAST(:asked_lots AS bigint[]))
  AND (s.document_no = ANY(CAST(:done AS text[])) OR s.source_id = ANY(CAST(:source_ids AS text[])))
RETURNING s.id
"""
"""What is under way, or has arrived after all, has not come back."""

SAID: Final = """
SELECT DISTINCT ON (document_no) document_no, keeper_state FROM recall_document
WHERE keeper = CAST(:keeper AS text) AND document_no = ANY(CAST(:numbers AS text[])) AND kind = 'shipment'
  AND keeper_state IN ('done', 'cancelled')
ORDER BY document_no, coalesce(ended_at, requested_at) DESC, id DESC
"""
"""What the keeper answered of shipments it does not list any more."""

SHIPPED: Final = """
INSERT INTO movement AS old (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,
                             occurred_at, document_no, source_system, source_id, batch_id)
SELECT 'shipment', lot.product_id, lot.id, r.source, r.target, r.quantity, false,
       -- First seen before the keeper knew of a hold: it had left already.
       least(CAST(:at AS timestamptz), coalesce((
           SELECT min(h.requested_at) - interval '1 second' FROM hold h
           WHERE h.lot_id = lot.id AND h.location_id = r.source AND NOT EXISTS (
               SELECT FROM stock s WHERE s.lot_id = lot.id AND s.location_id = r.source
                  AND s.source = CAST(:keeper AS text))),
           CAST(:at AS timestamptz))),
       r.document_no, CAST(:system AS text), r.source_id, NULL
FROM unnest(CAST(:lots AS bigint[]), CAST(:sources AS bigint[]), CAST(:targets AS bigint[]),
            CAST(:quantities AS numeric[]), CAST(:documents AS text[]), CAST(:source_ids AS text[]))
     AS r(lot_id, source, target, quantity, document_no, source_id)
JOIN lot ON lot.id = r.lot_id
WHERE NOT EXISTS (SELECT FROM movement m WHERE m.lot_id = lot.id AND m.kind = 'shipment'
                     AND m.document_no = r.document_no AND m.source_system <> CAST(:system AS text))
ORDER BY r.source_id
ON CONFLICT (source_system, source_id) DO UPDATE SET quantity = excluded.quantity
    WHERE old.quantity < excluded.quantity
RETURNING id
"""

ARRIVED: Final = f"""
WITH {_BY_OTHERS},
left_over AS (
    SELECT m.*, {_ARRIVED} AS arrived
    FROM movement m
    LEFT JOIN unnest(CAST(:source_ids AS text[]), CAST(:quantities AS numeric[])) AS r(source_id, quantity)
         ON r.source_id = m.source_id
    LEFT JOIN by_others o ON (o.lot_id, o.document_no, o.to_location_id) = (m.lot_id, m.document_no, m.to_location_id)
    WHERE m.source_system = CAST(:system AS text) AND m.kind = 'shipment'
      AND m.lot_id = ANY(CAST(:clear AS bigint[]))
      AND (m.document_no = ANY(CAST(:done AS text[]))
           -- What comes to the keeper's own place it counts there when it has come.
           OR m.to_location_id = ANY(CAST(:kept AS bigint[]))
              AND (r.quantity IS NOT NULL OR m.document_no <> ALL(CAST(:listed AS text[]))))
)
INSERT INTO movement AS old (kind, product_id, lot_id, to_location_id, quantity, delivered, occurred_at, document_no,
                             source_system, source_id, batch_id)
SELECT 'receipt', product_id, lot_id, to_location_id, arrived, false, CAST(:at AS timestamptz), document_no,
       CAST(:system AS text), source_id || '\\:in', NULL
FROM left_over WHERE arrived > 0 AND to_location_id IS NOT NULL ORDER BY source_id
ON CONFLICT (source_system, source_id) DO UPDATE SET quantity = excluded.quantity
    WHERE old.quantity < excluded.quantity
RETURNING id
"""  # noqa: S608 - constants
"""What the keeper no longer reports as under way, and says to have arrived."""

REAPPEARED: Final = """
WITH back AS (
    SELECT i.id, s.id AS shipment_id, s.quantity - r.quantity AS arrived
    FROM unnest(CAST(:source_ids AS text[]), CAST(:quantities AS numeric[])) AS r(source_id, quantity)
    JOIN movement s ON s.source_system = CAST(:system AS text) AND s.source_id = r.source_id
    JOIN movement i ON i.source_system = CAST(:system AS text) AND i.source_id = r.source_id || '\\:in'
    WHERE i.quantity > s.quantity - r.quantity
),
gone AS (DELETE FROM movement m USING back WHERE m.id = back.id AND back.arrived <= 0),
fewer AS (UPDATE movement m SET quantity = back.arrived FROM back WHERE m.id = back.id AND back.arrived > 0)
SELECT shipment_id FROM back
"""
"""What is reported as under way has not arrived, whatever was reported before."""

VANISHED: Final = f"""
WITH found AS MATERIALIZED (
    SELECT 'vanished_in_transit' AS kind, jsonb_build_object(
        'keeper', CAST(:keeper AS text), 'lot_id', m.lot_id, 'lot', lot.number, 'product', product.code,
        'to', l.code, 'document_no', m.document_no,
        'quantity', trim_scale(m.quantity - coalesce(r.quantity, 0) - coalesce(i.quantity, 0))::text) AS detail
    FROM movement m JOIN lot ON lot.id = m.lot_id JOIN product ON product.id = lot.product_id
    LEFT JOIN location l ON l.id = m.to_location_id
    LEFT JOIN unnest(CAST(:source_ids AS text[]), CAST(:quantities AS numeric[])) AS r(source_id, quantity)
         ON r.source_id = m.source_id
    LEFT JOIN movement i ON i.source_system = m.source_system AND i.source_id = m.source_id || '\\:in'
    WHERE m.source_system = CAST(:system AS text) AND m.kind = 'shipment'
      AND m.lot_id = ANY(CAST(:asked_lots AS bigint[]))
      AND m.quantity > coalesce(r.quantity, 0) + coalesce(i.quantity, 0) + {ELSEWHERE}
      -- Whoever received it may have told us.
      AND NOT EXISTS (SELECT FROM movement o WHERE o.lot_id = m.lot_id AND o.kind = 'receipt'
                         AND o.document_no = m.document_no AND o.source_system <> m.source_system)
),
gone AS (
    DELETE FROM scope_gap old
    WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
       AND old.kind = 'vanished_in_transit' AND old.detail ->> 'keeper' = CAST(:keeper AS text)
       AND NOT EXISTS (SELECT FROM found WHERE found.detail = old.detail)
)
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT CAST(:number AS text), CAST(:version AS int), kind, detail FROM found
WHERE NOT EXISTS (SELECT FROM scope_gap old
                  WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
                     AND old.kind = found.kind AND old.detail = found.detail)
RETURNING detail
"""  # noqa: S608 - constants
"""No longer reported as under way, and the keeper does not say what became of it: it stays under its hold."""

BATCH: Final = """
WITH made AS (
    INSERT INTO import_batch (kind, state, source_system, file_name, file_sha256, mapping_sha256, actor, totals)
    VALUES ('movements', 'loaded', CAST(:system AS text), 'reported by the keeper', '', '', 'system',
            jsonb_build_object('read', CAST(:read AS int), 'new', cardinality(CAST(:ids AS bigint[]))))
    RETURNING id
)
UPDATE movement SET batch_id = made.id FROM made WHERE movement.id = ANY(CAST(:ids AS bigint[]))
"""
"""News of goods under way is a batch of its own: the trace is due again, and the source shows."""

PLACES_OF_LOTS: Final = """
SELECT DISTINCT l.id FROM location l JOIN (
    SELECT s.location_id FROM stock s JOIN scope_lot v ON v.lot_id = s.lot_id
    WHERE v.recall_number = :number AND v.scope_version = :version
    UNION SELECT m.to_location_id FROM movement m JOIN scope_lot v ON v.lot_id = m.lot_id
    WHERE v.recall_number = :number AND v.scope_version = :version
    UNION SELECT h.location_id FROM hold h WHERE h.recall_number = :number AND h.quantity > 0
) AS seen ON seen.location_id = l.id
WHERE l.custody <> 'customer'
"""
LOTS: Final = """
SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :version
UNION SELECT lot_id FROM hold WHERE recall_number = :number AND quantity > 0 ORDER BY lot_id
"""
"""In scope, and others that the recall holds: made by a rework, or taken out of the scope since."""
