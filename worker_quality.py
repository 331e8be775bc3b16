"""The one workflow of quality's files: its activities, and keeping it running for as long as a worker does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.quality import QualityActivities
from db.engine import SessionFactory
from domain.workflow_ids import QUALITY_ID
from models.messages import RECALL_QUEUE
from models.messages_quality import QualityInput
from workflows.quality import QualityWorkflow

log = logging.getLogger("worker")
_STILL_RUNS: Final = timedelta(minutes=10)
_TRY_AGAIN: Final = timedelta(seconds=30)


def quality(sessions: SessionFactory) -> list[Callable[..., Any]]:
    """Activities of quality's files."""
    return [QualityActivities(sessions).turn_quality]


async def start_quality(client: Client) -> bool:
    """Start the workflow; one that runs already stays as it is. Whether it runs now."""
    try:
        await client.start_workflow(
            QualityWorkflow.run,
            QualityInput(),
            id=QUALITY_ID,
            task_queue=RECALL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="Nonconformities and supplier requests: what is due",
        )
    except (RPCError, RuntimeError) as error:
        why = error.status.name if isinstance(error, RPCError) else type(error).__name__
        log.warning("the workflow of quality's files was not started (%s); tried again", why)
        return False
    return True


async def keep_quality(client: Client) -> None:
    """Have it run: nobody else starts it."""
    while True:
        runs = await start_quality(client)
        await asyncio.sleep((_STILL_RUNS if runs else _TRY_AGAIN).total_seconds())


@contextlib.asynccontextmanager
async def kept_quality(client: Client) -> AsyncIterator[None]:
    """`keep_quality` beside the worker."""
    keeping = asyncio.create_task(keep_quality(client))
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


__all__ = ["keep_quality", "kept_quality", "quality", "start_quality"]
