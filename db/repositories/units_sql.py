"""How many units of use are still out of our sight at a consignee, as a CTE: what the priority and the progress count.

Of whoever has not stated quantities: everything it received and has not sent back. Of whoever has: what it has on hand
and not set aside, of its latest statement. Of whoever is done: nothing.
"""

from typing import Final

WEIGHTS: Final = """line_weight AS (
    SELECT * FROM unnest(CAST(:lines AS text[]), CAST(:weights AS int[])) AS w (line, weight)
)"""
"""Weight of a unit by product line (`domain.priority`)."""

UNITS: Final = """said_last AS MATERIALIZED (
    -- The latest statement of whoever has answered and not set everything aside.
    SELECT DISTINCT ON (r.consignee_id) r.consignee_id, r.id
    FROM consignee c JOIN reply r ON r.consignee_id = c.id AND r.kind = 'statement'
    WHERE c.recall_number = :number AND c.state = 'answered' AND c.action_done_at IS NULL
    ORDER BY r.consignee_id, r.id DESC
),
out_of_sight AS MATERIALIZED (
    SELECT cl.consignee_id, cl.lot_id, greatest(cl.shipped - cl.returned, 0) AS units
    FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    WHERE c.recall_number = :number AND c.state IN ('open', 'acknowledged')
    UNION ALL
    SELECT s.consignee_id, l.lot_id, greatest(l.on_hand - l.held, 0)
    FROM said_last s JOIN reply_line l ON l.reply_id = s.id
)"""
"""`out_of_sight (consignee_id, lot_id, units)` of the recall `:number`."""

__all__ = ["UNITS", "WEIGHTS"]
