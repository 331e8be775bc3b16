"""Campaigns that people paused, resumed or aborted, as the record keeps them.

A pause holds from its commit on: no claim finds a delivery of a paused campaign, so batches under way end by
themselves. An abort keeps the list of those it leaves behind and opens the task to reach them otherwise.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, campaign, recalls, tasks
from db.rows import uuid_of
from domain.roles import Permission, Role, acting_role
from domain.workflow_ids import recall_id
from models.messages import EndCampaign, OpenTask
from models.messages_pausing import CampaignDecided, RecordCampaignDecision

_LIMIT: Final = timedelta(hours=4)
"""House rule, real time: how soon somebody says how those who were not told are reached."""

# An attempt that stood still (its machine was suspended) and goes on after others have paused or resumed anew must not
# take that back: the workflow would send nothing, or believe so, and nobody would know why.
_NEWEST: Final = """NOT EXISTS (
    SELECT FROM audit_event later
    WHERE later.stream = :number AND later.action IN ('campaign.paused_by_hand', 'campaign.resumed_by_hand')
      AND later.at > :now AND later.data ->> 'campaign' = CAST(:campaign AS text))"""
_PAUSE: Final = f"""
UPDATE campaign SET paused_at = :now, paused_by = :actor, pause_reason = :reason
WHERE id = :campaign AND recall_number = :number AND paused_at IS NULL AND ended_at IS NULL AND {_NEWEST}
"""  # noqa: S608 - constants
_RESUME: Final = f"""
UPDATE campaign SET paused_at = NULL
WHERE id = :campaign AND recall_number = :number AND paused_at IS NOT NULL AND ended_at IS NULL AND {_NEWEST}
"""  # noqa: S608 - constants
_LOCK: Final = "SELECT id FROM campaign WHERE id = :campaign AND recall_number = :number FOR NO KEY UPDATE"
_PROBED: Final = """
SELECT count(*) FROM audit_event
WHERE stream = :number AND action = 'campaign.probed_by_hand' AND at = :now
  AND data ->> 'campaign' = CAST(:campaign AS text)
"""
_ABORT: Final = """
UPDATE campaign SET aborted_at = :now, aborted_by = :actor, abort_reason = :reason,
    abort_signature_id = CAST(:signature AS uuid)
WHERE id = :campaign AND recall_number = :number AND aborted_at IS NULL
"""
_REMAINDER: Final = """
INSERT INTO campaign_remainder (campaign_id, consignee_id, told)
SELECT :campaign, c.id, c.first_notified_at IS NOT NULL
FROM consignee c
WHERE c.recall_number = :number AND c.campaign_sequence = :sequence AND c.state IN ('open', 'acknowledged')
ON CONFLICT DO NOTHING
"""
_LEFT: Final = """
SELECT count(*) FILTER (WHERE NOT told) AS untold, count(*) FILTER (WHERE told) AS unanswered
FROM campaign_remainder WHERE campaign_id = :campaign
"""
_OF_RECALL: Final = """
SELECT k.sequence, n.kind, n.version AS notice_version, k.started_at, k.ended_at, k.paused_at, k.paused_by,
       k.pause_reason, k.aborted_at, k.aborted_by, k.abort_reason,
       doubt.messages AS doubtful, doubt.again AS repeated_at_most
FROM campaign k JOIN notice n ON n.id = k.notice_id
CROSS JOIN LATERAL (
    -- Whatever was in doubt is claimed again; a mail server cannot be asked, so a mail then goes out again.
    SELECT count(*) AS messages,
           count(*) FILTER (WHERE d.channel = 'email' AND d.attempt > 1 AND d.submitted_at IS NOT NULL) AS again
    FROM delivery d WHERE d.campaign_id = k.id AND d.ambiguous AND d.carried_by IS NULL
) doubt
WHERE k.recall_number = :number AND (CAST(:sequence AS int) IS NULL OR k.sequence = :sequence)
ORDER BY k.sequence
"""
_LISTED: Final = """
SELECT m.consignee_id, partner.code AS partner_code, partner.name AS partner_name, partner.country, m.told, c.state
FROM campaign k
JOIN campaign_remainder m ON m.campaign_id = k.id
JOIN consignee c ON c.id = m.consignee_id
JOIN partner ON partner.id = c.partner_id
WHERE k.recall_number = :number AND k.sequence = :sequence AND m.consignee_id > :after
ORDER BY m.consignee_id LIMIT :limit
"""


async def record(session: AsyncSession, decision: RecordCampaignDecision) -> CampaignDecided:
    """Write a decision down; a repeat changes nothing and answers the same."""
    if decision.operation == "abort_campaign":
        return await _abort(session, decision)
    if decision.operation == "probe_channels":
        return await _probe(session, decision)
    paused = decision.operation == "pause_campaign"
    if await _change(session, _PAUSE if paused else _RESUME, decision):
        await _note(session, decision, "campaign.paused_by_hand" if paused else "campaign.resumed_by_hand", {})
    return CampaignDecided()


async def of_recall(session: AsyncSession, number: str, sequence: int | None = None) -> Sequence[Any]:
    """The recall's campaigns, or the one with this sequence."""
    return (await run(session, _OF_RECALL, {"number": number, "sequence": sequence})).all()


