"""Inbound SMS: whose telephone it is, the raw message kept once, and opt-outs that hold at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit


@dataclass(frozen=True, slots=True)
class InboundMatch:
    """A consignee that an inbound SMS may speak for."""

    recall_number: str
    campaign_sequence: int
    consignee_id: int
    contact_id: int
    delivery_id: UUID | None
    """The SMS it most likely answers: the last one sent to this contact."""
    state: str


@dataclass(frozen=True, slots=True)
class OptOutEffect:
    """A campaign that has to find another way to somebody who opted out."""

    recall_number: str
    campaign_sequence: int


_MATCH: Final = """
SELECT c.recall_number, campaign.sequence AS campaign_sequence, c.id AS consignee_id, contact.id AS contact_id,
       last.id AS delivery_id, c.state
FROM contact
JOIN consignee c ON c.partner_id = contact.partner_id
-- No text of a drill ever reached anybody, so none is answered: a drill must not compete with a recall in earnest.
JOIN recall ON recall.number = c.recall_number AND NOT recall.drill
JOIN campaign ON campaign.recall_number = c.recall_number AND campaign.sequence = c.campaign_sequence
     AND campaign.ended_at IS NULL
LEFT JOIN LATERAL (
    SELECT d.id, d.submitted_at FROM delivery d
    WHERE d.consignee_id = c.id AND d.contact_id = contact.id
      AND d.channel = 'sms' AND d.submitted_at IS NOT NULL
    ORDER BY d.submitted_at DESC LIMIT 1
) last ON true
WHERE contact.phone = :phone AND contact.status <> 'left'
  AND (CAST(:number AS text) IS NULL OR c.recall_number = CAST(:number AS text))
ORDER BY last.submitted_at DESC NULLS LAST, c.id
"""


@dataclass(frozen=True, slots=True)
class HarmMatch:
    """Where a report of harm belongs although no campaign runs."""

    recall_number: str
    consignee_id: int | None


_HARM: Final = """
SELECT r.number, c.id AS consignee_id
FROM recall r
LEFT JOIN (
    consignee c JOIN contact ON contact.partner_id = c.partner_id AND contact.phone = :phone
) ON c.recall_number = r.number
WHERE NOT r.drill AND r.phase NOT IN ('terminated', 'rejected', 'cancelled')
  AND (c.id IS NOT NULL OR r.number = CAST(:number AS text))
ORDER BY r.number = CAST(:number AS text) DESC NULLS LAST, r.created_at DESC, c.id LIMIT 1
"""

_KEEP: Final = """
INSERT INTO inbound_message (provider, provider_id, contact_id, body, outcome, received_at)
VALUES (:provider, :provider_id, :contact, :body, :outcome, :at)
ON CONFLICT (provider, provider_id) DO NOTHING
RETURNING id
"""

_DROP_PENDING: Final = """
UPDATE delivery d SET state = 'failed', error_kind = 'permanent_contact', error_code = 'sms:opt_out', finished_at = :at
FROM contact, campaign
WHERE contact.phone = :phone AND d.contact_id = contact.id AND d.channel = 'sms' AND d.state = 'pending'
  AND campaign.id = d.campaign_id
"""

_CONCERNED: Final = """
SELECT DISTINCT c.recall_number, campaign.sequence
FROM contact
JOIN consignee c ON c.partner_id = contact.partner_id AND c.state = 'open'
JOIN campaign ON campaign.recall_number = c.recall_number AND campaign.sequence = c.campaign_sequence
     AND campaign.ended_at IS NULL
WHERE contact.phone = :phone ORDER BY 1, 2
"""


async def inbound_contact_by_phone(
    session: AsyncSession, phone: str, *, recall_number: str | None = None
) -> list[InboundMatch]:
    """The consignees of running campaigns behind a number (E.164), the one texted last first; never those of drills."""
    rows = await run(session, _MATCH, {"phone": phone, "number": recall_number})
    return [InboundMatch(**row) for row in rows.mappings()]


async def recall_of_harm(session: AsyncSession, phone: str, recall_number: str | None) -> HarmMatch | None:
    """The recall named in the message, else the newest one under which the telephone's owner is a consignee."""
    found = await run(session, _HARM, {"phone": phone, "number": recall_number})
    row = found.mappings().first()
    return HarmMatch(row["number"], row["consignee_id"]) if row is not None else None


async def note_unassigned_harm(session: AsyncSession, message: str, at: datetime) -> None:
    """A stranger speaks of harm and names no recall: nothing can be opened, so the system's chain says so."""
    await audit.append(
        session,
        audit.SYSTEM,
        actor="unknown sender",
        role="recipient",
        action="harm.unassigned",
        at=at,
        data={"message": message},
    )


async def keep_inbound(
    session: AsyncSession,
    *,
    provider: str,
    provider_id: str,
    contact_id: int | None,
    body: str,
    outcome: str,
    at: datetime,
) -> bool:
    """Keep a raw message; False when this provider id is known (a repeated webhook changes nothing)."""
    kept = await run(
        session,
        _KEEP,
        {
            "provider": provider,
            "provider_id": provider_id,
            "contact": contact_id,
            "body": body[:2000],
            "outcome": outcome,
            "at": at,
        },
    )
    return kept.scalar_one_or_none() is not None


async def record_opt_out(
    session: AsyncSession, phone: str, *, at: datetime, opted_out: bool = True
) -> Sequence[OptOutEffect]:
    """Stop (or allow again) SMS to a number, everywhere and at once; returns the campaigns to nudge."""
    contacts = await run(
        session,
        "UPDATE contact SET sms_opted_out_at = CASE WHEN :out THEN coalesce(sms_opted_out_at, :at) END"
        " WHERE phone = :phone AND (sms_opted_out_at IS NULL) = :out RETURNING id",
        {"phone": phone, "at": at, "out": opted_out},
    )
    changed = sorted(contacts.scalars())
    if not changed:
        return []
    if opted_out:
        await run(session, _DROP_PENDING, {"phone": phone, "at": at})
    effects = [OptOutEffect(*row) for row in await run(session, _CONCERNED, {"phone": phone})]
    streams = dict.fromkeys(effect.recall_number for effect in effects) or {audit.SYSTEM: None}
    for stream in streams:
        await audit.append(
            session,
            stream,
            actor="contact",
            role="recipient",
            action="contact.sms_opted_out" if opted_out else "contact.sms_allowed",
            at=at,
            data={"contacts": changed},
        )
    return effects
