"""SQL of cases: the call that opens with a case of silence, and what ends with an answer."""

from typing import Final

from domain.case_ladder import CONTACT_REASONS as _REASONS
from domain.case_ladder import Stage

CONTACT_REASONS: Final = sorted(_REASONS)
"""Reasons that end when the consignee answers or is documented; parameter `contact_reasons`."""
CONTACT_TASKS: Final = [stage.value for stage in Stage]
"""Prefixes of the keys of the tasks that end with such a case; parameter `prefixes`."""

CALLED: Final = """called AS (
    INSERT INTO task (recall_number, key, step, what, role, first_role, stand_in, owner, consignee_id, due_at,
                      policy_due_at, remind_at, escalate_at, evidence_required, state, opened_at)
    SELECT :number, 'call:' || c.id || CASE WHEN past.calls > 0 THEN ':' || past.calls + 1 ELSE '' END, 'phone_call',
           left('Telephone ' || partner.name, 230) || CASE
               WHEN cased.subject = 'quantities' THEN ': it has acknowledged, but stated no quantities'
               WHEN cased.subject = 'action' THEN ': it has stated quantities, but not set all of it aside'
               WHEN cased.reason = 'silence' THEN ': no answer to the notices'
               ELSE ': no working address is left for the notice' END,
           :call_role, :call_role, CAST(:call_stand_in AS text), :case_prefix || c.id, c.id, :call_due,
           :call_policy_due, :call_remind, :call_escalate, false, 'offered', :now
    FROM cased
    JOIN consignee c ON c.id = cased.consignee_id
    JOIN partner ON partner.id = c.partner_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS calls FROM task t
        WHERE t.recall_number = :number AND t.consignee_id = c.id AND starts_with(t.key, 'call:')
    ) past
    ON CONFLICT (recall_number, key) DO NOTHING
    RETURNING id
)"""
"""The call that opens with each case of `cased (consignee_id, reason, subject)`."""

UNSTARTED: Final = """
SELECT consignee_id, array_agg(id ORDER BY id) AS cases
FROM consignee_case
WHERE recall_number = :number AND state = 'open' AND workflow_started_at IS NULL AND consignee_id > :after
GROUP BY consignee_id ORDER BY consignee_id LIMIT :limit
"""
"""Consignees with cases that their workflow has not been told of."""

CLOSE_TASKS: Final = """
UPDATE task SET state = :state, outcome = :outcome, done_by = :by, done_at = :at
WHERE recall_number = :number AND consignee_id = :consignee AND state IN ('offered', 'accepted', 'sent_back')
  AND split_part(key, ':', 1) = ANY (CAST(:prefixes AS text[]))
"""

CLOSE_CASES: Final = """
UPDATE consignee_case SET state = 'closed', outcome = :outcome, closed_by = :by, closed_at = :at
WHERE recall_number = :number AND consignee_id = :consignee AND state = 'open'
  AND reason = ANY (CAST(:reasons AS text[]))
  AND (CAST(:subject AS text) IS NULL OR subject = CAST(:subject AS text))
RETURNING id, reason
"""