async def remainder(session: AsyncSession, number: str, sequence: int, *, after: int, limit: int) -> Sequence[Any]:
    """Whom an aborted campaign left behind, by consignee."""
    given = {"number": number, "sequence": sequence, "after": after, "limit": limit}
    return (await run(session, _LISTED, given)).all()


async def _probe(session: AsyncSession, decision: RecordCampaignDecision) -> CampaignDecided:
    """Stopped channels are tried at once: of that the record has nothing but who said so, and why."""
    scope = {"campaign": decision.campaign_id, "number": decision.number}
    await run(session, _LOCK, scope)
    if not (await run(session, _PROBED, scope | {"now": decision.now})).scalar_one():
        await _note(session, decision, "campaign.probed_by_hand", {})
    return CampaignDecided()


async def _abort(session: AsyncSession, decision: RecordCampaignDecision) -> CampaignDecided:
    new = await _change(session, _ABORT, decision)
    scope = {"campaign": decision.campaign_id, "number": decision.number, "sequence": decision.sequence}
    if new:
        await run(session, _REMAINDER, scope)
    left = (await run(session, _LEFT, {"campaign": decision.campaign_id})).mappings().one()
    if new:
        ending = EndCampaign(
            number=decision.number,
            campaign_id=decision.campaign_id,
            reason=f"aborted by {decision.actor.principal}",
            now=decision.now,
        )
        await campaign.end(session, ending)  # messages before the chain, as whoever sends or answers
        await _note(session, decision, "campaign.aborted", dict(left))
        if left["untold"] or left["unanswered"]:
            await _open_task(session, decision, left["untold"], left["unanswered"])
    return CampaignDecided(**left)


async def _open_task(session: AsyncSession, decision: RecordCampaignDecision, untold: int, unanswered: int) -> None:
    now: datetime = decision.now
    task = OpenTask(
        number=decision.number,
        key=f"campaign-abort:{decision.campaign_id}",
        step="notification",
        what=f"Notice {decision.sequence} was aborted: reach {untold} consignees that were never told and"
        f" {unanswered} that owe an answer in another way",
        role=Role.QA.value,
        stand_in=Role.REGULATORY.value,
        remind_at=now + _LIMIT / 2,
        due_at=now + _LIMIT,
        escalate_at=now + _LIMIT + _LIMIT / 2,
        owner=recall_id(decision.number),
        now=now,
    )
    await tasks.open_task(session, await recalls.get(session, decision.number), task)


async def _change(session: AsyncSession, statement: str, decision: RecordCampaignDecision) -> bool:
    signature = uuid_of(decision.actor.signature)
    values = {
        "number": decision.number,
        "campaign": decision.campaign_id,
        "now": decision.now,
        "actor": decision.actor.principal,
        "reason": decision.reason,
        "signature": signature,
    }
    wanted = {name: value for name, value in values.items() if f":{name}" in statement}
    result: Any = await run(session, statement, wanted)
    return bool(result.rowcount)


async def _note(session: AsyncSession, decision: RecordCampaignDecision, action: str, left: dict[str, Any]) -> None:
    aborting = decision.operation == "abort_campaign"
    permission = Permission.ABORT_CAMPAIGN if aborting else Permission.PAUSE_CAMPAIGN
    signed = {"signature": decision.actor.signature} if decision.actor.signature else {}
    await audit.append(
        session,
        decision.number,
        actor=decision.actor.principal,
        role=acting_role(decision.actor.roles, permission).value,
        action=action,
        at=decision.now,
        reason=decision.reason,
        data={"campaign": decision.campaign_id, "sequence": decision.sequence, **left, **signed},
    )


__all__ = ["of_recall", "record", "remainder"]
