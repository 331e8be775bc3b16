"""What is said once beside the ladder reaches its reader: where an address fails, the next one gets it.

An amendment that asks nothing new (a higher class, a lot less) is told to whoever has answered by one message that no
chase waits for. A bounce of it would be noticed by nobody.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.chasing_sql import LADDERLESS
from db.repositories.reach_sql import REACHABLE
from models.messages import AdvanceCampaign

_TELL: Final = f"""
WITH lost AS (
    SELECT d.consignee_id, max(d.chase) AS chase FROM delivery d
    WHERE d.campaign_id = :campaign AND d.kind = 'amendment' AND d.step = {LADDERLESS}
    GROUP BY d.consignee_id HAVING bool_and(d.state = 'failed')
),
option AS (
    SELECT DISTINCT ON (lost.consignee_id) lost.consignee_id, lost.chase, contact.id AS contact_id, wish.channel,
           body.language
    FROM lost
    JOIN consignee c ON c.id = lost.consignee_id AND c.state <> 'withdrawn'
    JOIN partner ON partner.id = c.partner_id
    JOIN contact ON contact.partner_id = partner.id AND contact.status <> 'left'
    CROSS JOIN LATERAL unnest(contact.channels) WITH ORDINALITY AS wish (channel, place)
    JOIN LATERAL (
        SELECT nb.language FROM notice_body nb
        WHERE nb.notice_id = :notice AND nb.kind = 'amendment' AND nb.channel = wish.channel
        ORDER BY nb.language = partner.language DESC,
                 split_part(nb.language, '-', 1) = split_part(partner.language, '-', 1) DESC,
                 nb.language = 'en' DESC, nb.language
        LIMIT 1
    ) body ON true
    WHERE wish.channel = ANY (CAST(:channels AS text[])) AND {REACHABLE}
      -- Neither an address that failed, nor one that has it as a copy.
      AND NOT EXISTS (SELECT FROM delivery d WHERE d.campaign_id = :campaign AND d.consignee_id = lost.consignee_id
                      AND d.contact_id = contact.id AND d.channel = wish.channel)
      -- A later notice says more than this one.
      AND NOT EXISTS (
          SELECT FROM delivery d JOIN campaign later ON later.id = d.campaign_id JOIN campaign own ON own.id = :campaign
          WHERE d.consignee_id = lost.consignee_id AND later.recall_number = own.recall_number
            AND later.sequence > own.sequence)
    ORDER BY lost.consignee_id, contact.party = 'bill_to', contact.position,
             array_position(CAST(:preferred AS text[]), wish.channel::text), wish.place
)
INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority,
                      state, attempt, ambiguous, created_at)
SELECT gen_random_uuid(), :campaign, consignee_id, contact_id, chase, {LADDERLESS}, 'amendment', channel, language,
       :priority, 'pending', 0, false, :now
FROM option
ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants


async def tell_otherwise(
    session: AsyncSession, request: AdvanceCampaign, notice_id: int, preferred: Sequence[str]
) -> int:
    """Write such messages anew to the next address where all before have failed; returns how many."""
    written: Any = await run(
        session,
        _TELL,
        {
            "campaign": request.campaign_id,
            "notice": notice_id,
            "channels": list(request.channels),
            "preferred": list(preferred),
            "priority": request.priority,
            "now": request.now,
        },
    )
    return int(written.rowcount)


__all__ = ["tell_otherwise"]
