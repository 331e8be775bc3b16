"""A channel stopped by an account-level error is a task for a person, closed when a probe goes through again."""

from datetime import timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls, tasks
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.messages import CampaignStop, OpenTask

_LIMIT: Final = timedelta(hours=1)
"""Real time: a stopped notice is an incident of the installation, whatever pace its recall runs at."""

_STATES: Final = """
SELECT count(*) AS known, max(id) AS last,
       count(*) FILTER (WHERE state IN ('offered', 'accepted', 'sent_back')) AS still_open
FROM task WHERE recall_number = :number AND starts_with(key, :prefix)
"""


async def note(session: AsyncSession, stop: CampaignStop) -> None:
    """Open the task of a new stop or close that of an ended one; a repeat changes nothing."""
    prefix = f"campaign-stop:{stop.campaign_id}:{stop.channel}:"
    known, _, still_open = (await run(session, _STATES, {"number": stop.number, "prefix": prefix})).one()
    if stop.reason is None:
        key = f"{prefix}{known}"
        outcome = "a probe went through"
        changed = await tasks.close(session, stop.number, key, outcome=outcome, done_by="system", now=stop.now)
    elif still_open:
        return
    else:
        task = OpenTask(
            number=stop.number,
            key=f"{prefix}{known + 1}",
            step="notification",
            what=f"Notices by {stop.channel} are stopped: {stop.reason}"[:300],
            role=Role.QA.value,
            stand_in=Role.REGULATORY.value,
            remind_at=stop.now + _LIMIT / 2,
            due_at=stop.now + _LIMIT,
            escalate_at=stop.now + _LIMIT + _LIMIT / 2,
            owner=recall_id(stop.number),
            now=stop.now,
        )
        changed = await tasks.open_task(session, await recalls.get(session, stop.number), task)
    if changed:
        await audit.append(
            session,
            stop.number,
            actor="system",
            role="campaign",
            action="campaign.resumed" if stop.reason is None else "campaign.stopped",
            at=stop.now,
            reason=stop.reason,
            data={"campaign": stop.campaign_id, "channel": stop.channel},
        )
