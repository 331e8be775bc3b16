"""Telling a workflow to look at the record again. A lost nudge costs nothing: every deadline re-reads the record."""

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from temporalio.service import RPCError

from api.state import ApiState
from domain.workflow_ids import KEEPER_FEEDS_ID, RETURNS_ID, campaign_id, case_id, disposition_id, recall_id
from models.replies import RecordedReply

_log = logging.getLogger("api.nudge")
_TIMEOUT: Final = timedelta(seconds=3)
NUDGE: Final = "nudge"
"""Signal of the workflows that read everything from the record."""
RECORD_MOVED: Final = "record_moved"
"""Signal of the recall's workflow: something it decides by has changed in the record."""
TEXTS_CORRECTED: Final = "texts_corrected"
"""Signal of the recall's workflow: reason, hazard or a translation was corrected."""
TASK_MOVED: Final = "task_moved"
"""Signal of every workflow that owns tasks."""
LOOK: Final = "look"
"""Signal of the workflows that read the mailbox (and send pages that no recall sends) and the keepers' changes."""
STOCK_APPEARED: Final = "stock_appeared"
"""Signal of the recall's workflow: something to hold."""


async def nudge_campaign(state: ApiState, number: str, sequence: int | None) -> None:
    """Signal the campaign after the commit; whatever prevents it is logged and forgotten."""
    if sequence is not None:
        await nudge_workflow(state, campaign_id(number, sequence))


async def nudge_case(state: ApiState, number: str, consignee_id: int) -> None:
    """Tell a consignee's case workflow, if one runs, that its record changed."""
    await nudge_workflow(state, case_id(number, str(consignee_id)))


async def nudge_workflow(state: ApiState, workflow_id: str) -> None:
    """Tell a workflow with the signal `nudge` that its record changed."""
    await _signal(state, workflow_id, NUDGE)


async def nudge_recall(state: ApiState, number: str, kind: str) -> None:
    """Tell the recall what has changed (`effectiveness`, `complaint`, `checklist`); a lost signal is read later."""
    await _signal(state, recall_id(number), RECORD_MOVED, kind)


async def nudge_stock(state: ApiState, number: str) -> None:
    """Tell the recall that there is something to hold; its hold watch looks at once."""
    await _signal(state, recall_id(number), STOCK_APPEARED)


async def nudge_feeds(state: ApiState) -> bool:
    """Have the keepers' changes read at once; whether Temporal took the request."""
    return await _signal(state, KEEPER_FEEDS_ID, LOOK)


async def nudge_texts(state: ApiState, number: str) -> None:
    """Tell the recall that its texts were corrected; a draft that waits for its release is made anew."""
    await _signal(state, recall_id(number), TEXTS_CORRECTED)


async def nudge_owners(state: ApiState, owners: Iterable[tuple[str | None, str]]) -> None:
    """Tell each owner of the (workflow id, task key) pairs, once, that a task of its own was moved or completed."""
    for owner, key in dict(owners).items():
        if owner == RETURNS_ID:
            await _signal(state, RETURNS_ID, LOOK)
        elif owner:
            await _signal(state, owner, TASK_MOVED, key)


async def nudge_after_reply(state: ApiState, number: str, consignee_id: int, recorded: RecordedReply) -> None:
    """Tell everybody whom a reply concerns: the recall when it reports harm, its campaign, its case."""
    if recorded.complaint is not None:
        await nudge_recall(state, number, "complaint")
    if recorded.nudge_due:
        await nudge_campaign(state, number, recorded.campaign_sequence)
        await nudge_workflow(state, disposition_id(number))
    if recorded.case_moved:
        await nudge_case(state, number, consignee_id)


async def _signal(state: ApiState, workflow: str, signal: str, *arguments: str) -> bool:
    try:
        client = await state.temporal.client()
        await client.get_workflow_handle(workflow).signal(signal, args=list(arguments), rpc_timeout=_TIMEOUT)
    except (RPCError, RuntimeError) as error:
        _log.info(json.dumps({"event": "nudge_lost", "workflow": workflow, "reason": type(error).__name__}))
        return False
    return True


__all__ = [
    "nudge_after_reply",
    "nudge_campaign",
    "nudge_case",
    "nudge_feeds",
    "nudge_owners",
    "nudge_recall",
    "nudge_stock",
    "nudge_texts",
    "nudge_workflow",
]
