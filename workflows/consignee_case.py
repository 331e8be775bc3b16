"""A consignee's case: everything a person must do about one consignee that is silent, unreachable, refuses, or stated
what cannot be. One workflow per consignee looks after all its open cases.

The record decides: each look closes what has ended and opens the task of the next step (call, visit, authority,
account). The workflow owns the time between looks: the timers of those tasks, and a slow second look that finds what a
lost nudge did not tell. It ends when nothing is open; a second silence starts it again under the same id.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from domain.task_times import TaskTimes
    from models.messages import CaseInput, CaseLook, CaseTurn, Message, TaskClock
    from workflows import search_attributes as sa
    from workflows.case_texts import details, waiting_for
    from workflows.deadline import cut, wait_until
    from workflows.task_timers import OwnsTasks, TaskTimers, call

_SLOWEST: Final = timedelta(days=7)
_SHORTEST: Final = timedelta(minutes=1)


class CaseCarried(Message):
    """What the next run of a long case takes over."""

    quiet: int = 0
    clocks: tuple[TaskClock, ...] = ()


@workflow.defn(name="ConsigneeCaseWorkflow", failure_exception_types=[ValidationError])
class ConsigneeCaseWorkflow(OwnsTasks):
    """`recall:{number}:case:{consignee id}`."""

    @workflow.init
    def __init__(self, start: CaseInput) -> None:
        self._start = start
        carried = CaseCarried.model_validate(start.carried or {})
        self._nudged = False
        self._stopped = False
        self._quiet = carried.quiet
        """Looks in a row that nobody asked for; each waits longer for the next."""
        self._look: CaseLook | None = None
        self._upserts = sa.Upserts(continued=start.carried is not None)
        self._timers = TaskTimers(start.number, carried=carried.clocks, changed=self.nudge)

    @workflow.run
    async def run(self, start: CaseInput) -> CaseLook:
        """Look after the consignee until nothing is open, or the recall has ended."""
        while True:
            self._nudged = False
            look = await self._turn()
            self._show(look)
            if self._stopped or (look.open == 0 and not self._nudged):
                await workflow.wait_condition(workflow.all_handlers_finished)
                return look
            if workflow.info().is_continue_as_new_suggested():
                await self._continue()
            self._watch(look)
            await self._wait(look)

    async def _turn(self) -> CaseLook:
        turn = CaseTurn(number=self._start.number, consignee_id=self._start.consignee_id, now=workflow.now())
        look: CaseLook = await call("look_at_case", turn, CaseLook, "Look what is open for the consignee")
        self._look = look
        return look

    def _watch(self, look: CaseLook) -> None:
        """Run the timers of what the look found open; whoever moves a task says so by `task_moved`."""
        keys = look.keys
        self._timers.drop(*(clock.key for clock in self._timers.carried() if clock.key not in keys))
        for task in look.tasks:
            times = TaskTimes(task.remind_at, task.due_at, task.escalate_at)
            self._timers.watch(task.key, task.what, times, task.stage)

    async def _wait(self, look: CaseLook) -> None:
        """Until somebody says that something changed, a task's time passed, or the slow second look is due."""
        pause = min(timedelta(days=1) * (1 << min(self._quiet, 3)), _SLOWEST) / self._start.pace
        wake = workflow.now() + max(pause, _SHORTEST)
        told = await wait_until(lambda: self._nudged or self._stopped, wake, f"Look again: {waiting_for(look)}")
        self._quiet = 0 if told else self._quiet + 1

    async def _continue(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        carried = CaseCarried(quiet=self._quiet, clocks=tuple(self._timers.carried()))
        workflow.continue_as_new(self._start.model_copy(update={"carried": carried.model_dump(mode="json")}))

    def _show(self, look: CaseLook) -> None:
        workflow.set_current_details(details(self._start, look, workflow.now()))
        changed = self._upserts.changed(
            {
                sa.RECALL_NUMBER: self._start.number,
                sa.DRILL: self._start.drill,
                sa.WAITING_FOR: cut(waiting_for(look)) if look.open else None,
                sa.NEXT_DEADLINE_AT: look.next_due_at,
                sa.OVERDUE: look.overdue,
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)

    # ------------------------------------------------------------------ messages

    @workflow.signal
    def nudge(self) -> None:
        """Something in the record changed: an answer, an attempt, a new case, a task whose time passed."""
        self._nudged = True

    @workflow.signal
    def stop(self) -> None:
        """The recall has ended; its cases are closed in the record."""
        self._stopped = True

    @workflow.query
    def look(self) -> CaseLook | None:
        """What was open at the last look."""
        return self._look
