"""Opt-outs: a person at a telephone number wants no more texts, or no more calls, and it holds at once for the number.

An opt-out belongs to number and channel: every contact with the number has it, also one that is entered later, and the
other channels stay open, because a safety notice has to arrive in some way.

Locks are taken in one order everywhere: messages, their contacts, consignees, the audit chain. A STOP and the refusal
of a text under way to the same number come in at the same moment more often than not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.deliveries_sql import IN_ORDER

Spoken = Literal["sms", "voice"]
"""Channels of a telephone number, which can be opted out of."""


@dataclass(frozen=True, slots=True)
class OptOutEffect:
    """A campaign that has to find another way to somebody who opted out."""

    recall_number: str
    campaign_sequence: int


# What a sender holds at this moment is not tried again, either; should it have gone out, its outcome still says so.
# A message before what it carries, as whoever hears of it takes them.
_DROP: Final = f"""
WITH waiting AS MATERIALIZED (
    SELECT d.id FROM delivery d JOIN contact ON contact.id = d.contact_id
    WHERE contact.phone = :phone AND d.channel = :channel AND d.state IN ('pending', 'submitting')
    {IN_ORDER}
)
UPDATE delivery d SET state = 'failed', error_kind = 'permanent_contact',
    error_code = concat(d.channel, ':', 'opt_out'), finished_at = :at, ambiguous = d.ambiguous OR d.state = 'submitting'
FROM waiting WHERE d.id = waiting.id
"""  # noqa: S608 - a constant
_LOCK: Final = "SELECT id FROM contact WHERE phone = :phone ORDER BY id FOR NO KEY UPDATE"

_CONCERNED: Final = """
SELECT DISTINCT c.recall_number, campaign.sequence
FROM contact
JOIN consignee c ON c.partner_id = contact.partner_id AND c.state = 'open'
JOIN campaign ON campaign.recall_number = c.recall_number AND campaign.sequence = c.campaign_sequence
     AND campaign.ended_at IS NULL
WHERE contact.phone = :phone ORDER BY 1, 2
"""

OF_NUMBER: Final = """SELECT min(told.sms_opted_out_at) AS sms, min(told.voice_opted_out_at) AS voice
    FROM contact told WHERE told.phone ="""
"""Begins a query for what the owner of a number, which is to follow, has opted out of."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An opt-out (or its end) that is written and not audited yet."""

    channel: Spoken
    opted_out: bool
    at: datetime
    contacts: tuple[int, ...] = ()
    """Those that changed."""
    effects: tuple[OptOutEffect, ...] = ()


async def record_opt_out(
    session: AsyncSession, phone: str, *, at: datetime, opted_out: bool = True, channel: Spoken = "sms"
) -> Sequence[OptOutEffect]:
    """Stop (or allow again) a channel to a number, everywhere and at once; returns the campaigns to nudge."""
    marked = await mark(session, phone, at=at, opted_out=opted_out, channel=channel)
    await note(session, marked)
    return list(marked.effects)


async def mark(
    session: AsyncSession, phone: str, *, at: datetime, opted_out: bool = True, channel: Spoken = "sms"
) -> Marked:
    """The part of `record_opt_out` that locks messages and contacts, for transactions that lock more; then `note`."""
    column = f"{channel}_opted_out_at"
    changing = f"phone = :phone AND ({column} IS NULL) = :out"
    values = {"phone": phone, "out": opted_out}
    known = await run(session, f"SELECT EXISTS (SELECT FROM contact WHERE {changing})", values)  # noqa: S608 - one of two
    if not known.scalar_one():
        return Marked(channel, opted_out, at)
    if opted_out:
        await run(session, _DROP, {"phone": phone, "at": at, "channel": channel})
    await run(session, _LOCK, {"phone": phone})
    contacts = await run(
        session,
        f"UPDATE contact SET {column} = CASE WHEN :out THEN coalesce({column}, :at) END"  # noqa: S608 - one of two
        f" WHERE {changing} RETURNING id",
        values | {"at": at},
    )
    changed = tuple(sorted(contacts.scalars()))
    if not changed:
        return Marked(channel, opted_out, at)
    effects = [OptOutEffect(*row) for row in await run(session, _CONCERNED, {"phone": phone})]
    return Marked(channel, opted_out, at, changed, tuple(effects))


async def note(session: AsyncSession, marked: Marked) -> None:
    """The audit of `mark`."""
    if not marked.contacts:
        return
    streams = dict.fromkeys(effect.recall_number for effect in marked.effects) or {audit.SYSTEM: None}
    for stream in streams:
        await audit.append(
            session,
            stream,
            actor="contact",
            role="recipient",
            action=f"contact.{marked.channel}_" + ("opted_out" if marked.opted_out else "allowed"),
            at=marked.at,
            data={"contacts": list(marked.contacts)},
        )


__all__ = ["OF_NUMBER", "Marked", "OptOutEffect", "Spoken", "mark", "note", "record_opt_out"]
