"""What every part of the recall workflow stands on: state, activities, tasks with due times, the shown view."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase, can_move
    from domain.roles import Permission, Role, may
    from domain.task_times import TaskTimes, stand_in_for, task_times
    from models.messages import (
        CloseTask,
        Decision,
        DecisionFigures,
        DecisionReceipt,
        OpenTask,
        Projection,
        RecallInput,
        RecallRef,
        RecordDecision,
        StepLimit,
        TaskOpened,
    )
    from workflows import search_attributes as sa
    from workflows.activity_options import RECORD
    from workflows.deadline import cut, wait_until
    from workflows.recall_state import RecallState
    from workflows.recall_texts import details, next_deadline, waiting_for
    from workflows.task_timers import OwnsTasks, TaskTimers


NOTICE_LIMIT_NAME = "the first notice to every consignee"
NOTICE_LIMIT = "notice_limit"
"""Key of the earliest notice limit in `RecallState.overdue`; it is a deadline on record, not a task."""


_DOES: Final = {
    "evaluation": Permission.RECORD_EVALUATION,
    "gate": Permission.PASS_GATE,
    "hold_confirmation": Permission.CONFIRM_HOLD,
}
"""Steps one function does, and what it must be allowed to; who signs a decision is a rule of its own."""


def _who(step: str, role: Role, limit: StepLimit | None) -> Role:
    """The function a task is offered to: the policies', where it may do the step, else `role`."""
    needed = _DOES.get(step)
    if needed is None or limit is None or limit.role is None or not may([Role(limit.role)], needed):
        return role
    return Role(limit.role)


