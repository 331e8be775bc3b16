"""The recall's own watch: stock to hold, records that arrive late, harm that was reported.

One turn asks the keepers for every hold not yet confirmed, claims stock that appeared since, traces again when records
arrived, and takes up complaints. Signals wake it; without one it turns at the policy's pace, so a lost signal costs
time and nothing else.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import (
        ComplaintFigures,
        HoldFigures,
        RecallScopeRef,
        ScopeFigures,
    )
    from workflows.activity_options import INVENTORY, TRACE
    from workflows.deadline import wait_until
    from workflows.recall_approvals import RecallApprovals
    from workflows.recall_branches import FACTS

SHORTEST_LOOK: Final = timedelta(seconds=30)
"""Real time between two turns of the watch, whatever the pace: what happens meanwhile wakes it by signal."""
_MENDED: Final = "late-records-mend-a-notice"
"""Patch: before it, a notice that could not be drafted was tried again after the pause or a change of scope only."""
_PER_KEEPER: Final = "holds-chased-per-keeper"
"""Patch: before it, one task stood for the holds of all keepers."""
EVALUABLE: Final = (Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)
"""Phases in which a hazard is evaluated, for the first time or again."""


class RecallHolds(RecallApprovals):
    """Holds, late records and complaints."""

    def _scope_ref(self, *, claim: bool = True) -> RecallScopeRef:
        return RecallScopeRef(
            number=self._start.number,
            now=workflow.now(),
            scope_version=self._state.scope_version,
            claim=claim,
        )

    async def _request_holds(self, summary: str) -> None:
        if self._state.ended:
            return
        self._state.holds = await self._do("request_holds", self._scope_ref(), HoldFigures, summary, INVENTORY)
        self._state.holds_requested = True

    async def _watch_holds(self) -> None:
        """Turn after turn, for the life of the recall."""
        state = self._state
        await workflow.wait_condition(lambda: state.holds_requested or state.ended)
        while not state.ended:
            self._stock_appeared = False
            try:
                again = await self._turn()
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                # Without this the watch would end for good, and nobody would be told.
                workflow.logger.error("holds or trace failed; what is open stays open and is tried again")
                again = False
            if again:
                continue
            open_holds = state.holds.requested + state.holds.failed
            figures = state.figures
            pause = (figures.hold_retry if open_holds else figures.hold_watch) if figures else timedelta(hours=1)
            name = f"Holds: {open_holds} unconfirmed, asked again" if open_holds else "Look again for stock to hold"
            wake = workflow.now() + max(self._paced(pause), SHORTEST_LOOK)
            if not await wait_until(lambda: self._stock_appeared or state.ended, wake, name):
                # What a lost nudge would have told is found by this turn.
                self._note("watch")

    async def _turn(self) -> bool:
        """One turn; True when another must follow at once."""
        state = self._state
        state.holds = await self._do(
            "execute_holds", self._scope_ref(), HoldFigures, "Place and confirm holds", INVENTORY
        )
        self._show()
        if state.ended:
            return False
        if state.holds.tasks_moved:
            self._timers.moved()
        if state.holds.records_arrived:
            await self._trace_again()
            return True
        await self._chase_holds(state.holds.requested + state.holds.failed)
        await self._take_up_complaints()
        return False

    async def _chase_holds(self, unconfirmed: int) -> None:
        """Holds nobody confirms become a task of the warehouse; its own timers remind and hand it over.

        One for each keeper, closed when that one has confirmed: who is late does not hide behind who is later.
        """
        state = self._state
        if not workflow.patched(_PER_KEEPER):
            await self._chase_together(unconfirmed)
            return
        owed = dict(state.holds.owed)
        if (rest := unconfirmed - sum(owed.values())) > 0:
            owed[""] = rest
        for keeper, count in sorted(owed.items()):
            if keeper not in state.hold_chases:
                state.hold_tasks += 1
                key = state.hold_chases[keeper] = f"holds:{state.hold_tasks}"
                what = f"Confirm {count} holds at {keeper}" if keeper else f"Confirm {count} holds or stopped documents"
                await self._open_task(key, "hold_confirmation", what, Role.WAREHOUSE)
        for keeper in sorted(state.hold_chases.keys() - owed.keys()):
            await self._close_chase(state.hold_chases.pop(keeper))
        if state.hold_task is not None:
            key, state.hold_task = state.hold_task, None
            await self._close_chase(key)

    async def _chase_together(self, unconfirmed: int) -> None:
        state = self._state
        if state.hold_task is None:
            if unconfirmed:
                state.hold_tasks += 1
                state.hold_task = f"holds:{state.hold_tasks}"
                await self._open_task(
                    state.hold_task, "hold_confirmation", f"Confirm {unconfirmed} holds", Role.WAREHOUSE
                )
        elif not unconfirmed:
            key, state.hold_task = state.hold_task, None
            await self._close_chase(key)

    async def _close_chase(self, key: str) -> None:
        await self._close_task(key, "all holds confirmed", "Every hold is confirmed")

    async def _trace_again(self) -> None:
        """Records that arrived since may show further consignees of the same lots; each must be told."""
        state = self._state
        before = state.scope.consignees if state.scope else 0
        found: ScopeFigures = await self._do(
            "resolve_scope", self._scope_ref(), ScopeFigures, "Trace again with what arrived since", TRACE
        )
        # A decision may have made the next scope version meanwhile; that one was traced with it.
        if found.scope_version != state.scope_version:
            return
        state.scope = found
        if found.branches_move:
            await self._turn_branches()
        if state.phase in EVALUABLE:
            await self._open_evaluations()
        if found.consignees > before:
            if state.notice_fault is None or workflow.patched(_MENDED):
                self._scope_moved = True  # a notice that there was nobody to give to may be drafted now
            await self._nudge_campaigns()

    # ------------------------------------------------------------------ evaluations

    def _evaluation_key(self, line: str) -> str:
        count = self._state.evaluations.get(line, 1)
        return f"evaluation:{line}" if count == 1 else f"evaluation:{line}:{count}"

    async def _open_evaluations(self) -> None:
        """A task of the medical assessor for each product line that owes an evaluation."""
        for line in self._state.missing_lines():
            key = self._evaluation_key(line)
            if not self._timers.watches(key):
                self._state.evaluations.setdefault(line, 1)
                what = f"Health-hazard evaluation: {line}"
                await self._open_task(key, "evaluation", what, Role.MEDICAL)

    async def _take_up_complaints(self) -> None:
        """Harm that was reported since: its clocks start, and the hazard of its product line is evaluated again."""
        state = self._state
        figures: ComplaintFigures = await self._do(
            "take_up_complaints", self._ref(), ComplaintFigures, "Take up reports of harm"
        )
        self._timers.send(figures.channels)
        if figures.taken_up or figures.open != state.complaints_open:
            self._timers.moved()
        if figures.taken_up and "obligations" in state.children:
            # A report on harm may be due within days: its task must not wait for the daily look.
            await self._tell(workflow_ids.obligations_id(self._start.number), "nudge")
        if figures.taken_up:
            await self._turn_branches()
        state.complaints_open = figures.open
        for line in figures.lines:
            if line in state.lines() and line not in state.missing_lines():
                state.evaluations[line] = state.evaluations.get(line, 1) + 1
                state.reopened.append(line)
        if figures.lines and state.phase in EVALUABLE:
            await self._open_evaluations()
            await self._project()

    # ------------------------------------------------------------------ messages

    @workflow.signal
    def stock_appeared(self) -> None:
        """Stock of a lot in scope was booked; the watch looks at once instead of at its next turn."""
        self._stock_appeared = True

    @workflow.signal
    def record_moved(self, kind: str) -> None:
        """Something in the record changed: `complaint`, `effectiveness`, `checklist`, `facts`."""
        if kind == "complaint":
            self._stock_appeared = True
        if kind == FACTS:
            self._facts_moved = True
        self._note(kind)


__all__ = ["EVALUABLE", "SHORTEST_LOOK", "RecallHolds"]
