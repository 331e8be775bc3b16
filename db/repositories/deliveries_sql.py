"""The SQL of the sending protocol (design §6): claim, renew, record outcomes."""

from typing import Final

from db.repositories.chasing_sql import COPY, LADDERLESS
from db.repositories.reach_sql import ADDRESS
from db.repositories.stages_sql import CHASED

WANTED: Final = f"(d.step < 0 OR {CHASED} AND c.campaign_sequence = k.sequence)"
"""A message is still wanted while its campaign asks for what the recipient owes; one beside the ladder in any case."""

IN_ORDER: Final = "ORDER BY d.carried_by NULLS FIRST, d.id FOR NO KEY UPDATE OF d"
"""How whoever writes several messages takes them first, a message before what it carries: two never wait in a ring."""

LEFT: Final = "left"
"""Ends the `error_code` of a message whose reader has left (`contact_book`)."""

FAIL_AS_LEFT: Final = f"""state = 'failed', error_kind = 'undelivered', error_code = concat(d.channel, ':', '{LEFT}'),
        finished_at = :at"""
"""How the delivery `d` is given up whose reader has left: as one that did not arrive."""


def failed_as_left(row: str) -> str:
    """Whether the delivery `row` was given up because its reader has left: no report and no outcome undoes that."""
    return f"coalesce({row}.state = 'failed' AND {row}.error_code = concat({row}.channel, ':', '{LEFT}'), false)"


# A retraction, or the notice of the end, goes to one address only.
_PASSES_ON: Final = f"(d.step <> {LADDERLESS} OR d.kind = 'amendment')"

LEFT_BEHIND: Final = f"""{_PASSES_ON} AND (
           d.state = 'pending'
           OR d.state IN ('submitted', 'delivered') AND d.chase = c.chase AND d.step = c.step - 1
              AND k.sequence = c.campaign_sequence AND c.state IN ('open', 'acknowledged', 'answered'))"""
"""Whether the delivery `d` of somebody who has left does not count: it waits, or was the last step of the chase."""

_GONE: Final = f"({_PASSES_ON} AND (SELECT contact.status FROM contact WHERE contact.id = d.contact_id) = 'left')"  # noqa: S608 - constants
"""Whether who reads the delivery `d` has left. By key for each, whatever the statistics say."""

STILL_WANTED: Final = f"({WANTED} AND NOT {_GONE})"
"""Whether a message in a sender's hands is still to go to its reader."""

CARRIED_WANTED: Final = f"""EXISTS (
           SELECT FROM delivery d JOIN consignee c ON c.id = d.consignee_id
           WHERE d.carried_by = message.id AND d.state = 'submitting' AND {STILL_WANTED})"""
"""Whether another site that the message `message.id` speaks of still owes what it asks for."""

CLAIM: Final = f"""
WITH due AS (
    SELECT d.id, d.state = 'submitting' AS was_submitting
    FROM delivery d JOIN consignee c ON c.id = d.consignee_id JOIN campaign k ON k.id = d.campaign_id
    WHERE d.campaign_id = :campaign AND d.channel = :channel AND d.state IN ('pending', 'submitting')
      -- What another message speaks of goes out with that one (`merging_sql`).
      AND d.carried_by IS NULL
      AND (
          -- Re-checked here, not only when the round was built: whoever has answered is not chased.
          (d.state = 'pending' AND {WANTED} AND coalesce(d.not_before <= :now, true)
           -- Its quiet hours have begun since the round was planned: the next look finds the next time for it.
           AND coalesce(d.window_ends > :now, true))
          OR (d.state = 'submitting' AND d.lease_until <= :now)
      )
      -- Paused: not even doubtful ones are looked for, because what is not found would be sent.
      AND k.paused_at IS NULL
      -- Ended or aborted: whatever its workflow believes, nothing more goes out.
      AND k.ended_at IS NULL
    ORDER BY d.priority, d.id LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
),
taken AS (
    UPDATE delivery d
    SET state = 'submitting', attempt = d.attempt + 1, lease_until = :lease_until, not_before = NULL,
        ambiguous = d.ambiguous OR due.was_submitting
    FROM due WHERE d.id = due.id
    RETURNING d.*, due.was_submitting
)
SELECT d.id, d.attempt, d.failures, d.was_submitting, d.step, d.kind, d.channel, d.language, d.priority, d.created_at,
       d.contact_id, d.consignee_id, d.leads,
       {STILL_WANTED} OR (d.leads AND {CARRIED_WANTED}) AS wanted, c.state = 'answered' AS answered,
       c.first_notified_at, CASE WHEN d.step >= 0 THEN c.next_step_at END AS next_step_at,
       partner.name AS partner_name, partner.code AS partner_code, partner.time_zone, contact.name AS contact_name,
       {ADDRESS} AS address
FROM taken d
JOIN campaign k ON k.id = d.campaign_id
JOIN consignee c ON c.id = d.consignee_id
JOIN partner ON partner.id = c.partner_id
JOIN contact ON contact.id = d.contact_id
CROSS JOIN LATERAL (SELECT d.id) message (id)
ORDER BY d.priority, d.id
"""  # noqa: S608 - constants

