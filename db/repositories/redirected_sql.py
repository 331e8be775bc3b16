"""Goods redirected on their way, as SQL: which units of which shipment go to another place of ours instead.

A shipment stays on record as it was sent; the provider's answer says where the rest of it goes. What is received at
the first place under its document went there after all: only what is left of it can go elsewhere. Redirects of one
shipment work one after the other, so that goods can be redirected again, and by several recalls.
"""

from typing import Final

REDIRECT: Final = """redirection AS MATERIALIZED (
    SELECT d.lot_id, d.document_no, d.from_location_id AS old_id, d.to_location_id AS new_id, d.quantity, d.at,
           row_number() OVER (PARTITION BY d.lot_id, d.document_no ORDER BY d.id) AS nth,
           coalesce((SELECT sum(r.quantity) FROM movement r
                     WHERE r.lot_id = d.lot_id AND r.kind = 'receipt' AND r.to_location_id = d.from_location_id
                       AND r.document_no = d.document_no), 0) AS received
    FROM redirect d WHERE d.lot_id IN (SELECT lot_id FROM scope)
)"""
"""CTE over `scope`, in the order in which they work."""

PIECE: Final = """piece AS (
    -- A keeper that was told of a redirect reports the same goods under way to the new place: they are no others.
    SELECT CASE WHEN starts_with(m.source_system, 'keeper\\:') AND EXISTS (
               SELECT FROM redirection r WHERE r.lot_id = m.lot_id AND r.document_no = m.document_no
                  AND r.new_id = m.to_location_id AND m.occurred_at >= r.at) THEN -1 ELSE 0 END AS nth,
           m.id, m.lot_id, m.document_no, m.from_location_id AS source_id, m.to_location_id AS target_id,
           CAST(m.quantity AS numeric) AS quantity
    FROM (SELECT DISTINCT lot_id, document_no FROM redirection) AS way
    JOIN movement m ON m.lot_id = way.lot_id AND m.document_no IS NOT DISTINCT FROM way.document_no
         AND m.kind = 'shipment' AND NOT m.delivered
    UNION ALL
    SELECT split.nth, split.id, split.lot_id, split.document_no, split.source_id, part.target_id, part.quantity
    FROM (
        SELECT step.*, least(step.here, greatest(
                   least(step.most, sum(step.here) OVER way - step.received)
                   - (sum(step.here) OVER (way ORDER BY step.id ROWS UNBOUNDED PRECEDING) - step.here), 0)) AS turned
        FROM (
            SELECT CAST(r.nth AS int) AS nth, p.id, p.lot_id, p.document_no, p.source_id, p.target_id, p.quantity,
                   r.new_id, r.received, CAST(r.quantity AS numeric) AS most,
                   -- A shipment of which nobody recorded where it goes is known by the place it left.
                   CASE WHEN coalesce(p.target_id, p.source_id) = r.old_id THEN p.quantity ELSE 0 END AS here
            FROM piece p JOIN redirection r ON r.lot_id = p.lot_id AND r.nth = p.nth + 1
                 AND r.document_no IS NOT DISTINCT FROM p.document_no
        ) AS step
        WINDOW way AS (PARTITION BY step.lot_id, step.document_no)
    ) AS split
    CROSS JOIN LATERAL (
        VALUES (split.target_id, split.quantity - split.turned), (split.new_id, split.turned)
    ) AS part(target_id, quantity)
    WHERE part.quantity > 0
)"""
"""Recursive CTE: the shipments that were redirected, cut by one redirect after the other."""

TURNED: Final = """
    SELECT p.id, m.kind, p.lot_id, p.source_id, p.target_id, p.quantity, m.delivered, m.occurred_at, m.document_no
    FROM piece p JOIN movement m ON m.id = p.id
    WHERE p.nth = (SELECT max(r.nth) FROM redirection r
                   WHERE r.lot_id = p.lot_id AND r.document_no IS NOT DISTINCT FROM p.document_no)"""
"""What goes where in the end, as rows of `trace_sql.moved`."""

ELSEWHERE: Final = """coalesce((
    SELECT sum(d.quantity) FROM redirect d
    WHERE d.lot_id = m.lot_id AND d.from_location_id = m.to_location_id AND d.document_no = m.document_no), 0)"""
"""Units of the shipment `m` that were redirected, or fewer if it was not so large."""

__all__ = ["ELSEWHERE", "PIECE", "REDIRECT", "TURNED"]
