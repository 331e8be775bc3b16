"""The SQL of a campaign's ladders: one statement takes every due step of every consignee that owes one stage at once.

Kept apart from `campaign.py` so that the statement can be read from top to bottom: whom does a step concern
(`chosen_consignee`), by which contacts and channels can each be reached (`option`), which of them does the step's
rule ask for (`choice`), and what is written. `:state` and `:base` say which stage of the answer is owed
(`domain.stages`): 'open' and 0 for the notice itself, then 'acknowledged' and 'answered' with steps from their bases.
"""

from typing import Final

from db.repositories.cases_sql import CALLED
from db.repositories.chasing_sql import COPY
from db.repositories.deliveries_sql import IN_ORDER, WANTED
from db.repositories.reach_sql import REACHABLE
from db.repositories.stages_sql import SINCE, STAGE
from domain.stages import LANE

ADVANCE: Final = (
    """
WITH ladder AS (
    SELECT ord - 1 AS idx, kind, body_kind, rule, wait
    FROM unnest(CAST(:kinds AS text[]), CAST(:body_kinds AS text[]), CAST(:rules AS text[]), CAST(:waits AS interval[]))
         WITH ORDINALITY AS step (kind, body_kind, rule, wait, ord)
),
-- A step is due, or the notice of the last step reached nobody (bounce): then the same step is taken again.
-- A call sends nothing itself, but somebody named after it, or an amendment, is written to at its step: where all of
-- that failed, `lost`, it goes to whoever has had nothing yet; the case stays with people.
-- Whoever has a message on its way waits for its outcome first.
chosen_consignee AS (
    SELECT c.id, c.partner_id, c.chase,
           CASE WHEN due.now THEN lane.place ELSE lane.place - 1 END AS take,
           NOT due.now AS again,
           CASE WHEN NOT due.now AND lane.place > :sending_steps THEN (
               SELECT d.kind FROM delivery d
               WHERE d.campaign_id = :campaign AND d.consignee_id = c.id AND d.chase = c.chase AND d.step = c.step - 1
               ORDER BY d.created_at DESC, d.id LIMIT 1
           ) END AS lost,
           -- Told by an earlier campaign: the first message of this one says what has changed since.
           :amended AND c.first_notified_at IS NOT NULL AND EXISTS (
               SELECT FROM delivery d
               WHERE d.consignee_id = c.id AND d.campaign_id <> :campaign AND d.submitted_at IS NOT NULL
                 AND d.step <> __COPY__
           ) AS told
    FROM consignee c
    -- A step outside the stage's own ladder is of an earlier one: this one begins.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.step >= :base AND c.step < :base + __LANE__ THEN c.step - :base ELSE 0 END AS place
    ) lane
    CROSS JOIN LATERAL (
        SELECT CASE WHEN :base > 0 AND lane.place = 0 THEN __SINCE__ + (CAST(:waits AS interval[]))[1]
                    ELSE c.next_step_at END AS at
    ) next
    CROSS JOIN LATERAL (
        SELECT lane.place < :steps AND (
            (:base = 0 AND lane.place = 0 AND next.at IS NULL)
            OR coalesce(next.at <= :now + (CAST(:slacks AS interval[]))[lane.place + 1], false)
        ) AS now
    ) due
    WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state = CAST(:state AS text)
      AND (CAST(:state AS text) <> 'answered' OR c.action_done_at IS NULL)
      -- A questioned statement is asked about by a person, not chased.
      AND (:base = 0 OR c.id NOT IN (
          SELECT k.consignee_id FROM consignee_case k
          WHERE k.recall_number = :number AND k.state = 'open' AND k.reason = 'statement'
      ))
      -- NOT IN is one hash table whatever the statistics say; 100,000 rows just written have none yet.
      AND c.id NOT IN (
          SELECT d.consignee_id FROM delivery d
          WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting') AND d.step <> __COPY__
      )
      AND (
          due.now
          -- By key for each: all that was ever sent may not fit in one hash table, and NOT IN then takes the square.
          OR (lane.place BETWEEN 1 AND :steps AND (
              SELECT coalesce(bool_and(d.state = 'failed'), lane.place <= :sending_steps) FROM delivery d
              WHERE d.campaign_id = :campaign AND d.consignee_id = c.id AND d.chase = c.chase AND d.step = c.step - 1
          ))
      )
    ORDER BY c.id
    FOR UPDATE OF c
),
option AS (
    SELECT s.id AS consignee_id, s.chase, s.take, l.rule, said.body_kind, contact.id AS contact_id, wish.channel,
           body.language, row_number() OVER (
               PARTITION BY s.id
               -- Who pays is asked where nobody at the place itself can be reached.
               ORDER BY contact.party = 'bill_to', contact.position,
                        array_position(CAST(:preferred AS text[]), wish.channel::text), wish.place
           ) AS place,
           past.uses
    FROM chosen_consignee s
    JOIN ladder l ON l.idx = s.take AND (l.kind <> 'phone' OR s.lost IS NOT NULL)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.kind = 'first' AND s.told THEN 'amendment' ELSE coalesce(s.lost, l.body_kind) END
            AS body_kind
    ) said
    -- OFFSET 0: by key for each. As a join, old statistics would have everybody compared with everybody.
    CROSS JOIN LATERAL (SELECT language FROM partner WHERE partner.id = s.partner_id OFFSET 0) partner
    CROSS JOIN LATERAL (
        SELECT * FROM contact WHERE contact.partner_id = s.partner_id AND contact.status <> 'left' OFFSET 0
    ) contact
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
               coalesce(bool_or(d.step = :base + s.take AND d.chase = s.chase
                                OR d.state = 'failed' AND d.error_kind <> 'transient'
                                OR s.lost IS NOT NULL AND d.chase = s.chase
                                   AND d.state NOT IN ('failed', 'cancelled')), false) AS ruled_out
        FROM delivery d
        WHERE d.campaign_id = :campaign AND d.consignee_id = s.id
          AND d.contact_id = contact.id AND d.channel = wish.channel
    ) past
    WHERE wish.channel = ANY (CAST(:channels AS text[])) AND NOT past.ruled_out
      AND __REACHABLE__
),
choice AS (
    SELECT DISTINCT ON (o.consignee_id) o.consignee_id, o.chase, o.take, o.body_kind, o.contact_id, o.channel,
           o.language
    FROM option o
    CROSS JOIN LATERAL (
        SELECT (array_agg(d.contact_id ORDER BY d.step DESC, d.created_at DESC))[1] AS contact_id,
               (array_agg(d.channel ORDER BY d.step DESC, d.created_at DESC))[1] AS channel,
               array_agg(DISTINCT d.channel) AS channels
        FROM delivery d
        WHERE d.campaign_id = :campaign AND d.consignee_id = o.consignee_id AND d.chase = o.chase
          AND d.state NOT IN ('failed', 'cancelled') AND d.step >= :base
    ) e
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
    SELECT gen_random_uuid(), :campaign, consignee_id, contact_id, chase, :base + take, body_kind, channel, language,
           :priority, 'pending', 0, false, :now
    FROM choice
    ON CONFLICT DO NOTHING
    RETURNING consignee_id, kind
),
moved AS (
    UPDATE consignee c SET step = :base + s.take + 1, next_step_at = :now + following.wait
    FROM chosen_consignee s
    LEFT JOIN ladder following ON following.idx = s.take + 1
    WHERE c.id = s.id AND (NOT s.again OR EXISTS (SELECT FROM choice WHERE choice.consignee_id = s.id))
    RETURNING c.id
),
-- Whoever cannot be reached by a message becomes a case, unless one looks after it already. Its workflow is started by
-- `start_cases`; a case that was closed stays as it is, so a second silence is a second row with a second call.
cased AS (
    INSERT INTO consignee_case (recall_number, consignee_id, reason, subject, state, opened_at)
    SELECT :number, s.id, CASE WHEN l.kind = 'phone' AND NOT s.unreachable THEN 'silence' ELSE 'bounce' END,
           CAST(:owed AS text), 'open', :now
    FROM (
        -- Whoever owes more than the acknowledgement has been heard of, by whatever way.
        SELECT *, :base = 0 AND NOT EXISTS (
            SELECT FROM delivery d
            WHERE d.consignee_id = chosen_consignee.id AND d.state IN ('submitted', 'delivered') AND d.step <> __COPY__
        ) AS unreachable
        FROM chosen_consignee
    ) s
    JOIN ladder l ON l.idx = s.take
    WHERE s.id NOT IN (SELECT consignee_id FROM choice)
      AND s.id NOT IN (
          SELECT k.consignee_id FROM consignee_case k
          WHERE k.recall_number = :number AND k.state = 'open'
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
    .replace("__REACHABLE__", REACHABLE)
    .replace("__SINCE__", SINCE)
    .replace("__LANE__", str(LANE))
    .replace("__COPY__", str(COPY))
)

CANCEL_ANSWERED: Final = f"""
WITH unwanted AS MATERIALIZED (
    SELECT d.id FROM delivery d JOIN consignee c ON c.id = d.consignee_id JOIN campaign k ON k.id = d.campaign_id
    WHERE d.campaign_id = :campaign AND d.state = 'pending' AND NOT {WANTED}
    {IN_ORDER}
)
UPDATE delivery d SET state = 'cancelled', finished_at = :now FROM unwanted WHERE d.id = unwanted.id
"""  # noqa: S608 - constants

CANCEL_ALL: Final = f"""
WITH open_row AS MATERIALIZED (
    SELECT d.id, d.state FROM delivery d
    WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting')
    {IN_ORDER}
)
UPDATE delivery d SET state = 'cancelled', finished_at = :now,
    ambiguous = d.ambiguous OR open_row.state = 'submitting'
FROM open_row WHERE d.id = open_row.id
"""  # noqa: S608 - a constant

COUNT_CONSIGNEES: Final = f"""
SELECT count(*) AS consignees,
       (SELECT count(DISTINCT k.consignee_id) FROM consignee_case k
        WHERE k.recall_number = :number AND k.state = 'open' AND k.workflow_started_at IS NULL) AS cases_to_start,
       count(*) FILTER (WHERE state = 'open') AS outstanding,
       count(*) FILTER (WHERE state IN ('answered', 'documented')) AS stated,
       count(*) FILTER (WHERE state = 'open' AND (
           first_notified_at IS NULL
           -- Told by an earlier campaign only.
           OR :sequence > 1 AND NOT EXISTS (
               SELECT FROM delivery d
               WHERE d.campaign_id = :campaign AND d.consignee_id = consignee.id
                 AND d.submitted_at IS NOT NULL AND d.step <> {COPY} OFFSET 0)
       )) AS not_notified,
       (SELECT min(submitted_at) FROM delivery WHERE campaign_id = :campaign) AS first_sent_at
FROM consignee WHERE recall_number = :number AND campaign_sequence = :sequence AND state <> 'withdrawn'
"""  # noqa: S608 - a constant
"""A copy for who pays tells nobody who has the goods; the first message of all is the firm's, whoever it went to."""

COUNT_DELIVERIES: Final = """
SELECT channel, count(*) FILTER (WHERE due_at <= :now) AS due,
       min(due_at) FILTER (WHERE due_at > :now) AS later, count(*) FILTER (WHERE due_at > :now) AS waiting
FROM (
    SELECT d.channel,
           CASE d.state WHEN 'pending' THEN coalesce(d.not_before, d.created_at) ELSE d.lease_until END AS due_at
    FROM delivery d LEFT JOIN delivery message ON message.id = d.carried_by
    WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting')
      -- One message for several sites is one; what is left of a message that is not sent is due by itself.
      AND (d.carried_by IS NULL OR message.state NOT IN ('pending', 'submitting'))
) open_row
GROUP BY channel ORDER BY channel
"""

NEXT_STEP: Final = f"""
SELECT c.step, min(c.next_step_at) AS due_at, count(*) AS consignees
FROM consignee c
WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state = 'open'
  AND c.next_step_at IS NOT NULL
  AND c.id NOT IN (
      SELECT d.consignee_id FROM delivery d
      WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting') AND d.step <> {COPY}
  )
GROUP BY c.step ORDER BY 2 LIMIT 1
"""  # noqa: S608 - constants

NEXT_OWED: Final = f"""
SELECT min(next.at) AS due_at, count(next.at) AS consignees
FROM consignee c
CROSS JOIN LATERAL (
    SELECT CASE WHEN c.step > :base AND c.step < :base + {LANE} THEN c.next_step_at
                ELSE {SINCE} + CAST(:first_wait AS interval) END AS at
) next
WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state = CAST(:state AS text)
  AND (CAST(:state AS text) <> 'answered' OR c.action_done_at IS NULL)
  AND c.id NOT IN (
      SELECT k.consignee_id FROM consignee_case k
      WHERE k.recall_number = :number AND k.state = 'open' AND k.reason = 'statement'
  )
  AND c.id NOT IN (
      SELECT d.consignee_id FROM delivery d
      WHERE d.campaign_id = :campaign AND d.state IN ('pending', 'submitting') AND d.step <> {COPY}
  )
"""  # noqa: S608 - constants
"""When whoever owes the stage `:state` is asked next; whoever became a case is asked by people."""

COUNT_STAGES: Final = f"""
SELECT {STAGE} AS stage, count(*) AS consignees FROM consignee c
WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state <> 'withdrawn' GROUP BY 1
"""  # noqa: S608 - constants