_HELD: Final = f"""held AS MATERIALIZED (
    SELECT d.id FROM delivery d WHERE d.id = ANY (CAST(:ids AS uuid[])) {IN_ORDER}
)"""  # noqa: S608 - constants

# Beside the lease it tells what has changed since the claim: a row of a slow channel waits for minutes in its sender.
RENEW: Final = f"""
WITH {_HELD},
mine AS (
    UPDATE delivery d SET lease_until = :lease_until
    FROM held, unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[])) AS mine (id, attempt)
    WHERE d.id = held.id AND d.id = mine.id AND d.attempt = mine.attempt AND d.state = 'submitting'
    RETURNING d.*
)
SELECT d.id, k.paused_at IS NOT NULL OR k.ended_at IS NOT NULL AS halted,
       {STILL_WANTED} OR (d.leads AND {CARRIED_WANTED}) AS wanted, coalesce(d.window_ends > :now, true) AS timely
FROM mine d
JOIN campaign k ON k.id = d.campaign_id
JOIN consignee c ON c.id = d.consignee_id
CROSS JOIN LATERAL (SELECT d.id) message (id)
"""  # noqa: S608 - constants

# A callback may have been faster than our own commit, so an accepted message also updates a row that is already
# further on; the attempt is the fence against results of a sender that lost its lease.
RECORD: Final = f"""
WITH {_HELD}
UPDATE delivery d SET
    state = CASE
        WHEN mine.outcome = 'submitted' AND d.state = 'failed' AND d.provider_id IS NOT DISTINCT FROM mine.provider_id
            THEN 'failed'
        WHEN mine.outcome = 'submitted' AND d.state = 'delivered' THEN 'delivered'
        WHEN mine.outcome = 'submitted' THEN 'submitted'
        WHEN d.state <> 'submitting' THEN d.state
        WHEN mine.outcome = 'retry' THEN 'pending'
        WHEN mine.outcome = 'unsure' THEN 'submitting'
        ELSE mine.outcome
    END,
    provider_id = coalesce(mine.provider_id, d.provider_id),
    submitted_at = CASE WHEN mine.outcome = 'submitted' THEN coalesce(d.submitted_at, mine.at) ELSE d.submitted_at END,
    finished_at = CASE WHEN mine.outcome IN ('failed', 'cancelled') AND d.state = 'submitting' THEN mine.at
                       ELSE d.finished_at END,
    not_before = CASE WHEN mine.outcome = 'retry' THEN mine.until END,
    failures = d.failures + CASE WHEN mine.counted THEN 1 ELSE 0 END,
    lease_until = CASE WHEN mine.outcome = 'unsure' THEN mine.until END,
    -- What ended it meanwhile (an opt-out) is why, not what the provider said of the last try.
    error_kind = CASE WHEN mine.outcome = 'submitted' AND d.state <> 'failed' THEN NULL
                      WHEN mine.outcome <> 'submitted' AND d.state <> 'submitting' THEN d.error_kind
                      ELSE coalesce(mine.error_kind, d.error_kind) END,
    error_code = CASE WHEN mine.outcome = 'submitted' AND d.state <> 'failed' THEN NULL
                      WHEN mine.outcome <> 'submitted' AND d.state <> 'submitting' THEN d.error_code
                      ELSE coalesce(mine.error_code, d.error_code) END
FROM held, unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[]), CAST(:outcomes AS text[]),
                  CAST(:ats AS timestamptz[]), CAST(:provider_ids AS text[]), CAST(:error_kinds AS text[]),
                  CAST(:error_codes AS text[]),
                  CAST(:untils AS timestamptz[]), CAST(:counted AS bool[]))
     AS mine (id, attempt, outcome, at, provider_id, error_kind, error_code, until, counted)
WHERE d.id = held.id AND d.id = mine.id AND d.attempt = mine.attempt AND d.state <> 'pending'
RETURNING d.id, mine.outcome, d.leads AND NOT {failed_as_left("d")} AS leads
"""  # noqa: S608 - constants

