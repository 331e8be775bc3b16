"""The SQL of messages that one person gets for several sites, and of the copies for who pays.

A delivery stays one per consignee; of those that say the same to the same person, one *leads* and is sent, and the
others are `carried_by` it. A carried delivery never meets a sender: its state follows the message that speaks of it.
"""

from typing import Final

from db.repositories.chasing_sql import COPY
from db.repositories.deliveries_sql import IN_ORDER, WANTED, failed_as_left
from db.repositories.reach_sql import REACHABLE

_PERSON: Final = "CASE d.channel WHEN 'email' THEN lower(contact.email) ELSE contact.phone END"
"""Whom the delivery `d` to `contact` reaches, however often the address stands in the records."""

_SAID: Final = "CASE WHEN d.kind IN ('initial', 'amendment') THEN 'notice' ELSE d.kind END"
"""First notice and amendment are the same notice to people who knew an earlier one and people who did not."""

_WAITING: Final = f"""d.campaign_id = :campaign AND d.state = 'pending' AND d.attempt = 0
      AND d.channel = ANY (CAST(:channels AS text[]))
      AND {_PERSON} IS NOT NULL"""

MERGE: Final = f"""
WITH shared AS (
    -- A hash sorts ten times as fast as the addresses themselves; who is who is told apart below.
    SELECT array_agg(d.id) AS ids
    FROM delivery d JOIN contact ON contact.id = d.contact_id
    WHERE {_WAITING}
    GROUP BY hashtextextended({_PERSON}, 0)
    HAVING count(*) > 1 AND bool_or(d.carried_by IS NULL AND NOT d.leads)
),
-- A sender that takes one of them at this moment keeps it as it is: what it says is fixed from then on. By key and not
-- by a join: a table just written has no statistics, and a bad plan would compare everybody with everybody.
locked AS MATERIALIZED (
    SELECT d.id, d.channel, d.language, {_SAID} AS said, {_PERSON} AS person, d.kind, d.step
    FROM unnest(ARRAY(SELECT unnest(ids) FROM shared)) AS one (id)
    JOIN delivery d ON d.id = one.id
    JOIN contact ON contact.id = d.contact_id
    WHERE {_WAITING}
    ORDER BY d.id
    FOR UPDATE OF d SKIP LOCKED
),
placed AS (
    SELECT locked.*, (row_number() OVER everybody - 1) / :most AS message
    FROM locked
    WINDOW everybody AS (PARTITION BY channel, language, said, person ORDER BY kind = 'amendment' DESC, step < 0, id)
),
led AS (
    SELECT id, first_value(id) OVER one AS lead, count(*) OVER one > 1 AS shared
    FROM placed
    WINDOW one AS (PARTITION BY channel, language, said, person, message
                   ORDER BY kind = 'amendment' DESC, step < 0, id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
UPDATE delivery d SET carried_by = nullif(led.lead, d.id), leads = led.lead = d.id AND led.shared
FROM led
WHERE d.id = led.id AND (d.carried_by IS DISTINCT FROM nullif(led.lead, d.id)
                         OR d.leads <> (led.lead = d.id AND led.shared))
"""  # noqa: S608 - constants
"""Of several people who share an address nobody can tell, and no more than `:most` sites stand in one message."""

FREE: Final = f"""
WITH unsaid AS MATERIALIZED (
    SELECT d.id FROM delivery d JOIN delivery message ON message.id = d.carried_by
    WHERE d.campaign_id = :campaign
      AND d.state IN ('pending', 'submitting') AND message.state NOT IN ('pending', 'submitting')
    {IN_ORDER}
)
UPDATE delivery d SET carried_by = NULL, state = 'pending', attempt = 0, lease_until = NULL
FROM unsaid WHERE d.id = unsaid.id
"""  # noqa: S608 - a constant
"""What its message did not speak of after all, or whose message was given up before it was sent, is planned anew."""

