"""The SQL that hands a campaign its consignees: whom an amended notice concerns and how, and what is sent at once."""

from typing import Final

from db.repositories.chasing_sql import LADDERLESS, WAITING, named_up_to
from db.repositories.deliveries_sql import IN_ORDER
from db.repositories.reach_sql import REACHABLE

_BY_ID: Final = "ORDER BY c.id FOR NO KEY UPDATE OF c"
"""How whoever writes several consignees takes them first: two never wait in a ring."""

_NAMED: Final = f"""named AS MATERIALIZED (
    SELECT {named_up_to("CAST(:version AS int)")} AS version FROM recall WHERE recall.number = :number
)"""  # noqa: S608 - constants
"""Newest scope version whose lots the notice names; it may be behind the scope by now."""

_CONCERNED: Final = f"""{_NAMED},
facts AS (
    SELECT c.id, c.partner_id, c.state, c.chase, c.step, c.campaign_sequence, c.first_notified_at IS NOT NULL AS told,
           coalesce(bool_or(cl.withdrawn_in IS NULL AND cl.scope_version > :since AND cl.scope_version <= :version),
                    false) AS got,
           coalesce(bool_or(cl.withdrawn_in > :since AND cl.withdrawn_in <= :version AND cl.scope_version <= :since),
                    false) AS lost,
           bool_or(cl.scope_version <= (SELECT version FROM named)) FILTER (WHERE cl.withdrawn_in IS NULL)
               IS FALSE AS later
    FROM consignee c LEFT JOIN consignee_lot cl ON cl.consignee_id = c.id
    WHERE c.recall_number = :number GROUP BY c.id
),
picked AS (
    SELECT facts.*, CASE
        WHEN state = 'withdrawn' THEN
            -- Told of lots that are gone now; `whole`: of the whole recall, which has just been taken back.
            CASE WHEN told AND (lost OR id = ANY (CAST(:gone AS bigint[]))) THEN 'retract' END
        -- The recall has ended: whoever was told of it and still has a lot.
        WHEN :closure THEN CASE WHEN told THEN 'close' END
        WHEN :retraction THEN CASE WHEN told AND :whole THEN 'retract' END
        -- It has only lots that came in after the notice was drafted: the next one is the first that names them.
        WHEN campaign_sequence = {WAITING} AND later THEN NULL
        -- More lots: it answers for the whole current list, whatever it answered before.
        WHEN got OR campaign_sequence = {WAITING} THEN 'reopen'
        -- Another class has another ladder; whoever has not been told yet is told what holds now.
        WHEN state = 'open' AND (:reclassified OR lost AND (NOT told OR step = 0)) THEN 'reopen'
        WHEN told AND lost AND state = 'open' THEN 'keep'
        WHEN told AND (lost OR :reclassified) THEN 'inform'
        END AS part
    FROM facts
)"""  # noqa: S608 - constants

COUNT: Final = f"WITH {_CONCERNED} SELECT count(*) FROM picked WHERE part IS NOT NULL"  # noqa: S608
"""Consignees that a campaign of the notice would address."""

TAKE_ALL: Final = f"""
WITH {_NAMED},
taken AS MATERIALIZED (
    SELECT c.id, own.sequence
    FROM consignee c
    CROSS JOIN LATERAL (
        SELECT CASE WHEN bool_or(cl.scope_version <= (SELECT version FROM named)) IS FALSE THEN {WAITING}
                    ELSE CAST(:sequence AS int) END AS sequence
        FROM consignee_lot cl WHERE cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    ) own
    WHERE c.recall_number = :number AND c.state <> 'withdrawn' AND c.campaign_sequence <> own.sequence
    {_BY_ID}
)
UPDATE consignee c SET campaign_sequence = taken.sequence FROM taken WHERE taken.id = c.id
"""  # noqa: S608 - constants
"""The first notice: its campaign chases everybody, except whoever has only lots that came in after it was drafted."""

