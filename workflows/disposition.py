"""What becomes of every held and returned unit, and of sites left short: `recall:{number}:disposition`.

The record decides: each look opens the task of what has to be proposed, decided, carried out or shipped next, and
closes what has ended. The workflow owns the time between looks: the timers of those tasks, and a slow second look that
finds what a lost nudge did not tell. It ends when the recall has ended, and only then; whatever is still held stays
held, and leaves by the signed release gate without a workflow.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain import workflow_ids
    from domain.task_times import TaskTimes
    from models.messages import DispositionInput, DispositionLook, DispositionReport, DispositionTurn, TaskClock
    from workflows import search_attributes as sa
    from workflows.deadline import cut, wait_until
    from workflows.task_timers import OwnsTasks, TaskTimers, call

_SETTLE: Final = timedelta(seconds=1)
"""Nudges that come within this real time are one look."""
_SLOWEST_LOOK: Final = timedelta(days=1)
"""Policy time between two looks that nobody asked for."""
_SHORTEST_LOOK: Final = timedelta(seconds=30)
"""Real time between two such looks, whatever the pace."""


@workflow.defn(name="DispositionWorkflow", failure_exception_types=[ValidationError])
class DispositionWorkflow(OwnsTasks):
    """Disposition of one recall, from its first notice to its end."""

    @workflow.init
    def __init__(self, start: DispositionInput) -> None:
        """State exists before the first signal."""
        self._start = start
        carried = start.carried or {}
        self._nudged = False
        self._ending = bool(carried.get("ending", False))
        reported = carried.get("reported")
        self._reported = DispositionReport.model_validate(reported) if reported else None
        clocks = [TaskClock.model_validate(each) for each in carried.get("clocks", [])]
        self._timers = TaskTimers(start.number, call, clocks, changed=self.nudge)
        self._upserts = sa.Upserts(continued=start.carried is not None)

    @workflow.run
    async def run(self, _start: DispositionInput) -> DispositionReport:
        """Look after everything that is held until the recall has ended; returns the last counts."""
        while True:
            self._nudged = False
            ending = self._ending
            look = await self._look()
            if ending:
                await self._timers.all_sent()
                await workflow.wait_condition(workflow.all_handlers_finished)
                return self._report_of(look)
            if workflow.info().is_continue_as_new_suggested():
                await self._continue()
            wake = workflow.now() + max(_SLOWEST_LOOK / self._start.pace, _SHORTEST_LOOK)
            if await wait_until(lambda: self._nudged or self._ending, wake, _name(look)) and not self._ending:
                await workflow.sleep(_SETTLE, summary="Collect what changed")

    async def _look(self) -> DispositionLook:
        turn = DispositionTurn(number=self._start.number, now=workflow.now(), ending=self._ending)
        look: DispositionLook = await call(
            "look_at_disposition", turn, DispositionLook, "Look what is held, short and to be decided"
        )
        keys = {clock.key for clock in look.tasks}
        self._timers.drop(*(clock.key for clock in self._timers.carried() if clock.key not in keys))
        for clock in look.tasks:
            times = TaskTimes(clock.remind_at, clock.due_at, clock.escalate_at)
            self._timers.watch(clock.key, clock.what, times, clock.stage)
        await self._show(look)
        return look

    async def _show(self, look: DispositionLook) -> None:
        report = self._report_of(look)
        workflow.set_current_details(_details(self._start, look, report.next_due_at))
        changed = self._upserts.changed(
            {
                sa.RECALL_NUMBER: self._start.number,
                sa.DRILL: self._start.drill,
                sa.NEXT_DEADLINE_AT: report.next_due_at,
                sa.OVERDUE: report.next_due_at is not None and report.next_due_at <= workflow.now(),
                sa.WAITING_FOR: cut(_name(look)) if look.tasks else None,
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
        if report != self._reported:
            self._reported = report
            await self._tell(report)

    def _report_of(self, look: DispositionLook) -> DispositionReport:
        dues = [clock.due_at for clock in look.tasks if clock.due_at is not None]
        return DispositionReport(
            open_positions=look.open_positions,
            proposed=look.proposed,
            approved=look.approved,
            next_due_at=min(dues, default=None),
        )

    async def _tell(self, report: DispositionReport) -> None:
        recall: Any = workflow.get_external_workflow_handle(workflow_ids.recall_id(self._start.number))
        try:
            await recall.signal("disposition_progress", report)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The recall has ended; the record holds the counts anyway.
            workflow.logger.info("the recall of %s takes no report", self._start.number)

    async def _continue(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        carried = {
            "ending": self._ending,
            "reported": self._reported.model_dump(mode="json") if self._reported else None,
            "clocks": [clock.model_dump(mode="json") for clock in self._timers.carried()],
        }
        workflow.continue_as_new(self._start.model_copy(update={"carried": carried}))

    # ------------------------------------------------------------------ messages

    @workflow.signal
    def nudge(self) -> None:
        """The record changed: an answer, a return, a proposal, a decision, a carried-out part."""
        self._nudged = True

    @workflow.signal
    def stop(self, _reason: str = "") -> None:
        """The recall has ended: close the tasks and finish."""
        self._ending = self._nudged = True

    @workflow.query
    def report(self) -> DispositionReport | None:
        """The counts as last reported."""
        return self._reported


def _name(look: DispositionLook) -> str:
    """What is waited for, in the words of the Web UI."""
    counts = (
        (look.unplanned, "positions without a plan"),
        (look.proposed, "dispositions to approve"),
        (look.approved, "to carry out"),
        (look.allocations_proposed, "allocations to approve"),
        (look.allocations_approved, "replacements to ship"),
        (look.sites_short, "sites short"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "Look again for what is held"


def _details(start: DispositionInput, look: DispositionLook, next_due_at: datetime | None) -> str:
    due = f"{next_due_at:%Y-%m-%d %H:%M} UTC" if next_due_at else "nothing"
    figures = (look.open_positions, look.unplanned, look.proposed, look.approved, look.sites_short)
    counts = " | ".join(str(each) for each in figures)
    return "\n".join(
        (
            f"**Disposition of {start.number}**{' · drill' if start.drill else ''}",
            "",
            "| Open positions | Without a plan | To approve | To carry out | Sites short | Next due |",
            "|---|---|---|---|---|---|",
            f"| {counts} | {due} |",
        )
    )


__all__ = ["DispositionWorkflow"]