_TAKEN: Final = "d.id = ANY (ARRAY(SELECT carried.id FROM carried))"
"""By key: as a join, statistics that do not know this recall yet would compare everybody with everybody."""

TAKE_ALONG: Final = f"""
WITH carried AS MATERIALIZED (
    SELECT d.id FROM delivery d WHERE d.carried_by = ANY (CAST(:ids AS uuid[])) {IN_ORDER}
),
taken AS (
    -- The message is looked up by its key and not joined: whoever waits for one at this moment may be everybody.
    UPDATE delivery d SET state = 'submitting', not_before = NULL,
        attempt = (SELECT message.attempt FROM delivery message WHERE message.id = d.carried_by),
        ambiguous = d.ambiguous OR (SELECT message.ambiguous FROM delivery message WHERE message.id = d.carried_by)
    FROM consignee c, campaign k
    WHERE {_TAKEN} AND c.id = d.consignee_id AND k.id = d.campaign_id
      -- What may have been sent is looked for as it was; nobody who has answered meanwhile is put in anew.
      AND (d.state = 'submitting' OR d.state = 'pending' AND {WANTED})
    RETURNING d.*
)
SELECT d.id, d.carried_by, d.consignee_id, d.step, c.state = 'answered' AS answered, c.first_notified_at,
       CASE WHEN d.step >= 0 THEN c.next_step_at END AS next_step_at,
       partner.name AS partner_name, partner.code AS partner_code, contact.name AS contact_name
FROM taken d
JOIN consignee c ON c.id = d.consignee_id
JOIN partner ON partner.id = c.partner_id
JOIN contact ON contact.id = d.contact_id
ORDER BY d.carried_by, partner.name, d.id
"""  # noqa: S608 - constants

_IN_IT: Final = "d.carried_by = message.id AND d.attempt = message.attempt AND message.attempt > 0"
"""The carried delivery `d` is one that the message, as it was last sent or tried, speaks of."""

FOLLOW: Final = f"""
WITH carried AS MATERIALIZED (
    SELECT d.id FROM delivery d
    WHERE d.carried_by = ANY (CAST(:ids AS uuid[])) AND NOT {failed_as_left("d")}
    {IN_ORDER}
)
UPDATE delivery d SET state = message.state, provider_id = message.provider_id, submitted_at = message.submitted_at,
    finished_at = message.finished_at, not_before = message.not_before,
    error_kind = message.error_kind, error_code = message.error_code
FROM delivery message
WHERE {_TAKEN} AND message.id = d.carried_by AND {_IN_IT}
RETURNING message.id, d.id
"""  # noqa: S608 - constants
"""Who has left one of the sites is not told there, whatever becomes of the message."""

STANDING: Final = f"""
SELECT d.id, d.state, d.provider_id FROM delivery d
WHERE d.carried_by = :message AND d.attempt > 0 AND NOT {failed_as_left("d")}
  AND d.attempt = (SELECT message.attempt FROM delivery message WHERE message.id = d.carried_by)
{IN_ORDER}
"""  # noqa: S608 - constants
"""What a message carries whose reader has left the site it went to first, and not these."""

SITES: Final = f"""
SELECT d.id AS delivery_id, d.consignee_id, d.contact_id, c.state, partner.name, partner.code,
       contact.status = 'left' AS gone
FROM delivery asked
JOIN delivery message ON message.id = coalesce(asked.carried_by, asked.id)
     AND (asked.carried_by IS NULL OR asked.attempt = message.attempt AND message.attempt > 0)
JOIN delivery d ON d.id = message.id OR ({_IN_IT})
JOIN consignee c ON c.id = d.consignee_id
JOIN partner ON partner.id = c.partner_id
JOIN contact ON contact.id = d.contact_id
WHERE asked.id = :delivery AND message.leads
ORDER BY partner.name, d.id
"""  # noqa: S608 - constants

