"""Contracts between API, workflows and activities: frozen Pydantic models, one argument and one result each.

They carry ids, counts and instants. Rosters, addresses, names of contacts and notice bodies stay in Postgres.
New fields get defaults, because histories of running recalls hold the old shape.
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.ladder import Ladder
from domain.phases import Phase

RECALL_QUEUE = "recall"
INVENTORY_QUEUE = "inventory"
EMAIL_QUEUE = "notify-email"
SMS_QUEUE = "notify-sms"


class Message(BaseModel):
    """Base of every contract."""

    model_config = ConfigDict(frozen=True)


class Actor(Message):
    """Who decides: principal and roles as the API authenticated them; checked again by the update validator."""

    principal: str = Field(min_length=1, max_length=120)
    roles: tuple[str, ...]


# ---------------------------------------------------------------- recall: start and pinned figures


class StepLimit(Message):
    """How long a person has for one human step."""

    step: str
    limit: timedelta
    """Policy time."""


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


class ProductLine(Message):
    """One product line of the scope: evaluation and class are per line."""

    key: str
    """Product family, or the product code where there is none."""


class ScopeFigures(Message):
    """What the trace found, as counts."""

    scope_version: int
    lots: int
    consignees: int
    quantity: str
    """Units of use, decimal as text."""
    gaps: int
    countries: tuple[str, ...]
    product_lines: tuple[ProductLine, ...]


class HoldFigures(Message):
    """Positions under this recall's claim."""

    requested: int = 0
    """Requested and not yet confirmed."""
    confirmed: int = 0
    failed: int = 0
    records_arrived: bool = False
    """Import batches were loaded or reversed since the last trace, so the trace is due again."""


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


# ---------------------------------------------------------------- decisions (updates)


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


class DecisionFigures(Message):
    """What follows from the approved class: ladder, gates, limits."""

    recall_class: Literal["I", "II", "III"]
    ladder: Ladder
    gates: tuple[Gate, ...]
    notify_due_at: AwareDatetime
    """Real instant by which the first notices must be out (earliest over jurisdictions)."""
    decided_at: AwareDatetime


class NoticeDraft(Message):
    """Bodies rendered and stored, waiting for approval."""

    notice_id: int
    version: int
    sha256: str
    bodies: int


# ---------------------------------------------------------------- tasks and projection


class OpenTask(Message):
    """Open a task unless its key exists (design §2a, Tasks)."""

    number: str
    key: str
    step: str
    what: str
    role: str
    due_at: AwareDatetime | None = None
    evidence_required: bool = False
    now: AwareDatetime


class CloseTask(Message):
    """Close the task with this key, if it is open."""

    number: str
    key: str
    outcome: str
    done_by: str
    now: AwareDatetime


class TaskOverdue(Message):
    """A task's due time has passed: remind, and note it in the audit."""

    number: str
    key: str
    now: AwareDatetime


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


# ---------------------------------------------------------------- campaign


class CampaignReport(Message):
    """Signal `campaign_progress` from a campaign to its recall, and the result of its workflow."""

    campaign_id: int
    consignees: int
    outstanding: int
    next_due_at: AwareDatetime | None
    finished: bool = False
    """Nobody is outstanding (now: a late answer can name further consignees)."""
    stopped: str | None = None
    first_sent_at: AwareDatetime | None = None
    stated: int = 0
    not_notified: int = 0


class CampaignCarried(Message):
    """What a campaign's workflow takes over continue-as-new, so that nothing is reported twice."""

    reported: CampaignReport | None = None
    all_notified_reported: bool = False
    stop_reasons: dict[str, str] = Field(default_factory=dict)
    """Channel -> account-level error that stopped it."""
    probes: int = 0
    """Probes of a stopped channel made so far; sets the time to the next one."""


class CampaignInput(Message):
    """Start of `recall:{number}:campaign:{sequence}`."""

    number: str
    sequence: int
    campaign_id: int
    notice_id: int
    ladder: Ladder
    """Step times in policy time, divided by `pace` when walked."""
    pace: float = 1.0
    drill: bool = False
    priority: int
    """1 = class I, 3 = II, 5 = III."""
    notify_due_at: AwareDatetime
    rounds_done: int = 0
    """Carried over continue-as-new: how often the ladder was looked at."""
    channels: tuple[str, ...] = ("email", "sms")
    """Channels the signed strategy allows."""
    call_limit: timedelta = timedelta(days=1)
    """Policy time a person has to telephone a consignee that stayed silent or cannot be reached."""
    stay_open: bool = True
    """Keep looking for late consignees (a corrected answer may name more) until the signal `stop`; otherwise the
    workflow ends when nobody is outstanding."""
    carried: CampaignCarried | None = None


class AdvanceCampaign(Message):
    """Take every ladder step that is due at `now`."""

    number: str
    campaign_id: int
    ladder: Ladder
    pace: float
    priority: int
    now: AwareDatetime
    channels: tuple[str, ...] = ("email", "sms")
    call_limit: timedelta = timedelta(days=1)


class CampaignProgress(Message):
    """Where a campaign stands; the workflow waits until `next_due_at` or a nudge."""

    consignees: int
    answered: int
    """Consignees that acknowledged, answered or were documented by a person."""
    outstanding: int
    """Consignees still open: nothing at all was heard of them. An acknowledgement without quantities ends the
    chase for the acknowledgement; `stated` tells how many gave quantities."""
    stated: int = 0
    """Consignees with quantities stated, or documented."""
    not_notified: int
    """Open consignees without a first notice handed to a provider."""
    pending: dict[str, int]
    """Deliveries to send now, by channel."""
    next_due_at: AwareDatetime | None
    """Earliest next ladder step or retry; None when only people can move it on."""
    next_kind: str | None = None
    """What is due then: first, reminder, escalation, phone, or retry."""
    next_round: int = 0
    """Its place on the ladder, counted from 1; 0 for a retry."""
    next_count: int = 0
    """How many consignees (or deliveries) it concerns."""
    first_sent_at: AwareDatetime | None = None
    new_tasks: int = 0


class EndCampaign(Message):
    """Stop a campaign: what has not been handed to a provider is cancelled."""

    number: str
    campaign_id: int
    reason: str
    now: AwareDatetime


class CampaignStop(Message):
    """A channel of a campaign was stopped by an account-level error, or (`reason` None) works again."""

    number: str
    campaign_id: int
    channel: str
    reason: str | None
    now: AwareDatetime


class SendBatch(Message):
    """Claim and send up to `limit` due deliveries of one channel (design §6)."""

    number: str
    campaign_id: int
    channel: str
    limit: int = 500
    drill: bool = False
    now: AwareDatetime


class BatchResult(Message):
    """What one batch did."""

    claimed: int
    submitted: int
    failed: int
    deferred: int
    """Transient errors: tried again after a back-off."""
    ambiguous: int
    """Found in `submitting` after a crash and reconciled."""
    cancelled: int = 0
    """Reconciled as not sent to a recipient who has answered meanwhile."""
    resent: int = 0
    """Ambiguous and not found at the provider: sent again; for e-mail this may be a duplicate."""
    campaign_stop: str | None = None
    """Set when an account-level error forbids going on."""


class BeginIntake(RecallRef):
    """Pin the policies and start the awareness clock."""

    pace: float = 1.0


class CreateCampaign(RecallRef):
    """Create the campaign record of an approved notice."""

    notice_id: int
    sequence: int


class EndRecall(RecallRef):
    """The recall ends without a notice; claims on stock become nonconformity holds."""

    actor: Actor
    reason: str
