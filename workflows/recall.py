"""One recall from alarm to termination: `recall:{number}` (design §§2a, 5).

It owns order, decisions and time. People decide through updates whose validators refuse before anything is
written; records are written by activities; long waits are absolute deadlines with names the Web UI shows.
"""

import asyncio
from datetime import timedelta

import pydantic
from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import (
        RECALL_QUEUE,
        BeginIntake,
        CampaignInput,
        CampaignReport,
        CloseTask,
        CreateCampaign,
        HoldFigures,
        NoticeDraft,
        PolicyFigures,
        RecallInput,
        RecallRef,
        RecallScopeRef,
        ScopeFigures,
        Snapshot,
    )
    from workflows.activity_options import INVENTORY, TRACE
    from workflows.deadline import cut, wait_until
    from workflows.recall_core import NOTICE_LIMIT
    from workflows.recall_decisions import SIGNATURES, RecallDecisions

SHORTEST_LOOK = timedelta(seconds=30)
"""Real time between two turns of the hold watch, whatever the pace: stock that arrives wakes it by signal."""
PRIORITY = {"I": 1, "II": 3, "III": 5}
"""Temporal and sending priority by recall class: 1 is served first."""


@workflow.defn(name="RecallWorkflow", failure_exception_types=[pydantic.ValidationError])
class RecallWorkflow(RecallDecisions):
    """The whole life of one recall."""

    @workflow.init
    def __init__(self, start: RecallInput) -> None:
        """State exists before the first message handler can run."""
        self._set_up(start)

    @workflow.run
    async def run(self, _start: RecallInput) -> str:
        """Walk the phases until one that is final; returns that phase."""
        self._timers.start(continued=self._start.carried is not None)
        phases = {
            Phase.INTAKE: self._intake,
            Phase.ASSESSMENT: self._assessment,
            Phase.STRATEGY: self._strategy,
            Phase.GATES: self._gates,
            Phase.NOTIFICATION: self._notification,
            Phase.RESOLUTION: self._resolution,
        }
        watch = asyncio.create_task(self._watch_holds())
        while not self._state.ended:
            await phases[self._state.phase]()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        # What was claimed stays claimed: a hold asked for and not yet placed is still to be placed (promise 6).
        ref = RecallScopeRef(number=self._start.number, now=workflow.now(), scope_version=1, claim=False)
        await self._do("execute_holds", ref, HoldFigures, "Place the nonconformity holds", INVENTORY)
        await self._project(waiting_for=None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state.phase.value

    async def _intake(self) -> None:
        state, number = self._state, self._start.number
        state.waiting_for = "the trace and the first holds"
        self._show()
        begin = BeginIntake(number=number, now=workflow.now(), pace=self._start.pace)
        state.figures = await self._do("begin_intake", begin, PolicyFigures, "Pin policies, start the awareness clock")
        scope = RecallScopeRef(number=number, now=workflow.now(), scope_version=1)
        state.scope = await self._do("resolve_scope", scope, ScopeFigures, "Trace the suspect lots", TRACE)
        await self._request_holds("Request provisional holds on the suspect lots")
        await self._enter(Phase.ASSESSMENT)

    async def _assessment(self) -> None:
        state = self._state
        await self._open_evaluations()
        await self._wait(
            lambda: state.proposal is not None or state.ended,
            [f"evaluation:{line}" for line in state.missing_lines()],
            "the medical assessor's health-hazard evaluation",
        )
        if not state.ended:
            await self._open_task("assessment", "approval", "Approve, override or reject the class", Role.APPROVER)
            await self._wait(
                lambda: state.decided is not None or state.ended, ["assessment"], "the approver's decision on the class"
            )
        if not state.ended:
            await self._enter(Phase.STRATEGY)

    async def _open_evaluations(self) -> None:
        for line in self._state.missing_lines():
            await self._open_task(f"evaluation:{line}", "evaluation", f"Health-hazard evaluation: {line}", Role.MEDICAL)

    async def _strategy(self) -> None:
        state = self._state
        for capacity, role in (("quality", Role.QA), ("regulatory", Role.REGULATORY)):
            if capacity not in state.strategy_signers:
                await self._open_task(f"strategy:{capacity}", "strategy", f"Sign the strategy ({capacity})", role)
        keys = ["strategy:quality", "strategy:regulatory"]
        await self._wait(lambda: len(state.strategy_signers) == SIGNATURES, keys, "two signatures on the strategy")
        await self._enter(Phase.GATES)

    async def _gates(self) -> None:
        state = self._state
        titles = {gate.key: gate.title for gate in (state.decided.gates if state.decided else ())}
        keys = [f"gate:{key}" for key in state.open_gates()]
        for key in state.open_gates():
            await self._open_task(f"gate:{key}", "gate", titles[key], Role.REGULATORY)
        await self._wait(lambda: not state.open_gates(), keys, "the authority steps before the notice")
        await self._enter(Phase.NOTIFICATION)

    async def _notification(self) -> None:
        state, number = self._state, self._start.number
        if not state.campaign_started:
            # Promise 1: the notice waits for the hold requests, never for their confirmation.
            await self._request_holds("Request holds everywhere before the notice")
            if state.notice is None:
                ref = RecallRef(number=number, now=workflow.now())
                state.notice = await self._do("draft_notice", ref, NoticeDraft, "Render the notice in every language")
            await self._open_task("notice", "notice_approval", "Approve the notice", Role.APPROVER)
            await self._wait(lambda: state.notice_approved, ["notice"], "the approver's release of the notice")
            await self._start_campaign()
        await self._follow_campaign()
        await self._enter(Phase.RESOLUTION)

    async def _resolution(self) -> None:
        # The recall stays open here: a late or corrected answer can still name further consignees.
        while not self._state.ended:
            self._campaign_moved = False
            await self._show_campaign("corrective action and disposition")
            await self._or_continue(lambda: self._campaign_moved or self._state.ended)

    # ------------------------------------------------------------------ campaign

    async def _start_campaign(self) -> None:
        state, start = self._state, self._start
        decided, notice = self._decided(), state.notice
        assert notice is not None  # noqa: S101 - the phase's own order
        create = CreateCampaign(number=start.number, now=workflow.now(), notice_id=notice.notice_id, sequence=1)
        campaign_id = await self._do("create_campaign", create, int, "Create the campaign record")
        await workflow.start_child_workflow(
            "CampaignWorkflow",
            CampaignInput(
                number=start.number,
                sequence=1,
                campaign_id=campaign_id,
                notice_id=notice.notice_id,
                ladder=decided.ladder,
                pace=start.pace,
                drill=start.drill,
                priority=PRIORITY[decided.recall_class],
                notify_due_at=decided.notify_due_at,
                channels=state.strategy.channels if state.strategy else ("email", "sms"),
            ),
            id=workflow_ids.campaign_id(start.number, 1),
            task_queue=RECALL_QUEUE,
            # The default would end the campaign when this recall continues as new.
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=cut(f"Notice 1 of {start.number} · class {decided.recall_class}"),
        )
        state.campaign_started = True

    async def _follow_campaign(self) -> None:
        """Show the campaign's progress until nobody is outstanding."""
        state = self._state
        while not (state.campaign and state.campaign.finished):
            self._campaign_moved = False
            await self._show_campaign("the consignees' acknowledgements")
            watched = not state.notice_limit_met and NOTICE_LIMIT not in state.overdue
            due = self._decided().notify_due_at if watched else None
            if not await self._or_continue(
                lambda: self._campaign_moved, due, "Due: the first notice to every consignee"
            ):
                state.overdue.append(NOTICE_LIMIT)
        await self._note_first_communication()

    async def _show_campaign(self, waiting_for: str) -> None:
        state, report = self._state, self._state.campaign
        state.next_deadline_at = report.next_due_at if report else None
        state.next_deadline_name = "next step for silent consignees" if state.next_deadline_at else None
        await self._note_first_communication()
        stopped = f"the notices are stopped: {report.stopped}" if report and report.stopped else None
        await self._project(stopped or waiting_for)

    async def _note_first_communication(self) -> None:
        """The first communication starts clocks of its own (21 CFR 806.10(b)); the last first notice ends one."""
        state = self._state
        report, number = state.campaign, self._start.number
        if report is None or report.first_sent_at is None:
            return
        if not state.obligations_started:
            state.obligations_started = True
            ref = RecallRef(number=number, now=workflow.now())
            await self._do("start_obligations", ref, None, "Deadlines that run from the first communication")
        if not state.notice_limit_met and report.not_notified == 0:
            state.notice_limit_met = True
            state.overdue = [key for key in state.overdue if key != NOTICE_LIMIT]
            ref = RecallRef(number=number, now=workflow.now())
            await self._do("meet_notice_limit", ref, None, "Every first notice is with a provider")

    # ------------------------------------------------------------------ holds

    async def _request_holds(self, summary: str) -> None:
        ref = RecallScopeRef(number=self._start.number, now=workflow.now(), scope_version=1)
        self._state.holds = await self._do("request_holds", ref, HoldFigures, summary, INVENTORY)
        self._state.holds_requested = True

    async def _watch_holds(self) -> None:
        """Ask for every requested hold until it is confirmed; look again for stock that appears later."""
        state = self._state
        await workflow.wait_condition(lambda: state.holds_requested)
        while not state.ended:
            self._stock_appeared = False
            try:
                ref = RecallScopeRef(number=self._start.number, now=workflow.now(), scope_version=1)
                state.holds = await self._do("execute_holds", ref, HoldFigures, "Place and confirm holds", INVENTORY)
                self._show()
                if state.holds.records_arrived:
                    await self._trace_again()
                    continue
                await self._chase_holds(state.holds.requested + state.holds.failed)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                # Without this the watch would end for good, and nobody would be told.
                workflow.logger.error("holds or trace failed; what is open stays open and is tried again")
            open_holds = state.holds.requested + state.holds.failed
            figures = state.figures
            pause = (figures.hold_retry if open_holds else figures.hold_watch) if figures else timedelta(hours=1)
            name = f"Holds: {open_holds} unconfirmed, asked again" if open_holds else "Look again for stock to hold"
            wake = workflow.now() + max(self._paced(pause), SHORTEST_LOOK)
            await wait_until(lambda: self._stock_appeared or state.ended, wake, name)

    async def _chase_holds(self, unconfirmed: int) -> None:
        """Holds nobody confirms become a task of the warehouse; its timers remind and pass it on."""
        state, number = self._state, self._start.number
        if state.hold_task is None:
            if unconfirmed:
                # Remembered once it is open: a run that ends in between opens the same key again.
                key = f"holds:{state.hold_tasks + 1}"
                await self._open_task(key, "hold_confirmation", f"Confirm {unconfirmed} holds", Role.WAREHOUSE)
                state.hold_tasks, state.hold_task = state.hold_tasks + 1, key
            return
        key, now = state.hold_task, workflow.now()
        if not unconfirmed:
            close = CloseTask(number=number, key=key, outcome="all holds confirmed", done_by="system", now=now)
            await self._do("close_task", close, None, "Every hold is confirmed")
            state.hold_task = None
            self._settled(key)

    async def _trace_again(self) -> None:
        """Records that arrived since may show further consignees of the same lots; each must be told."""
        state, number = self._state, self._start.number
        before = state.scope.consignees if state.scope else 0
        ref = RecallScopeRef(number=number, now=workflow.now(), scope_version=1)
        state.scope = await self._do("resolve_scope", ref, ScopeFigures, "Trace again with what arrived since", TRACE)
        if state.phase == Phase.ASSESSMENT and state.decided is None:
            await self._open_evaluations()
        if state.decided is not None:
            await self._report_uncovered()
        if state.campaign_started and state.scope.consignees > before:
            # Its failure (the campaign was ended by an operator) is the watch's to bear.
            campaign = workflow.get_external_workflow_handle(workflow_ids.campaign_id(number, 1))
            await campaign.signal("nudge")

    async def _report_uncovered(self) -> None:
        """A product line that records show only after the decision has no class: a person must decide on it."""
        for line in self._state.missing_lines():
            if line not in self._state.uncovered:
                self._state.uncovered.append(line)
                what = f"Decide on {line}: records show it since the class was decided, no class covers it"
                await self._open_task(f"uncovered:{line}"[:120], "query", what[:300], Role.QA)

    @workflow.signal
    def campaign_progress(self, report: CampaignReport) -> None:
        """A campaign reports its counters."""
        self._state.campaign = report
        self._campaign_moved = True

    @workflow.signal
    def stock_appeared(self) -> None:
        """Stock of a lot in scope was booked; the hold watch looks at once instead of at its next turn."""
        self._stock_appeared = True

    @workflow.query
    def snapshot(self) -> Snapshot:
        """The recall as its workflow sees it now."""
        return self._state.snapshot(self._start.number)
