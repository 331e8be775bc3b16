"""What follows from a reply: the consignee's state, tasks closed and opened, the audit event, and whether the campaign
should look at once. All inside the transaction that stores the reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls, tasks
from domain.replies import Finding, is_settled
from models.messages import OpenTask
from models.replies import PassedOnTo, StatedLot

_QUERY_LIMIT: Final = timedelta(days=1)
"""Policy time a person has to settle a query or to call back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A reply of any channel, ready to be written."""

    channel: str
    kind: str
    number: str
    consignee_id: int
    at: datetime
    actor: str
    role: str
    columns: dict[str, Any]
    statements: tuple[StatedLot, ...] = ()
    passed_on: tuple[PassedOnTo, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What the reply did to its consignee and to others."""

    state: str
    findings: tuple[Finding, ...]
    joined: tuple[int, ...]


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


async def settle_tasks(
    session: AsyncSession,
    entry: Entry,
    reply_id: int,
    partner: str,
    change: Change,
) -> None:
    """Close the call that has become needless; open a query or a call back where the reply asks for one."""
    name = partner[:200]
    if entry.kind == "needs_contact":
        await _open(session, entry, f"help:{reply_id}", f"Call {name} back: it answered by SMS and needs a person")
        return
    call, outcome = f"call:{entry.consignee_id}", f"answered by {entry.channel}"
    await tasks.close(session, entry.number, call, outcome=outcome, done_by=entry.actor, now=entry.at)
    if change.state == "answered":
        await run(
            session,
            "UPDATE task SET state = 'done', outcome = 'settled by a later statement', done_by = :actor,"
            " done_at = :at WHERE recall_number = :number AND consignee_id = :consignee"
            " AND key LIKE 'query:%' AND state IN ('offered', 'accepted')",
            {"actor": entry.actor, "at": entry.at, "number": entry.number, "consignee": entry.consignee_id},
        )
    asked = [finding.kind.value for finding in change.findings if finding.opens_query]
    if asked:
        what = f"Ask {name} about its statement: {', '.join(dict.fromkeys(asked))}"
        await _open(session, entry, f"query:{reply_id}", what[:300])


async def _open(session: AsyncSession, entry: Entry, key: str, what: str) -> None:
    recall = await recalls.get(session, entry.number)
    task = OpenTask(
        number=entry.number,
        key=key,
        step="notification",
        what=what,
        role="qa",
        due_at=entry.at + _QUERY_LIMIT / recall.pace,
        now=entry.at,
    )
    await tasks.open_task(session, recall, task, consignee_id=entry.consignee_id)


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
        },
    )


async def is_nudge_due(session: AsyncSession, number: str, campaign: int, left_open: bool, joined: int) -> bool:
    """Whether the campaign has something to do or to show: new consignees, the last answer, another tenth answered.

    Exact because it runs after `note_reply`, whose lock on the recall's chain puts replies of one recall in a row.
    """
    if joined:
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
