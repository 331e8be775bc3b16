"""Whose telephone or address wrote: the consignees it may speak for, and where its report of harm belongs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.channels import Channel


@dataclass(frozen=True, slots=True)
class InboundMatch:
    """A consignee that an inbound message may speak for."""

    recall_number: str
    campaign_sequence: int
    consignee_id: int
    contact_id: int
    delivery_id: UUID | None
    """The message it most likely answers: the last one sent to this contact by the same channel."""
    state: str


@dataclass(frozen=True, slots=True)
class HarmMatch:
    """Where a report of harm belongs although no campaign runs."""

    recall_number: str
    consignee_id: int | None


_OWNER: Final[Mapping[Channel, str]] = {
    Channel.SMS: "contact.phone = :sender",
    Channel.EMAIL: "lower(contact.email) = :sender",
}
"""How a contact is known by what it writes from: a number in E.164, an address in lower case."""

_MATCH: Final = """
SELECT c.recall_number, campaign.sequence AS campaign_sequence, c.id AS consignee_id, contact.id AS contact_id,
       last.id AS delivery_id, c.state
FROM contact
JOIN consignee c ON c.partner_id = contact.partner_id
-- Nothing of a drill ever reached anybody, so none is answered: a drill must not compete with a recall in earnest.
-- Nor is one that has ended: whatever is recorded there nobody looks after, while its campaign is being stopped, too.
JOIN recall ON recall.number = c.recall_number AND NOT recall.drill
     AND recall.phase NOT IN ('terminated', 'rejected', 'cancelled')
JOIN campaign ON campaign.recall_number = c.recall_number AND campaign.sequence = c.campaign_sequence
     AND campaign.ended_at IS NULL
LEFT JOIN LATERAL (
    SELECT d.id, d.submitted_at FROM delivery d
    WHERE d.consignee_id = c.id AND d.contact_id = contact.id
      AND d.channel = '{channel}' AND d.submitted_at IS NOT NULL
    ORDER BY d.submitted_at DESC LIMIT 1
) last ON true
WHERE {owner} AND contact.status <> 'left'
  AND (CAST(:number AS text) IS NULL OR c.recall_number = CAST(:number AS text))
ORDER BY last.submitted_at DESC NULLS LAST, c.id
"""

_HARM: Final = """
SELECT r.number, c.id AS consignee_id
FROM recall r
LEFT JOIN (
    consignee c JOIN contact ON contact.partner_id = c.partner_id AND {owner}
) ON c.recall_number = r.number
WHERE NOT r.drill AND r.phase NOT IN ('terminated', 'rejected', 'cancelled')
  AND (c.id IS NOT NULL OR r.number = CAST(:number AS text))
ORDER BY r.number = CAST(:number AS text) DESC NULLS LAST, r.created_at DESC, c.id LIMIT 1
"""


async def matches_of(
    session: AsyncSession, channel: Channel, sender: str, recall_number: str | None
) -> list[InboundMatch]:
    """The consignees of running campaigns behind a sender, the one written to last first; never those of drills."""
    query = _MATCH.format(channel=channel.value, owner=_OWNER[channel])
    rows = await run(session, query, {"sender": sender, "number": recall_number})
    return [InboundMatch(**row) for row in rows.mappings()]


async def harm_of(session: AsyncSession, channel: Channel, sender: str, recall_number: str | None) -> HarmMatch | None:
    """The recall named in the message, else the newest one under which the sender is a consignee's contact."""
    query = _HARM.format(owner=_OWNER[channel])
    row = (await run(session, query, {"sender": sender, "number": recall_number})).mappings().first()
    return HarmMatch(row["number"], row["consignee_id"]) if row is not None else None


__all__ = ["HarmMatch", "InboundMatch", "harm_of", "matches_of"]
