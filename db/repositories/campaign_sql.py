"""The SQL of a campaign's ladder: one statement takes every due step of every consignee at once.

Kept apart from `campaign.py` so that the statement can be read from top to bottom: whom does a step concern
(`chosen_consignee`), by which contacts and channels can each be reached (`option`), which of them does the step's
rule ask for (`choice`), and what is written.
"""

from typing import Final

from db.repositories.cases_sql import CALLED
from db.repositories.deliveries_sql import WANTED

ADVANCE: Final = """
WITH ladder AS (
    SELECT ord - 1 AS idx, kind, body_kind, rule, wait
    FROM unnest(CAST(:kinds AS text[]), CAST(:body_kinds AS text[]), CAST(:rules AS text[]), CAST(:waits AS interval[]))
         WITH ORDINALITY AS step (kind, body_kind, rule, wait, ord)
),
-- A step is due, or the notice of the last step reached nobody (bounce): then the same step is taken again.
-- Whoever has a message on its way waits for its outcome first.
chosen_consignee AS (
    SELECT c.id, c.partner_id, c.chase,
           CASE WHEN due.now THEN c.step ELSE c.step - 1 END AS take,
           NOT due.now AS again,
           -- Told by an earlier campaign: the first message of this one says what has changed since.
           :amended AND c.first_notified_at IS NOT NULL AND EXISTS (
               SELECT FROM delivery d
               WHERE d.consignee_id = c.id AND d.campaign_id <> :campaign AND d.submitted_at IS NOT NULL
           ) AS told
    FROM consignee c
    CROSS JOIN LATERAL (
        SELECT c.step < :steps AND (
            (c.step = 0 AND c.next_step_at IS NULL)
            OR coalesce(c.next_step_at <= :now + (CAST(:slacks AS interval[]))[c.step + 1], false)
        ) AS now
    ) due
    WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state = 'open'
      -- NOT IN is one hash table whatever the statistics say; 100,000 rows just written have none yet.
      AND c.id NOT IN (
          SELECT d.consignee_id FROM delivery d
          WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting')
      )
      AND (
          due.now
          OR (c.step BETWEEN 1 AND :sending_steps AND (c.id, c.chase, c.step - 1) NOT IN (
              SELECT d.consignee_id, d.chase, d.step FROM delivery d
              WHERE d.campaign_id = :campaign AND d.state <> 'failed'
          ))
      )
    ORDER BY c.id
    FOR UPDATE OF c
),
option AS (
    SELECT s.id AS consignee_id, s.chase, s.take, l.rule, said.body_kind, contact.id AS contact_id, wish.channel,
           body.language, row_number() OVER (
               PARTITION BY s.id
               ORDER BY contact.position, array_position(CAST(:preferred AS text[]), wish.channel::text), wish.place
           ) AS place,
           past.uses
    FROM chosen_consignee s
    JOIN ladder l ON l.idx = s.take AND l.kind <> 'phone'
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.kind = 'first' AND s.told THEN 'amendment' ELSE l.body_kind END AS body_kind
    ) said
    JOIN partner ON partner.id = s.partner_id
    JOIN contact ON contact.partner_id = s.partner_id AND contact.status <> 'left'
    CROSS JOIN LATERAL unnest(contact.channels) WITH ORDINALITY AS wish (channel, place)
    JOIN LATERAL (
        SELECT nb.language FROM notice_body nb
        WHERE nb.notice_id = :notice AND nb.kind = said.body_kind AND nb.channel = wish.channel
        ORDER BY nb.language = partner.language DESC,
                 split_part(nb.language, '-', 1) = split_part(partner.language, '-', 1) DESC,
                 nb.language = 'en' DESC, nb.language
        LIMIT 1
    ) body ON true
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE d.state NOT IN ('failed', 'cancelled')) AS uses,
               -- An exhausted transient error rules an address out for its step only, a refusal for good.
               -- A chase that was reopened takes the steps of the earlier one again.
               coalesce(bool_or(d.step = s.take AND d.chase = s.chase
                                OR d.state = 'failed' AND d.error_kind <> 'transient'), false) AS ruled_out
        FROM delivery d
        WHERE d.campaign_id = :campaign AND d.consignee_id = s.id
          AND d.contact_id = contact.id AND d.channel = wish.channel
    ) past
    WHERE wish.channel = ANY (CAST(:channels AS text[])) AND NOT past.ruled_out
      AND CASE wish.channel
              WHEN 'email' THEN contact.email IS NOT NULL AND contact.status <> 'bounced'
              WHEN 'sms' THEN contact.phone IS NOT NULL AND contact.sms_opted_out_at IS NULL
          END
),
earlier AS (
    SELECT s.id AS consignee_id,
           (array_agg(d.contact_id ORDER BY d.step DESC, d.created_at DESC))[1] AS contact_id,
           (array_agg(d.channel ORDER BY d.step DESC, d.created_at DESC))[1] AS channel,
           array_agg(DISTINCT d.channel) AS channels
    FROM chosen_consignee s
    JOIN delivery d ON d.consignee_id = s.id AND d.campaign_id = :campaign AND d.chase = s.chase
     AND d.state NOT IN ('failed', 'cancelled')
    GROUP BY s.id
),
choice AS (
    SELECT DISTINCT ON (o.consignee_id) o.consignee_id, o.chase, o.take, o.body_kind, o.contact_id, o.channel,
           o.language
    FROM option o
    LEFT JOIN earlier e ON e.consignee_id = o.consignee_id
    ORDER BY o.consignee_id,
        CASE o.rule
            WHEN 'same' THEN (o.contact_id, o.channel) IS DISTINCT FROM (e.contact_id, e.channel)
            ELSE o.contact_id IS NOT DISTINCT FROM e.contact_id
        END,
        CASE WHEN o.rule = 'other_channel' THEN coalesce(o.channel = ANY (e.channels), false) END,
        CASE WHEN o.rule <> 'same' THEN o.uses END,
        o.place
),
written AS (
    INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority,
                          state, attempt, ambiguous, created_at)
    SELECT gen_random_uuid(), :campaign, consignee_id, contact_id, chase, take, body_kind, channel, language, :priority,
           'pending', 0, false, :now
    FROM choice
    ON CONFLICT DO NOTHING
    RETURNING consignee_id, kind
),
moved AS (
    UPDATE consignee c SET step = s.take + 1, next_step_at = :now + following.wait
    FROM chosen_consignee s
    LEFT JOIN ladder following ON following.idx = s.take + 1
    WHERE c.id = s.id AND (NOT s.again OR EXISTS (SELECT FROM choice WHERE choice.consignee_id = s.id))
    RETURNING c.id
),
-- Whoever cannot be reached by a message becomes a case, unless one looks after it already. Its workflow is started by
-- `start_cases`; a case that was closed stays as it is, so a second silence is a second row with a second call.
cased AS (
    INSERT INTO consignee_case (recall_number, consignee_id, reason, state, opened_at)
    SELECT :number, s.id, CASE WHEN l.kind = 'phone' AND NOT s.unreachable THEN 'silence' ELSE 'bounce' END, 'open',
           :now
    FROM (
        SELECT *, NOT EXISTS (
            SELECT FROM delivery d WHERE d.consignee_id = chosen_consignee.id AND d.state IN ('submitted', 'delivered')
        ) AS unreachable
        FROM chosen_consignee
    ) s
    JOIN ladder l ON l.idx = s.take
    WHERE NOT EXISTS (SELECT FROM choice WHERE choice.consignee_id = s.id)
      AND NOT EXISTS (
          SELECT FROM consignee_case k
          WHERE k.consignee_id = s.id AND k.state = 'open'
            AND k.reason = ANY (CAST(:contact_reasons AS text[]))
      )
    ON CONFLICT DO NOTHING
    RETURNING consignee_id, reason, subject
),
__CALLED__
SELECT (SELECT count(*) FROM moved) AS moved,
       (SELECT count(*) FROM called) AS called,
       (SELECT count(*) FROM cased) AS cased,
       (SELECT coalesce(jsonb_object_agg(kind, n), '{}') FROM (SELECT kind, count(*) AS n FROM written GROUP BY kind) k)
           AS written
""".replace("__CALLED__", CALLED)

