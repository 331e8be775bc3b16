"""What every part of the recall workflow stands on: state, activities, tasks with due times, the shown view."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import (
        Decision,
        DecisionFigures,
        DecisionReceipt,
        OpenTask,
        Projection,
        RecallInput,
        RecordDecision,
        TaskOverdue,
    )
    from workflows import search_attributes as sa
    from workflows.activity_options import RECORD
    from workflows.deadline import cut, wait_until
    from workflows.recall_state import RecallState
    from workflows.recall_texts import details


NOTICE_LIMIT = "notice_limit"
"""Key of the earliest notice limit in `RecallState.overdue`; it is a deadline on record, not a task."""


class RecallCore:
    """State and helpers; the decisions and the phases are built on it."""

    def _set_up(self, start: RecallInput) -> None:
        self._start = start
        self._state = RecallState.model_validate(start.carried) if start.carried else RecallState()
        # Handlers await activities; without the lock two approvals could pass the same check.
        self._lock = asyncio.Lock()
        self._stock_appeared = False
        self._campaign_moved = False
        self._upserts = sa.Upserts(continued=start.carried is not None)

    async def _do(
        self, activity: str, argument: Any, result: Any, summary: str, options: dict[str, Any] | None = None
    ) -> Any:
        return await workflow.execute_activity(
            activity, argument, result_type=result, summary=cut(summary), **(options or RECORD)
        )

    async def _record(self, activity: str, operation: str, decision: Decision, result: Any) -> Any:
        record = RecordDecision(
            number=self._start.number,
            now=workflow.now(),
            decision=decision.model_dump(mode="json"),
            operation=operation,
            pace=self._start.pace,
        )
        return await self._do(activity, record, result, f"Record: {operation.replace('_', ' ')}")

    def _decided(self) -> DecisionFigures:
        assert self._state.decided is not None  # noqa: S101 - called after the decision only
        return self._state.decided

    def _receipt(self, detail: str) -> DecisionReceipt:
        return DecisionReceipt(
            number=self._start.number,
            phase=self._state.phase,
            accepted_at=workflow.now(),
            detail=detail,
            waiting_for=self._state.waiting_for,
        )

    def _paced(self, policy_time: timedelta) -> timedelta:
        return policy_time / self._start.pace

    async def _enter(self, phase: Phase) -> None:
        self._state.phase = phase
        self._state.waiting_for = None
        workflow.logger.info("phase %s", phase.value)

    async def _open_task(self, key: str, step: str, what: str, role: Role) -> None:
        state, now = self._state, workflow.now()
        limit = state.limit(step)
        if key not in state.dues and limit is not None:
            state.dues[key] = now + self._paced(limit)
        task = OpenTask(
            number=self._start.number,
            key=key,
            step=step,
            what=what,
            role=role.value,
            due_at=state.dues.get(key),
            now=now,
        )
        await self._do("open_task", task, None, f"Task: {what}")

    async def _wait(self, done: Callable[[], bool], keys: list[str], waiting_for: str) -> None:
        """Wait for people. Each is reminded once, at the task's own due time; the notice limit is watched as well."""
        state = self._state
        while not done():
            dues = self._dues(keys, waiting_for)
            state.next_deadline_at, state.next_deadline_name = (dues[0][0], dues[0][2]) if dues else (None, None)
            await self._project(waiting_for)
            ahead = next((each for each in dues if each[1] not in state.overdue), None)
            if ahead is None:
                await self._or_continue(done)
                break
            due, key, name = ahead
            if not await self._or_continue(done, due, f"Due: {name}"):
                if key != NOTICE_LIMIT:
                    overdue = TaskOverdue(number=self._start.number, key=key, now=workflow.now())
                    await self._do("task_overdue", overdue, None, f"Overdue: {name}")
                state.overdue.append(key)
        state.overdue = [key for key in state.overdue if key not in keys]

    def _dues(self, keys: list[str], waiting_for: str) -> list[tuple[datetime, str, str]]:
        """(due time, key, name) of what the wait is for and of the notice limit while it runs, the earliest first."""
        state = self._state
        found = [(state.dues[key], key, waiting_for) for key in keys if key in state.dues]
        if state.decided is not None and not state.notice_limit_met:
            found.append((state.decided.notify_due_at, NOTICE_LIMIT, "the first notice to every consignee"))
        return sorted(found)

    async def _or_continue(self, done: Callable[[], bool], due: datetime | None = None, name: str = "") -> bool:
        """`wait_until`, unless the history has grown so long that the recall must go on in a new run."""

        def full() -> bool:
            return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()

        met = await wait_until(lambda: done() or full(), due, name)
        if not done() and full():
            workflow.continue_as_new(self._start.model_copy(update={"carried": self._state.model_dump(mode="json")}))
        return met

    async def _project(self, waiting_for: str | None) -> None:
        """Write the read model and what the Web UI lists; the details come with the next look."""
        state = self._state
        state.waiting_for = waiting_for
        if waiting_for is None:
            state.next_deadline_at = state.next_deadline_name = None
        self._show()
        projection = Projection(
            number=self._start.number,
            now=workflow.now(),
            phase=state.phase,
            waiting_for=waiting_for,
            next_deadline_at=state.next_deadline_at,
            next_deadline_name=state.next_deadline_name,
            ended_reason=state.ended_reason,
        )
        await self._do("project", projection, None, f"Record: phase {state.phase.value}")

    def _show(self) -> None:
        state = self._state
        workflow.set_current_details(details(self._start, state, workflow.now()))
        changed = self._upserts.changed(
            {
                sa.RECALL_PHASE: state.phase.value,
                sa.RECALL_CLASS: state.decided.recall_class if state.decided else None,
                sa.WAITING_FOR: cut(state.waiting_for) if state.waiting_for else None,
                sa.OUTSTANDING: state.campaign.outstanding if state.campaign else None,
                sa.RESPONSE_PERCENT: state.response_percent(),
                sa.NEXT_DEADLINE_AT: state.next_deadline_at,
                sa.RECALL_SCOPE: state.proposal.geographic_scope if state.proposal else None,
                sa.OVERDUE: bool(state.overdue),
            }
        )
        if changed:
            workflow.upsert_search_attributes(changed)
