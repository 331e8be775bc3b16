"""Contracts of a recall's own workflow: its start, its view of itself, and the figures that activities give it.

Like all messages they carry ids, counts and instants; new fields get defaults.
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from domain.ladder import Ladder
from domain.phases import Phase
from models.message_base import Actor, Message
from models.messages_amendments import NoticeDraft, ScopeFigures
from models.messages_branches import ExtraTaskFigures, FiredFigures
from models.messages_campaign import CampaignReport
from models.messages_closing import EffectivenessFigures
from models.messages_tasks import StepLimit


class Gate(Message):
    """A step an authority requires before the notice (design §2a), as the pinned policy names it."""

    key: str
    """`{jurisdiction}:{gate id}`."""
    title: str
    waivable: bool
    source: str


class PolicyFigures(Message):
    """What the workflow needs of its pinned policies before a class is decided; strictest over jurisdictions."""

    policies: tuple[str, ...]
    """`id@version` of each pinned policy."""
    step_limits: tuple[StepLimit, ...]
    hold_watch: timedelta
    """How often stock is looked for again while the recall is open."""
    hold_retry: timedelta
    """How soon an unconfirmed hold is asked for again."""
    extra_tasks: tuple[ExtraTaskFigures, ...] = ()
    """Tasks beside the fixed steps that the policies and their branches ask for now."""
    fired: tuple[FiredFigures, ...] = ()
    """Branches that hold now."""
    signers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Step that is signed -> functions that must sign it, in order, as the facts are now."""


class HoldFigures(Message):
    """Positions under this recall's claim."""

    requested: int = 0
    """Requested and not yet confirmed."""
    confirmed: int = 0
    failed: int = 0
    records_arrived: bool = False
    """Import batches were loaded or reversed since the last trace, so the trace is due again."""
    owed: dict[str, int] = Field(default_factory=dict)
    """Code of the keeper -> holds it has not confirmed; `others`: of all keepers beyond the first twenty."""
    tasks_moved: bool = False
    """Tasks were opened or ended by the look, so their timers are due to be read."""


class RecallInput(Message):
    """Start of `recall:{number}`. The intake record is already in Postgres; `carried` continues a long recall."""

    number: str
    started_by: str
    created_at: AwareDatetime
    jurisdictions: tuple[str, ...]
    pace: float = 1.0
    drill: bool = False
    carried: dict[str, Any] | None = None


class RecallRef(Message):
    """Which recall, at which instant of its workflow's clock."""

    number: str
    now: AwareDatetime


class RecallScopeRef(RecallRef):
    """Which scope version of which recall."""

    scope_version: int
    claim: bool = True
    """Whether stock that appeared since is claimed as well; not once the recall has ended."""


class ProposedClass(Message):
    """What the decision table proposes for one product line under one jurisdiction."""

    product_line: str
    jurisdiction: str
    recall_class: Literal["I", "II", "III"]
    local_term: str


class Proposal(Message):
    """The open proposal; a new evaluation makes a new one."""

    proposal_id: int
    classes: tuple[ProposedClass, ...]
    geographic_scope: str
    signers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Class -> functions that must sign where it is the strictest decided, in order."""


class ClassFacts(Message):
    """The three recorded facts about one line under one law, in the law's own terms; None where there is none."""

    product_line: str
    jurisdiction: str
    market_action: str
    proposed: str | None = None
    decided: str | None = None
    authority: str | None = None


class DecisionFigures(Message):
    """What follows from the approved class: ladder, gates, limits."""

    recall_class: Literal["I", "II", "III"]
    ladder: Ladder
    gates: tuple[Gate, ...]
    notify_due_at: AwareDatetime
    """Real instant by which the first notices must be out (earliest over jurisdictions)."""
    decided_at: AwareDatetime
    branches_move: bool = False
    """A branch of the policies, or who must sign, would change by what is on record now: the recall turns them."""
    records_owed: tuple[tuple[str, str], ...] = ()
    """(product line, jurisdiction) recorded instead of reported, still without its justification (21 CFR 806.20)."""
    classes: tuple[ClassFacts, ...] = ()
    """What the table proposed, the approver decided and the authority says; the first lines only."""
    classes_more: int = 0
    """Lines under a law that `classes` leaves out."""


class BranchFigures(Message):
    """What a look at the facts found: the policies' figures as they count now, and what follows from the class."""

    figures: PolicyFigures
    decided: DecisionFigures | None = None
    """None before a class is decided, and where nothing changed."""
    moved: bool = False
    """A branch began or ended with this look: tasks and deadlines on record may have moved."""


class Projection(Message):
    """The workflow's view written to the read model (`recall` row)."""

    number: str
    now: AwareDatetime
    phase: Phase
    waiting_for: str | None
    next_deadline_at: AwareDatetime | None
    next_deadline_name: str | None
    ended_reason: str | None = None


class Snapshot(Message):
    """Answer of the query `snapshot`: the recall as its workflow sees it."""

    number: str
    phase: Phase
    recall_class: str | None
    scope: ScopeFigures | None
    holds: HoldFigures
    proposal: Proposal | None
    strategy_signed_as: tuple[str, ...]
    gates_open: tuple[str, ...]
    notice: NoticeDraft | None
    outstanding: int | None
    response_percent: int | None
    waiting_for: str | None
    next_deadline_at: AwareDatetime | None
    next_deadline_name: str | None
    overdue: bool
    policies: tuple[str, ...]
    scope_version: int = 1
    campaigns: tuple[CampaignReport, ...] = ()
    """Latest report of each campaign, by sequence."""
    approvals_open: tuple[str, ...] = ()
    """What waits for an approver's or a signer's decision, in plain words."""
    changes_waiting: int = 0
    """Notices of changes that are not with a campaign yet."""
    effectiveness: EffectivenessFigures | None = None
    checklist_open: tuple[str, ...] = ()
    """Keys of the completion checklist's open items, as last read."""
    completion_signed_as: tuple[str, ...] = ()
    authority_answers: dict[str, str] = Field(default_factory=dict)
    """Jurisdiction -> answer recorded since the recall was last completed."""
    jurisdictions_open: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """Workflows started beside the recall, in plain words with what they last reported."""
    ended_reason: str | None = None


class BeginIntake(RecallRef):
    """Pin the policies and start the awareness clock."""

    pace: float = 1.0


class EndRecall(RecallRef):
    """The recall ends without a notice; claims on stock become nonconformity holds."""

    actor: Actor
    reason: str
