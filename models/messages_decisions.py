"""Decisions of people on a recall: the arguments of its updates, the receipt, and what the activity records."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from domain.channels import USUAL, Channel
from domain.checklist import ChecklistItem
from domain.phases import Phase
from domain.scope import ScopeCriteria
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
    level: str | None = None
    """The jurisdiction's own level, where several cover the class (the EU's buckets); None: the policy's reading."""


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
    channels: tuple[Channel, ...] = USUAL


class ApproveStrategy(Decision):
    """One of the two signatures under the strategy. The second must name the same strategy."""

    capacity: Literal["quality", "regulatory"]
    strategy: Strategy


class PassGate(Decision):
    """A gate is done; `reference` names the authority's receipt or the documented contact."""

    gate: str
    reference: str = Field(min_length=1, max_length=200)
    evidence_ids: tuple[str, ...] = ()
    answered: bool = False
    """The authority has commented, shown by the evidence: the end of its time to do so was not waited for."""


class WaiveGate(Decision):
    """Urgency waiver of a gate; the reason is mandatory."""

    gate: str


class ApproveNotice(Decision):
    """Approve exactly the bodies behind this hash."""

    notice_id: int
    sha256: str


class ExpandScope(Decision):
    """Further suspect criteria; what was suspect stays so. Quality alone decides, because growing is never held up."""

    added: ScopeCriteria


class ReduceScope(Decision):
    """Take lots out, with what descends only from them; an approver who did not start the recall decides."""

    lot_ids: tuple[int, ...] = Field(min_length=1, max_length=10_000)


class AuthorityClass(Message):
    """The class an authority gave a product line itself; `reference` is its letter or entry."""

    product_line: str
    jurisdiction: str
    recall_class: Literal["I", "II", "III"]
    reference: str = Field(min_length=1, max_length=200)
    level: str | None = None
    """The authority's own level, where several cover the class; None: the policy's reading."""


class Reclassify(Decision):
    """A new class while the recall runs: the proposal of a new evaluation, or the authority's own class.

    With `proposal_id` the approver confirms that proposal, changed where `overrides` say so; `authority` stores the
    authority's classes beside ours, and they hold from then on.
    """

    proposal_id: int | None = None
    overrides: tuple[ClassOverride, ...] = ()
    authority: tuple[AuthorityClass, ...] = ()
    facts_known_at: AwareDatetime | None = None
    """When the firm became aware of the facts behind a raised severity; None: as the record shows it."""


class CancelRecall(Decision):
    """The recall was wrong: claims become nonconformity holds, whoever was told gets a retraction."""


Capacity = Literal["quality", "regulatory"]


class Complete(Decision):
    """One of the two signatures under the completed recall; refused with what is open while anything is."""

    capacity: Capacity


class RecordAuthorityAnswer(Decision):
    """An authority's word on the completed recall, or the signed statement that there is none to ask."""

    jurisdiction: str
    answer: Literal["terminated", "no_authority", "more_ordered"]
    reference: str | None = Field(default=None, max_length=200)
    evidence_ids: tuple[str, ...] = ()


class AnnounceClosure(Decision):
    """Whether everybody told is to be told that the recall has ended, once it is terminated; the last word counts."""

    wanted: bool = True


class Reopen(Decision):
    """A closed question turns out to be open: back to resolution, signatures void."""


class ExtendDeadline(Decision):
    """Give a person more time for a task; a legal limit has no such decision."""

    key: str = Field(min_length=1, max_length=120)
    due_at: AwareDatetime


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
    round: int = 1
    """Which completion it belongs to: one more after each reopening."""
    task_key: str | None = None
    """The task this decision ends, where the decision itself does not say."""
    role: str | None = None
    """Function the signature counts for, where several sign."""


class CompletionRecord(Message):
    """What came of a signature under the completion: signed, or what was still open (then nothing was written)."""

    open: tuple[ChecklistItem, ...] = ()


class CancelFigures(Message):
    """What a cancellation leaves behind."""

    told: int
    """Consignees that were given a notice and so must be given its retraction."""


class ClosingFigures(Message):
    """What a completed recall still waits for, read from the record."""

    obligations_open: int = 0
    """Reports owed, neither submitted nor stopped, whose clock runs."""
    next_due_at: AwareDatetime | None = None


class TaskExtended(Message):
    """Answer of the activity that moves a task's due time."""

    outcome: Literal["moved", "unknown", "legal", "not_later"]
    owner: str | None = None
    """Workflow that runs the task's timers."""
    due_at: AwareDatetime | None = None
    """Due time the task has now."""
