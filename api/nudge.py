"""Telling a workflow to look at the record again. A lost nudge costs nothing: every deadline re-reads the record."""

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from temporalio.service import RPCError

from api.state import ApiState
from domain.workflow_ids import campaign_id, recall_id

_log = logging.getLogger("api.nudge")
_TIMEOUT: Final = timedelta(seconds=3)
NUDGE: Final = "nudge"
"""Signal of the campaign workflow."""


async def nudge_campaign(state: ApiState, number: str, sequence: int | None) -> None:
    """Signal the campaign after the commit; whatever prevents it is logged and forgotten."""
    if sequence is None:
        return
    try:
        client = await state.temporal.client()
        handle = client.get_workflow_handle(campaign_id(number, sequence))
        await handle.signal(NUDGE, rpc_timeout=_TIMEOUT)
    except (RPCError, RuntimeError) as error:
        _log.info(json.dumps({"event": "nudge_lost", "recall": number, "reason": type(error).__name__}))


RECORD_MOVED: Final = "record_moved"
"""Signal of the recall's workflow: something it decides by has changed in the record."""


async def nudge_recall(state: ApiState, number: str, kind: str) -> None:
    """Tell the recall what has changed (`effectiveness`, `complaint`, `checklist`); a lost signal is read later."""
    try:
        client = await state.temporal.client()
        await client.get_workflow_handle(recall_id(number)).signal(RECORD_MOVED, kind, rpc_timeout=_TIMEOUT)
    except (RPCError, RuntimeError) as error:
        _log.info(json.dumps({"event": "nudge_lost", "recall": number, "reason": type(error).__name__}))


async def nudge_workflow(state: ApiState, workflow_id: str) -> None:
    """Tell a workflow that has the signal `nudge` to look at its record again."""
    try:
        client = await state.temporal.client()
        await client.get_workflow_handle(workflow_id).signal(NUDGE, rpc_timeout=_TIMEOUT)
    except (RPCError, RuntimeError) as error:
        _log.info(json.dumps({"event": "nudge_lost", "workflow": workflow_id, "reason": type(error).__name__}))


TASK_MOVED: Final = "task_moved"
"""Signal of every workflow that owns tasks."""


async def nudge_owners(state: ApiState, owners: Iterable[tuple[str | None, str]]) -> None:
    """Tell each owner of the (workflow id, task key) pairs, once, that a task of its own was moved or completed."""
    for owner, key in dict(owners).items():
        if not owner:
            continue
        try:
            client = await state.temporal.client()
            await client.get_workflow_handle(owner).signal(TASK_MOVED, key, rpc_timeout=_TIMEOUT)
        except (RPCError, RuntimeError) as error:
            _log.info(json.dumps({"event": "nudge_lost", "workflow": owner, "reason": type(error).__name__}))


__all__ = ["nudge_campaign", "nudge_owners", "nudge_recall", "nudge_workflow"]
