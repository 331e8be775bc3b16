"""Contracts between API, workflows and activities: frozen Pydantic models, one argument and one result each.

They carry ids, counts and instants. Rosters, addresses, names of contacts and notice bodies stay in Postgres.
New fields get defaults, because histories of running recalls hold the old shape. Everybody imports from here; the
decisions, the campaign and the workflows beside a recall have files of their own.
"""

from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from domain.ladder import Ladder
from domain.phases import Phase
from models.message_base import Actor, Message
from models.messages_amendments import (
    AmendScope,
    ClassName,
    CreateCampaign,
    DraftNotice,
    NoticeAs,
    NoticeDraft,
    ProductLine,
    ScopeChange,
    ScopeFigures,
)
from models.messages_campaign import (
    AdvanceCampaign,
    BatchResult,
    CampaignCarried,
    CampaignInput,
    CampaignProgress,
    CampaignReport,
    CampaignStop,
    EndCampaign,
    SendBatch,
)
from models.messages_cases import CaseLook, CaseTurn, ComplaintFigures
from models.messages_children import (
    CapaInput,
    CapaReport,
    CaseInput,
    DispositionInput,
    DispositionReport,
    ObligationsFigures,
    ObligationsInput,
    ObligationsReport,
    ObligationsTurn,
)
from models.messages_closing import ChecklistFigures, ChecklistItem, EffectivenessFigures, EffectivenessTurn
from models.messages_decisions import (
    ApproveAssessment,
    ApproveNotice,
    ApproveStrategy,
    AuthorityClass,
    CancelFigures,
    CancelRecall,
    Capacity,
    ClassOverride,
    ClosingFigures,
    Complete,
    CompletionRecord,
    Decision,
    DecisionReceipt,
    ExpandScope,
    ExtendDeadline,
    OverrideClass,
    PassGate,
    Reclassify,
    RecordAuthorityAnswer,
    RecordDecision,
    RecordEvaluation,
    ReduceScope,
    RejectRecall,
    Reopen,
    Strategy,
    TaskExtended,
    WaiveGate,
)
from models.messages_disposition import DispositionLook, DispositionTurn
from models.messages_tasks import (
    CloseTask,
    OpenTask,
    OwnTasks,
    SendStaffMessages,
    StaffSent,
    StepLimit,
    TaskClock,
    TaskClocks,
    TasksTurned,
    TaskTurn,
    TurnTasks,
)

RECALL_QUEUE = "recall"
INVENTORY_QUEUE = "inventory"
EMAIL_QUEUE = "notify-email"
SMS_QUEUE = "notify-sms"


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


__all__ = [
    "EMAIL_QUEUE",
    "INVENTORY_QUEUE",
    "RECALL_QUEUE",
    "SMS_QUEUE",
    "Actor",
    "AdvanceCampaign",
    "AmendScope",
    "ApproveAssessment",
    "ApproveNotice",
    "ApproveStrategy",
    "AuthorityClass",
    "BatchResult",
    "BeginIntake",
    "CampaignCarried",
    "CampaignInput",
    "CampaignProgress",
    "CampaignReport",
    "CampaignStop",
    "CancelFigures",
    "CancelRecall",
    "CapaInput",
    "CapaReport",
    "Capacity",
    "CaseInput",
    "CaseLook",
    "CaseTurn",
    "ChecklistFigures",
    "ChecklistItem",
    "ClassName",
    "ClassOverride",
    "CloseTask",
    "ClosingFigures",
    "ComplaintFigures",
    "Complete",
    "CompletionRecord",
    "CreateCampaign",
    "Decision",
    "DecisionFigures",
    "DecisionReceipt",
    "DispositionInput",
    "DispositionLook",
    "DispositionReport",
    "DispositionTurn",
    "DraftNotice",
    "EffectivenessFigures",
    "EffectivenessTurn",
    "EndCampaign",
    "EndRecall",
    "ExpandScope",
    "ExtendDeadline",
    "Gate",
    "HoldFigures",
    "Message",
    "NoticeAs",
    "NoticeDraft",
    "ObligationsFigures",
    "ObligationsInput",
    "ObligationsReport",
    "ObligationsTurn",
    "OpenTask",
    "OverrideClass",
    "OwnTasks",
    "PassGate",
    "PolicyFigures",
    "ProductLine",
    "Projection",
    "Proposal",
    "ProposedClass",
    "RecallInput",
    "RecallRef",
    "RecallScopeRef",
    "Reclassify",
    "RecordAuthorityAnswer",
    "RecordDecision",
    "RecordEvaluation",
    "ReduceScope",
    "RejectRecall",
    "Reopen",
    "ScopeChange",
    "ScopeFigures",
    "SendBatch",
    "SendStaffMessages",
    "Snapshot",
    "StaffSent",
    "StepLimit",
    "Strategy",
    "TaskClock",
    "TaskClocks",
    "TaskExtended",
    "TaskTurn",
    "TasksTurned",
    "TurnTasks",
    "WaiveGate",
]
