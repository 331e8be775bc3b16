"""Composition of the keepers of stock: records and environment -> ledger, WMS, ERP; and the one workflow of feeds."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.keeper_feeds import KeeperFeedActivities
from activities.nudging import nudger
from activities.pacing import Pacer
from adapters.inventory.factory import build_keepers, builders
from adapters.inventory.ledger import LedgerInventory
from adapters.inventory.routing import RoutedKeepers
from db.engine import SessionFactory
from db.repositories.keepers import KeeperStore
from db.repositories.stock import StockLedger
from domain.keepers import KeeperRecord
from domain.workflow_ids import KEEPER_FEEDS_ID
from models.messages import RECALL_QUEUE
from models.messages_keepers import KeeperFeedsInput
from settings import Settings
from workflows.keeper_feeds import KeeperFeedsWorkflow

log = logging.getLogger("worker")
_STILL_RUNS: Final = timedelta(minutes=10)
"""How often a worker looks whether the workflow runs."""
_TRY_AGAIN: Final = timedelta(seconds=30)


def keepers_of(sessions: SessionFactory, ca_file: Path | None = None) -> RoutedKeepers:
    """Every keeper on record, each called at its own pace by all processes together.

    Args:
        ca_file: `Settings.keeper_ca_file`.
    """
    ledger = LedgerInventory(StockLedger(sessions))
    records = KeeperStore(sessions, now=lambda: datetime.now(UTC))

    def pace(record: KeeperRecord) -> Pacer:
        return Pacer(sessions, f"keeper:{record.code}", record.per_second)

    return build_keepers(ledger, records, os.environ, pace, builders(ca_file))


def reading_feeds(
    client: Client, sessions: SessionFactory, keepers: RoutedKeepers, settings: Settings
) -> list[Callable[..., Any]]:
    """Activities of what changed at keepers."""
    feeds = KeeperFeedActivities(sessions, keepers, nudger(client), settings.keeper_feed_seconds)
    return [feeds.read_keeper_feeds]


@contextlib.asynccontextmanager
async def kept_feeds(client: Client, settings: Settings) -> AsyncIterator[None]:
    """Have the workflow that reads the feeds run until the end of the block."""
    keeper = asyncio.create_task(_keep_feeds(client, settings))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep_feeds(client: Client, settings: Settings) -> None:
    while True:
        runs = await start_feeds(client, settings)
        await asyncio.sleep((_STILL_RUNS if runs else _TRY_AGAIN).total_seconds())


async def start_feeds(client: Client, settings: Settings) -> bool:
    """Start the workflow that reads the feeds; one that runs already stays as it is. Whether it runs now."""
    try:
        await client.start_workflow(
            KeeperFeedsWorkflow.run,
            KeeperFeedsInput(pause_seconds=settings.keeper_feed_seconds),
            id=KEEPER_FEEDS_ID,
            task_queue=RECALL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="Changes at keepers of stock",
        )
    except (RPCError, RuntimeError) as error:
        why = error.status.name if isinstance(error, RPCError) else type(error).__name__
        log.warning("the workflow that reads keepers' changes was not started (%s); tried again", why)
        return False
    return True


__all__ = ["keepers_of", "kept_feeds", "reading_feeds", "start_feeds"]
