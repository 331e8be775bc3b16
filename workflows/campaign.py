"""A campaign: one version of a notice brought to every consignee, and silence chased step by step.

The workflow owns time: it looks at the record, sends what is due in batches, and sleeps until the next ladder step,
a retry, or a nudge that something changed. Whom a step concerns is decided by one SQL statement (`advance_campaign`),
so history grows with batches and rounds, never with consignees. A lost nudge costs nothing, because every timer
reads the record again.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import workflow_ids
    from models.messages import (
        AdvanceCampaign,
        BatchResult,
        CampaignCarried,
        CampaignInput,
        CampaignProgress,
        CampaignReport,
        CampaignStop,
        EndCampaign,
        SendBatch,
    )
    from workflows import search_attributes as sa
    from workflows.activity_options import RECORD, sending
    from workflows.campaign_reports import is_news, is_over, percent, report_of
    from workflows.campaign_texts import details, summary_of_wait
    from workflows.case_start import start_cases
    from workflows.deadline import cut, wait_until

BATCH: Final = 500
WINDOW: Final = 8
"""Batches under way at once."""
_SETTLE: Final = timedelta(seconds=1)
"""Nudges that come within this time are one look at the record."""
_FIRST_PROBE: Final = timedelta(minutes=1)
_LAST_PROBE: Final = timedelta(hours=1)
_SLOWEST_LOOK: Final = timedelta(days=1)
_FASTEST_LOOK: Final = timedelta(minutes=1)


@workflow.defn(name="CampaignWorkflow", failure_exception_types=[ValidationError])
class CampaignWorkflow:
    """`recall:{number}:campaign:{sequence}`."""

    @workflow.init
    def __init__(self, start: CampaignInput) -> None:
        self._start = start
        carried = start.carried or CampaignCarried()
        self._reported = carried.reported
        self._all_notified_reported = carried.all_notified_reported
        self._stop_reasons = dict(carried.stop_reasons)
        """Channel -> account-level error; such a channel is only probed."""
        self._probes = carried.probes
        self._probe_at: datetime | None = None
        self._rounds = start.rounds_done
        self._nudged = False
        self._ending: str | None = None
        self._progress: CampaignProgress | None = None
        self._upserts = sa.Upserts(continued=start.carried is not None)

    @workflow.run
    async def run(self, start: CampaignInput) -> CampaignReport:
        """Bring the notice to everybody; returns when told to stop, or by itself (`campaign_reports.is_over`)."""
        try:
            progress = await self._chase()
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            await self._end("cancelled by an operator")
            raise
        if self._ending is not None or start.kind == "retraction":
            await self._end(self._ending or "every retraction was handed over, or refused for good")
        report = report_of(start, progress)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return report

    async def _chase(self) -> CampaignProgress:
        idle = 0
        while True:
            self._nudged = False
            progress = await self._look()
            if not idle:
                await self._show(progress)
            if self._ending is not None or is_over(self._start, progress):
                return progress
            if workflow.info().is_continue_as_new_suggested():
                await self._continue()
            channels = self._sendable(progress)
            if channels:
                claimed = await self._send(channels)
                idle = 0 if claimed else idle + 1
                # Nothing to claim although something is due: another worker still holds it.
                if idle:
                    await self._sleep_until(workflow.now() + timedelta(seconds=min(2**idle, 60)), progress)
                continue
            idle = 0
            await self._sleep_until(await start_cases(self._start, progress, self._wake_at(progress)), progress)
            if self._nudged and self._ending is None:
                await workflow.sleep(self._settle(), summary="Collect nudges")

    async def _look(self) -> CampaignProgress:
        """Take every due ladder step, then read where the campaign stands."""
        start = self._start
        self._rounds += 1
        request = AdvanceCampaign(
            number=start.number,
            campaign_id=start.campaign_id,
            ladder=start.ladder,
            pace=start.pace,
            priority=start.priority,
            now=workflow.now(),
            channels=start.channels,
        )
        progress: CampaignProgress = await workflow.execute_activity(
            "advance_campaign",
            request,
            result_type=CampaignProgress,
            summary="Write down who is due for the next step, and count answers",
            priority=Priority(priority_key=start.priority),
            **RECORD,
        )
        self._progress = progress
        return progress

    # ------------------------------------------------------------------ sending

    def _sendable(self, progress: CampaignProgress) -> dict[str, int]:
        """Deliveries to send now by channel; of a stopped channel one, as a probe, when its time has come."""
        probing = self._probe_at is None or workflow.now() >= self._probe_at
        return {
            channel: 1 if channel in self._stop_reasons else count
            for channel, count in sorted(progress.pending.items())
            if probing or channel not in self._stop_reasons
        }

    async def _send(self, channels: dict[str, int]) -> int:
        """Send what is due through a window of batches; returns how many deliveries were claimed."""
        window = asyncio.Semaphore(WINDOW)
        batches = [
            (channel, min(BATCH, count - sent))
            for channel, count in channels.items()
            for sent in range(0, count, BATCH)
        ]
        results = await asyncio.gather(*(self._batch(window, channel, limit) for channel, limit in batches))
        return sum(result.claimed for result in results if result is not None)

    async def _batch(self, window: asyncio.Semaphore, channel: str, limit: int) -> BatchResult | None:
        probing = channel in self._stop_reasons
        async with window:
            if self._ending is not None or (channel in self._stop_reasons and not probing):
                return None
            start = self._start
            request = SendBatch(
                number=start.number,
                campaign_id=start.campaign_id,
                channel=channel,
                limit=limit,
                drill=start.drill,
                now=workflow.now(),
            )
            result: BatchResult = await workflow.execute_activity(
                "send_batch",
                request,
                result_type=BatchResult,
                summary=cut(f"Send notices by {channel}, at most {limit}"),
                priority=Priority(priority_key=start.priority),
                **sending(channel),
            )
        await self._note_stop(channel, result, probing)
        return result

    async def _note_stop(self, channel: str, result: BatchResult, probing: bool) -> None:
        reason = result.campaign_stop
        if reason is not None and (probing or channel not in self._stop_reasons):
            self._stop_reasons[channel] = reason
            self._probe_at = workflow.now() + min(_FIRST_PROBE * (1 << min(self._probes, 10)), _LAST_PROBE)
            self._probes += 1
        elif reason is None and result.submitted and channel in self._stop_reasons:
            del self._stop_reasons[channel]
            self._probes = 0
        else:
            return
        stop = CampaignStop(
            number=self._start.number,
            campaign_id=self._start.campaign_id,
            channel=channel,
            reason=reason,
            now=workflow.now(),
        )
        await workflow.execute_activity(
            "note_campaign_stop", stop, summary=cut(f"Channel {channel}: {reason or 'works again'}"), **RECORD
        )

    # ------------------------------------------------------------------ waiting

    def _wake_at(self, progress: CampaignProgress) -> datetime:
        """The next ladder step or retry; a probe of a stopped channel; at the latest a slow second look."""
        now = workflow.now()
        waits = [step.after / self._start.pace for step in self._start.ladder.steps]
        slow = _SLOWEST_LOOK if progress.outstanding == 0 else waits[-1]
        instants = [now + min(max(slow, _FASTEST_LOOK), _SLOWEST_LOOK)]
        if progress.next_due_at is not None:
            instants.append(progress.next_due_at)
        if self._stop_reasons and progress.pending and self._probe_at is not None:
            instants.append(self._probe_at)
        return min(instants)

    async def _sleep_until(self, wake: datetime, progress: CampaignProgress) -> None:
        name = summary_of_wait(progress, wake, self._stop_reasons)
        await wait_until(lambda: self._nudged or self._ending is not None, wake, name)

    def _settle(self) -> timedelta:
        steps = self._start.ladder.steps
        shortest = min((step.after for step in steps[1:]), default=_SETTLE) / self._start.pace
        return min(_SETTLE, shortest / 10)

    async def _continue(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        carried = CampaignCarried(
            reported=self._reported,
            all_notified_reported=self._all_notified_reported,
            stop_reasons=self._stop_reasons,
            probes=self._probes,
        )
        workflow.continue_as_new(self._start.model_copy(update={"rounds_done": self._rounds, "carried": carried}))

    # ------------------------------------------------------------------ telling

    async def _show(self, progress: CampaignProgress) -> None:
        """Current details always; search attributes and the report to the recall when it is worth an event."""
        start, stopped = self._start, "; ".join(self._stop_reasons.values()) or None
        workflow.set_current_details(details(start, progress, self._rounds, self._stop_reasons, workflow.now()))
        report = report_of(start, progress, stopped)
        worth_it = is_news(report, self._reported, self._all_notified_reported)
        shown = report if worth_it or self._reported is None else self._reported
        changed = self._upserts.changed(
            {
                sa.RECALL_NUMBER: start.number,
                sa.DRILL: start.drill,
                sa.OUTSTANDING: shown.outstanding,
                sa.RESPONSE_PERCENT: percent(shown),
                sa.NEXT_DEADLINE_AT: progress.next_due_at,
                sa.WAITING_FOR: cut(stopped) if stopped else None,
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
        if worth_it:
            self._reported = report
            self._all_notified_reported |= progress.not_notified == 0
            await self._tell(report)

    async def _tell(self, report: CampaignReport) -> None:
        recall: Any = workflow.get_external_workflow_handle(workflow_ids.recall_id(self._start.number))
        try:
            await recall.signal("campaign_progress", report)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The recall has ended, or the campaign runs without one; the record holds the counters anyway.
            workflow.logger.warning("the recall of %s takes no report", self._start.number)

    async def _end(self, reason: str) -> None:
        request = EndCampaign(
            number=self._start.number, campaign_id=self._start.campaign_id, reason=reason, now=workflow.now()
        )
        await workflow.execute_activity(
            "end_campaign", request, result_type=int, summary="Cancel what is not sent yet", **RECORD
        )

    # ------------------------------------------------------------------ messages

    @workflow.signal
    def nudge(self) -> None:
        """Something in the record changed: answers, bounces, new consignees."""
        self._nudged = True

    @workflow.signal
    def resume(self) -> None:
        """An account was repaired: probe stopped channels now instead of at their next turn."""
        self._probe_at, self._nudged = None, True

    @workflow.signal
    def stop(self, reason: str = "stopped by the recall") -> None:
        """End the campaign: batches under way finish, the rest is cancelled."""
        self._ending = reason

    @workflow.query
    def progress(self) -> CampaignProgress | None:
        """The counters as last read."""
        return self._progress
