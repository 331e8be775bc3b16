"""Inbound SMS: whose telephone it is, and the raw message kept once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.senders import HarmMatch, InboundMatch, harm_of, matches_of
from domain.channels import Channel

_KEEP: Final = """
INSERT INTO inbound_message (provider, provider_id, contact_id, body, outcome, received_at, sender)
VALUES (:provider, :provider_id, :contact, :body, :outcome, :at, :sender)
ON CONFLICT (provider, provider_id) DO NOTHING
RETURNING id
"""


async def inbound_contact_by_phone(
    session: AsyncSession, phone: str, *, recall_number: str | None = None
) -> list[InboundMatch]:
    """The consignees of running campaigns behind a number (E.164); see `senders.matches_of`."""
    return await matches_of(session, Channel.SMS, phone, recall_number)


async def recall_of_harm(session: AsyncSession, phone: str, recall_number: str | None) -> HarmMatch | None:
    """The recall that a report of harm from this number belongs to; see `senders.harm_of`."""
    return await harm_of(session, Channel.SMS, phone, recall_number)


async def known_ids(session: AsyncSession, provider: str, provider_ids: Sequence[str]) -> set[str]:
    """Those of these messages that were taken in before."""
    known = "SELECT provider_id FROM inbound_message WHERE provider = :provider AND provider_id = ANY (:ids)"
    return set((await run(session, known, {"provider": provider, "ids": list(provider_ids)})).scalars())


async def keep_inbound(
    session: AsyncSession,
    *,
    provider: str,
    provider_id: str,
    contact_id: int | None,
    body: str,
    outcome: str,
    at: datetime,
    sender: str | None = None,
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
            "sender": sender[:320] if sender else None,
        },
    )
    return kept.scalar_one_or_none() is not None
