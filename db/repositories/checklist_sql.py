"""What is open for the completion checklist, as SQL: each statement gives lines in plain words and how many there are.

Lines name consignee code, lot, case, hold or disposition, so that a person can go and close it; never a contact.
"""

from collections.abc import Mapping
from typing import Final

from db.repositories.mass_balance_sql import SCOPE, STATED
from domain.checklist import Item


def _lines(query: str) -> str:
    return f"SELECT line, count(*) OVER () AS total FROM ({query}) AS found ORDER BY place LIMIT :limit"  # noqa: S608


_OF_CASE: Final = """
FROM consignee_case k JOIN consignee c ON c.id = k.consignee_id JOIN partner ON partner.id = c.partner_id
WHERE k.recall_number = :number AND k.state = 'open'"""

_WHO: Final = "partner.code || ' (consignee ' || c.id || ')'"
_LOT: Final = "'lot ' || lot.number || ' of ' || product.code"

CAMPAIGN: Final = """
SELECT 1000 * campaign.sequence AS place,
       'campaign ' || campaign.sequence || ': ' || count(*) || ' messages are not handed to a provider yet' AS line
FROM campaign JOIN delivery d ON d.campaign_id = campaign.id
WHERE campaign.recall_number = :number AND d.state IN ('pending', 'submitting') GROUP BY campaign.sequence
UNION ALL
SELECT 1000 * n.version, 'notice ' || n.version || ' (' || n.kind || ') '
       || CASE WHEN n.approved_at IS NULL THEN 'waits for its approval' ELSE 'is approved and not sent' END
FROM notice n
WHERE n.recall_number = :number AND NOT EXISTS (SELECT FROM campaign WHERE campaign.notice_id = n.id)
  AND NOT EXISTS (SELECT FROM notice later WHERE later.recall_number = n.recall_number AND later.version > n.version)
"""

CONSIGNEES: Final = f"""
SELECT c.id AS place, {_WHO} || CASE c.state WHEN 'open' THEN ' has not answered'
                                ELSE ' acknowledged the notice and owes its quantities' END AS line
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number AND c.state NOT IN ('answered', 'documented', 'withdrawn')
"""  # noqa: S608 - constants, as below

QUERIES: Final = f"""
SELECT k.id AS place, {_WHO} || ': its statement ' || coalesce(k.subject, '') || ' cannot be as it is (case ' || k.id
       || ')' AS line {_OF_CASE} AND k.reason = 'statement'
"""

CASES: Final = f"""
SELECT k.id AS place, {_WHO} || ': case ' || k.id || ' (' || replace(k.reason, '_', ' ') || ') is open' AS line
{_OF_CASE} AND k.reason NOT IN ('statement', 'patients')
"""

PATIENTS: Final = f"""
SELECT k.id AS place, {_WHO} || ': final counts of its patients are missing (case ' || k.id || ')' AS line
{_OF_CASE} AND k.reason = 'patients'
"""

_OF_HOLD: Final = f"""
SELECT h.id AS place, 'hold ' || h.id || ': ' || trim_scale(h.quantity) || ' units of ' || {_LOT} || ' at '
       || location.code || """
_HOLD_FROM: Final = """
FROM hold h JOIN location ON location.id = h.location_id
JOIN lot ON lot.id = h.lot_id JOIN product ON product.id = lot.product_id
WHERE h.recall_number = :number"""

HOLDS: Final = f"""
{_OF_HOLD} CASE h.state WHEN 'failed' THEN ' could not be locked' ELSE ' asked for and not confirmed' END
       || coalesce(' (' || h.last_error || ')', '') AS line
{_HOLD_FROM} AND h.confirmed_at IS NULL AND (h.state IN ('requested', 'failed') AND h.ended_at IS NULL
                                             OR h.state = 'nonconformity')
"""

HELD: Final = f"""
{_OF_HOLD} ' are held' AS line
{_HOLD_FROM} AND h.state = 'confirmed' AND h.ended_at IS NULL AND h.quantity > 0
"""

