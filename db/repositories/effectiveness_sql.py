"""Who can be checked, what earlier checks say of each, and the writes of a round, as set-based SQL."""

from typing import Final

STANDING: Final = """
SELECT c.id, c.state, c.tier, partner.kind,
       EXISTS (SELECT FROM consignee onward WHERE onward.parent_id = c.id AND onward.state <> 'withdrawn') AS passes_on,
       last.state AS check_state, last.passed,
       -- A later answer was not looked at by the check: it has to be checked again.
       coalesce(c.answered_at <= last.checked_at, true) AS still_stands
FROM consignee c
JOIN partner ON partner.id = c.partner_id
LEFT JOIN LATERAL (
    SELECT k.state, k.passed, k.checked_at FROM effectiveness_check k JOIN effectiveness_round r ON r.id = k.round_id
    WHERE k.consignee_id = c.id AND k.state IN ('done', 'no_response') ORDER BY r.sequence DESC LIMIT 1
) last ON true
WHERE c.recall_number = :number AND c.state <> 'withdrawn'
ORDER BY c.id
"""
"""Every consignee that is still in the recall, with its newest recorded check."""

SETTLE_LEFT: Final = """
UPDATE effectiveness_check k
SET state = CASE c.state WHEN 'withdrawn' THEN 'void' ELSE 'no_response' END,
    passed = CASE c.state WHEN 'withdrawn' THEN NULL ELSE false END,
    why = CASE c.state WHEN 'withdrawn' THEN 'no lot of the scope is left there'
                       ELSE 'documented without an answer' END,
    checked_by = 'system', checked_at = :now
FROM consignee c
WHERE k.round_id = :round AND k.state = 'pending' AND c.id = k.consignee_id AND c.state IN ('withdrawn', 'documented')
RETURNING k.id, k.consignee_id, k.state
"""
"""A sampled consignee that is documented never passes; one that left the recall is not judged."""

INSERT_CHECKS: Final = """
INSERT INTO effectiveness_check (round_id, consignee_id, state)
SELECT :round, consignee, 'pending' FROM unnest(CAST(:sample AS bigint[])) WITH ORDINALITY AS s (consignee, place)
ORDER BY place
ON CONFLICT (round_id, consignee_id) DO NOTHING
"""

TO_OFFER: Final = """
SELECT k.consignee_id, partner.code
FROM effectiveness_check k
JOIN consignee c ON c.id = k.consignee_id AND c.state = 'answered'
JOIN partner ON partner.id = c.partner_id
WHERE k.round_id = :round AND k.state = 'pending'
  AND NOT EXISTS (
      SELECT FROM task t WHERE t.recall_number = :number AND t.key = 'check:' || :sequence || ':' || k.consignee_id)
ORDER BY k.id
"""
"""Pending checks that can be made now: whoever failed before is checked once it has answered again."""

REOPEN: Final = """
WITH failed AS MATERIALIZED (
    SELECT k.id, k.consignee_id FROM effectiveness_check k JOIN consignee c ON c.id = k.consignee_id
    WHERE k.round_id = :round AND k.state IN ('done', 'no_response') AND NOT k.passed
    ORDER BY c.id FOR NO KEY UPDATE OF c
),
reopened AS (
    -- The ladder starts again; what the consignee answered before stays on record and in the mass balance.
    UPDATE consignee c SET state = 'open', step = 0, chase = c.chase + 1, next_step_at = :now
    FROM failed WHERE c.id = failed.consignee_id AND c.state IN ('answered', 'acknowledged')
    RETURNING c.id
),
cased AS (
    INSERT INTO consignee_case (recall_number, consignee_id, reason, subject, state, opened_at)
    SELECT :number, reopened.id, 'effectiveness', 'check:' || failed.id, 'open', :now
    FROM reopened JOIN failed ON failed.consignee_id = reopened.id
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids FROM reopened
"""

CLOSE_CASES: Final = """
UPDATE consignee_case k SET state = 'closed', closed_at = :now, closed_by = 'system',
       outcome = CASE c.state WHEN 'answered' THEN 'answered again' ELSE c.state END
FROM consignee c
WHERE k.recall_number = :number AND k.reason = 'effectiveness' AND k.state = 'open'
  AND c.id = k.consignee_id AND c.state IN ('answered', 'documented', 'withdrawn')
RETURNING k.id
"""

TO_CHASE: Final = """
SELECT count(*) FROM consignee c
WHERE c.recall_number = :number AND c.state = 'open' AND c.step = 0
  AND EXISTS (SELECT FROM consignee_case k
              WHERE k.consignee_id = c.id AND k.reason = 'effectiveness' AND k.state = 'open')
"""
"""Reopened consignees whose campaign has not taken them up yet."""

NEXT_DUE: Final = """
SELECT min(due_at) FROM task
WHERE recall_number = :number AND key LIKE 'check:%' AND state IN ('offered', 'accepted', 'sent_back')
"""

__all__ = ["CLOSE_CASES", "INSERT_CHECKS", "NEXT_DUE", "REOPEN", "SETTLE_LEFT", "STANDING", "TO_CHASE", "TO_OFFER"]
