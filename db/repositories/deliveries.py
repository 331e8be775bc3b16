"""Deliveries as the sending protocol handles them: claimed in groups, fenced by attempt, recorded in groups.

A delivery belongs to the sender that claimed it until its lease ends; every write after the claim names the attempt
it speaks for, so that a sender that lost its lease can change nothing (design §6). Functions work inside the
caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, merging, opt_outs
from db.repositories.deliveries_sql import (
    CLAIM,
    FAIL_LEFT,
    LOCK_REFUSED,
    NOTE_REFUSED,
    NOTE_SUBMITTED,
    OPTED_OUT_THERE,
    RECORD,
    RENEW,
    SHARE_RECALL,
)
from db.repositories.merging import Carried
from db.repositories.opt_outs import Marked

OPT_OUT_CODE = "twilio:21610"
"""The provider refuses because the recipient opted out there."""

Result = Literal["submitted", "failed", "retry", "unsure", "cancelled"]
"""`retry`: not accepted, wait until `until`; `unsure`: nobody knows, ask again after `until`."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery in a sender's hands."""

    id: UUID
    attempt: int
    failures: int
    """Transient errors before this attempt."""
    was_submitting: bool
    """Found in `submitting` after its lease: it may have been sent, so the provider is asked first."""
    wanted: bool
    """The recipient is still to get it: it has neither answered nor left meanwhile, or it is sent in any case."""
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
    address: str | None
    """None: gone since the message was planned, or its owner has opted out of the channel."""
    first_notified_at: datetime | None
    next_step_at: datetime | None
    """When the consignee is chased next: until then it is asked to answer."""
    partner_code: str = ""
    """Its key in the master data, which tells two organisations of one name apart."""
    leads: bool = False
    """Other sites' messages may be part of it."""
    carried: tuple[Carried, ...] = ()
    """The other sites of the same person that the message speaks of, by name; the same on every attempt after one
    whose end is unknown."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A claimed delivery whose lease was renewed, as its sender has to see it now."""

    id: UUID
    halted: bool
    """Its campaign is paused or over: nothing more is handed over."""
    wanted: bool
    """See `Claimed.wanted`."""
    timely: bool
    """Its recipient's quiet hours have not begun."""


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
    counted: bool = False
    """A failed attempt, of which only so many are made."""


async def claim(
    session: AsyncSession, *, campaign_id: int, channel: str, now: datetime, lease_until: datetime, limit: int
) -> list[Claimed]:
    """Take up to `limit` due deliveries, most urgent class first; commit before the first provider call."""
    rows = await run(
        session,
        CLAIM,
        {"campaign": campaign_id, "channel": channel, "now": now, "lease_until": lease_until, "limit": limit},
    )
    claimed = [Claimed(**row) for row in rows.mappings()]
    carried = await merging.take_along(session, [row.id for row in claimed if row.leads])
    return [replace(row, carried=tuple(carried.get(row.id, ()))) if row.leads else row for row in claimed]


async def renew(
    session: AsyncSession, held: Sequence[tuple[UUID, int]], *, now: datetime, lease_until: datetime
) -> dict[UUID, Standing]:
    """Prolong the lease of claimed deliveries; those missing in the answer are no longer ours to send."""
    ids, attempts = [row[0] for row in held], [row[1] for row in held]
    rows = await run(session, RENEW, {"ids": ids, "attempts": attempts, "lease_until": lease_until, "now": now})
    return {row["id"]: Standing(**row) for row in rows.mappings()}


async def record(
    session: AsyncSession, outcomes: Sequence[Outcome], *, number: str, campaign_id: int, channel: str, now: datetime
) -> int:
    """Write a group of outcomes with all that follows from them; returns how many were still ours to write.

    What follows: when a consignee was first notified, the recall's first communication (the start of the clock of
    21 CFR 806.10), contacts found unreachable, and one audit event for the group.
    """
    # Whoever holds the recall goes on to messages and consignees.
    await run(session, SHARE_RECALL, {"number": number, "campaign": campaign_id})
    refused_there = [each.id for each in outcomes if channel == "sms" and each.error_code == OPT_OUT_CODE]
    if refused_there:
        await run(session, LOCK_REFUSED, {"ids": [each.id for each in outcomes], "refused": refused_there})
    written = await run(session, RECORD, _columns(outcomes))
    by_result: dict[str, list[UUID]] = {}
    leading: dict[UUID, str] = {}
    for delivery_id, result, leads in written:
        by_result.setdefault(result, []).append(delivery_id)
        if leads:
            leading[delivery_id] = result
    if not by_result:
        return 0
    count = sum(map(len, by_result.values()))
    for lead, delivery_id in await merging.follow(session, list(leading)):
        by_result[leading[lead]].append(delivery_id)
    handed_back = [each for result in ("submitted", "retry", "cancelled") for each in by_result.get(result, ())]
    if gone := await fail_left(session, handed_back, now):
        by_result["left"] = gone
    refused = await _mark_refused(session, by_result.get("failed", []), now)
    submitted = by_result.get("submitted", [])
    if submitted:
        await note_submitted(session, number, submitted, f"campaign {campaign_id}, {channel}", now)
    for each in refused:
        await opt_outs.note(session, each)
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
    return count


async def _mark_refused(session: AsyncSession, delivery_ids: Sequence[UUID], now: datetime) -> list[Marked]:
    """Contacts found unreachable, and numbers whose owner opted out at the provider without our hearing of it."""
    if not delivery_ids:
        return []
    binds = {"ids": list(delivery_ids), "opt_out_code": OPT_OUT_CODE}
    phones = (await run(session, OPTED_OUT_THERE, binds)).scalars().all()
    marked = [await opt_outs.mark(session, phone, at=now) for phone in phones]
    await run(session, NOTE_REFUSED, {"ids": list(delivery_ids)})
    return marked


async def fail_left(session: AsyncSession, delivery_ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Give up those of these messages, locked and in no sender's hands any more, whose reader has left.

    So that the next contact is told at the campaign's next look. A contact that leaves takes its messages first, also
    those that a sender holds, so it is seen here or sees the outcome itself. Returns those given up.
    """
    if not delivery_ids:
        return []
    return list((await run(session, FAIL_LEFT, {"ids": list(delivery_ids), "at": now})).scalars())


async def note_submitted(
    session: AsyncSession, number: str, delivery_ids: Sequence[UUID], source: str, now: datetime
) -> None:
    """What follows from notices having been handed over: the consignees' and the recall's first communication."""
    given = {"number": number, "ids": list(delivery_ids), "source": source, "now": now}
    for name, version, at in (await run(session, NOTE_SUBMITTED, given)).all():
        extended = {"scope_version": version} if name == "extension_communication" else {}
        await _note_clock(session, number, f"clock.{name}", now, {"at": at, "source": source, **extended})


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
        "counted": [each.counted for each in outcomes],
    }
