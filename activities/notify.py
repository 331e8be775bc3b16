"""The activity that sends a campaign's notices in batches; runs on the task queues of its channel.

It is safe to repeat and safe to run beside itself: what it sends is decided by the record, not by its input. A
drill, whoever says so (the input or the recall's record), gets adapters that cannot reach anybody.
"""

import asyncio
from collections.abc import Mapping

from temporalio import activity

from activities.clock import ActivityClock
from activities.compose import Composer, NoticeComposer, NoticeLinks
from activities.delivery_outcomes import SendingLimits
from activities.pacing import Pace, Pacer, Unpaced
from activities.recording import Recorders
from activities.running_batches import RunningBatches
from activities.sending import BatchSender
from adapters.messaging.base import MessagingAdapter
from db.engine import SessionFactory
from db.repositories import recalls
from domain.channels import Channel
from models.messages import BatchResult, SendBatch

_DEFAULT_LIMITS = SendingLimits()


class NotifyActivities:
    """Sending, with everything it needs injected by the worker."""

    def __init__(
        self,
        sessions: SessionFactory,
        adapters: Mapping[Channel, MessagingAdapter],
        drill_adapters: Mapping[Channel, MessagingAdapter],
        links: NoticeLinks,
        limits: SendingLimits = _DEFAULT_LIMITS,
        paces: Mapping[Channel, Pace] | None = None,
        running: RunningBatches | None = None,
    ) -> None:
        """`paces`: how fast each channel may send; without it as fast as the providers take it."""
        self._sessions = sessions
        self._adapters = adapters
        self._drill_adapters = drill_adapters
        self._links = links
        self._limits = limits
        self._paces = paces or {channel: Pacer(sessions, channel, None) for channel in Channel}
        self._running = running or RunningBatches()
        self._recorders = Recorders(sessions, limits)

    @activity.defn
    async def send_batch(self, request: SendBatch) -> BatchResult:
        """Claim and send up to `request.limit` due deliveries of one channel (design §6)."""
        drill = request.drill or await self._is_drill(request.number)
        channel = Channel(request.channel)
        adapter = (self._drill_adapters if drill else self._adapters).get(channel)
        if adapter is None:
            reason = f"{request.channel}:not-configured: no server or account is configured for this channel"
            return BatchResult(claimed=0, submitted=0, failed=0, deferred=0, ambiguous=0, campaign_stop=reason)
        sender = BatchSender(
            request,
            sessions=self._sessions,
            adapter=adapter,
            composer=self._composer(request),
            clock=ActivityClock(request.now),
            limits=self._limits,
            pace=Unpaced() if drill else self._paces[channel],
            recorders=self._recorders,
            heartbeat=activity.heartbeat,
        )
        with self._running.one(channel, request.priority, sender.stop):
            return await _until_told_to_stop(sender)

    def _composer(self, request: SendBatch) -> Composer:
        return NoticeComposer(request.number, request.campaign_id, self._links)

    async def _is_drill(self, number: str) -> bool:
        async with self._sessions() as session:
            return (await recalls.get(session, number)).drill


async def _until_told_to_stop(sender: BatchSender) -> BatchResult:
    """Run a batch; when the worker goes down or the campaign is stopped, finish the calls under way and record them."""
    work = asyncio.ensure_future(sender.run())
    going_down = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({work, going_down}, return_when=asyncio.FIRST_COMPLETED)
        sender.stop()
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        sender.stop()
        await work
        raise
    finally:
        going_down.cancel()