HAND_OVER: Final = f"""
WITH {_CONCERNED},
own AS MATERIALIZED (
    SELECT c.id, picked.part FROM picked JOIN consignee c ON c.id = picked.id
    WHERE picked.part IN ('reopen', 'keep') {_BY_ID}
),
moved AS (
    UPDATE consignee c SET campaign_sequence = :sequence,
        state = CASE own.part WHEN 'reopen' THEN 'open' ELSE c.state END,
        step = CASE own.part WHEN 'reopen' THEN 0 ELSE c.step END,
        -- Walks over the ladder are counted per campaign.
        chase = 0,
        next_step_at = CASE own.part WHEN 'reopen' THEN NULL ELSE c.next_step_at END,
        acknowledged_at = CASE own.part WHEN 'reopen' THEN NULL ELSE c.acknowledged_at END,
        answered_at = CASE own.part WHEN 'reopen' THEN NULL ELSE c.answered_at END
    FROM own WHERE own.id = c.id
    RETURNING c.id
),
outdated AS MATERIALIZED (
    SELECT d.id FROM delivery d JOIN picked ON picked.id = d.consignee_id AND picked.part IS NOT NULL
    WHERE d.state = 'pending' {IN_ORDER}
),
dropped AS (
    -- What an older notice still had to say to them is out of date.
    UPDATE delivery d SET state = 'cancelled', finished_at = :now FROM outdated WHERE d.id = outdated.id
    RETURNING d.id
),
option AS (
    SELECT p.id AS consignee_id, p.part, p.chase, p.step, contact.id AS contact_id, wish.channel, body.kind,
           body.language,
           row_number() OVER (
               PARTITION BY p.id
               ORDER BY contact.party = 'bill_to', used.at DESC NULLS LAST, contact.position, wish.place) AS place
    FROM picked p
    JOIN partner ON partner.id = p.partner_id
    JOIN contact ON contact.partner_id = p.partner_id AND contact.status <> 'left'
    CROSS JOIN LATERAL unnest(contact.channels) WITH ORDINALITY AS wish (channel, place)
    JOIN LATERAL (
        SELECT nb.kind, nb.language FROM notice_body nb
        WHERE nb.notice_id = :notice AND nb.channel = wish.channel
          AND nb.kind = CASE p.part WHEN 'retract' THEN 'retraction' WHEN 'close' THEN 'closure' ELSE 'amendment' END
        ORDER BY nb.language = partner.language DESC,
                 split_part(nb.language, '-', 1) = split_part(partner.language, '-', 1) DESC,
                 nb.language = 'en' DESC, nb.language
        LIMIT 1
    ) body ON true
    LEFT JOIN LATERAL (
        SELECT max(d.submitted_at) AS at FROM delivery d
        WHERE d.consignee_id = p.id AND d.contact_id = contact.id AND d.channel = wish.channel
          AND d.state IN ('submitted', 'delivered')
    ) used ON true
    WHERE p.part IN ('keep', 'inform', 'retract', 'close') AND wish.channel = ANY (CAST(:channels AS text[]))
      AND {REACHABLE}
),
written AS (
    -- A chase that goes on counts the amendment as the message of its last step, so that a bounce is noticed; with the
    -- count it bears from now on, else that step would seem to have reached nobody, and be taken again.
    INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority,
                          state, attempt, ambiguous, created_at)
    SELECT gen_random_uuid(), :campaign, consignee_id, contact_id, CASE part WHEN 'keep' THEN 0 ELSE chase END,
           CASE part WHEN 'keep' THEN step - 1 ELSE {LADDERLESS} END, kind, channel, language, :priority, 'pending', 0,
           false, :now
    FROM option WHERE place = 1
    RETURNING consignee_id
)
SELECT count(*) FILTER (WHERE part = 'reopen') AS reopened, count(*) FILTER (WHERE part = 'keep') AS kept,
       count(*) FILTER (WHERE part = 'inform') AS informed, count(*) FILTER (WHERE part = 'retract') AS retracted,
       count(*) FILTER (WHERE part = 'close') AS closed,
       (SELECT count(*) FROM dropped) AS dropped, (SELECT count(*) FROM moved) AS moved,
       count(*) FILTER (WHERE part IN ('inform', 'retract', 'close') AND id NOT IN (SELECT consignee_id FROM written))
           AS without_address
FROM picked
"""  # noqa: S608 - constants