DISPOSITIONS: Final = f"""
SELECT d.id AS place, 'disposition ' || d.sequence || ' (' || replace(d.kind, '_', ' ') || ', '
       || trim_scale(d.quantity) || ' units of ' || {_LOT} || ' at ' || coalesce(location.code, partner.code) || ') '
       || CASE d.state WHEN 'proposed' THEN 'waits for its approval'
                       WHEN 'approved' THEN 'is approved, ' || trim_scale(d.done) || ' done'
                       ELSE 'is done without an evidence file' END AS line
FROM disposition d JOIN lot ON lot.id = d.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN location ON location.id = d.location_id
LEFT JOIN consignee c ON c.id = d.consignee_id LEFT JOIN partner ON partner.id = c.partner_id
WHERE d.recall_number = :number
  AND (d.state IN ('proposed', 'approved')
       OR d.state = 'done' AND NOT EXISTS (
           SELECT FROM evidence_link e WHERE e.recall_number = d.recall_number
              AND (e.subject = 'disposition:' || d.id OR starts_with(e.subject, 'disposition:' || d.id || ':'))))
"""  # noqa: S608

CAPA: Final = """
SELECT 0 AS place, 'no CAPA is opened' AS line
WHERE NOT EXISTS (SELECT FROM capa WHERE recall_number = :number)
UNION ALL
SELECT 2 * c.sequence, 'CAPA ' || c.sequence || coalesce(' (merged into CAPA ' || m.sequence || ' of '
       || coalesce(m.recall_number, m.file_number) || ')', '') || ': the cause is not recorded'
FROM capa c LEFT JOIN capa m ON m.id = c.merged_into_id
WHERE c.recall_number = :number AND CASE WHEN m.id IS NULL THEN c.cause ELSE m.cause END IS NULL
UNION ALL
SELECT 2 * c.sequence + 1, 'CAPA ' || c.sequence || coalesce(' (merged into CAPA ' || m.sequence || ' of '
       || coalesce(m.recall_number, m.file_number) || ')', '') || ': the plan is not approved'
FROM capa c LEFT JOIN capa m ON m.id = c.merged_into_id
WHERE c.recall_number = :number AND CASE WHEN m.id IS NULL THEN c.plan_approved_at ELSE m.plan_approved_at END IS NULL
"""

OBLIGATIONS: Final = """
SELECT extract(epoch FROM due_at) AS place, jurisdiction || ': ' || coalesce(title, replace(name, '_', ' '))
       || ' was due at ' || to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC and is not submitted'
       || ' (deadline ' || id || ')' AS line
FROM deadline
-- The notice limit is no report: the campaign meets it, and consignees without a notice are listed as such.
WHERE recall_number = :number AND name <> 'notify' AND name NOT LIKE 'notify:%' AND due_at <= :now
  AND met_at IS NULL AND stopped_at IS NULL
UNION ALL
-- No calendar covers it: it may be due already, so somebody works it out before anything is signed.
SELECT 0, split_part(key, ':', 2) || ': when ' || replace(substr(key, length(split_part(key, ':', 2)) + 11), '_', ' ')
       || ' is due is not worked out (task ' || id || ')'
FROM task
WHERE recall_number = :number AND starts_with(key, 'deadline:') AND state <> 'cancelled' AND NOT EXISTS (
    SELECT FROM deadline d
    WHERE d.recall_number = :number AND 'deadline:' || d.jurisdiction || ':' || d.name = task.key)
"""

EVIDENCE_HOLD: Final = f"""
SELECT s.id AS place, 'sample ' || s.id || ': ' || trim_scale(s.quantity) || ' units of ' || {_LOT} || ' at '
       || location.code || ' are kept for the authority' AS line
FROM retained_sample s JOIN location ON location.id = s.location_id
JOIN lot ON lot.id = s.lot_id JOIN product ON product.id = lot.product_id
WHERE s.recall_number = :number AND s.settled_at IS NULL
"""  # noqa: S608

COMPLAINTS: Final = """
SELECT sequence AS place, 'complaint ' || sequence || ' (' || severity || ') is ' || state AS line
FROM complaint WHERE recall_number = :number AND state <> 'closed'
UNION ALL
SELECT sequence, 'complaint ' || sequence || ' (' || severity || ') carries no IMDRF code'
FROM complaint c WHERE recall_number = :number
  AND NOT EXISTS (SELECT FROM record_code r WHERE r.complaint_id = c.id AND r.removed_at IS NULL)
  AND EXISTS (SELECT FROM code_list WHERE valid_from <= :now)
"""

