"""What follows from a reply: the consignee's state, a complaint of harm, its cases, the audit event, and whether the
campaign should look at once. All inside the transaction that stores the reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, complaints
from db.repositories.cases import By
from db.repositories.reply_cases import Heard
from domain.harm import mentions_harm
from domain.replies import Finding, is_settled
from models.harm import HarmReport, HarmStated
from models.replies import PassedOnTo, StatedLot


@dataclass(frozen=True, slots=True)
class Entry:
    """A reply of any channel, ready to be written."""

    channel: Literal["page", "sms", "phone"]
    kind: str
    number: str
    consignee_id: int
    at: datetime
    actor: str
    role: str
    columns: dict[str, Any]
    statements: tuple[StatedLot, ...] = ()
    passed_on: tuple[PassedOnTo, ...] = ()
    harm: HarmStated | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What the reply did to its consignee and to others."""

    state: str
    findings: tuple[Finding, ...]
    joined: tuple[int, ...]
    complaint: int | None = None


async def move_consignee(session: AsyncSession, entry: Entry, before: str, findings: Sequence[Finding]) -> str:
    """The consignee's state after the reply; messages not sent yet are cancelled once it has been heard of."""
    if entry.kind == "statement":
        # An unsettled correction takes an answer back, but never restarts the chase.
        state = "answered" if is_settled(findings) else ("documented" if before == "documented" else "acknowledged")
    elif entry.kind == "acknowledgement" and before == "open":
        state = "acknowledged"
    else:
        return before
    await run(
        session,
        "UPDATE consignee SET state = CAST(:state AS text), acknowledged_at = coalesce(acknowledged_at, :at),"
        " answered_at = CASE WHEN CAST(:state AS text) = 'answered' THEN CAST(:at AS timestamptz) END"
        " WHERE id = :consignee",
        {"state": state, "at": entry.at, "consignee": entry.consignee_id},
    )
    await run(
        session,
        "UPDATE delivery SET state = 'cancelled', finished_at = :at"
        " WHERE consignee_id = :consignee AND state = 'pending'",
        {"at": entry.at, "consignee": entry.consignee_id},
    )
    return state


async def note_harm(session: AsyncSession, entry: Entry, reply_id: int) -> int | None:
    """Make a complaint of harm reported in the reply; returns its number. Written before anything is audited."""
    harm = entry.harm
    if harm is None and mentions_harm(entry.columns.get("free_text")):
        harm = HarmStated(description=str(entry.columns["free_text"]))
    if harm is None:
        return None
    report = HarmReport(
        number=entry.number,
        harm=harm,
        source=entry.channel,
        awareness_at=entry.at,
        at=entry.at,
        recorded_by=entry.actor,
        role=entry.role,
        consignee_id=entry.consignee_id,
        reply_id=reply_id,
    )
    return (await complaints.record(session, report)).complaint.sequence


def heard_of(
    entry: Entry, reply_id: int, consignee: dict[str, Any], state: str, findings: tuple[Finding, ...]
) -> Heard:
    """The reply as far as cases are concerned."""
    return Heard(
        number=entry.number,
        consignee_id=entry.consignee_id,
        partner=consignee["name"],
        partner_kind=consignee["kind"],
        reply_id=reply_id,
        channel=entry.channel,
        kind=entry.kind,
        before=consignee["state"],
        after=state,
        findings=findings,
        by=By(entry.actor, entry.role, entry.at),
    )


async def note_reply(session: AsyncSession, entry: Entry, reply_id: int, change: Change) -> None:
    await audit.append(
        session,
        entry.number,
        actor=entry.actor,
        role=entry.role,
        action="reply.recorded",
        at=entry.at,
        data={
            "reply": reply_id,
            "consignee": entry.consignee_id,
            "channel": entry.channel,
            "kind": entry.kind,
            "state": change.state,
            "lots": len(entry.statements),
            "findings": sorted(finding.kind.value for finding in change.findings),
            "joined": list(change.joined),
            "complaint": change.complaint,
        },
    )


async def is_nudge_due(session: AsyncSession, number: str, campaign: int, left_open: bool, new: int) -> bool:
    """Whether the campaign has something to do or to show: `new` consignees or cases, the last answer, another tenth.

    Exact because it runs after `note_reply`, whose lock on the recall's chain puts replies of one recall in a row.
    """
    if new:
        return True
    if not left_open:
        return False
    found = await run(
        session,
        "SELECT count(*) AS total, count(*) FILTER (WHERE state = 'open') AS still_open"
        " FROM consignee WHERE recall_number = :number AND campaign_sequence = :campaign AND state <> 'withdrawn'",
        {"number": number, "campaign": campaign},
    )
    total, still_open = found.one()
    answered = total - still_open
    return bool(still_open == 0 or 10 * answered // total != 10 * (answered - 1) // total)


async def open_campaign(session: AsyncSession, consignees: Sequence[int]) -> int | None:
    """The newest campaign that chases any of these consignees and has not ended, for the nudge."""
    found = await run(
        session,
        "SELECT max(k.sequence) FROM consignee c"
        " JOIN campaign k ON k.recall_number = c.recall_number AND k.sequence = c.campaign_sequence"
        " WHERE c.id = ANY (CAST(:consignees AS bigint[])) AND k.ended_at IS NULL",
        {"consignees": list(consignees)},
    )
    return found.scalar_one_or_none()
