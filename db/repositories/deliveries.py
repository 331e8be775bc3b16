"""Deliveries as the sending protocol handles them: claimed in groups, fenced by attempt, recorded in groups.

A delivery belongs to the sender that claimed it until its lease ends; every write after the claim names the attempt
it speaks for, so that a sender that lost its lease can change nothing (design §6). Functions work inside the
caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.deliveries_sql import (
    CLAIM,
    EXTENSION_COMMUNICATION,
    FIRST_COMMUNICATION,
    NOTE_NOTIFIED,
    NOTE_REFUSED,
    RECORD,
    RENEW,
)

OPT_OUT_CODE = "twilio:21610"
"""The provider refuses because the recipient opted out there."""

Result = Literal["submitted", "failed", "retry", "unsure", "cancelled"]
"""`retry`: not accepted, wait until `until`; `unsure`: nobody knows, ask again after `until`."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery in a sender's hands."""

    id: UUID
    attempt: int
    was_submitting: bool
    """Found in `submitting` after its lease: it may have been sent, so the provider is asked first."""
    wanted: bool
    """The recipient is still to get it: it has not answered meanwhile, or the message is sent in any case."""
    step: int
    """Place on the ladder; negative for a message beside it."""
    answered: bool
    """The recipient's answer stands."""
    kind: str
    channel: str
    language: str
    priority: int
    created_at: datetime
    contact_id: int
    consignee_id: int
    partner_name: str
    time_zone: str
    contact_name: str
    address: str
    first_notified_at: datetime | None
    next_step_at: datetime | None
    """When the consignee is chased next: until then it is asked to answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claimed delivery."""

    id: UUID
    attempt: int
    result: Result
    at: datetime
    provider_id: str | None = None
    error_kind: str | None = None
    error_code: str | None = None
    until: datetime | None = None


async def claim(
    session: AsyncSession, *, campaign_id: int, channel: str, now: datetime, lease_until: datetime, limit: int
) -> list[Claimed]:
    """Take up to `limit` due deliveries, most urgent class first; commit before the first provider call."""
    rows = await run(
        session,
        CLAIM,
        {"campaign": campaign_id, "channel": channel, "now": now, "lease_until": lease_until, "limit": limit},
    )
    return [Claimed(**row) for row in rows.mappings()]


async def renew(session: AsyncSession, held: Sequence[tuple[UUID, int]], lease_until: datetime) -> set[UUID]:
    """Prolong the lease of claimed deliveries; those missing in the answer are no longer ours to send."""
    rows = await run(
        session,
        RENEW,
        {"ids": [row[0] for row in held], "attempts": [row[1] for row in held], "lease_until": lease_until},
    )
    return set(rows.scalars())


async def record(
    session: AsyncSession, outcomes: Sequence[Outcome], *, number: str, campaign_id: int, channel: str, now: datetime
) -> int:
    """Write a group of outcomes with all that follows from them; returns how many were still ours to write.

    What follows: when a consignee was first notified, the recall's first communication (the start of the clock of
    21 CFR 806.10), contacts found unreachable, and one audit event for the group.
    """
    written = await run(session, RECORD, _columns(outcomes))
    by_result: dict[str, list[UUID]] = {}
    for delivery_id, result in written:
        by_result.setdefault(result, []).append(delivery_id)
    if not by_result:
        return 0
    if by_result.get("failed"):
        await run(session, NOTE_REFUSED, {"ids": by_result["failed"], "opt_out_code": OPT_OUT_CODE})
    submitted = by_result.get("submitted", [])
    if submitted:
        await note_submitted(session, number, submitted, f"campaign {campaign_id}, {channel}", now)
    await audit.append(
        session,
        number,
        actor="system",
        role="campaign",
        action="deliveries.recorded",
        at=now,
        data={
            "campaign": campaign_id,
            "channel": channel,
            **{result: sorted(map(str, ids)) for result, ids in sorted(by_result.items())},
        },
    )
    return sum(map(len, by_result.values()))


async def note_submitted(
    session: AsyncSession, number: str, delivery_ids: Sequence[UUID], source: str, now: datetime
) -> None:
    """What follows from notices having been handed over: the consignees' and the recall's first communication."""
    await run(session, NOTE_NOTIFIED, {"ids": list(delivery_ids)})
    first = (
        await run(
            session,
            "SELECT min(submitted_at) FROM delivery WHERE id = ANY (CAST(:ids AS uuid[]))",
            {"ids": list(delivery_ids)},
        )
    ).scalar_one()
    begun = await run(session, FIRST_COMMUNICATION, {"number": number, "at": first, "source": source, "now": now})
    if begun.scalar_one_or_none() is not None:
        await _note_clock(session, number, "clock.first_communication", now, {"at": first, "source": source})
    told = await run(session, EXTENSION_COMMUNICATION, {"ids": list(delivery_ids), "source": source, "now": now})
    for version, at in told.all():
        facts = {"at": at, "source": source, "scope_version": version}
        await _note_clock(session, number, "clock.extension_communication", now, facts)


async def _note_clock(session: AsyncSession, number: str, action: str, now: datetime, data: dict[str, Any]) -> None:
    await audit.append(session, number, actor="system", role="campaign", action=action, at=now, data=data)


def _columns(outcomes: Sequence[Outcome]) -> dict[str, list[Any]]:
    return {
        "ids": [each.id for each in outcomes],
        "attempts": [each.attempt for each in outcomes],
        "outcomes": [each.result for each in outcomes],
        "ats": [each.at for each in outcomes],
        "provider_ids": [each.provider_id for each in outcomes],
        "error_kinds": [each.error_kind for each in outcomes],
        "error_codes": [each.error_code for each in outcomes],
        "untils": [each.until for each in outcomes],
    }
