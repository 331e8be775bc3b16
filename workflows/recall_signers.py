"""Who must sign the open proposal or draft of a recall, and what their signatures are under."""

import json
from typing import Any, Final

from domain.levels import RecallClass, strictest
from domain.roles import Role
from models.messages import ApproveAssessment, OverrideClass, Reclassify
from workflows.approval_rules import both
from workflows.recall_state import RecallState

ClassSignature = ApproveAssessment | OverrideClass | Reclassify
"""A decision on a proposal: the first one on the class, or one that takes its place."""

USUAL: Final = (Role.APPROVER.value,)
"""Who signs where the policies ask for nobody else."""


def notice_signers(state: RecallState) -> tuple[str, ...]:
    """The functions that must sign the open draft."""
    return (state.figures.signers.get("notice") if state.figures else None) or USUAL


def assessment_signers(state: RecallState, decision: ClassSignature | None = None) -> tuple[str, ...]:
    """The functions that must sign the open proposal: for what is proposed, and for what is decided instead."""
    proposal = state.proposal
    if proposal is None or not proposal.signers:
        return USUAL
    proposed = {(each.product_line, each.jurisdiction): each.recall_class for each in proposal.classes}
    decided = dict(proposed)
    if isinstance(decision, OverrideClass | Reclassify):
        decided |= {(each.product_line, each.jurisdiction): each.recall_class for each in decision.overrides}
    first, second = (_signers_of(proposal.signers, classes.values()) for classes in (proposed, decided))
    return both(first, second)


def _signers_of(signers: dict[str, tuple[str, ...]], classes: Any) -> tuple[str, ...]:
    worst = strictest(RecallClass(each) for each in classes)
    return signers.get(worst.value, USUAL) if worst else USUAL


def assessment_subject(state: RecallState) -> str:
    """Which proposal signatures are under."""
    return f"assessment:{state.proposal.proposal_id if state.proposal else 0}"


def notice_subject(state: RecallState) -> str:
    """Which draft signatures are under: its id and the hash of its bodies."""
    return f"notice:{state.notice.notice_id}:{state.notice.sha256[:16]}" if state.notice else "notice"


def assessment_content(decision: ClassSignature) -> str:
    """What is decided, as text that is equal for equal decisions: classes, levels, and what starts a clock."""
    overrides = () if isinstance(decision, ApproveAssessment) else decision.overrides
    known = decision.facts_known_at if isinstance(decision, Reclassify) else None
    classes = sorted(
        [each.product_line, each.jurisdiction, each.recall_class, *([each.level] if each.level else [])]
        for each in overrides
    )
    content = json.dumps(classes) if classes else "as proposed"
    return content if known is None else f"{content}; facts known at {known.isoformat()}"


__all__ = [
    "USUAL",
    "ClassSignature",
    "assessment_content",
    "assessment_signers",
    "assessment_subject",
    "notice_signers",
    "notice_subject",
]