SHORTAGES: Final = f"""
SELECT s.id AS place, {_WHO} || ': ' || trim_scale(s.quantity - a.decided) || ' of ' || trim_scale(s.quantity)
       || ' units of ' || product.code || ' are neither supplied nor decided about' AS line
FROM shortage s JOIN consignee c ON c.id = s.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN product ON product.id = s.product_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(quantity) FILTER (WHERE state IN ('shipped', 'rejected')), 0) AS decided,
           count(*) FILTER (WHERE state IN ('proposed', 'approved')) AS waiting
    FROM allocation WHERE shortage_id = s.id
) a
WHERE s.recall_number = :number AND (s.quantity > a.decided AND s.settled_at IS NULL OR a.waiting > 0)
"""  # noqa: S608

STATEMENTS: Final[Mapping[Item, str]] = {
    Item.CAMPAIGN: _lines(CAMPAIGN),
    Item.CONSIGNEES: _lines(CONSIGNEES),
    Item.QUERIES: _lines(QUERIES),
    Item.CASES: _lines(CASES),
    Item.HOLDS: _lines(HOLDS),
    Item.HELD_PENDING: _lines(HELD),
    Item.DISPOSITIONS: _lines(DISPOSITIONS),
    Item.CAPA: _lines(CAPA),
    Item.OBLIGATIONS: _lines(OBLIGATIONS),
    Item.EVIDENCE_HOLD: _lines(EVIDENCE_HOLD),
    Item.COMPLAINTS: _lines(COMPLAINTS),
    Item.PATIENTS: _lines(PATIENTS),
    Item.SHORTAGES: _lines(SHORTAGES),
}
"""Items read by one statement; tasks, effectiveness, consignees' stock and the mass balance are added to them."""

STOPPED_DOCUMENTS: Final = _lines("""
SELECT d.id AS place, d.kind || ' ' || d.document_no || ' at ' || place.code || ' (' || d.keeper || ') is '
       || CASE d.state WHEN 'confirmed' THEN 'stopped, and nobody has decided on it'
                       WHEN 'failed' THEN 'not stopped' WHEN 'requested' THEN 'to be stopped'
                       WHEN 'releasing' THEN 'released by decision, not yet by its keeper'
                       ELSE 'cancelled by decision, not yet by its keeper' END
       || coalesce(' (' || d.last_error || ')', '') AS line
FROM recall_document d JOIN location place ON place.id = d.location_id
WHERE d.recall_number = :number AND d.state IN ('requested', 'confirmed', 'failed', 'releasing', 'cancelling')
UNION ALL
SELECT 0, 'documents of keeper ' || (g.detail ->> 'keeper') || ' could not be read (' || (g.detail ->> 'error') || ')'
FROM scope_gap g JOIN recall r ON r.number = g.recall_number AND r.scope_version = g.scope_version
WHERE g.recall_number = :number AND g.kind = 'unread_documents'
""")
"""Goods documents that are stopped, or are to be, or whose end is not carried out yet, and keepers not read."""

OPEN_TASKS: Final = """
SELECT id, key, step, role, assignee FROM task
WHERE recall_number = :number AND state IN ('offered', 'accepted', 'sent_back') ORDER BY id
"""

UNCHECKED: Final = f"""
SELECT k.id AS place, 'check ' || k.id || ' of ' || {_WHO} || ' (round ' || r.sequence || ', level ' || r.level
       || ') is not recorded' AS line
FROM effectiveness_check k JOIN effectiveness_round r ON r.id = k.round_id
JOIN consignee c ON c.id = k.consignee_id JOIN partner ON partner.id = c.partner_id
WHERE r.recall_number = :number AND k.state = 'pending' AND r.outcome IS NULL
"""  # noqa: S608
CHECKS: Final = _lines(UNCHECKED)

AT_CONSIGNEES: Final = f"""
WITH {SCOPE}, {STATED}
SELECT {_WHO} || ': ' || trim_scale(r.pending) || ' units of lot ' || lot.number || ' are still there' AS line, r.total
FROM (
    SELECT *, count(*) OVER () AS total FROM remaining WHERE pending > 0 ORDER BY consignee_id, lot_id LIMIT :limit
) r
JOIN consignee c ON c.id = r.consignee_id JOIN partner ON partner.id = c.partner_id JOIN lot ON lot.id = r.lot_id
ORDER BY r.consignee_id, r.lot_id
"""  # noqa: S608
"""What consignees have stated to have and not returned or disposed of since."""

__all__ = ["AT_CONSIGNEES", "CHECKS", "OPEN_TASKS", "STATEMENTS"]