CANCEL_ANSWERED: Final = f"""
UPDATE delivery d SET state = 'cancelled', finished_at = :now
FROM consignee c, campaign k
WHERE d.campaign_id = :campaign AND d.state = 'pending' AND c.id = d.consignee_id AND k.id = d.campaign_id
  AND NOT {WANTED}
"""  # noqa: S608 - constants

CANCEL_ALL: Final = """
WITH open_row AS (
    SELECT id, state FROM delivery
    WHERE campaign_id = :campaign AND state IN ('pending', 'submitting') FOR UPDATE
)
UPDATE delivery d SET state = 'cancelled', finished_at = :now,
    ambiguous = d.ambiguous OR open_row.state = 'submitting'
FROM open_row WHERE d.id = open_row.id
"""

COUNT_CONSIGNEES: Final = """
SELECT count(*) AS consignees,
       (SELECT count(DISTINCT k.consignee_id) FROM consignee_case k
        WHERE k.recall_number = :number AND k.state = 'open' AND k.workflow_started_at IS NULL) AS cases_to_start,
       count(*) FILTER (WHERE state = 'open') AS outstanding,
       count(*) FILTER (WHERE state IN ('answered', 'documented')) AS stated,
       count(*) FILTER (WHERE state = 'open' AND (
           first_notified_at IS NULL
           -- Told by an earlier campaign only.
           OR :sequence > 1 AND id NOT IN (
               SELECT consignee_id FROM delivery WHERE campaign_id = :campaign AND submitted_at IS NOT NULL)
       )) AS not_notified,
       (SELECT min(submitted_at) FROM delivery WHERE campaign_id = :campaign) AS first_sent_at
FROM consignee WHERE recall_number = :number AND campaign_sequence = :sequence AND state <> 'withdrawn'
"""

COUNT_DELIVERIES: Final = """
SELECT channel, count(*) FILTER (WHERE due_at <= :now) AS due,
       min(due_at) FILTER (WHERE due_at > :now) AS later, count(*) FILTER (WHERE due_at > :now) AS waiting
FROM (
    SELECT channel,
           CASE state WHEN 'pending' THEN coalesce(not_before, created_at) ELSE lease_until END AS due_at
    FROM delivery WHERE campaign_id = :campaign AND state IN ('pending', 'submitting')
) open_row
GROUP BY channel ORDER BY channel
"""

NEXT_STEP: Final = """
SELECT c.step, min(c.next_step_at) AS due_at, count(*) AS consignees
FROM consignee c
WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state = 'open'
  AND c.next_step_at IS NOT NULL
  AND c.id NOT IN (
      SELECT d.consignee_id FROM delivery d
      WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting')
  )
GROUP BY c.step ORDER BY 2 LIMIT 1
"""
