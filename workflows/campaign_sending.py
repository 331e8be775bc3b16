"""Sending beside the campaign's looks: a channel that takes hours holds up neither them nor another channel.

Each channel has a task that brings what was counted out through a window of batches. While that takes long, the record
is looked at again whenever something happened: a bounce, a ladder step or a case does not wait for the last message.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from models.messages import BatchResult, CampaignInput, CampaignPause, CampaignProgress, SendBatch
    from workflows.activity_options import sending
    from workflows.campaign_stops import StoppedChannels
    from workflows.case_start import start_cases
    from workflows.deadline import cut, wait_until

BATCH: Final = 500
WINDOW: Final = 8
"""Batches of one channel under way at once."""
_APART: Final = timedelta(minutes=5)
"""Looks while something is being sent are at least so far apart: they must not outweigh the batches in the history."""
_SHORTEST: Final = timedelta(seconds=1)
_BESIDE: Final = "send-beside-looks"
"""Patch: campaigns begun before it send through one window for all channels, and look when all is sent."""
_IN_TIME: Final = "batches-end-in-time"
"""Patch: campaigns begun before it wait for a batch that never ends before they end or go on in a new run."""


class SendingChannels(StoppedChannels):
    """What a campaign's workflow has under way."""

    _start: CampaignInput
    _paused: CampaignPause | None
    _ending: str | None
    _nudged: bool

    def _init_sending(self) -> None:
        """Call in `@workflow.init`."""
        self._senders: dict[str, asyncio.Task[int]] = {}
        """Channel -> its backlog being sent; the result is how many deliveries were claimed."""
        self._claimed = 0

    def _sendable(self, progress: CampaignProgress) -> dict[str, int]:
        """Deliveries to send now by channel; of a stopped channel one, as a probe, when its time has come."""
        if self._paused is not None:
            return {}
        probing = self._probe_at is None or workflow.now() >= self._probe_at
        return {
            channel: 1 if channel in self._stop_reasons else count
            for channel, count in sorted(progress.pending.items())
            if probing or channel not in self._stop_reasons
        }

    async def _send_beside(self, channels: dict[str, int], progress: CampaignProgress, wake: datetime) -> int | None:
        """Send what is due; None when there is something to look at meanwhile, else how much was claimed.

        Args:
            channels: deliveries to send by channel; what a channel still sends goes on.
            progress: the look this comes from.
            wake: when the next thing is due by itself.
        """
        looked, left = workflow.now(), [count for channel, count in channels.items() if channel not in self._senders]
        crowded = sum(-(-count // BATCH) for count in left) > WINDOW
        for_all = asyncio.Semaphore(WINDOW) if crowded and not workflow.patched(_BESIDE) else None
        for channel, count in channels.items():
            if channel not in self._senders:
                window = for_all or asyncio.Semaphore(WINDOW)
                self._senders[channel] = asyncio.create_task(self._send(window, channel, count))
        if await self._sent_or_moved(looked + self._apart(), wake) or not workflow.patched(_BESIDE):
            await self._all_sent()
        elif not await wait_until(
            lambda: self._all_done() or self._over(), looked + self._apart(), "Look again, still sending"
        ):
            await start_cases(self._start, progress, wake)
        return self._ended()

    async def _sent_or_moved(self, earliest: datetime, wake: datetime) -> bool:
        """Wait until all is sent (True) or there may be something to look at.

        A batch may not end at all, because no worker serves its channel or it fails each time: what is due by itself is
        looked at nevertheless.
        """

        def moved() -> bool:
            return (
                self._nudged
                or self._over()
                or (workflow.now() >= earliest and (self._some_done() or workflow.now() >= wake))
            )

        def enough() -> bool:
            return self._all_done() or moved()

        if workflow.patched(_BESIDE):
            await wait_until(enough, max(earliest, wake), "Look again, still sending")
        else:
            await workflow.wait_condition(enough)
        return self._all_done()

    async def _all_sent(self) -> None:
        """Wait for what is under way."""
        await workflow.wait_condition(self._all_done)

    async def _end_sending(self) -> None:
        """Before a new run batches finish; told to end, or too slow, they put back what is not handed over yet.

        A batch may not end at all, because no worker serves its channel or it fails each time: nobody would be chased
        any more by whatever channel. The new run begins it again.
        """

        def enough() -> bool:
            return self._all_done() or self._over()

        if workflow.patched(_IN_TIME):
            await wait_until(enough, workflow.now() + self._apart(), "Batches under way end before the next run")
        else:
            await workflow.wait_condition(enough)
        if self._all_done() and not self._over():
            self._ended()
        else:
            await self._cancel_sending()

    async def _cancel_sending(self) -> None:
        """Nothing more is sent when this returns."""
        senders = list(self._senders.values())
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        self._senders.clear()

    def _ended(self) -> int | None:
        """Forget what has ended; how much was claimed when that is everything.

        Raises:
            FailureError: a batch failed for good.
        """
        for channel, sender in list(self._senders.items()):
            if sender.done():
                del self._senders[channel]
                self._claimed += sender.result()
        if self._senders:
            return None
        claimed, self._claimed = self._claimed, 0
        return claimed

    def _all_done(self) -> bool:
        """Whether nothing is under way, or something has failed, which ends everything."""
        senders = list(self._senders.values())
        return all(each.done() for each in senders) or any(each.done() and _has_failed(each) for each in senders)

    def _over(self) -> bool:
        return self._ending is not None

    def _some_done(self) -> bool:
        return any(each.done() for each in self._senders.values())

    def _apart(self) -> timedelta:
        """How long after a look the next one may come; at a fast pace its steps are nearer, and so are the looks."""
        waits = [step.after / self._start.pace / 10 for step in self._start.ladder.steps[1:]]
        return max(min([_APART, *waits]), _SHORTEST)

    async def _send(self, window: asyncio.Semaphore, channel: str, count: int) -> int:
        limits = [min(BATCH, count - sent) for sent in range(0, count, BATCH)]
        batches = (self._batch(window, channel, limit) for limit in limits)
        claimed = 0
        # Without `return_exceptions` the first batch that is cancelled in the queue would end the wait for all others.
        for result in await asyncio.gather(*batches, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
            claimed += result.claimed if result is not None else 0
        return claimed

    async def _batch(self, window: asyncio.Semaphore, channel: str, limit: int) -> BatchResult | None:
        probing = channel in self._stop_reasons
        async with window:
            if self._ending or self._paused or (channel in self._stop_reasons and not probing):
                return None
            if workflow.info().is_continue_as_new_suggested() and workflow.patched(_BESIDE):
                return None
            start = self._start
            request = SendBatch(
                number=start.number,
                campaign_id=start.campaign_id,
                channel=channel,
                limit=limit,
                drill=start.drill,
                priority=start.priority,
                now=workflow.now(),
            )
            result: BatchResult = await workflow.execute_activity(
                "send_batch",
                request,
                result_type=BatchResult,
                summary=cut(f"Send notices by {channel}, at most {limit}"),
                priority=Priority(priority_key=start.priority),
                **sending(channel, start.priority),
            )
        await self._note_stop(channel, result, probing)
        return result


def _has_failed(sender: "asyncio.Task[int]") -> bool:
    return sender.cancelled() or sender.exception() is not None


__all__ = ["BATCH", "WINDOW", "SendingChannels"]
