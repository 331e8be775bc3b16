"""Decisions of people on a recall: the arguments of its updates, the receipt, and what the activity records."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from domain.phases import Phase
from models.message_base import Actor, Message


class Decision(Message):
    """Base of every decision: who, and why where a reason is owed."""

    actor: Actor
    reason: str | None = Field(default=None, max_length=2000)


class RecordEvaluation(Decision):
    """A medical assessor's signed health-hazard evaluation of one product line."""

    product_line: str
    evaluation: dict[str, Any]
    """`domain.levels.HazardEvaluation`, validated by the API and again by the activity."""
    market_actions: dict[str, str]
    """Per jurisdiction: removal, correction, market_withdrawal, stock_recovery, fsca, none."""


class ApproveAssessment(Decision):
    """Approve the proposed classes as they stand; `proposal_id` is the one the approver has read."""

    proposal_id: int


class ClassOverride(Message):
    """Another class than the proposed one, for one product line and jurisdiction."""

    product_line: str
    jurisdiction: str
    recall_class: Literal["I", "II", "III"]


class OverrideClass(Decision):
    """Approve with another class; the reason is mandatory."""

    proposal_id: int
    overrides: tuple[ClassOverride, ...] = Field(min_length=1)


class RejectRecall(Decision):
    """No recall: holds become nonconformity holds, the recall ends. The reason is mandatory."""


class Strategy(Message):
    """Recall strategy (21 CFR 7.42): what both signers sign."""

    depth: Literal["wholesale", "retail", "user_facility", "patient"]
    effectiveness_level: Literal["A", "B", "C", "D", "E"]
    public_warning: bool
    sub_recall: bool = True
    out_of_business: str = Field(default="account documented and reported", max_length=1000)
    destruction_method: str | None = Field(default=None, max_length=1000)
    channels: tuple[Literal["email", "sms"], ...] = ("email", "sms")


class ApproveStrategy(Decision):
    """One of the two signatures under the strategy. The second must name the same strategy."""

    capacity: Literal["quality", "regulatory"]
    strategy: Strategy


class PassGate(Decision):
    """A gate is done; `reference` names the authority's receipt or the documented contact."""

    gate: str
    reference: str = Field(min_length=1, max_length=200)
    evidence_ids: tuple[str, ...] = ()


class WaiveGate(Decision):
    """Urgency waiver of a gate; the reason is mandatory."""

    gate: str


class ApproveNotice(Decision):
    """Approve exactly the bodies behind this hash."""

    notice_id: int
    sha256: str


class DecisionReceipt(Message):
    """Answer to an accepted decision."""

    number: str
    phase: Phase
    accepted_at: AwareDatetime
    detail: str
    waiting_for: str | None = None


class RecordDecision(Message):
    """A decision handed to its activity, with the workflow's instant."""

    number: str
    now: AwareDatetime
    decision: dict[str, Any]
    """The update's argument as JSON."""
    operation: str
    pace: float = 1.0
