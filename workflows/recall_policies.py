"""Moving a running recall to other versions of its regulation profiles: an update, signed, with its preview's hash."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from domain.roles import Permission
    from models.messages import BranchFigures, DecisionReceipt, MovePolicies
    from workflows.recall_amendments import RecallAmendments
    from workflows.recall_branches import with_open_gates
    from workflows.recall_rules import in_phase
    from workflows.recall_state import RecallState
    from workflows.rules import need_reason, other_person, permit, refuse

_REFUSED = ("HashMismatch", "InvalidInput", "WrongState")
"""What the activity finds out from the record and the person must be told."""
_MOVABLE = (
    Phase.ASSESSMENT,
    Phase.STRATEGY,
    Phase.GATES,
    Phase.NOTIFICATION,
    Phase.RESOLUTION,
    Phase.COMPLETED,
    Phase.AWAITING_AUTHORITY,
)


def check_move(state: RecallState, started_by: str, jurisdictions: tuple[str, ...], decision: MovePolicies) -> None:
    """An approver who did not start the recall moves it; each profile is named once and is one of the recall's."""
    permit(decision.actor, Permission.MOVE_POLICIES)
    in_phase(state, *_MOVABLE)
    need_reason(decision.reason, "moving a running recall to other policy versions")
    other_person(decision.actor, started_by, "started this recall")
    named = [each.policy for each in decision.targets]
    if len(set(named)) != len(named):
        refuse("InvalidInput", "expected each policy once")
    if unknown := sorted(set(named) - set(jurisdictions)):
        refuse("InvalidInput", f"{unknown[0]} is no jurisdiction of this recall; it has {', '.join(jurisdictions)}")


class RecallPolicies(RecallAmendments):
    """The update that moves a recall; limits of open tasks and deadlines only ever become earlier by it."""

    @workflow.update
    async def move_policies(self, decision: MovePolicies) -> DecisionReceipt:
        """Hold the recall to other versions from now on."""
        async with self._lock:
            self._check_move(decision)
            try:
                moved: BranchFigures = await self._record(
                    "record_policy_move", "move_policies", decision, BranchFigures
                )
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError) and error.cause.type in _REFUSED:
                    refuse(str(error.cause.type), error.cause.message)
                raise
            await self._policies_moved(moved)
            return self._receipt(f"held to {', '.join(moved.figures.policies)}")

    @move_policies.validator
    def _validate_move(self, decision: MovePolicies) -> None:
        self._check_move(decision)

    def _check_move(self, decision: MovePolicies) -> None:
        check_move(self._state, self._start.started_by, tuple(self._start.jurisdictions), decision)

    async def _policies_moved(self, moved: BranchFigures) -> None:
        state = self._state
        state.figures = moved.figures
        if moved.decided is not None:
            state.decided = with_open_gates(state.decided, moved.decided, state.gates_done)
        # Tasks on record may be due earlier; reports are looked at by the workflow that owns them.
        self._timers.moved()
        await self._turn_branches()
        await self._write_deadlines("Deadlines under the versions moved to")
        await self._project()


__all__ = ["RecallPolicies", "check_move"]
