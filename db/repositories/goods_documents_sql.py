"""Goods documents of our own ledger, as SQL: which name a lot, how far movements have carried them out, who blocks."""

from typing import Final

NAMING_LOTS: Final = """
naming AS MATERIALIZED (
    SELECT document_id FROM goods_document_line WHERE lot_id = ANY(CAST(:lot_ids AS bigint[]))
    UNION
    SELECT document_id FROM goods_document_line
    WHERE lot_id IS NULL AND product_id = ANY(ARRAY(
        SELECT product_id FROM lot WHERE id = ANY(CAST(:lot_ids AS bigint[]))))
)"""
"""CTE: documents with a line of one of the lots, or of their product where the lot is allocated later."""

MOVED: Final = """
    SELECT coalesce(sum(m.quantity), 0) AS quantity FROM movement m
    WHERE m.document_no = d.number AND m.product_id = l.product_id
      AND CASE WHEN l.lot_id IS NOT NULL THEN m.lot_id = l.lot_id
               -- What was allocated later moves under lots that no other line names.
               ELSE m.lot_id IS NULL OR NOT EXISTS (
                   SELECT FROM goods_document_line other WHERE other.document_id = d.id AND other.lot_id = m.lot_id)
          END
      AND CASE d.kind WHEN 'receipt' THEN (m.kind = 'receipt' OR m.kind = 'shipment' AND m.delivered)
                           AND (d.to_location_id IS NULL OR m.to_location_id = d.to_location_id)
                      WHEN 'return' THEN m.kind IN ('return', 'receipt')
                           AND (d.to_location_id IS NULL OR m.to_location_id = d.to_location_id)
                      ELSE m.kind = 'shipment'
                           AND (d.from_location_id IS NULL OR m.from_location_id = d.from_location_id) END
"""
"""What movements with the document's number moved of one of its lines `l` (summed per product and lot)."""

_LINES: Final = f"""
    SELECT jsonb_agg(jsonb_build_object('product', p.code, 'lot', x.lot_id,
                     'quantity', greatest(x.quantity - x.moved, 0)::text) ORDER BY p.code, x.lot_id) AS lines,
           coalesce(bool_and(x.moved >= x.quantity), false) AS moved_all, coalesce(bool_or(x.moved > 0), false) AS begun
    FROM (
        SELECT l.product_id, l.lot_id, l.quantity, moved.quantity AS moved
        FROM (SELECT product_id, lot_id, sum(quantity) AS quantity FROM goods_document_line
              WHERE document_id = d.id GROUP BY product_id, lot_id) AS l
        CROSS JOIN LATERAL ({MOVED}) AS moved
    ) AS x JOIN product p ON p.id = x.product_id
"""  # noqa: S608 - constants

STANDING: Final = f"""
SELECT d.id, d.source_system, d.number, d.kind, d.from_location_id, d.to_location_id, f.lines, f.begun,
       CASE WHEN d.state IN ('cancelled', 'done') THEN d.state WHEN f.moved_all THEN 'done'
            WHEN d.state = 'blocked' OR EXISTS (
                SELECT FROM goods_document_block b WHERE b.document_id = d.id AND b.ended_at IS NULL) THEN 'blocked'
            ELSE 'open' END AS state
FROM goods_document d CROSS JOIN LATERAL ({_LINES}) AS f
"""  # noqa: S608 - constants
"""A document as it stands: what its source says, what has moved on it, who blocks it. Lines hold what is left."""

OF_LOTS: Final = f"""
WITH {NAMING_LOTS}
SELECT * FROM ({STANDING} WHERE d.id = ANY(ARRAY(SELECT document_id FROM naming))
               AND d.state IN ('open', 'blocked') OFFSET 0) AS found
WHERE state IN ('open', 'blocked') ORDER BY kind, number, id
"""  # noqa: S608 - constants

OF_ID: Final = f"{STANDING} WHERE d.id = :id"

LOCK: Final = """
SELECT d.id, d.state FROM goods_document d
WHERE d.number = :number AND d.kind = :kind
  AND :location IN (d.from_location_id, d.to_location_id)
  AND CAST(:source AS text) IN ('', d.source_system)
ORDER BY d.id FOR UPDATE
"""
"""The document a caller means; one number can stand in two source systems: without one, the place must tell."""

LOCK_OF_KEY: Final = """
SELECT b.key, b.claimant, b.ended_at, b.cancelled, d.id AS document_id
FROM goods_document_block b JOIN goods_document d ON d.id = b.document_id WHERE b.key = :key FOR UPDATE OF d
"""

PLACE: Final = """
INSERT INTO goods_document_block (key, claimant, document_id, placed_at, cancelled)
VALUES (:key, :claimant, :document_id, CAST(:now AS timestamptz), CAST(:cancel AS boolean))
ON CONFLICT (key) DO UPDATE SET cancelled = goods_document_block.cancelled OR excluded.cancelled
"""

CANCEL: Final = "UPDATE goods_document SET state = 'cancelled' WHERE id = :id AND state IN ('open', 'blocked')"

END: Final = """
UPDATE goods_document_block SET ended_at = CAST(:now AS timestamptz) WHERE key = :key AND ended_at IS NULL
"""

LOTS_OF: Final = "SELECT DISTINCT lot_id FROM goods_document_line WHERE document_id = :id AND lot_id IS NOT NULL"

BLOCKED_NUMBER: Final = """
SELECT b.claimant FROM goods_document d JOIN goods_document_block b ON b.document_id = d.id AND b.ended_at IS NULL
WHERE d.number = :number AND d.kind IN ('order', 'pick', 'shipment') AND d.from_location_id = :source
ORDER BY b.claimant LIMIT 1
"""
"""Who blocks goods leaving a place under this number."""

MOVED_ON_STOPPED: Final = """
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT r.number, r.scope_version, 'moved_on_stopped_document', jsonb_build_object(
    'movement_id', m.id, 'movement', m.kind, 'document_no', d.number, 'document', d.kind, 'lot_id', m.lot_id,
    'lot', lot.number, 'product', product.code, 'site', source.code, 'to', target.code, 'date', m.occurred_at,
    'quantity', trim_scale(m.quantity)::text, 'stopped_since', b.placed_at)
FROM goods_document_block b
JOIN recall r ON r.number = b.claimant
JOIN goods_document d ON d.id = b.document_id
CROSS JOIN LATERAL (
    SELECT * FROM movement x
    WHERE x.document_no = d.number AND x.occurred_at >= b.placed_at
      AND (b.ended_at IS NULL OR b.cancelled OR x.occurred_at < b.ended_at)
      AND (CAST(:batch_id AS bigint) IS NULL OR x.batch_id = :batch_id)
      AND x.source_system <> 'recall:ledger'
      AND CASE WHEN d.kind = 'receipt' THEN x.kind = 'receipt' AND x.to_location_id = d.to_location_id
               ELSE x.kind = 'shipment' AND x.from_location_id = d.from_location_id END
    OFFSET 0) AS m
JOIN product ON product.id = m.product_id LEFT JOIN lot ON lot.id = m.lot_id
LEFT JOIN location source ON source.id = m.from_location_id LEFT JOIN location target ON target.id = m.to_location_id
WHERE (CAST(:recall_number AS text) IS NULL OR b.claimant = :recall_number)
  AND NOT EXISTS (
    SELECT FROM scope_gap old WHERE old.recall_number = r.number AND old.kind = 'moved_on_stopped_document'
       AND (old.detail ->> 'movement_id')::bigint = m.id)
RETURNING recall_number
"""
"""What moved although its document was stopped: it has happened, so it is recorded and shown, never refused."""
