"""What follows from a reply: the consignee's state, a complaint of harm, its cases, the audit event, and whether the
campaign should look at once. All inside the transaction that stores the reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, complaints, unsent
from db.repositories.cases import By
from db.repositories.reply_cases import Heard
from domain.harm import mentions_harm
from domain.replies import Finding, is_settled
from domain.stages import units_left
from models.harm import HarmReport, HarmStated
from models.replies import PassedOnTo, PatientsStated, StatedLot


@dataclass(frozen=True, slots=True)
class Entry:
    """A reply of any channel, ready to be written."""

    channel: Literal["page", "sms", "phone", "email", "voice", "webhook", "file"]
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
    aware_at: datetime | None = None
    """When it reached us, where that was earlier than `at`."""
    patients: PatientsStated | None = None
    contact_id: int | None = None
    """Whose link, telephone or address it was."""
    file_id: UUID | None = None
    """The file it was a row of."""
    of_message: bool = False
    """It speaks of a message as it was read, without sight of what holds now."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the reply did to its consignee and to others."""

    state: str
    findings: tuple[Finding, ...]
    joined: tuple[int, ...]
    complaint: int | None = None
    patients: int | None = None
    """Id of the counts of patients given with it."""
    files: int = 0


_MOVE: Final = """
UPDATE consignee SET state = CAST(:state AS text), acknowledged_at = coalesce(acknowledged_at, :at),
    answered_at = CASE WHEN CAST(:state AS text) = 'answered' THEN CAST(:at AS timestamptz) END,
    stage_since = CASE WHEN state = CAST(:state AS text) THEN coalesce(stage_since, :at) ELSE :at END,
    action_done_at = CASE WHEN CAST(:done AS boolean) THEN coalesce(action_done_at, :at) END,
    -- An answer that is taken back is asked for from the first step; what was sent before is of an earlier chase.
    chase = chase + CASE WHEN state = 'answered' AND CAST(:state AS text) = 'acknowledged' THEN 1 ELSE 0 END,
    step = CASE WHEN state = 'answered' AND CAST(:state AS text) = 'acknowledged' THEN 0 ELSE step END
WHERE id = :consignee
"""


async def move_consignee(session: AsyncSession, entry: Entry, before: str, findings: Sequence[Finding]) -> str:
    """The consignee's state after the reply; messages not sent yet are cancelled once it has been heard of."""
    if entry.kind == "statement":
        # An unsettled correction takes an answer back, but never restarts the chase.
        state = "answered" if is_settled(findings) else ("documented" if before == "documented" else "acknowledged")
    elif entry.kind == "acknowledgement" and before == "open":
        state = "acknowledged"
    else:
        return before
    done = state == "answered" and not units_left(entry.statements)
    await run(session, _MOVE, {"state": state, "at": entry.at, "consignee": entry.consignee_id, "done": done})
    # What stands beside the ladder asks for nothing and is said in any case.
    await unsent.cancel(session, [entry.consignee_id], entry.at, beside=False)
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
        awareness_at=entry.aware_at or entry.at,
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
        action_owed=state == "answered" and units_left(entry.statements) > 0,
        findings=findings,
        by=By(entry.actor, entry.role, entry.at),
    )


async def note_reply(session: AsyncSession, entry: Entry, reply_id: int, change: Change) -> int:
    """Audit the reply; returns the number of its event in the recall's chain."""
    return await audit.append(
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
            "patients": change.patients,
            "files": change.files,
        },
    )


_FEW: Final = 500
"""Consignees of a campaign that are counted at every answer."""
_EVERY, _SPREAD = 64, 4
"""Of more, the count is taken once in so many events of the recall's chain; one answer is up to `_SPREAD` of them."""
_STILL_OPEN: Final = """
SELECT count(*) AS total, count(*) FILTER (WHERE state = 'open') AS still_open,
       NOT EXISTS (SELECT FROM consignee c WHERE c.recall_number = :number AND c.campaign_sequence = :campaign
                                             AND c.state = 'open') AS last
FROM (SELECT state FROM consignee WHERE recall_number = :number AND campaign_sequence = :campaign
                                    AND state <> 'withdrawn' LIMIT :most) known
"""


async def is_nudge_due(
    session: AsyncSession, number: str, campaign: int, left_open: bool, new: int, *, event: int
) -> bool:
    """Whether the campaign has something to do or to show: `new` consignees or cases, the last answer, another tenth.

    It runs after `note_reply`, whose lock on the recall's chain puts replies of one recall in a row. All of them wait
    meanwhile, so a large campaign is not counted for each: a tenth may be told some answers late, twice or not at all,
    which a later look makes good; the last answer always is.

    Args:
        event: number of the reply's own event in the chain.
    """
    if new:
        return True
    if not left_open:
        return False
    known = {"number": number, "campaign": campaign}
    total, still_open, last = (await run(session, _STILL_OPEN, known | {"most": _FEW + 1})).one()
    if last or total <= _FEW:
        return last or _passed_a_tenth(total, total - still_open, 1)
    if event % _EVERY >= _SPREAD:
        return False
    total, still_open, _ = (await run(session, _STILL_OPEN, known | {"most": None})).one()
    return _passed_a_tenth(total, total - still_open, _EVERY)


def _passed_a_tenth(total: int, answered: int, since: int) -> bool:
    return 10 * answered // total != 10 * (answered - since) // total


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
