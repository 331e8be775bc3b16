"""What changed at keepers of stock, for the whole installation: one workflow reads their feeds.

It holds nothing but its pace: how far each feed was read is in the record. A keeper's webhook makes it look at once; a
lost one costs the time to the next look. A worker starts it and finds it running.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from models.messages import INVENTORY_QUEUE
    from models.messages_keepers import KeeperFeedsInput, KeeperFeedsRead, ReadKeeperFeeds
    from workflows.deadline import wait_until

_AT_ONCE: Final = timedelta(seconds=1)
"""Pause while changes are left, and the least between two looks: a storm of webhooks is one look a second."""
_ROUNDS: Final = 300
"""Rounds of one run: at most some 5,000 events."""
_SETTLES: Final = "settle-at-keepers"
"""Patch: runs begun before it only read."""
_OPTIONS: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=30),
    "schedule_to_start_timeout": timedelta(minutes=2),
    "heartbeat_timeout": timedelta(minutes=2),
    # The next round is the retry.
    "retry_policy": RetryPolicy(maximum_attempts=1),
}


@workflow.defn(name="KeeperFeedsWorkflow", failure_exception_types=[ValidationError])
class KeeperFeedsWorkflow:
    """Runs for ever under one id."""

    @workflow.init
    def __init__(self, start: KeeperFeedsInput) -> None:
        """State exists before the first signal."""
        self._pause = timedelta(seconds=start.pause_seconds)
        self._looked = "not yet"
        self._wanted = False

    @workflow.run
    async def run(self, _start: KeeperFeedsInput) -> None:
        """Round after round; continues as new after 300 of them or when the server suggests it."""
        for _ in range(_ROUNDS):
            self._wanted = False  # a look asked for from here on may be for what this one does not see any more
            more = await self._look()
            if workflow.patched(_SETTLES):
                await self._settle()
            workflow.set_current_details(f"**Changes at keepers of stock**\n\nLast look: {self._looked}")
            await workflow.sleep(_AT_ONCE, summary="At most one look a second")
            if not more:
                await wait_until(lambda: self._wanted, workflow.now() + self._pause, "Read the keepers' changes again")
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(KeeperFeedsInput(pause_seconds=self._pause.total_seconds()))

    async def _look(self) -> bool:
        try:
            read: KeeperFeedsRead = await workflow.execute_activity(
                "read_keeper_feeds",
                ReadKeeperFeeds(now=workflow.now()),
                result_type=KeeperFeedsRead,
                task_queue=INVENTORY_QUEUE,
                summary="Read what changed at keepers of stock",
                **_OPTIONS,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._looked = "failed"
            return False
        self._pause = timedelta(seconds=read.every_seconds)
        self._looked = f"{read.keepers} keepers, {read.failed} of them failed, {read.changes} changes"
        return read.more

    async def _settle(self) -> None:
        """Holds of recalls that have ended stand at keepers as well; nobody else tells them what became of these."""
        try:
            await workflow.execute_activity(
                "settle_keepers",
                ReadKeeperFeeds(now=workflow.now()),
                result_type=int,
                task_queue=INVENTORY_QUEUE,
                summary="Tell keepers of stock what is due",
                **_OPTIONS,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise

    @workflow.signal
    def look(self) -> None:
        """Look at once."""
        self._wanted = True


__all__ = ["KeeperFeedsWorkflow"]
