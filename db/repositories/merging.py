"""One message for a person with several sites of a recall, and a copy of each notice for who pays.

Planning decides which waiting messages say the same to the same person; sending, callbacks and bounces then treat them
as one, while each consignee keeps a delivery of its own: it is counted, chased and answered for by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import channel_order
from db.repositories.merging_sql import COPY_NOTICES, FOLLOW, FREE, MERGE, SITES, STANDING, TAKE_ALONG
from domain.channels import Channel
from models.messages import AdvanceCampaign

MERGED: Final = (Channel.EMAIL, Channel.SMS, Channel.VOICE)
"""Channels on which a person gets one message for all sites. A system of a recipient takes one for each site, because
it answers each by itself; a browser is subscribed for one contact."""
MOST: Final = 200
"""Sites in one message; whoever has more gets a further one."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A further site that a message speaks of."""

    id: UUID
    """Of its own delivery."""
    consignee_id: int
    step: int
    answered: bool
    """The site's answer stands."""
    first_notified_at: datetime | None
    next_step_at: datetime | None
    partner_name: str
    partner_code: str
    contact_name: str


@dataclass(frozen=True, slots=True)
class Site:
    """A site that a message spoke of, as its reader answers for it."""

    delivery_id: UUID
    consignee_id: int
    contact_id: int
    state: str
    """The consignee's."""
    name: str
    code: str
    """Of the partner: tells two sites of one name apart."""
    gone: bool
    """The reader has left it since, and speaks for it no more."""


async def free(session: AsyncSession, campaign_id: int) -> None:
    """Give what its message did not speak of after all back to be planned; before new messages are written."""
    await run(session, FREE, {"campaign": campaign_id})


async def plan(session: AsyncSession, request: AdvanceCampaign, notice_id: int) -> int:
    """Write the copies that are due and put waiting messages to one person together; returns the number of copies."""
    copies: Any = await run(
        session,
        COPY_NOTICES,
        {
            "number": request.number,
            "campaign": request.campaign_id,
            "notice": notice_id,
            "priority": request.priority,
            "channels": list(request.channels),
            "preferred": await channel_order.preferred(session, request.number),
            "now": request.now,
        },
    )
    channels = [channel.value for channel in MERGED]
    await run(session, MERGE, {"campaign": request.campaign_id, "channels": channels, "most": MOST})
    return int(copies.rowcount)


async def take_along(session: AsyncSession, messages: Sequence[UUID]) -> dict[UUID, list[Carried]]:
    """Claim what claimed messages carry; by message, in the order in which they are listed."""
    found: dict[UUID, list[Carried]] = {}
    if messages:
        rows = await run(session, TAKE_ALONG, {"ids": list(messages)})
        for row in rows.mappings():
            values = dict(row)
            found.setdefault(values.pop("carried_by"), []).append(Carried(**values))
    return found


async def follow(session: AsyncSession, messages: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """What became of messages is what became of all they carry; pairs of message and carried delivery."""
    if not messages:
        return []
    return [(row[0], row[1]) for row in await run(session, FOLLOW, {"ids": list(messages)})]


async def standing(session: AsyncSession, message: UUID) -> list[dict[str, Any]]:
    """What a message carries for sites its reader has not left, locked: id, state and provider's id, alike in all."""
    return [dict(row) for row in (await run(session, STANDING, {"message": message})).mappings()]


async def sites_of(session: AsyncSession, delivery_id: UUID) -> list[Site]:
    """The sites that the message of a delivery speaks of, by name; empty where it speaks of one only.

    A message that was planned for several speaks of one where the others answered before it was sent.
    """
    found = [Site(**row) for row in (await run(session, SITES, {"delivery": delivery_id})).mappings()]
    return found if len(found) > 1 else []


async def first_not_left(session: AsyncSession, delivery_id: UUID) -> Site | None:
    """The first site of a message for several whose reader has not left it."""
    return next((site for site in await sites_of(session, delivery_id) if not site.gone), None)


__all__ = [
    "MERGED",
    "MOST",
    "Carried",
    "Site",
    "first_not_left",
    "follow",
    "free",
    "plan",
    "sites_of",
    "standing",
    "take_along",
]