class RecallCore(OwnsTasks):
    """State and helpers; the decisions and the phases are built on it."""

    def _set_up(self, start: RecallInput) -> None:
        self._start = start
        self._state = RecallState.model_validate(start.carried) if start.carried else RecallState()
        # Handlers await activities; without the lock two approvals could pass the same check.
        self._lock = asyncio.Lock()
        self._stock_appeared = False
        self._scope_moved = False
        self._obligations_moved = False
        self._facts_moved = start.carried is not None
        # A continued run looks at everything once: what was being looked at when the old one ended is not known.
        self._moved: dict[str, bool] = {"continued": True} if start.carried else {}
        self._upserts = sa.Upserts(continued=start.carried is not None)
        self._opening: set[str] = set()
        """Tasks that are being written."""
        self._settled_early: set[str] = set()
        """Those of them that were decided meanwhile."""
        self._timers = TaskTimers(start.number, self._do, self._state.tasks, self._tasks_climbed)
        self._projecting = asyncio.Lock()
        self._projected: Projection | None = None

    # ------------------------------------------------------------------ activities and other workflows

    async def _do(
        self, activity: str, argument: Any, result: Any, summary: str, options: dict[str, Any] | None = None
    ) -> Any:
        return await workflow.execute_activity(
            activity, argument, result_type=result, summary=cut(summary), **(options or RECORD)
        )

    async def _record(
        self,
        activity: str,
        operation: str,
        decision: Decision,
        result: Any,
        task_key: str | None = None,
        role: str | None = None,
    ) -> Any:
        record = RecordDecision(
            number=self._start.number,
            now=workflow.now(),
            decision=decision.model_dump(mode="json"),
            operation=operation,
            pace=self._start.pace,
            round=self._state.completion,
            task_key=task_key,
            role=role,
        )
        return await self._do(activity, record, result, f"Record: {operation.replace('_', ' ')}")

    async def _tell(self, workflow_id: str, signal: str, *arguments: Any) -> bool:
        """Signal another workflow; False when it has ended, which is never this recall's fault."""
        other: Any = workflow.get_external_workflow_handle(workflow_id)
        try:
            await other.signal(signal, *arguments)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.info("%s takes no signal %s: it has ended", workflow_id, signal)
            return False
        return True

    def _ref(self) -> RecallRef:
        return RecallRef(number=self._start.number, now=workflow.now())

    def _note(self, kind: str) -> None:
        """Something happened that is to be looked at: a report, a nudge, a turn of the watch."""
        self._moved[kind] = True

    def _decided(self) -> DecisionFigures:
        assert self._state.decided is not None  # noqa: S101 - called after the decision only
        return self._state.decided

    def _receipt(self, detail: str) -> DecisionReceipt:
        self._refresh()
        return DecisionReceipt(
            number=self._start.number,
            phase=self._state.phase,
            accepted_at=workflow.now(),
            detail=detail[:1000],
            waiting_for=self._state.waiting_for,
        )

    def _paced(self, policy_time: timedelta) -> timedelta:
        return policy_time / self._start.pace

    def _move(self, from_phase: Phase, to: Phase) -> None:
        """Go on to the next phase, unless a decision has taken the recall elsewhere meanwhile."""
        if self._state.phase is from_phase and can_move(from_phase, to):
            self._state.phase = to
            workflow.logger.info("phase %s", to.value)

    # ------------------------------------------------------------------ tasks

    async def _open_task(
        self,
        key: str,
        step: str,
        what: str,
        role: Role,
        *,
        limit: StepLimit | None = None,
        evidence_required: bool = False,
    ) -> None:
        """Open a task and watch its times; one that is watched already keeps the times it has.

        `limit` is given for a task that is no step of the policies' tables.
        """
        if self._timers.watches(key):
            return
        now = workflow.now()
        limit = limit or self._state.limit(step)
        role = _who(step, role, limit)
        times = task_times(now, limit.limit, limit.remind, self._start.pace) if limit else TaskTimes(None, None, None)
        rule = limit.role if limit else None
        stands_in = limit.stand_in if limit else None
        stand_in = stand_in_for(role, Role(rule) if rule else None, Role(stands_in) if stands_in else None)
        task = OpenTask(
            number=self._start.number,
            key=key,
            step=step,
            what=what[:300],
            role=role.value,
            stand_in=stand_in.value if stand_in else None,
            remind_at=times.remind_at,
            due_at=times.due_at,
            escalate_at=times.escalate_at,
            owner=workflow.info().workflow_id,
            evidence_required=evidence_required,
            now=now,
        )
        self._opening.add(key)
        try:
            opened: TaskOpened | None = await self._do("open_task", task, TaskOpened | None, f"Task: {what}")
        finally:
            self._opening.discard(key)
        self._timers.watch(key, what, times)
        self._timers.send(opened.channels if opened else ())
        if key in self._settled_early:
            # The decision came while its task was being written: it is done before it was there.
            self._settled_early.discard(key)
            await self._close_task(key, "settled", "Decided while the task was being written")

    async def _close_task(self, key: str, outcome: str, summary: str) -> None:
        close = CloseTask(number=self._start.number, key=key, outcome=outcome, done_by="system", now=workflow.now())
        await self._do("close_task", close, None, summary)
        self._settled(key)

    def _tasks_climbed(self) -> None:
        """A task was reminded of, passed on or settled elsewhere: what is late shows at once."""
        state = self._state
        state.overdue = [key for key in state.overdue if key == NOTICE_LIMIT] + self._timers.overdue()
        self._show()

    def _settled(self, *keys: str) -> None:
        """Tasks that are done; their timers end."""
        self._settled_early |= self._opening.intersection(keys)
        self._timers.drop(*keys)
        self._state.overdue = [key for key in self._state.overdue if key not in keys]

    # ------------------------------------------------------------------ waiting

    async def _wait(self, done: Callable[[], bool], due: datetime | None = None) -> None:
        """Wait for people until `done`, or until `due`. Their tasks' timers run by themselves; here only the notice
        limit is watched as well.
        """
        while not done():
            await self._project()
            limit = self._notice_due()
            ends = min((each for each in (limit, due) if each is not None), default=None)
            name = f"Due: {NOTICE_LIMIT_NAME}" if ends is not None and ends == limit else "The next report is due"
            if not await self._or_continue(self._or_climbed(done), ends, name):
                if ends != limit:
                    return
                self._state.overdue.append(NOTICE_LIMIT)

    def _or_climbed(self, done: Callable[[], bool]) -> Callable[[], bool]:
        """`done`, or a task has climbed since now, so that what is shown is out of date."""
        seen = self._timers.turns
        return lambda: done() or self._timers.turns != seen

    def _notice_due(self) -> datetime | None:
        """The notice limit while it runs and has not passed."""
        state = self._state
        if state.decided is None or state.notice_limit_met or NOTICE_LIMIT in state.overdue:
            return None
        return state.decided.notify_due_at

    async def _or_continue(self, done: Callable[[], bool], due: datetime | None = None, name: str = "") -> bool:
        """`wait_until`, unless the history has grown so long that the recall must go on in a new run."""

        def full() -> bool:
            return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()

        met = await wait_until(lambda: done() or full(), due, name)
        if not done() and full():
            self._state.tasks = self._timers.carried()
            workflow.continue_as_new(self._start.model_copy(update={"carried": self._state.model_dump(mode="json")}))
        return met

    async def _left(self, phase: Phase) -> None:
        """Answer only when the recall has moved on, so that the next decision can follow at once."""
        await workflow.wait_condition(lambda: self._state.phase != phase)

    # ------------------------------------------------------------------ the shown view

    async def _project(self) -> None:
        """Write the read model and what the Web UI lists, if anything of it changed; one writer at a time."""
        async with self._projecting:
            self._show()
            state = self._state
            view = Projection(
                number=self._start.number,
                now=workflow.now(),
                phase=state.phase,
                waiting_for=state.waiting_for,
                next_deadline_at=state.next_deadline_at,
                next_deadline_name=state.next_deadline_name,
                ended_reason=state.ended_reason,
            )
            if self._projected is not None and self._projected == view.model_copy(update={"now": self._projected.now}):
                return
            await self._do("project", view, None, f"Record: phase {state.phase.value}")
            self._projected = view

    def _refresh(self) -> None:
        """Whom the recall waits for and what is due next, as of now."""
        state = self._state
        state.waiting_for = waiting_for(state, self._start.jurisdictions)
        due = next_deadline(state, self._timers.next_due(), NOTICE_LIMIT_NAME)
        state.next_deadline_at, state.next_deadline_name = due or (None, None)

    def _show(self) -> None:
        """What the Web UI shows; no event unless a search attribute changed."""
        state, start, now = self._state, self._start, workflow.now()
        self._refresh()
        workflow.set_current_details(details(start, state, now))
        changed = self._upserts.changed(
            {
                sa.RECALL_PHASE: state.phase.value,
                sa.RECALL_CLASS: state.decided.recall_class if state.decided else None,
                sa.WAITING_FOR: cut(state.waiting_for) if state.waiting_for else None,
                sa.OUTSTANDING: state.outstanding(),
                sa.RESPONSE_PERCENT: state.response_percent(),
                sa.NEXT_DEADLINE_AT: state.next_deadline_at,
                sa.RECALL_SCOPE: state.proposal.geographic_scope if state.proposal else None,
                sa.OVERDUE: bool(state.overdue),
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
