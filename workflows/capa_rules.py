"""What a decision on a CAPA must satisfy before it is accepted: state, permission, four eyes, evidence, the period.

They run in the update's validator, where a refusal writes nothing to the history, and again in the handler.
"""

from datetime import datetime

from domain.capa import CapaState
from domain.roles import Permission
from models.messages_capa import (
    ApprovePlan,
    CapaActionFigures,
    CapaFigures,
    CapaStatement,
    CompleteAction,
    MergeCapa,
    RecordCause,
    RecordInvestigation,
    RecordVerification,
    ReopenCapa,
    SignOffCapa,
    WritePlan,
)
from workflows.rules import holds, need_reason, other_person, permit, refuse


def _in_state(capa: CapaFigures, *states: CapaState) -> None:
    if capa.state not in states:
        refuse("WrongState", f"the CAPA is in state {capa.state}, this decision belongs to {' or '.join(states)}")


def _evidence(decision: CapaStatement, what: str) -> None:
    if not decision.evidence_ids:
        refuse("EvidenceRequired", f"{what} needs at least one evidence file")


def check_investigation(capa: CapaFigures, decision: RecordInvestigation) -> None:
    """Written by quality or supplier quality, until the cause is recorded."""
    permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.investigation)


def check_cause(capa: CapaFigures, decision: RecordCause) -> None:
    """A cause rests on an investigation of this pass."""
    permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.investigation)
    if not capa.investigated:
        refuse("WrongState", "there is no investigation yet; record it before the cause")


def check_plan(capa: CapaFigures, decision: WritePlan) -> None:
    """A plan may be replaced until all its actions are done; the new one needs a new approval."""
    permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.planning, CapaState.implementation)


def check_plan_approval(capa: CapaFigures, decision: ApprovePlan) -> None:
    """Another person than the author approves exactly the plan that was read."""
    permit(decision.actor, Permission.APPROVE_CAPA)
    _in_state(capa, CapaState.planning)
    if not capa.plan_written or capa.plan_by is None:
        refuse("WrongState", "there is no plan to approve yet")
    if decision.plan_version != capa.plan_version:
        refuse("StaleProposal", f"plan {decision.plan_version} was replaced by plan {capa.plan_version}")
    other_person(decision.actor, capa.plan_by, f"wrote plan {capa.plan_version}")


def _action(capa: CapaFigures, sequence: int) -> CapaActionFigures:
    found = next((each for each in capa.actions if each.sequence == sequence), None)
    if found is None:
        refuse("UnknownAction", f"the plan has no action {sequence}; it has {[each.sequence for each in capa.actions]}")
    return found


def check_action(capa: CapaFigures, decision: CompleteAction) -> None:
    """The action's owner, or whoever manages CAPAs, says that it is done, with evidence."""
    if capa.state in (CapaState.verification, CapaState.effective) and _action(capa, decision.action).done:
        refuse("AlreadyDecided", f"action {decision.action} is already done")
    _in_state(capa, CapaState.implementation)
    action = _action(capa, decision.action)
    if decision.actor.principal != action.owner or not holds(decision.actor, Permission.WORK_TASKS):
        permit(decision.actor, Permission.MANAGE_CAPA)
    if action.done:
        refuse("AlreadyDecided", f"action {decision.action} is already done")
    _evidence(decision, "a completed action")


def check_verification(capa: CapaFigures, decision: RecordVerification, now: datetime) -> None:
    """The effect is measured after the period, never before it."""
    permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.verification)
    if capa.verify_due_at is not None and now < capa.verify_due_at:
        refuse("TooEarly", f"the effect can be verified from {capa.verify_due_at.isoformat()} on")
    _evidence(decision, "a verification of effect")


def check_sign_off(capa: CapaFigures, decision: SignOffCapa) -> None:
    """Another person than verifier and plan author closes it."""
    permit(decision.actor, Permission.APPROVE_CAPA)
    _in_state(capa, CapaState.effective)
    other_person(decision.actor, capa.verified_by or "", "verified the effect")
    other_person(decision.actor, capa.plan_by or "", "wrote the plan")


def check_reopening(capa: CapaFigures, decision: ReopenCapa) -> None:
    """Whoever manages or approves CAPAs may find that a closed (or verified) one was not the end of it."""
    if not holds(decision.actor, Permission.APPROVE_CAPA):
        permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.closed, CapaState.effective, CapaState.merged)
    need_reason(decision.reason, "a reopening")


def check_merge(capa: CapaFigures, decision: MergeCapa) -> None:
    """Until its plan is approved, a CAPA may be left to another one that answers for it, too."""
    permit(decision.actor, Permission.MANAGE_CAPA)
    _in_state(capa, CapaState.investigation, CapaState.planning)
    need_reason(decision.reason, "a merger")


__all__ = [
    "check_action",
    "check_cause",
    "check_investigation",
    "check_merge",
    "check_plan",
    "check_plan_approval",
    "check_reopening",
    "check_sign_off",
    "check_verification",
]
