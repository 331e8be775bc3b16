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
        CampaignCarried,
        CampaignInput,
        CampaignProgress,
        CampaignReport,
        EndCampaign,
    )
    from workflows import search_attributes as sa
    from workflows.activity_options import LOOK, RECORD
    from workflows.campaign_pause import Pausable
    from workflows.campaign_reports import is_news, is_over, percent, report_of
    from workflows.campaign_sending import BATCH, WINDOW, SendingChannels
    from workflows.campaign_texts import details, summary_of_wait
    from workflows.case_start import start_cases
    from workflows.deadline import cut, wait_until

_SETTLE: Final = timedelta(seconds=1)
"""Nudges that come within this time are one look at the record."""
_SLOWEST_LOOK: Final = timedelta(days=1)
_FASTEST_LOOK: Final = timedelta(minutes=1)
_TOLD: Final = "polling-that-ends-is-told"
"""Patch: a run begun before it tells nothing of a look that follows one with nothing to claim."""


@workflow.defn(name="CampaignWorkflow", failure_exception_types=[ValidationError])
class CampaignWorkflow(Pausable, SendingChannels):
    """`recall:{number}:campaign:{sequence}`."""

    @workflow.init
    def __init__(self, start: CampaignInput) -> None:
        self._start = start
        carried = start.carried or CampaignCarried()
        self._reported = carried.reported
        self._all_notified_reported = carried.all_notified_reported
        self._init_stops(carried)
        self._init_sending()
        self._rounds = start.rounds_done
        self._nudged = False
        self._ending: str | None = None
        self._progress: CampaignProgress | None = None
        self._upserts = sa.Upserts(continued=start.carried is not None)
        self._init_pause(carried.paused)

    @workflow.run
    async def run(self, start: CampaignInput) -> CampaignReport:
        """Bring the notice to everybody; returns when told to stop, or by itself (`campaign_reports.is_over`)."""
        try:
            progress = await self._chase()
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            await self._cancel_sending()
            await self._end("cancelled by an operator")
            raise
        if self._ending is not None or start.sent_once:
            await self._end(self._ending or "every message was handed over, or refused for good")
        report = report_of(start, progress)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return report

    async def _chase(self) -> CampaignProgress:
        idle = 0
        while True:
            self._nudged = False
            progress = await self._look()
            # A look that only polls for what another worker holds is not worth telling; what ends the polling is.
            if not idle or (not self._sendable(progress) and workflow.patched(_TOLD)):
                await self._show(progress)
            over = self._ending is not None or is_over(self._start, progress)
            full = workflow.info().is_continue_as_new_suggested()
            if self._senders and (over or full):
                # Batches under way end first; the look after them counts what they did.
                await self._end_sending()
                continue
            if over:
                return progress
            if full:
                await self._continue()
                continue
            channels = self._sendable(progress)
            if channels or self._senders:
                claimed = await self._send_beside(channels, progress, self._wake_at(progress))
                idle = idle + 1 if claimed == 0 else 0
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
            **LOOK,
        )
        self._progress = progress
        return progress

    # ------------------------------------------------------------------ waiting

    def _wake_at(self, progress: CampaignProgress) -> datetime:
        """The next ladder step or retry; a probe of a stopped channel; at the latest a slow second look."""
        now = workflow.now()
        waits = [step.after / self._start.pace for step in self._start.ladder.steps]
        slow = _SLOWEST_LOOK if progress.outstanding == 0 else waits[-1]
        # An acknowledgement tells nobody: a look is never further off than the first step of the stage it begins.
        slow = min([slow, *(stage.steps[0].after / self._start.pace for stage in self._start.ladder.stages)])
        instants = [now + min(max(slow, _FASTEST_LOOK), _SLOWEST_LOOK)]
        if progress.next_due_at is not None:
            instants.append(progress.next_due_at)
        if self._stop_reasons and progress.pending and self._probe_at is not None:
            instants.append(self._probe_at)
        return min(instants)

    async def _sleep_until(self, wake: datetime, progress: CampaignProgress) -> None:
        shown = self._pause_shown()
        name = f"Look again while {shown}" if shown else summary_of_wait(progress, wake, self._stop_reasons)
        await wait_until(lambda: self._nudged or self._ending is not None, wake, name)

    def _settle(self) -> timedelta:
        steps = self._start.ladder.steps
        shortest = min((step.after for step in steps[1:]), default=_SETTLE) / self._start.pace
        return min(_SETTLE, shortest / 10)

    async def _continue(self) -> None:
        """Go on in a new run; returns only when the campaign was told to end while its handlers finished."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._ending is not None:
            return
        carried = CampaignCarried(
            reported=self._reported,
            all_notified_reported=self._all_notified_reported,
            stop_reasons=self._stop_reasons,
            probes=self._probes,
            paused=self._paused,
        )
        workflow.continue_as_new(self._start.model_copy(update={"rounds_done": self._rounds, "carried": carried}))

    # ------------------------------------------------------------------ telling

    async def _show(self, progress: CampaignProgress) -> None:
        """Current details always; search attributes and the report to the recall when it is worth an event."""
        start, paused = self._start, self._pause_shown()
        stopped = "; ".join([*([paused] if paused else []), *self._stop_reasons.values()]) or None
        text = details(start, progress, self._rounds, self._stop_reasons, workflow.now())
        workflow.set_current_details(f"{text}\n| Sending | {paused} |" if paused else text)
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
        """End the campaign: calls under way finish, the rest is cancelled."""
        self._ending = reason

    @workflow.query
    def progress(self) -> CampaignProgress | None:
        """The counters as last read."""
        return self._progress


__all__ = ["BATCH", "WINDOW", "CampaignWorkflow"]
