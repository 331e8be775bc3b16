"""A campaign's progress in the record: the ladder is walked for all its consignees in one transaction.

`advance` is idempotent: what it has taken is no longer due, so a repeat after a lost answer finds nothing and only
counts. A consignee is *open* until anything is heard of it; an acknowledgement ends the chase for the acknowledgement,
and begins the one for the quantities, and those the one for what the notice asks for (`domain.stages`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, channel_order, merging, quiet_hours, recalls, retelling, stages, tasks
from db.repositories.campaign_sql import (
    ADVANCE,
    CANCEL_ALL,
    CANCEL_ANSWERED,
    COUNT_CONSIGNEES,
    COUNT_DELIVERIES,
    COUNT_STAGES,
    NEXT_OWED,
    NEXT_STEP,
)
from db.repositories.campaign_walks import BODY_KIND, figures_of
from db.repositories.cases import By
from db.repositories.cases_sql import CONTACT_REASONS
from db.repositories.stages_sql import OWING_STATE
from domain.ladder import Ladder, StepKind, look_again, stages_of
from domain.notice_kinds import SENT_ONCE
from domain.pace import policy_instant
from domain.policy_parts import HumanStep
from domain.stages import BASE
from domain.workflow_ids import case_id
from models.messages import AdvanceCampaign, CampaignProgress, EndCampaign


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


async def advance(session: AsyncSession, request: AdvanceCampaign) -> Advanced:
    """Take every ladder step due at `request.now` and plan its messages; the caller commits.

    Everything is written before anything is audited: an answer and an opt-out lock the consignee and its messages
    first and the audit chain last, too. The recall comes before all of them, because its cases and calls refer to it.

    Raises:
        CampaignError: no such campaign, or its notice lacks a body that the ladder needs.
    """
    campaign = await _campaign(session, request.number, request.campaign_id)
    await recalls.share(session, [request.number])
    cancelled = await _run(session, CANCEL_ANSWERED, campaign=request.campaign_id, now=request.now)
    await merging.free(session, request.campaign_id)
    if campaign.kind in SENT_ONCE:
        # Its messages were written when it was created; nobody is chased.
        copies = await _plan(session, request, campaign.notice_id)
        return Advanced({"copy": copies} if copies else {}, 0, cancelled)
    await _check_bodies(session, campaign, request.ladder, request.channels)
    by = By("system", "campaign", request.now)
    settled = await stages.mark(session, request.number, by)
    shared = await _calls(session, request) | {"preferred": await channel_order.preferred(session, request.number)}
    walks = figures_of(request, campaign)
    rows = [(await run(session, ADVANCE, figures | shared)).mappings().one() for figures in walks]
    retold = 0
    if campaign.kind == "amendment":
        retold = await retelling.tell_otherwise(session, request, campaign.notice_id, shared["preferred"])
    copies = await _plan(session, request, campaign.notice_id)
    await stages.note(session, request.number, settled, by)
    written: Counter[str] = Counter({"copy": copies} if copies else {})
    for row in rows:
        written.update(row["written"])
    if retold:
        written["amendment"] += retold
    done = Advanced(
        dict(written), sum(row["called"] for row in rows), cancelled, cases=sum(row["cased"] for row in rows)
    )
    if any(row["moved"] for row in rows) or done.cases or cancelled or copies or retold:
        await _note_advance(session, request, done)
    return done


async def _plan(session: AsyncSession, request: AdvanceCampaign, notice_id: int) -> int:
    """Who shares a message, who gets a copy and who rests now; returns the number of copies."""
    copies = await merging.plan(session, request, notice_id)
    await quiet_hours.plan(session, request)
    return copies


async def progress(
    session: AsyncSession, number: str, campaign_id: int, ladder: Ladder, now: datetime
) -> CampaignProgress:
    """Where the campaign stands at `now`; read-only."""
    campaign = await _campaign(session, number, campaign_id)
    scope = {"number": number, "campaign": campaign_id, "sequence": campaign.sequence}
    counted = await _rows(session, COUNT_CONSIGNEES, **scope)
    deliveries = await _rows(session, COUNT_DELIVERIES, campaign=campaign_id, now=now)
    steps = await _rows(session, NEXT_STEP, **scope)
    owed = [] if campaign.kind in SENT_ONCE else await _owed(session, scope, ladder, campaign.started_at)
    following = _following(deliveries, steps, owed, ladder)
    totals = counted[0]
    stages_now = await _rows(session, COUNT_STAGES, number=number, sequence=campaign.sequence)
    return CampaignProgress(
        consignees=totals["consignees"],
        answered=totals["consignees"] - totals["outstanding"],
        outstanding=totals["outstanding"],
        stated=totals["stated"],
        stages={row["stage"]: row["consignees"] for row in stages_now},
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
    deliveries: Sequence[dict[str, Any]],
    steps: Sequence[dict[str, Any]],
    owed: Sequence[tuple[datetime, str, int]],
    ladder: Ladder,
) -> dict[str, Any]:
    """The next thing that becomes due by itself: a retry, a ladder step, or asking for the next stage."""
    due: list[tuple[datetime, str, int, int]] = [
        (row["later"], "retry", 0, row["waiting"]) for row in deliveries if row["later"] is not None
    ]
    due += [
        (row["due_at"], ladder.steps[row["step"]].kind.value, row["step"] + 1, row["consignees"])
        for row in steps
        if row["step"] < len(ladder.steps)
    ]
    due += [(at, kind, 0, consignees) for at, kind, consignees in owed]
    if not due:
        return {"next_due_at": None}
    at, kind, round_number, count = min(due)
    return {"next_due_at": at, "next_kind": kind, "next_round": round_number, "next_count": count}


async def _owed(
    session: AsyncSession, scope: dict[str, Any], ladder: Ladder, started_at: datetime
) -> list[tuple[datetime, str, int]]:
    """When whoever owes a stage is asked next, and how many owe it.

    People answer one by one, so each would be due at an instant of its own: they are taken together, at the next of
    the instants that divide the stage's shortest wait, and a campaign's history grows with those, not with answers.
    """
    pace, due = await _pace(session, scope["number"]), []
    for stage in stages_of(ladder):
        waits = [step.after / pace for step in stage.steps]
        lane = {"state": OWING_STATE[stage.owed], "base": BASE[stage.owed], "first_wait": waits[0]}
        (row,) = await _rows(session, NEXT_OWED, **scope, **lane)
        if row["due_at"] is not None:
            due.append((look_again(row["due_at"], started_at, waits), stage.owed.value, row["consignees"]))
    return due


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


async def _pace(session: AsyncSession, number: str) -> float:
    return (await recalls.get(session, number)).pace


async def _campaign(session: AsyncSession, number: str, campaign_id: int) -> Any:
    found = (
        await run(
            session,
            "SELECT k.sequence, k.notice_id, k.started_at, n.kind FROM campaign k JOIN notice n ON n.id = k.notice_id"
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
    kinds |= {stage.owed.value for stage in ladder.stages if stage.steps[0].kind is not StepKind.PHONE}
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
