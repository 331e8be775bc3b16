"""One CAPA from investigation to a verified effect: `recall:{number}:capa:{sequence}`.

It is started by its recall and lives on its own: completing, cancelling or continuing the recall leaves it alone. Each
step is an update with a validator; the record is written by activities, which also open the next task. A CAPA that was
closed is started again by the API for its reopening, with what the record says of it.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import workflow_ids
    from domain.capa import ENDED, CapaState
    from domain.quality_numbers import is_quality_number
    from models.messages import CapaInput, CapaReport, Decision, TaskClock
    from models.messages_capa import (
        ApprovePlan,
        CapaFigures,
        CapaReceipt,
        CapaRef,
        CompleteAction,
        MergeCapa,
        OpenCapa,
        RecordCapa,
        RecordCause,
        RecordInvestigation,
        RecordVerification,
        ReopenCapa,
        SignOffCapa,
        WritePlan,
    )
    from workflows import capa_rules as rules
    from workflows import search_attributes as sa
    from workflows.activity_options import RECORD, TRACE
    from workflows.capa_texts import details, waiting_for
    from workflows.deadline import cut, wait_until
    from workflows.task_timers import OwnsTasks, TaskTimers, call

_REOPENING: Final = timedelta(seconds=30)
"""How long a run started for a reopening waits for the decision that started it."""


@workflow.defn(name="CapaWorkflow", failure_exception_types=[ValidationError])
class CapaWorkflow(OwnsTasks):
    """Corrective and preventive action of a recall; it may outlive the recall, and the record says so."""

    @workflow.init
    def __init__(self, start: CapaInput) -> None:
        """State exists before the first update."""
        self._start = start
        carried = start.carried or {}
        self._capa: CapaFigures | None = CapaFigures.model_validate(carried["figures"]) if carried else None
        reported = carried.get("reported")
        self._reported = CapaReport.model_validate(reported) if reported else None
        # Handlers await activities; without the lock two decisions could pass the same check.
        self._lock = asyncio.Lock()
        self._moved = False
        self._period_over: datetime | None = None
        """End of the verification period that was looked at: its task is open."""
        clocks = [TaskClock.model_validate(each) for each in carried.get("clocks", [])]
        self._timers = TaskTimers(start.number, call, clocks, self._task_turned)
        self._upserts = sa.Upserts(continued=start.carried is not None)

    @workflow.run
    async def run(self, start: CapaInput) -> CapaReport:
        """Wait for decisions until the CAPA is closed; returns where it stands then."""
        if self._capa is None:
            opening = OpenCapa(number=start.number, sequence=start.sequence, now=workflow.now(), title=start.title)
            self._capa = await call(
                "open_capa", opening, CapaFigures, f"Open CAPA {start.sequence}: {start.title}", TRACE
            )
            self._timers.moved()
        elif self._closed():
            # Started again by an update; refused, nothing has changed.
            await wait_until(lambda: not self._closed(), workflow.now() + _REOPENING, "The decision to reopen")
        while not self._closed():
            self._moved = False
            await self._show()
            if workflow.info().is_continue_as_new_suggested():
                await self._continue()
            await self._wait()
        await self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._report()

    async def _wait(self) -> None:
        """Until a decision or a task moves; when the period of the effect ends, its verification becomes a task."""
        figures = self._figures()
        due = figures.verify_due_at if figures.state == CapaState.verification else None
        # A period that ended while something else was done (a fast pace, an outage) still owes its look.
        ahead = due if due != self._period_over else None
        name = f"CAPA {self._start.sequence}: the effect can be verified"
        if not await wait_until(lambda: self._moved, ahead, name):
            async with self._lock:
                ref = CapaRef(number=self._start.number, sequence=self._start.sequence, now=workflow.now())
                self._capa = await call("capa_turn", ref, CapaFigures, name)
            self._period_over = due
            self._timers.moved()

    async def _continue(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        carried = {
            "figures": self._figures().model_dump(mode="json"),
            "reported": self._reported.model_dump(mode="json") if self._reported else None,
            "clocks": [clock.model_dump(mode="json") for clock in self._timers.carried()],
        }
        workflow.continue_as_new(self._start.model_copy(update={"carried": carried}))

    def _closed(self) -> bool:
        return self._capa is not None and self._capa.state in ENDED

    def _figures(self) -> CapaFigures:
        # The record is opened before the first decision can be judged; until then nothing is in order.
        return self._capa or CapaFigures(state="opening")

    def _task_turned(self) -> None:
        self._moved = True

    # ------------------------------------------------------------------ telling

    async def _show(self) -> None:
        figures, start = self._figures(), self._start
        ahead = self._timers.next_due()
        workflow.set_current_details(details(start, figures, ahead))
        changed = self._upserts.changed(
            {
                sa.RECALL_NUMBER: start.number,
                sa.DRILL: start.drill,
                sa.WAITING_FOR: cut(waiting_for(figures)) if not self._closed() else None,
                sa.NEXT_DEADLINE_AT: figures.verify_due_at if ahead is None else ahead[0],
                sa.OVERDUE: bool(self._timers.overdue()),
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
        report = self._report()
        if report != self._reported:
            self._reported = report
            await self._tell(report)

    def _report(self) -> CapaReport:
        figures = self._figures()
        return CapaReport(
            sequence=self._start.sequence,
            state=figures.state,
            cause_recorded=figures.cause_recorded,
            plan_approved=figures.plan_approved,
            effective=figures.effective,
            closed=self._closed(),
            next_due_at=figures.next_due_at,
        )

    async def _tell(self, report: CapaReport) -> None:
        if is_quality_number(self._start.number):
            return  # it belongs to no recall
        recall: Any = workflow.get_external_workflow_handle(workflow_ids.recall_id(self._start.number))
        try:
            await recall.signal("capa_progress", report)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The recall has ended before its CAPA, which is in order; the record holds what it would have heard.
            workflow.logger.info("the recall of %s takes no report", self._start.number)

    # ------------------------------------------------------------------ decisions

    async def _record(self, activity: str, operation: str, decision: Decision, detail: str) -> CapaReceipt:
        start = self._start
        record = RecordCapa(
            number=start.number,
            sequence=start.sequence,
            now=workflow.now(),
            operation=operation,
            decision=decision.model_dump(mode="json"),
        )
        what = f"CAPA {start.sequence}: {operation.replace('_', ' ')}"
        # A reopening reads the trace anew.
        self._capa = await call(activity, record, CapaFigures, what, TRACE if operation == "reopen" else RECORD)
        self._moved = True
        self._timers.moved()
        return CapaReceipt(
            number=start.number,
            sequence=start.sequence,
            state=self._capa.state,
            accepted_at=record.now,
            detail=detail,
            waiting_for=None if self._closed() else waiting_for(self._capa),
        )

    @workflow.update
    async def record_investigation(self, decision: RecordInvestigation) -> CapaReceipt:
        """What was looked into and found."""
        async with self._lock:
            rules.check_investigation(self._figures(), decision)
            return await self._record(
                "record_capa_investigation", "record_investigation", decision, "investigation recorded"
            )

    @record_investigation.validator
    def _validate_investigation(self, decision: RecordInvestigation) -> None:
        rules.check_investigation(self._figures(), decision)

    @workflow.update
    async def record_cause(self, decision: RecordCause) -> CapaReceipt:
        """The cause with its whys."""
        async with self._lock:
            rules.check_cause(self._figures(), decision)
            return await self._record("record_capa_cause", "record_cause", decision, "cause recorded")

    @record_cause.validator
    def _validate_cause(self, decision: RecordCause) -> None:
        rules.check_cause(self._figures(), decision)

    @workflow.update
    async def plan(self, decision: WritePlan) -> CapaReceipt:
        """Actions and the criterion of their effect; a new plan needs a new approval."""
        async with self._lock:
            rules.check_plan(self._figures(), decision)
            number = self._figures().plan_version + 1
            return await self._record("record_capa_plan", "plan", decision, f"plan {number} waits for its approval")

    @plan.validator
    def _validate_plan(self, decision: WritePlan) -> None:
        rules.check_plan(self._figures(), decision)

    @workflow.update
    async def approve_plan(self, decision: ApprovePlan) -> CapaReceipt:
        """Another person than the author puts the plan into force."""
        async with self._lock:
            rules.check_plan_approval(self._figures(), decision)
            detail = f"plan {decision.plan_version} approved"
            return await self._record("approve_capa_plan", "approve_plan", decision, detail)

    @approve_plan.validator
    def _validate_plan_approval(self, decision: ApprovePlan) -> None:
        rules.check_plan_approval(self._figures(), decision)

    @workflow.update
    async def complete_action(self, decision: CompleteAction) -> CapaReceipt:
        """An action is done, with its evidence."""
        async with self._lock:
            rules.check_action(self._figures(), decision)
            detail = f"action {decision.action} done"
            return await self._record("complete_capa_action", "complete_action", decision, detail)

    @complete_action.validator
    def _validate_action(self, decision: CompleteAction) -> None:
        rules.check_action(self._figures(), decision)

    @workflow.update
    async def record_verification(self, decision: RecordVerification) -> CapaReceipt:
        """What was measured after the period; a failure leads back to investigation."""
        async with self._lock:
            rules.check_verification(self._figures(), decision, workflow.now())
            receipt = await self._record("record_capa_verification", "record_verification", decision, "")
            met = self._figures().effective
            detail = "the criterion is met" if met else "the criterion is not met: back to investigation"
            return receipt.model_copy(update={"detail": detail})

    @record_verification.validator
    def _validate_verification(self, decision: RecordVerification) -> None:
        rules.check_verification(self._figures(), decision, workflow.now())

    @workflow.update
    async def sign_off(self, decision: SignOffCapa) -> CapaReceipt:
        """Another person closes it."""
        async with self._lock:
            rules.check_sign_off(self._figures(), decision)
            return await self._record("sign_off_capa", "sign_off", decision, "closed")

    @sign_off.validator
    def _validate_sign_off(self, decision: SignOffCapa) -> None:
        rules.check_sign_off(self._figures(), decision)

    @workflow.update
    async def reopen(self, decision: ReopenCapa) -> CapaReceipt:
        """Back to investigation."""
        async with self._lock:
            rules.check_reopening(self._figures(), decision)
            return await self._record("reopen_capa", "reopen", decision, "reopened: back to investigation")

    @reopen.validator
    def _validate_reopening(self, decision: ReopenCapa) -> None:
        rules.check_reopening(self._figures(), decision)

    @workflow.update
    async def merge(self, decision: MergeCapa) -> CapaReceipt:
        """Another CAPA answers for this one."""
        async with self._lock:
            rules.check_merge(self._figures(), decision)
            return await self._record("merge_capa", "merge", decision, "merged into another CAPA")

    @merge.validator
    def _validate_merge(self, decision: MergeCapa) -> None:
        rules.check_merge(self._figures(), decision)

    @workflow.query
    def snapshot(self) -> CapaFigures | None:
        """The CAPA as its workflow sees it; None until its record is open."""
        return self._capa


__all__ = ["CapaWorkflow"]
