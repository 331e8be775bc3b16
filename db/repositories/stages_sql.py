"""The stage of a consignee as SQL over the row `consignee c`, the one place that derives it from the record.

What is left to do is read as the mass balance reads it: what the latest counting statement says is on hand and not set
aside, less what has left the consignee since. `domain.stages` says the same as pure rules.
"""

from typing import Final

from db.repositories.mass_balance_sql import SCOPE, STATED
from domain.stages import BASE, LANE, Owed

STAGE: Final = """CASE WHEN c.state <> 'answered' THEN c.state
            WHEN c.action_done_at IS NULL THEN 'quantities_stated' ELSE 'action_done' END"""
"""How far the consignee has come (`domain.stages.Stage`; `withdrawn` for one that is in the recall no more)."""

SINCE: Final = """CASE c.state WHEN 'open' THEN c.first_notified_at
            WHEN 'acknowledged' THEN coalesce(c.stage_since, c.acknowledged_at)
            WHEN 'answered' THEN coalesce(c.stage_since, c.answered_at) END"""
"""When the stage it owes now began; NULL before the first notice."""

OWING_STATE: Final = {Owed.QUANTITIES: "acknowledged", Owed.ACTION: "answered"}
"""`consignee.state` of whoever owes a stage; for the action only while `action_done_at` is empty."""

CHASED: Final = f"""CASE c.state
           WHEN 'open' THEN d.step < {LANE}
           WHEN 'acknowledged' THEN d.step >= {BASE[Owed.QUANTITIES]} AND d.step < {BASE[Owed.ACTION]}
           WHEN 'answered' THEN d.step >= {BASE[Owed.ACTION]} AND c.action_done_at IS NULL
           ELSE false END"""
"""Whether the delivery `d` asks for what the consignee `c` still owes: nobody is asked for what it has done."""

_OF_NAMED: Final = STATED.replace(
    "AND c.state <> 'withdrawn'",
    "AND c.state = 'answered' AND c.action_done_at IS NULL"
    " AND (CAST(:consignee AS bigint) IS NULL OR c.id = CAST(:consignee AS bigint))",
).replace("r.received_at, c.partner_id", "r.received_at, c.answered_at, c.partner_id")

SETTLE: Final = f"""
WITH {SCOPE}, {_OF_NAMED},
left_there AS (
    SELECT s.consignee_id, s.received_at, s.answered_at,
           coalesce(sum(least(r.pending, greatest(l.on_hand - l.held, 0))), 0) AS units
    FROM settled s LEFT JOIN remaining r USING (consignee_id)
    LEFT JOIN reply_line l ON l.reply_id = s.reply_id AND l.lot_id = r.lot_id
    GROUP BY 1, 2, 3
),
done AS MATERIALIZED (
    SELECT c.id FROM left_there JOIN consignee c ON c.id = left_there.consignee_id
    WHERE (left_there.units = 0 OR EXISTS (
        SELECT FROM consignee_action a WHERE a.consignee_id = c.id AND a.recorded_at >= left_there.received_at))
      -- Asked again once it is locked: whoever corrects its answer at this moment says what counts.
      AND c.state = 'answered' AND c.action_done_at IS NULL
      AND c.answered_at IS NOT DISTINCT FROM left_there.answered_at
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE consignee c SET action_done_at = :now, next_step_at = NULL FROM done WHERE c.id = done.id RETURNING c.id
"""  # noqa: S608 - constants
"""Note that nothing is left to do: of one consignee, or of all of the recall (`:consignee` NULL); `:lot` is NULL."""

__all__ = ["CHASED", "OWING_STATE", "SETTLE", "SINCE", "STAGE"]
