"""Telling workflows that the record changed, from an activity: what `api/nudge.py` does for requests.

A lost nudge costs nothing, because every deadline re-reads the record; so what prevents one is logged and forgotten.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from db.repositories.stranger_harm import Paged
from domain.workflow_ids import RETURNS_ID, campaign_id, case_id, disposition_id, recall_id
from models.replies import RecordedReply

_LOG = logging.getLogger("activities.nudging")
_TIMEOUT: Final = timedelta(seconds=3)
NUDGE: Final = "nudge"
TASK_MOVED: Final = "task_moved"
RECORD_MOVED: Final = "record_moved"
LOOK: Final = "look"
"""Signal of the workflow that reads the mailbox: it sends pages that no recall sends, too."""
Nudge = Callable[[str, str, tuple[str, ...]], Awaitable[None]]
"""Signal a workflow: its id, the signal, its arguments."""


def has_ended(error: RPCError) -> bool:
    """Whether a signal found no workflow that runs; a server that does not know its namespace yet is away instead."""
    lacks_all = any(each.type_url.endswith(".NamespaceNotFoundFailure") for each in error.grpc_status.details)
    return error.status is RPCStatusCode.NOT_FOUND and not lacks_all


def nudger(client: Client) -> Nudge:
    """Nudge by signal."""

    async def nudge(workflow_id: str, signal: str, arguments: tuple[str, ...]) -> None:
        handle: Any = client.get_workflow_handle(workflow_id)
        try:
            await handle.signal(signal, args=list(arguments), rpc_timeout=_TIMEOUT)
        except (RPCError, RuntimeError) as error:
            _LOG.info("nudge of %s lost: %s", workflow_id, type(error).__name__)

    return nudge


class Gathered:
    """Nudges of one piece of work, each sent once at its end: a storm of bounces must not fill a campaign's history."""

    def __init__(self, nudge: Nudge) -> None:
        self._nudge = nudge
        self._waiting: dict[tuple[str, str, tuple[str, ...]], None] = {}

    async def __call__(self, workflow_id: str, signal: str, arguments: tuple[str, ...]) -> None:
        """Remember a nudge."""
        self._waiting[workflow_id, signal, arguments] = None

    async def send(self) -> None:
        """Send what is remembered, in its order."""
        waiting, self._waiting = self._waiting, {}
        for workflow_id, signal, arguments in waiting:
            await self._nudge(workflow_id, signal, arguments)


async def nudge_campaign(nudge: Nudge, number: str, sequence: int | None) -> None:
    """A notice did not arrive, or its recipient answered: the campaign looks at once."""
    if sequence is not None:
        await nudge(campaign_id(number, sequence), NUDGE, ())


async def nudge_recall(nudge: Nudge, number: str, kind: str) -> None:
    """Tell the recall what has changed (`complaint`)."""
    await nudge(recall_id(number), RECORD_MOVED, (kind,))


async def nudge_owner(nudge: Nudge, paged: Paged) -> None:
    """Tell the workflow that runs a task's timers of it, and of who is to be told; or the one that sends pages."""
    if paged.owner == RETURNS_ID:
        await nudge(RETURNS_ID, LOOK, ())
    else:
        await nudge(paged.owner, TASK_MOVED, (paged.key,))


async def nudge_after_reply(nudge: Nudge, number: str, consignee_id: int, recorded: RecordedReply) -> None:
    """Tell everybody whom a reply concerns: the recall when it reports harm, its campaign, its case."""
    if recorded.complaint is not None:
        await nudge_recall(nudge, number, "complaint")
    if recorded.nudge_due:
        await nudge_campaign(nudge, number, recorded.campaign_sequence)
        await nudge(disposition_id(number), NUDGE, ())
    if recorded.case_moved:
        await nudge(case_id(number, str(consignee_id)), NUDGE, ())


__all__ = [
    "Gathered",
    "Nudge",
    "has_ended",
    "nudge_after_reply",
    "nudge_campaign",
    "nudge_owner",
    "nudge_recall",
    "nudger",
]
