"""What a recall owes to authorities and the public, each report at its own instant: `recall:{number}:obligations`.

The workflow owns the time: it looks at the record, opens a task per obligation, watches their due times, and looks
again when the next one comes due or somebody says that something changed. A lost nudge costs nothing, because every
due time reads the record. Recurring reports get their next deadline in the look, so it also keeps a series going.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import workflow_ids
    from models.messages import (
        ObligationsFigures,
        ObligationsInput,
        ObligationsReport,
        ObligationsTurn,
        RecallRef,
        SubmissionsCarried,
        TaskClock,
    )
    from workflows import search_attributes as sa
    from workflows.deadline import cut, wait_until
    from workflows.task_timers import OwnsTasks, TaskTimers, call

_SETTLE: Final = timedelta(seconds=1)
"""Nudges within this real time are one look; at a fast pace, reports that come due within it are, too."""
_SLOWEST_LOOK: Final = timedelta(days=1)
"""Policy time between two looks: a clock may have started without a nudge reaching us."""
_SHORTEST_LOOK: Final = timedelta(seconds=30)
"""Real time between two such looks, whatever the pace."""
_CARRY: Final = timedelta(minutes=10)
"""Real time between two steps of a submission that is under way: a transport is asked for its receipt."""


@workflow.defn(name="ObligationsWorkflow", failure_exception_types=[ValidationError])
class ObligationsWorkflow(OwnsTasks):
    """Regulatory clocks of one recall; it outlives the recall as long as anything is open."""

    @workflow.init
    def __init__(self, start: ObligationsInput) -> None:
        """State exists before the first signal."""
        self._start = start
        carried = start.carried or {}
        self._nudged = False
        self._ending = bool(carried.get("ending", False))
        reported = carried.get("reported")
        self._reported = ObligationsReport.model_validate(reported) if reported else None
        clocks = [TaskClock.model_validate(each) for each in carried.get("clocks", [])]
        self._timers = TaskTimers(start.number, call, clocks)
        self._upserts = sa.Upserts(continued=start.carried is not None)

    @workflow.run
    async def run(self, _start: ObligationsInput) -> ObligationsReport:
        """Watch until told to stop and nothing is open; returns the last count."""
        # Limits that the decision could not compute have become tasks of this workflow before it began.
        self._timers.start(continued=True)
        while True:
            self._nudged = False
            figures = await self._look()
            if self._ending and figures.open == 0 and figures.under_way == 0 and not self._nudged:
                await workflow.wait_condition(workflow.all_handlers_finished)
                return figures.report()
            if workflow.info().is_continue_as_new_suggested():
                await self._continue()
            late = self._timers.overdue()
            wake = workflow.now() + max(_SLOWEST_LOOK / self._start.pace, _SHORTEST_LOOK)
            name = "Look again for clocks that started"
            if await self._carry(figures):
                wake, name = min(wake, workflow.now() + _CARRY), "Ask for receipts of submissions"
            # The tasks' own timers say when one is late: its series then goes on with the next report.
            if await wait_until(lambda: self._nudged or self._timers.overdue() != late, wake, name):  # noqa: B023
                await workflow.sleep(_SETTLE, summary="Collect what changed")

    async def _look(self) -> ObligationsFigures:
        turn = ObligationsTurn(number=self._start.number, now=workflow.now(), ending=self._ending)
        figures: ObligationsFigures = await call(
            "obligations_turn", turn, ObligationsFigures, "Bring what is owed and its tasks up to date"
        )
        if figures.tasks_changed:
            self._timers.moved()
        await self._show(figures)
        if figures.facts_moved:
            await self._tell_recall("record_moved", "facts")
        return figures

    async def _carry(self, figures: ObligationsFigures) -> bool:
        """Take submissions that are under way one step further; True while any is."""
        if figures.under_way == 0:
            return False
        ref = RecallRef(number=self._start.number, now=workflow.now())
        carried: SubmissionsCarried = await call(
            "carry_submissions", ref, SubmissionsCarried, f"Carry {figures.under_way} submissions to authorities"
        )
        if carried.settled:
            self._nudged = True
        return carried.under_way > 0

    async def _show(self, figures: ObligationsFigures) -> None:
        workflow.set_current_details(_details(self._start, figures))
        changed = self._upserts.changed(
            {
                sa.RECALL_NUMBER: self._start.number,
                sa.DRILL: self._start.drill,
                sa.NEXT_DEADLINE_AT: figures.next_due_at,
                sa.OVERDUE: figures.overdue > 0,
                sa.WAITING_FOR: cut(f"{figures.open} reports to be submitted") if figures.open else None,
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
        report = figures.report()
        if report != self._reported:
            self._reported = report
            await self._tell(report)

    async def _tell(self, report: ObligationsReport) -> None:
        await self._tell_recall("obligations_progress", report)

    async def _tell_recall(self, signal: str, what: Any) -> None:
        recall: Any = workflow.get_external_workflow_handle(workflow_ids.recall_id(self._start.number))
        try:
            await recall.signal(signal, what)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The recall has ended; the record holds the counts anyway.
            workflow.logger.info("the recall of %s takes no signal", self._start.number)

    async def _continue(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        carried = {
            "ending": self._ending,
            "reported": self._reported.model_dump(mode="json") if self._reported else None,
            "clocks": [clock.model_dump(mode="json") for clock in self._timers.carried()],
        }
        workflow.continue_as_new(self._start.model_copy(update={"carried": carried}))

    @workflow.signal
    def nudge(self) -> None:
        """The record changed: a clock started, a report was submitted or stopped, a gate was passed."""
        self._nudged = True

    @workflow.signal
    def stop(self, _reason: str = "") -> None:
        """The recall has ended: finish once nothing is open any more."""
        self._ending = self._nudged = True

    @workflow.query
    def report(self) -> ObligationsReport | None:
        """The counts as last reported."""
        return self._reported


def _details(start: ObligationsInput, figures: ObligationsFigures) -> str:
    ahead = f"{figures.next_name}, {figures.next_due_at:%Y-%m-%d %H:%M} UTC" if figures.next_due_at else "nothing"
    return "\n".join(
        (
            f"**Obligations of {start.number}**{' · drill' if start.drill else ''}",
            "",
            "| Open | Overdue | Next |",
            "|---|---|---|",
            f"| {figures.open} | {figures.overdue} | {ahead} |",
        )
    )


__all__ = ["ObligationsWorkflow"]
