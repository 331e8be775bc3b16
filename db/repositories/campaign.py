"""A campaign's progress in the record: the ladder is walked for all its consignees in one transaction.

`advance` is idempotent: what it has taken is no longer due, so a repeat after a lost answer finds nothing and only
counts. A consignee is *open* until anything is heard of it; an acknowledgement ends the chase for the
acknowledgement, quantities that are still missing are counted apart (`stated`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, channel_order, recalls, tasks
from db.repositories.campaign_sql import (
    ADVANCE,
    CANCEL_ALL,
    CANCEL_ANSWERED,
    COUNT_CONSIGNEES,
    COUNT_DELIVERIES,
    NEXT_STEP,
)
from db.repositories.cases_sql import CONTACT_REASONS, NEXT_OWING, OWING
from domain.ladder import Ladder, StepKind
from domain.pace import policy_instant
from domain.policy_parts import HumanStep
from domain.workflow_ids import case_id
from models.messages import AdvanceCampaign, CampaignProgress, EndCampaign

BODY_KIND: Final = {StepKind.FIRST: "initial", StepKind.REMINDER: "reminder", StepKind.ESCALATION: "escalation"}
"""Which approved body a ladder step sends; a telephone step sends none."""

_MOST_SLACK: Final = timedelta(minutes=10)


class CampaignError(Exception):
    """The record cannot carry this campaign; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one walk over the ladder did."""

    written: dict[str, int]
    """New deliveries by kind of body."""
    called: int
    """New telephone tasks."""
    cancelled: int
    """Waiting messages whose recipient answered first."""
    cases: int = 0
    """New cases: consignees that cannot be reached, stay silent, or owe their quantities."""


def slack(wait: timedelta) -> timedelta:
    """How much earlier than its instant a step may be taken, so that steps a few seconds apart are one walk.

    A fiftieth of the step's wait and at most ten minutes; at a fast pace up to one second (a quarter of the wait).
    """
    return min(_MOST_SLACK, max(wait / 50, min(wait / 4, timedelta(seconds=1))))


async def advance(session: AsyncSession, request: AdvanceCampaign) -> Advanced:
    """Take every ladder step due at `request.now`; the caller commits.

    Raises:
        CampaignError: no such campaign, or its notice lacks a body that the ladder needs.
    """
    campaign = await _campaign(session, request.number, request.campaign_id)
    cancelled = await _run(session, CANCEL_ANSWERED, campaign=request.campaign_id, now=request.now)
    if campaign.kind == "retraction":
        # Its messages were written when it was created; nobody is chased.
        return Advanced({}, 0, cancelled)
    await _check_bodies(session, campaign, request.ladder, request.channels)
    calls = await _calls(session, request)
    figures = _figures(request, campaign) | {"preferred": await channel_order.preferred(session, request.number)}
    row = (await run(session, ADVANCE, figures | calls)).mappings().one()
    owing = await _owing(session, request, calls)
    called, cases = row["called"] + owing["called"], row["cased"] + owing["cased"]
    done = Advanced(dict(row["written"]), called, cancelled, cases)
    if row["moved"] or done.cases or cancelled:
        await _note_advance(session, request, done)
    return done


def _figures(request: AdvanceCampaign, campaign: Any) -> dict[str, Any]:
    """What the statement binds of the request, one list entry per ladder step."""
    steps = request.ladder.steps
    waits = [step.after / request.pace for step in steps]
    return {
        "number": request.number,
        "campaign": request.campaign_id,
        "notice": campaign.notice_id,
        "sequence": campaign.sequence,
        "amended": campaign.kind == "amendment",
        "priority": request.priority,
        "channels": list(request.channels),
        "now": request.now,
        "kinds": [step.kind.value for step in steps],
        "body_kinds": [BODY_KIND.get(step.kind, "") for step in steps],
        "rules": [step.contact.value for step in steps],
        "waits": waits,
        "slacks": [slack(wait) for wait in waits],
        "steps": len(steps),
        "sending_steps": sum(step.kind is not StepKind.PHONE for step in steps),
    }


async def progress(
    session: AsyncSession, number: str, campaign_id: int, ladder: Ladder, now: datetime
) -> CampaignProgress:
    """Where the campaign stands at `now`; read-only."""
    campaign = await _campaign(session, number, campaign_id)
    scope = {"number": number, "campaign": campaign_id, "sequence": campaign.sequence}
    counted = await _rows(session, COUNT_CONSIGNEES, **scope)
    deliveries = await _rows(session, COUNT_DELIVERIES, campaign=campaign_id, now=now)
    steps = await _rows(session, NEXT_STEP, **scope)
    given = {"patience": patience(ladder, await _pace(session, number)), "contact_reasons": CONTACT_REASONS}
    (owing,) = await _rows(session, NEXT_OWING, number=number, **given)
    following = _following(deliveries, steps, owing, ladder)
    totals = counted[0]
    return CampaignProgress(
        consignees=totals["consignees"],
        answered=totals["consignees"] - totals["outstanding"],
        outstanding=totals["outstanding"],
        stated=totals["stated"],
        not_notified=totals["not_notified"],
        first_sent_at=totals["first_sent_at"],
        cases_to_start=totals["cases_to_start"],
        pending={row["channel"]: row["due"] for row in deliveries if row["due"]},
        unsent=sum(row["due"] + row["waiting"] for row in deliveries),
        **following,
    )


async def end(session: AsyncSession, request: EndCampaign) -> int:
    """Cancel what is not sent yet and close the campaign; returns how many messages were cancelled.

    A message that a sender holds at this moment is cancelled as ambiguous; should it have gone out, the sender's own
    result or the provider's callback still corrects the record.
    """
    cancelled = await _run(session, CANCEL_ALL, campaign=request.campaign_id, now=request.now)
    ended = await _run(
        session,
        "UPDATE campaign SET ended_at = :now WHERE id = :campaign AND ended_at IS NULL",
        campaign=request.campaign_id,
        now=request.now,
    )
    if cancelled or ended:
        await audit.append(
            session,
            request.number,
            actor="system",
            role="campaign",
            action="campaign.ended",
            at=request.now,
            reason=request.reason,
            data={"campaign": request.campaign_id, "cancelled": cancelled},
        )
    return cancelled


def _following(
    deliveries: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]], owing: dict[str, Any], ladder: Ladder
) -> dict[str, Any]:
    """The next thing that becomes due by itself: a retry, a ladder step, or a call for quantities."""
    due: list[tuple[datetime, str, int, int]] = [
        (row["later"], "retry", 0, row["waiting"]) for row in deliveries if row["later"] is not None
    ]
    due += [
        (row["due_at"], ladder.steps[row["step"]].kind.value, row["step"] + 1, row["consignees"])
        for row in steps
        if row["step"] < len(ladder.steps)
    ]
    if owing["due_at"] is not None:
        due.append((owing["due_at"], "quantities", 0, owing["consignees"]))
    if not due:
        return {"next_due_at": None}
    at, kind, round_number, count = min(due)
    return {"next_due_at": at, "next_kind": kind, "next_round": round_number, "next_count": count}


def patience(ladder: Ladder, pace: float) -> timedelta:
    """How long whoever acknowledged may owe its quantities: as long as a silent consignee is chased before a call."""
    return ladder.offsets()[-1] / pace


async def _calls(session: AsyncSession, request: AdvanceCampaign) -> dict[str, Any]:
    """What the pinned policies say of a telephone task opened now, as parameters of the statements that open them."""
    recall = await recalls.get(session, request.number)
    rule = tasks.times_for(await recalls.pinned(session, request.number), recall, HumanStep.PHONE_CALL, request.now)
    due = rule.times.due_at
    return {
        "contact_reasons": CONTACT_REASONS,
        "call_role": rule.role.value,
        "call_stand_in": rule.stand_in.value if rule.stand_in else None,
        "case_prefix": case_id(request.number, "0")[:-1],
        "call_due": due,
        "call_policy_due": policy_instant(due, recall.created_at, recall.pace) if due else None,
        "call_remind": rule.times.remind_at,
        "call_escalate": rule.times.escalate_at,
    }


async def _owing(session: AsyncSession, request: AdvanceCampaign, calls: dict[str, Any]) -> dict[str, Any]:
    given = {"number": request.number, "now": request.now, "patience": patience(request.ladder, request.pace)}
    return (await _rows(session, OWING, **given, **calls))[0]


async def _pace(session: AsyncSession, number: str) -> float:
    return (await recalls.get(session, number)).pace


async def _campaign(session: AsyncSession, number: str, campaign_id: int) -> Any:
    found = (
        await run(
            session,
            "SELECT k.sequence, k.notice_id, n.kind FROM campaign k JOIN notice n ON n.id = k.notice_id"
            " WHERE k.id = :campaign AND k.recall_number = :number",
            {"campaign": campaign_id, "number": number},
        )
    ).one_or_none()
    if found is None:
        raise CampaignError(f"recall {number} has no campaign {campaign_id}")
    return found


async def _check_bodies(session: AsyncSession, campaign: Any, ladder: Ladder, channels: Sequence[str]) -> None:
    """Without this, a body missing from the notice would look like consignees without an address."""
    notice_id = campaign.notice_id
    found = await _rows(
        session, "SELECT DISTINCT kind, channel FROM notice_body WHERE notice_id = :notice", notice=notice_id
    )
    known = {(row["kind"], row["channel"]) for row in found}
    kinds = {BODY_KIND[step.kind] for step in ladder.steps if step.kind in BODY_KIND}
    needed = {(kind, channel) for kind in kinds | ({"amendment"} & {campaign.kind}) for channel in channels}
    missing = sorted(f"{kind}/{channel}" for kind, channel in needed - known)
    if missing:
        raise CampaignError(f"notice {notice_id} has no body for {', '.join(missing)}")


async def _note_advance(session: AsyncSession, request: AdvanceCampaign, done: Advanced) -> None:
    await audit.append(
        session,
        request.number,
        actor="system",
        role="campaign",
        action="campaign.advanced",
        at=request.now,
        data={
            "campaign": request.campaign_id,
            "deliveries": done.written,
            "calls": done.called,
            "cases": done.cases,
            "cancelled": done.cancelled,
        },
    )


async def _rows(session: AsyncSession, statement: str, **values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await run(session, statement, values)).mappings()]


async def _run(session: AsyncSession, statement: str, **values: Any) -> int:
    result: Any = await run(session, statement, values)
    return int(result.rowcount)