# What a sender held when its reader left is given up once it is out of its hands: only then what it carried is free to
# be planned anew. Where all that kept it from being sent again is that its reader has left, it was cancelled.
FAIL_LEFT: Final = f"""
WITH gone AS MATERIALIZED (
    SELECT d.id FROM delivery d WHERE d.id = ANY (CAST(:ids AS uuid[])) AND {_GONE}
)
UPDATE delivery d SET {FAIL_AS_LEFT}
FROM gone, consignee c, campaign k
WHERE d.id = gone.id AND c.id = d.consignee_id AND k.id = d.campaign_id AND k.ended_at IS NULL
  AND ({LEFT_BEHIND} OR d.state = 'cancelled' AND {WANTED})
RETURNING d.id
"""  # noqa: S608 - constants

# Only where a clock may start, which refers to the recall: what a campaign goes on to send waits for nobody's decision.
SHARE_RECALL: Final = """
SELECT FROM recall WHERE number = :number AND NOT EXISTS (
    SELECT FROM campaign k JOIN notice n ON n.id = k.notice_id
    JOIN clock_start started ON started.recall_number = k.recall_number
    WHERE k.id = :campaign
      AND CASE n.kind WHEN 'amendment'
          THEN started.name = 'extension_communication' AND started.scope_version = n.scope_version
          ELSE started.name = 'first_communication' END)
FOR KEY SHARE
"""

# The time to answer starts when the notice really went out, so what a queue or an outage cost is added.
_NOTE_NOTIFIED: Final = f"""
WITH told AS MATERIALIZED (
    SELECT c.id, d.chase, d.step, d.created_at, d.submitted_at, k.sequence
    FROM delivery d JOIN campaign k ON k.id = d.campaign_id JOIN consignee c ON c.id = d.consignee_id
    WHERE d.id = ANY (CAST(:ids AS uuid[])) AND d.step <> {COPY}
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE consignee c SET
    first_notified_at = least(c.first_notified_at, told.submitted_at),
    next_step_at = CASE
        WHEN c.step = told.step + 1 AND c.chase = told.chase AND told.step >= 0
             AND c.state IN ('open', 'acknowledged', 'answered') AND c.campaign_sequence = told.sequence
            THEN c.next_step_at + greatest(told.submitted_at - told.created_at, interval '0')
        ELSE c.next_step_at
    END
FROM told WHERE c.id = told.id
"""  # noqa: S608 - constants

# A mailbox that is full, or too small for this message, exists: it is passed over in this campaign, as where a report
# says so (`domain.mail_bounces`), and written to again by the next.
NOTE_REFUSED: Final = """
WITH dead AS MATERIALIZED (
    SELECT contact.id FROM contact
    WHERE contact.status <> 'left' AND contact.id IN (
        SELECT d.contact_id FROM delivery d
        WHERE d.id = ANY (CAST(:ids AS uuid[])) AND d.channel = 'email'
          AND d.state = 'failed' AND d.error_kind = 'permanent_contact'
          AND d.error_code !~ '^smtp:552|/5[.]2[.][023]$')
    ORDER BY contact.id FOR NO KEY UPDATE
)
UPDATE contact SET status = 'bounced' FROM dead WHERE contact.id = dead.id
"""

