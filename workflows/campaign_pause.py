"""People stop a campaign: paused it sends nothing until it is resumed, aborted it never sends the rest.

A pause stops messages and nothing else: answers count, clocks, ladder steps and telephone tasks go on, and so do the
law's limits. Anybody who answers for notices may pause at once. Only another person aborts, signed, and only what is
paused: nobody leaves consignees untold alone or by one slip.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.roles import Permission
    from models.messages import (
        AbortCampaign,
        CampaignDecided,
        CampaignInput,
        CampaignPause,
        CampaignReceipt,
        Decision,
        PauseCampaign,
        RecordCampaignDecision,
        ResumeCampaign,
    )
    from workflows.activity_options import RECORD
    from workflows.deadline import cut, wait_until
    from workflows.rules import need_reason, other_person, permit, refuse

_LAST_CALLS: Final = timedelta(minutes=2)
"""How long an abort waits for batches to end: far longer than they take unless no worker is there."""
_NOTED: Final = "probe-on-record"
"""Patch: before it, nothing said who had stopped channels probed, and why."""


class Pausable:
    """The updates `pause_campaign`, `resume_campaign` and `abort_campaign` of a campaign's workflow."""

    _start: CampaignInput
    _nudged: bool
    _ending: str | None
    _senders: dict[str, asyncio.Task[int]]
    _stop_reasons: dict[str, str]
    _probe_at: datetime | None

    def _init_pause(self, paused: CampaignPause | None) -> None:
        """Call in `@workflow.init`; `paused` as the run before left it."""
        self._paused = paused
        # Handlers await activities; without the lock two decisions could pass the same check.
        self._deciding = asyncio.Lock()

    # ------------------------------------------------------------------ pause

    @workflow.update
    async def pause_campaign(self, decision: PauseCampaign) -> CampaignReceipt:
        """Send nothing more for now; what a provider is being handed this moment still goes."""
        async with self._deciding:
            self._check_pause(decision)
            self._paused = CampaignPause(by=decision.actor.principal, since=workflow.now())
            await self._record_decision("pause_campaign", decision, "Record the pause: nothing is claimed any more")
            self._nudged = True
            return self._decided("paused", "paused: nothing is sent until it is resumed; deadlines keep running")

    @pause_campaign.validator
    def _check_pause(self, decision: PauseCampaign) -> None:
        permit(decision.actor, Permission.PAUSE_CAMPAIGN)
        need_reason(decision.reason, "a pause")
        self._still_running()
        if self._paused is not None:
            refuse("AlreadyDecided", f"the campaign is paused since {self._paused.since:%Y-%m-%d %H:%M} UTC")

    # ------------------------------------------------------------------ resume

    @workflow.update
    async def resume_campaign(self, decision: ResumeCampaign) -> CampaignReceipt:
        """Go on: what became due meanwhile is sent now, the rest at its time; a stopped channel is probed now."""
        async with self._deciding:
            self._check_resumption(decision)
            if self._paused is None:
                stopped = ", ".join(sorted(self._stop_reasons))
                if workflow.patched(_NOTED):
                    await self._record_decision("probe_channels", decision, cut(f"Record that {stopped} is probed"))
                self._probe_at, self._nudged = None, True
                return self._decided("running", f"probed now: {stopped}")
            await self._record_decision("resume_campaign", decision, "Record that the campaign goes on")
            self._paused, self._nudged = None, True
            return self._decided("running", "resumed: what became due meanwhile is sent now")

    @resume_campaign.validator
    def _check_resumption(self, decision: ResumeCampaign) -> None:
        permit(decision.actor, Permission.PAUSE_CAMPAIGN)
        need_reason(decision.reason, "a resumption")
        self._still_running()
        if self._paused is None and not self._stop_reasons:
            refuse("WrongState", "the campaign is not paused, and no channel of it is stopped")

    # ------------------------------------------------------------------ abort

    @workflow.update
    async def abort_campaign(self, decision: AbortCampaign) -> CampaignReceipt:
        """Never send the rest; who remains is written down and becomes a task."""
        async with self._deciding:
            self._check_abort(decision)
            if self._senders:
                # Whoever is still being told this moment counts as told.
                due = workflow.now() + _LAST_CALLS
                await wait_until(lambda: not self._senders, due, "Batches under way end before the abort is counted")
                self._check_abort(decision)
            left = await self._record_decision("abort_campaign", decision, "Record the abort and who remains")
            self._ending = f"aborted by {decision.actor.principal}"
            remain = f"{left.untold} consignees were never told, {left.unanswered} owe an answer"
            return self._decided("aborted", f"aborted: {remain}")

    @abort_campaign.validator
    def _check_abort(self, decision: AbortCampaign) -> None:
        permit(decision.actor, Permission.ABORT_CAMPAIGN)
        need_reason(decision.reason, "an abort")
        self._still_running()
        if self._paused is None:
            refuse("WrongState", "only a paused campaign can be aborted; pause it first")
        other_person(decision.actor, self._paused.by, "paused the campaign")

    # ------------------------------------------------------------------ helpers

    def _still_running(self) -> None:
        if self._ending is not None:
            refuse("RecallClosed", f"the campaign has ended: {self._ending}")

    async def _record_decision(self, operation: str, decision: Decision, summary: str) -> CampaignDecided:
        start = self._start
        request = RecordCampaignDecision.model_validate(
            {
                "number": start.number,
                "sequence": start.sequence,
                "campaign_id": start.campaign_id,
                "operation": operation,
                "actor": decision.actor,
                "reason": decision.reason,
                "now": workflow.now(),
            }
        )
        found: CampaignDecided = await workflow.execute_activity(
            "record_campaign_decision", request, result_type=CampaignDecided, summary=summary, **RECORD
        )
        return found

    def _decided(self, state: str, detail: str) -> CampaignReceipt:
        start = self._start
        return CampaignReceipt.model_validate(
            {
                "number": start.number,
                "sequence": start.sequence,
                "state": state,
                "accepted_at": workflow.now(),
                "detail": detail,
            }
        )

    def _pause_shown(self) -> str | None:
        """What the report to the recall and the search attribute say of a pause."""
        return None if self._paused is None else f"paused by {self._paused.by}, to be resumed or aborted"


__all__ = ["Pausable"]
