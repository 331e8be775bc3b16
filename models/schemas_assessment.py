"""HTTP contracts of the level assessment beside evaluation and decision: market actions, what stands side by side.

Three facts are kept apart per product line and jurisdiction: what our decision table proposed, what our approver
decided, what the authority says. None overwrites another; the last of the latter two is in force.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from domain.levels import MarketAction, needs_justification
from models.messages import MarketActionFor
from models.schemas_common import Block, Code, In, Out, Reason
from models.schemas_decisions import one_class_each
from models.schemas_experts import ExpertReviewOut
from models.schemas_recall import Jurisdiction, RecallClassName
from models.schemas_suggestions import StoredSuggestionOut


class NotReportedIn(In):
    """The record owed where nothing is reported (21 CFR 806.20(b)(4)); a designated person reviews it."""

    justification: Block
    """Why the action is not reported."""
    conclusions: Block
    follow_up: Block | None = None
    """What is done to follow it up."""


class MarketActionIn(In):
    """What is done on the market of one jurisdiction with one product line."""

    product_line: Code
    jurisdiction: Jurisdiction
    action: MarketAction
    not_reported: NotReportedIn | None = None
    """Owed for market_withdrawal, stock_recovery and none; for a class III that is recorded instead of reported too."""

    @model_validator(mode="after")
    def _justifies_inaction(self) -> "MarketActionIn":
        if needs_justification(self.action) and self.not_reported is None:
            raise ValueError(
                f"not_reported: {self.action} is not reported, so its justification and conclusions are owed "
                "(21 CFR 806.20(b)(4))"
            )
        return self

    def message(self) -> MarketActionFor:
        """The same as the workflow reads it."""
        owed = self.not_reported
        return MarketActionFor(
            product_line=self.product_line,
            jurisdiction=self.jurisdiction,
            action=self.action.value,
            justification=owed.justification if owed else None,
            conclusions=owed.conclusions if owed else None,
            follow_up=owed.follow_up if owed else None,
        )


class MarketActionsIn(In):
    """Market actions decided together; each product line and jurisdiction once."""

    actions: Annotated[list[MarketActionIn], Field(min_length=1, max_length=500), AfterValidator(one_class_each)]
    reason: Reason | None = None


class MarketActionReviewIn(In):
    """The designated person's word on the justification in force."""

    product_line: Code
    jurisdiction: Jurisdiction
    market_action_id: Annotated[int, Field(ge=1, le=2**53)]
    """The record as read (`GET market-actions`); when another one is in force meanwhile, the review is refused."""
    outcome: Literal["accepted", "sent_back"]
    evaluation: Block
    """What the designated person found."""


class JustificationReviewOut(Out):
    """How a designated person judged a justification."""

    outcome: str
    evaluation: str
    reviewed_by: str
    role: str
    reviewed_at: datetime


class MarketActionOut(Out):
    """A market action as decided, with the record of 21 CFR 806.20 where nothing is reported."""

    id: int
    product_line: str
    jurisdiction: str
    action: str
    justification: str | None
    conclusions: str | None
    follow_up: str | None
    decided_by: str
    role: str
    decided_at: datetime
    in_force: bool
    """False for one that was decided anew since."""
    review: JustificationReviewOut | None


class ClassFactOut(Out):
    """One of the three recorded facts about a class."""

    recall_class: RecallClassName
    level: str
    """The jurisdiction's own level: the class in the US, 一级 to 三级 as 1 to 3, the EU's severity bucket 1 to 4."""
    local_term: str
    market_action: str
    kind: str
    """proposed, approved, overridden or authority."""
    proposal_id: int
    reasons: list[dict[str, Any]]
    decided_by: str
    decided_at: datetime


class LineAssessmentOut(Out):
    """One product line in one jurisdiction: action, questions and the three classes side by side."""

    product_line: str
    jurisdiction: str
    assessor: str | None
    evaluated_at: datetime | None
    market_action: MarketActionOut | None
    proposed: ClassFactOut | None
    """What our decision table proposed last."""
    decided: ClassFactOut | None
    """What our approver decided last."""
    authority: ClassFactOut | None
    """What the authority says."""
    in_force: Literal["decided", "authority"] | None
    """Which of the two limits and notices follow."""
    questions: list[str]
    """What a person must look at before deciding; empty when nothing stands out."""
    experts: list[ExpertReviewOut]
    """Experts outside the firm asked about the line, with their answers."""


class AssessmentOut(Out):
    """The whole level assessment of a recall."""

    number: str
    geographic_scope: str | None
    recall_class: RecallClassName | None
    """The strictest class in force."""
    lines: list[LineAssessmentOut]
    suggestions: list[StoredSuggestionOut]
    """What a trained model reads out of the reason, per product line: advice, which no decision uses."""


__all__ = [
    "AssessmentOut",
    "ClassFactOut",
    "JustificationReviewOut",
    "LineAssessmentOut",
    "MarketActionIn",
    "MarketActionOut",
    "MarketActionReviewIn",
    "MarketActionsIn",
    "NotReportedIn",
]