# Whatever else waits for a number that has opted out ends as well (`opt_outs`), and a STOP takes it all in one order.
LOCK_REFUSED: Final = f"""
SELECT FROM delivery d
WHERE d.id = ANY (CAST(:ids AS uuid[]) || ARRAY(
    SELECT other.id
    FROM delivery refused
    JOIN contact ON contact.id = refused.contact_id
    JOIN contact same ON same.phone = contact.phone
    JOIN delivery other ON other.contact_id = same.id
    WHERE refused.id = ANY (CAST(:refused AS uuid[]))
      AND other.channel = 'sms' AND other.state IN ('pending', 'submitting')))
{IN_ORDER}
"""  # noqa: S608 - a constant

OPTED_OUT_THERE: Final = """
SELECT DISTINCT contact.phone FROM delivery d JOIN contact ON contact.id = d.contact_id
WHERE d.id = ANY (CAST(:ids AS uuid[])) AND d.state = 'failed' AND d.channel = 'sms' AND d.error_code = :opt_out_code
  AND contact.phone IS NOT NULL ORDER BY 1
"""

_FIRST_COMMUNICATION: Final = """
INSERT INTO clock_start (recall_number, name, scope_version, at, source, author, recorded_at)
SELECT recall.number, 'first_communication', greatest(recall.scope_version, 1), sent.at, :source, 'system', :now
FROM recall, (SELECT min(submitted_at) AS at FROM delivery WHERE id = ANY (CAST(:ids AS uuid[]))) sent
WHERE recall.number = :number AND sent.at IS NOT NULL
  AND NOT EXISTS (SELECT FROM clock_start WHERE recall_number = :number AND name = 'first_communication')
ON CONFLICT (recall_number, name, scope_version) DO NOTHING
RETURNING name, scope_version, at
"""

# 21 CFR 806.10(d): lots added to a reported action are reported anew, counted from when they are first told of.
_EXTENSION_COMMUNICATION: Final = """
INSERT INTO clock_start (recall_number, name, scope_version, at, source, author, recorded_at)
SELECT k.recall_number, 'extension_communication', n.scope_version, min(d.submitted_at), :source, 'system', :now
FROM delivery d JOIN campaign k ON k.id = d.campaign_id JOIN notice n ON n.id = k.notice_id
WHERE d.id = ANY (CAST(:ids AS uuid[])) AND d.step >= 0 AND n.kind = 'amendment'
  AND jsonb_array_length(coalesce(n.change -> 'lots_added', '[]')) > 0
GROUP BY k.recall_number, n.scope_version
ON CONFLICT (recall_number, name, scope_version) DO NOTHING
RETURNING name, scope_version, at
"""

# One statement for all that follows from a group, because a campaign writes many groups.
NOTE_SUBMITTED: Final = f"""
WITH noted AS ({_NOTE_NOTIFIED}),
begun AS ({_FIRST_COMMUNICATION}),
extended AS ({_EXTENSION_COMMUNICATION})
SELECT name, scope_version, at FROM begun UNION ALL SELECT name, scope_version, at FROM extended
"""  # noqa: S608 - constants

KEEP_EVENT: Final = """
INSERT INTO delivery_event (delivery_id, provider, provider_id, status, error_code, received_at)
VALUES (:delivery, :provider, :provider_id, :status, :error_code, :at)
ON CONFLICT (provider, provider_id, status) DO NOTHING
RETURNING id
"""

LOCK_REPORTED: Final = f"""
SELECT d.id, d.state, d.provider_id, d.channel, d.leads, {failed_as_left("d")} AS gone, campaign.id AS campaign,
       campaign.sequence, campaign.recall_number AS number
FROM delivery d JOIN campaign ON campaign.id = d.campaign_id
WHERE d.id = :delivery FOR UPDATE OF d
"""  # noqa: S608 - constants

APPLY_REPORT: Final = """
UPDATE delivery SET
    state = told.state,
    provider_id = coalesce(provider_id, :provider_id),
    submitted_at = coalesce(submitted_at, :at),
    finished_at = CASE WHEN told.state IN ('delivered', 'failed') THEN :at ELSE finished_at END,
    error_kind = CASE told.state WHEN 'failed' THEN CAST(:error_kind AS text) WHEN 'delivered' THEN NULL
                                 ELSE error_kind END,
    error_code = CASE told.state WHEN 'failed' THEN :error_code WHEN 'delivered' THEN NULL ELSE error_code END
FROM (SELECT CAST(:state AS text) AS state) told
WHERE id = ANY (CAST(:ids AS uuid[]))
"""