COPY_NOTICES: Final = f"""
WITH paid AS (
    SELECT c.id, c.partner_id, c.chase, c.state, c.first_notified_at FROM consignee c
    WHERE c.recall_number = :number
      AND c.partner_id = ANY (ARRAY(SELECT partner_id FROM contact WHERE party = 'bill_to' AND status <> 'left'))
),
told AS (
    -- OFFSET 0, here and below: each is looked up by its key. As a join, statistics that do not know this recall yet
    -- would compare everybody with everybody.
    SELECT c.id AS consignee_id, c.partner_id, c.chase, latest.kind
    FROM paid c
    CROSS JOIN LATERAL (
        SELECT d.kind FROM delivery d
        WHERE d.campaign_id = :campaign AND d.consignee_id = c.id
          AND d.kind IN ('initial', 'amendment', 'retraction', 'closure') AND d.step <> {COPY}
          AND (c.state <> 'withdrawn' OR d.kind = 'retraction')
        ORDER BY d.created_at DESC, d.id LIMIT 1
    ) latest
    UNION ALL
    -- Nobody at the place was ever told, and whoever pays was: what is taken back is taken back there.
    SELECT c.id, c.partner_id, c.chase, CASE n.kind WHEN 'closure' THEN 'closure' ELSE 'retraction' END
    FROM paid c JOIN notice n ON n.id = :notice
    WHERE c.first_notified_at IS NULL AND (n.kind IN ('retraction', 'closure') OR c.state = 'withdrawn')
      AND EXISTS (SELECT FROM delivery d WHERE d.consignee_id = c.id AND d.campaign_id <> :campaign
                  AND d.step = {COPY} AND d.kind IN ('initial', 'amendment') AND d.submitted_at IS NOT NULL OFFSET 0)
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.consignee_id = c.id AND d.campaign_id <> :campaign
                      AND d.step = {COPY} AND d.kind IN ('retraction', 'closure')
                      AND d.state NOT IN ('failed', 'cancelled') OFFSET 0)
),
option AS (
    SELECT DISTINCT ON (told.consignee_id) told.*, contact.id AS contact_id, wish.channel, body.language
    FROM told
    JOIN partner ON partner.id = told.partner_id
    JOIN contact ON contact.partner_id = told.partner_id AND contact.party = 'bill_to' AND contact.status <> 'left'
    CROSS JOIN LATERAL unnest(contact.channels) WITH ORDINALITY AS wish (channel, place)
    JOIN LATERAL (
        SELECT nb.language FROM notice_body nb
        WHERE nb.notice_id = :notice AND nb.kind = told.kind AND nb.channel = wish.channel
        ORDER BY nb.language = partner.language DESC,
                 split_part(nb.language, '-', 1) = split_part(partner.language, '-', 1) DESC,
                 nb.language = 'en' DESC, nb.language
        LIMIT 1
    ) body ON true
    WHERE wish.channel = ANY (CAST(:channels AS text[])) AND {REACHABLE}
      -- An address that failed is not tried again.
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.consignee_id = told.consignee_id AND d.campaign_id = :campaign
                      AND d.contact_id = contact.id AND d.channel = wish.channel OFFSET 0)
      -- Whoever pays has it already: by a copy, as the one who is asked, or as the same person by another entry.
      AND NOT EXISTS (
          SELECT FROM delivery d JOIN contact other ON other.id = d.contact_id
          WHERE d.consignee_id = told.consignee_id AND d.campaign_id = :campaign AND d.kind = told.kind
            AND d.state NOT IN ('failed', 'cancelled')
            AND (other.party = 'bill_to' OR lower(other.email) = lower(contact.email) OR other.phone = contact.phone)
          OFFSET 0
      )
    ORDER BY told.consignee_id, contact.position, array_position(CAST(:preferred AS text[]), wish.channel::text),
             wish.place
)
INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority,
                      state, attempt, ambiguous, created_at)
SELECT gen_random_uuid(), :campaign, consignee_id, contact_id, chase, {COPY}, kind, channel, language, :priority,
       'pending', 0, false, :now
FROM option
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
