"""What must be true before a running recall's scope or class changes.

Growing is never held up: quality alone expands. Shrinking takes product out of a safety measure, so it needs an
approver who did not start the recall; a new class needs the signers the approval rules name for it, none of whom
started the recall or evaluated the hazard. The authority's own class is only recorded: an approver alone does that.
"""

from collections.abc import Sequence
from typing import Final

from domain.phases import Phase
from domain.roles import Permission
from models.messages import ExpandScope, Reclassify, ReduceScope
from workflows.approval_rules import may_sign, next_turn
from workflows.recall_rules import in_phase
from workflows.recall_rules_market import check_justified
from workflows.recall_signers import assessment_content, assessment_signers, assessment_subject
from workflows.recall_state import RecallState
from workflows.rules import need_reason, other_person, permit, refuse

_CHANGEABLE: Final = (
    Phase.ASSESSMENT,
    Phase.STRATEGY,
    Phase.GATES,
    Phase.NOTIFICATION,
    Phase.RESOLUTION,
    Phase.COMPLETED,
    Phase.AWAITING_AUTHORITY,
)
_CLASSED: Final = (Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)


def check_expansion(state: RecallState, decision: ExpandScope) -> None:
    """Quality adds suspect criteria, in every phase from assessment on; a completed recall is reopened by it."""
    permit(decision.actor, Permission.CHANGE_SCOPE)
    in_phase(state, *_CHANGEABLE)
    need_reason(decision.reason, "an expansion")


def check_reduction(state: RecallState, started_by: str, decision: ReduceScope) -> None:
    """An approver takes lots out; never the person who started the recall."""
    permit(decision.actor, Permission.DECIDE_ASSESSMENT)
    in_phase(state, *_CHANGEABLE)
    need_reason(decision.reason, "a reduction")
    other_person(decision.actor, started_by, "started this recall")


def check_reclassification(
    state: RecallState, started_by: str, jurisdictions: Sequence[str], decision: Reclassify
) -> None:
    """A new class rests on the newest proposal, or is the authority's own."""
    if decision.authority:
        permit(decision.actor, Permission.DECIDE_ASSESSMENT)
    else:
        may_sign(decision.actor, assessment_signers(state, decision), Permission.DECIDE_ASSESSMENT)
    in_phase(state, *_CLASSED)
    if (decision.proposal_id is None) == (not decision.authority):
        refuse("InvalidInput", "give either the proposal to decide on or the authority's classes")
    other_person(decision.actor, started_by, "started this recall")
    if decision.authority:
        _check_authority(state, jurisdictions, decision)
    else:
        _check_proposal(state, decision)


def _check_authority(state: RecallState, jurisdictions: Sequence[str], decision: Reclassify) -> None:
    if decision.overrides:
        refuse("InvalidInput", "overrides change a proposal; the authority's class is stored as it is")
    for each in decision.authority:
        if each.product_line not in state.lines():
            refuse("UnknownProductLine", f"product line {each.product_line!r} is not in scope; it has {state.lines()}")
        if each.jurisdiction not in jurisdictions:
            refuse("InvalidInput", f"{each.jurisdiction} is no jurisdiction of this recall")


def _check_proposal(state: RecallState, decision: Reclassify) -> None:
    if missing := state.missing_lines():
        refuse("WrongPhase", f"there is no complete proposal; a hazard evaluation is missing for: {', '.join(missing)}")
    if state.proposal is None or not state.proposal_open():
        refuse("AlreadyDecided", "no proposal waits for a decision; a new evaluation makes one")
    if state.proposal.proposal_id != decision.proposal_id:
        refuse("StaleProposal", f"proposal {decision.proposal_id} was replaced by {state.proposal.proposal_id}")
    check_justified(state)
    for assessor in state.assessors.values():
        other_person(decision.actor, assessor, "signed the hazard evaluation")
    proposed = {(each.product_line, each.jurisdiction) for each in state.proposal.classes}
    for override in decision.overrides:
        if (override.product_line, override.jurisdiction) not in proposed:
            refuse("InvalidInput", f"nothing was proposed for {override.product_line} under {override.jurisdiction}")
    if decision.overrides:
        need_reason(decision.reason, "another class than the proposed one")
    given = state.signed.get(assessment_subject(state), [])
    next_turn(assessment_signers(state, decision), given, decision.actor, assessment_content(decision))


__all__ = ["check_expansion", "check_reclassification", "check_reduction"]
