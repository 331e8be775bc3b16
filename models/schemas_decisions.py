"""HTTP contracts of the decisions people take on a recall; each becomes one update of its workflow."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from domain.hazard import HazardEvaluation
from domain.levels import MarketAction, needs_justification
from domain.phases import Phase
from models.messages import ClassOverride, Strategy
from models.schemas_common import Code, In, Line, Out, Reason
from models.schemas_recall import Jurisdiction, RecallClassName

_Id = Annotated[int, Field(ge=0, le=2**53)]


class EvaluationIn(In):
    """A medical assessor's health-hazard evaluation of one product line (21 CFR 7.41, Order 29 Art. 12)."""

    product_line: Code
    evaluation: HazardEvaluation
    market_actions: Annotated[dict[Jurisdiction, MarketAction], Field(max_length=20)] = Field(default_factory=dict)
    """Actions of markets for which none is decided yet, signed with the form: removal, correction or fsca. Anything
    that is not reported is decided at `/market-actions` first, with its justification."""
    reason: Reason | None = None

    @model_validator(mode="after")
    def _names_recalls_only(self) -> "EvaluationIn":
        for law, action in self.market_actions.items():
            if needs_justification(action):
                raise ValueError(
                    f"market_actions/{law}: {action} is not reported; decide it at /market-actions with its "
                    "justification first (21 CFR 806.20)"
                )
        return self


class ApprovalIn(In):
    """Approve the proposal with this id, as read."""

    proposal_id: _Id
    reason: Reason | None = None


class ClassOverrideIn(In):
    """Another class than the proposed one."""

    product_line: Code
    jurisdiction: Jurisdiction
    recall_class: RecallClassName
    level: Annotated[str | None, Field(pattern="^[A-Za-z0-9_-]{1,20}$", examples=["2"])] = None
    """The jurisdiction's own level, where several cover the class (the EU's severity buckets).

    Without it the strictest level counts that needs no finding of its own: class I in the EU is bucket 2; bucket 1, a
    serious public health threat, has to be named.
    """

    def message(self) -> ClassOverride:
        """The same as the workflow reads it."""
        return ClassOverride(**self.model_dump())


def one_class_each(items: Sequence[Any]) -> Sequence[Any]:
    """Each product line and jurisdiction once: of two classes nobody could say which one was signed.

    Raises:
        ValueError: one is named twice.
    """
    named = [(each.product_line, each.jurisdiction) for each in items]
    for index, pair in enumerate(named):
        if pair in named[:index]:
            raise ValueError(f"{index}: {pair[0]} under {pair[1]} is named twice")
    return items


class OverrideIn(In):
    """Approve with other classes, and say why."""

    proposal_id: _Id
    overrides: Annotated[list[ClassOverrideIn], Field(min_length=1, max_length=500), AfterValidator(one_class_each)]
    reason: Reason


class ReasonIn(In):
    """A decision that owes a reason and nothing else."""

    reason: Reason


class StrategyIn(In):
    """One of the two signatures under the strategy (21 CFR 7.42)."""

    capacity: Annotated[str, Field(pattern="^(quality|regulatory)$", examples=["quality"])]
    strategy: Strategy
    reason: Reason | None = None


class GatePassIn(In):
    """The authority step is done; `reference` is its receipt or the documented contact."""

    reference: Line
    evidence_ids: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    reason: Reason | None = None
    answered: bool = False
    """The authority has commented: its time to do so need not be waited for (MDCG 2023-3, question 20).

    Within that time its answer is named in `evidence_ids`; the statement is part of what is signed.
    """


class NoticeApprovalIn(In):
    """Release exactly the bodies behind this hash."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reason: Reason | None = None


class DecisionOut(Out):
    """Receipt of a decision. `state` is `accepted` while it is still being carried out: poll `status_url`."""

    decision_id: str
    state: Annotated[str, Field(pattern="^(accepted|done)$")]
    status_url: str
    number: str
    phase: Phase | None = None
    accepted_at: datetime | None = None
    detail: str | None = None
    waiting_for: str | None = None


__all__ = [
    "ApprovalIn",
    "ClassOverrideIn",
    "DecisionOut",
    "EvaluationIn",
    "GatePassIn",
    "NoticeApprovalIn",
    "OverrideIn",
    "ReasonIn",
    "StrategyIn",
]
