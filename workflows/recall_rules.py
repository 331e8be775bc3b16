"""What a decision must satisfy before it is accepted: phase, permission, four eyes, what it refers to.

Every rule raises an `ApplicationError` with a type the API maps to a problem. They run in the update's validator,
where a refusal writes nothing to the history, and again in the handler once it holds the lock.
"""

from collections.abc import Sequence

from domain.phases import Phase
from domain.roles import Permission
from models.messages import (
    ApproveAssessment,
    ApproveNotice,
    ApproveStrategy,
    Gate,
    OverrideClass,
    PassGate,
    RecordEvaluation,
    RejectRecall,
    WaiveGate,
)
from workflows.approval_rules import may_sign, next_turn
from workflows.recall_rules_market import check_actions_known, check_justified
from workflows.recall_signers import (
    assessment_content,
    assessment_signers,
    assessment_subject,
    notice_signers,
    notice_subject,
)
from workflows.recall_state import RecallState
from workflows.rules import need_reason, other_person, permit, refuse

_SIGN_AS = {
    "quality": Permission.SIGN_STRATEGY_QUALITY,
    "regulatory": Permission.SIGN_STRATEGY_REGULATORY,
}


_EVALUABLE = (Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)
_GATED = (Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)
_NOTIFYING = (Phase.NOTIFICATION, Phase.RESOLUTION, Phase.CANCELLED)


def in_phase(state: RecallState, *phases: Phase) -> None:
    """Refuse a decision that belongs to other phases; of a recall that has ended, with that reason."""
    if state.phase not in phases:
        if state.ended:
            refuse("RecallClosed", f"the recall is {state.phase}; nothing more can be decided")
        wanted = " or ".join(phases)
        refuse("WrongPhase", f"the recall is in phase {state.phase}, this decision belongs to {wanted}")


def check_evaluation(state: RecallState, jurisdictions: Sequence[str], decision: RecordEvaluation) -> None:
    """A medical assessor evaluates a product line of the scope; once a class is decided, on new facts only.

    New facts are harm that reopened the evaluation, or a line that came into scope since. Other facts need a reason.
    """
    permit(decision.actor, Permission.RECORD_EVALUATION)
    in_phase(state, *_EVALUABLE)
    lines = list(state.lines())
    if decision.product_line not in lines:
        refuse("UnknownProductLine", f"product line {decision.product_line!r} is not in scope; it has {lines}")
    check_actions_known(state, jurisdictions, decision)
    if state.decided and decision.product_line not in state.missing_lines():
        need_reason(decision.reason, "an evaluation after the class was decided")


def _check_class_decision(state: RecallState, started_by: str, decision: ApproveAssessment | OverrideClass) -> None:
    actor, proposal_id = decision.actor, decision.proposal_id
    may_sign(actor, assessment_signers(state, decision), Permission.DECIDE_ASSESSMENT)
    in_phase(state, Phase.ASSESSMENT)
    if state.decided:
        refuse("AlreadyDecided", "the class is already decided")
    # Records that arrive after the proposal may show a further product line; nobody decides around it.
    if state.proposal is None or state.missing_lines():
        missing = ", ".join(state.missing_lines())
        refuse("WrongPhase", f"there is no complete proposal; a hazard evaluation is missing for: {missing}")
    if state.proposal.proposal_id != proposal_id:
        refuse("StaleProposal", f"proposal {proposal_id} was replaced by {state.proposal.proposal_id}")
    check_justified(state)
    other_person(actor, started_by, "started this recall")
    for assessor in state.assessors.values():
        other_person(actor, assessor, "signed the hazard evaluation")


def check_approval(state: RecallState, started_by: str, decision: ApproveAssessment) -> None:
    """Another person than starter and assessor approves the proposal he has read."""
    _check_class_decision(state, started_by, decision)
    _check_turn(state, decision)


def _check_turn(state: RecallState, decision: ApproveAssessment | OverrideClass) -> None:
    given = state.signed.get(assessment_subject(state), [])
    next_turn(assessment_signers(state, decision), given, decision.actor, assessment_content(decision))


