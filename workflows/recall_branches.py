"""Branches of the policies while a recall runs: the facts are looked at when they may have changed.

What a branch adds takes effect at once: tasks opened later have its limits and its people, open ones become due
earlier, its extra tasks are offered from the phase they name on, its gates stand before the next notice, its reports
are written as deadlines. Extra tasks never hold up a notice, because a late notice is worse than a late house task:
they are reminded of and passed on as any task, and the completion checklist waits for them.
"""

from collections.abc import Collection
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import BranchFigures, DecisionFigures, ExtraTaskFigures, StepLimit
    from workflows.recall_companions import RecallCompanions

FACTS: Final = "facts"
"""Kind of `record_moved`: facts the policies branch on have changed."""
EXTRA: Final = "extra"
"""Step of a task beside the fixed ones."""
_STORY: Final = (Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)
_GATED: Final = (Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)


class RecallBranches(RecallCompanions):
    """Follows the branches of the pinned policies."""

    async def _turn_branches(self) -> None:
        """Look at the facts; take up what the policies ask for now."""
        state = self._state
        if state.figures is None:
            return  # nothing is pinned yet; the intake looks by itself
        while True:
            self._facts_moved = False
            before = state.decided
            turned: BranchFigures = await self._do(
                "turn_branches", self._ref(), BranchFigures, "Which branches of the policies hold"
            )
            if state.decided is before:
                break  # otherwise a class was decided meanwhile: what followed from the one before is out of date
        state.figures = turned.figures
        if turned.decided is not None and state.decided is not None:
            state.decided = with_open_gates(state.decided, turned.decided, state.gates_done)
        if turned.moved:
            self._timers.moved()
            if "obligations" in state.children:
                await self._tell(workflow_ids.obligations_id(self._start.number), "nudge")
        if state.phase in _GATED:
            await self._open_gate_tasks()
        await self._open_extra_tasks()

    async def _open_gate_tasks(self) -> None:
        """A task of regulatory affairs for each authority step that is neither done nor waived."""
        state = self._state
        titles = {gate.key: gate.title for gate in (state.decided.gates if state.decided else ())}
        for key in state.open_gates():
            await self._open_task(f"gate:{key}", "gate", titles[key], Role.REGULATORY)

    async def _open_extra_tasks(self) -> None:
        """Offer the extra tasks whose phase has come, each once."""
        state = self._state
        for task in state.figures.extra_tasks if state.figures else ():
            if task.key not in state.extras and self._has_come(task):
                state.extras.append(task.key)
                limit = StepLimit(
                    step=EXTRA, limit=task.limit, remind=task.remind, role=task.role, stand_in=task.stand_in
                )
                await self._open_task(
                    task.key, EXTRA, task.title, Role(task.role), limit=limit, evidence_required=task.evidence_required
                )

    def _has_come(self, task: ExtraTaskFigures) -> bool:
        phase = self._state.phase
        if phase is Phase.INTAKE or self._state.ended:
            return False
        return phase not in _STORY or _STORY.index(phase) >= _STORY.index(Phase(task.phase))


def with_open_gates(before: DecisionFigures | None, now: DecisionFigures, done: Collection[str]) -> DecisionFigures:
    """A gate that was asked for and is still open stays asked for: neither a move nor a branch that ends loosens it.

    Without it here nobody could pass it any more, and its task would never end. Only a decision on the class, or on
    what is done on a market, takes one back.
    """
    known = {*done, *(gate.key for gate in now.gates)}
    kept = tuple(gate for gate in (before.gates if before else ()) if gate.key not in known)
    return now.model_copy(update={"gates": (*now.gates, *kept)})


__all__ = ["EXTRA", "FACTS", "RecallBranches", "with_open_gates"]