def check_override(state: RecallState, started_by: str, decision: OverrideClass) -> None:
    """As approval, with a reason, and only for lines and jurisdictions that were proposed."""
    _check_class_decision(state, started_by, decision)
    need_reason(decision.reason, "an override")
    proposed = {(each.product_line, each.jurisdiction) for each in state.proposal.classes} if state.proposal else set()
    for override in decision.overrides:
        if (override.product_line, override.jurisdiction) not in proposed:
            refuse("InvalidInput", f"nothing was proposed for {override.product_line} under {override.jurisdiction}")
    _check_turn(state, decision)


def check_rejection(state: RecallState, started_by: str, decision: RejectRecall) -> None:
    """No recall: possible until the class is decided, by another person than the one who started it."""
    permit(decision.actor, Permission.DECIDE_ASSESSMENT)
    in_phase(state, Phase.ASSESSMENT)
    if state.decided:
        refuse("AlreadyDecided", "the class is already decided")
    other_person(decision.actor, started_by, "started this recall")
    need_reason(decision.reason, "a rejection")


def check_strategy(state: RecallState, decision: ApproveStrategy) -> None:
    """Quality and regulatory affairs, two persons, sign the same strategy."""
    permit(decision.actor, _SIGN_AS[decision.capacity])
    in_phase(state, Phase.STRATEGY)
    if decision.capacity in state.strategy_signers:
        refuse("AlreadyDecided", f"the strategy is already signed for {decision.capacity}")
    for capacity, signer in state.strategy_signers.items():
        other_person(decision.actor, signer, f"signed the strategy for {capacity}")
    if state.strategy is not None and decision.strategy != state.strategy:
        refuse("HashMismatch", "the strategy differs from the one already signed; both must sign the same")


def _gate(state: RecallState, key: str) -> Gate:
    gates = state.decided.gates if state.decided else ()
    gate = next((each for each in gates if each.key == key), None)
    if gate is None:
        refuse("UnknownGate", f"gate {key!r} is none of {[each.key for each in gates]}")
    if key in state.gates_done:
        refuse("AlreadyDecided", f"gate {key} is already {state.gates_done[key]}")
    return gate


def check_gate_pass(state: RecallState, decision: PassGate) -> None:
    """Regulatory affairs records that an authority step was done."""
    permit(decision.actor, Permission.PASS_GATE)
    in_phase(state, *_GATED)
    _gate(state, decision.gate)


def check_gate_waiver(state: RecallState, decision: WaiveGate) -> None:
    """An urgency waiver: only where the policy allows one, with a reason."""
    permit(decision.actor, Permission.WAIVE_GATE)
    in_phase(state, *_GATED)
    gate = _gate(state, decision.gate)
    if not gate.waivable:
        refuse("NotWaivable", f"gate {gate.key} cannot be waived ({gate.source})")
    need_reason(decision.reason, "a waiver")


def check_notice(state: RecallState, started_by: str, decision: ApproveNotice) -> None:
    """Another person than the one who started the recall approves exactly the bodies behind the hash.

    A gate that opened while the draft waited comes first; a recall that has ended asks for none. Cancelled, it only
    retracts; terminated, it only tells of its end.
    """
    needed = notice_signers(state)
    may_sign(decision.actor, needed, Permission.APPROVE_NOTICE)
    telling_the_end = state.closure_wanted and not state.announced
    in_phase(state, *_NOTIFYING, *((Phase.TERMINATED,) if telling_the_end else ()))
    if state.notice is None or (state.notices and state.notices[0].stage == "waiting"):
        refuse("WrongPhase", "the notice is still being drafted")
    if not state.notice_open():
        refuse("AlreadyDecided", "the notice is already approved")
    if decision.notice_id != state.notice.notice_id:
        refuse("StaleProposal", f"notice {decision.notice_id} is not the open draft {state.notice.notice_id}")
    if decision.sha256 != state.notice.sha256:
        refuse("HashMismatch", "the hash is not that of the draft; read the draft again before approving it")
    other_person(decision.actor, started_by, "started this recall")
    if not state.ended and (gates := state.open_gates()):
        refuse("WrongPhase", f"pass or waive first: {', '.join(gates)}")
    given = state.signed.get(notice_subject(state), [])
    next_turn(needed, given, decision.actor, decision.sha256)
