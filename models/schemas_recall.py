"""HTTP contracts of starting, listing and reading recalls."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, field_validator, model_validator

from domain.pace import Pace
from domain.phases import Phase
from domain.scope import ScopeCriteria
from models.schemas_common import Block, In, Line, Out, Units
from models.schemas_history import AuthorityAnswerOut, CompletionSignatureOut, ScopeVersionOut

EARLIEST_AWARENESS = datetime(1970, 1, 1, tzinfo=UTC)
Jurisdiction = Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z0-9-]{2,16}$", examples=["us-fda"])]
"""Id of a policy under `policies/`."""
RecallClassName = Literal["I", "II", "III"]


class TriggerIn(In):
    """What set the alarm off."""

    source: Literal["complaint", "internal_test", "supplier", "authority", "other"]
    reference: Line | None = None
    """Number of the complaint, report or letter."""


LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=12, examples=["zh-CN"])]
"""BCP 47 tag of a language."""


class RecallTexts(In):
    """Reason and hazard in another language, for notices to partners that read it."""

    reason: Block
    hazard: Block


class PlaceIn(In):
    """Where one law's clocks are counted for this recall, where that is elsewhere than its profile says."""

    state: Annotated[str | None, Field(pattern="^[A-Z]{2}$", examples=["FR"])] = None
    """Member state whose authority receives the reports, and whose holidays count (EU only)."""
    zone: Annotated[str | None, Field(min_length=1, max_length=64, examples=["Europe/Paris"])] = None
    """IANA zone whose days are counted: of that state, or of the recalling firm."""


class RecallStartIn(In):
    """Intake of a recall. Times carry an offset; quantities and lots come from the record, not from here."""

    title: Line
    reason: Block
    """What is wrong with the product."""
    hazard: Block
    """What it can do to a patient or user."""
    texts_language: LanguageTag = "en"
    """Language of `reason` and `hazard`."""
    translations: Annotated[dict[LanguageTag, RecallTexts], Field(max_length=30)] = Field(default_factory=dict)
    """The same texts in other languages; a notice prints the original, marked as such, where one is missing."""
    trigger: TriggerIn
    awareness_at: AwareDatetime
    """When the firm became aware: the start of the first regulatory clocks. Not in the future."""
    jurisdictions: Annotated[list[Jurisdiction], Field(min_length=1, max_length=20)]
    places: Annotated[dict[Jurisdiction, PlaceIn], Field(max_length=20)] = Field(default_factory=dict)
    """Jurisdiction -> where its clocks are counted, where the profile's own place is not the right one."""
    scope: ScopeCriteria
    evidence_ids: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    owner: Line
    """Who answers for the recall from now on."""
    drill: bool = False
    """A drill runs the same code and can never reach a real person."""
    pace: Pace = 1.0
    """Policy seconds per real second; anything but 1 is for drills and demonstrations and must be allowed."""

    @field_validator("awareness_at")
    @classmethod
    def _is_of_this_age(cls, awareness_at: datetime) -> datetime:
        if awareness_at < EARLIEST_AWARENESS:
            raise ValueError("expected an instant since 1970")
        return awareness_at

    @model_validator(mode="after")
    def _names_each_once(self) -> "RecallStartIn":
        if len(set(self.jurisdictions)) != len(self.jurisdictions):
            raise ValueError("jurisdictions: each one once")
        if len(set(self.evidence_ids)) != len(self.evidence_ids):
            raise ValueError("evidence_ids: each one once")
        return self


class RecallStarted(Out):
    """Temporal has accepted the recall."""

    number: str = Field(examples=["RC-2026-000123"])
    status_url: str = Field(examples=["/v1/recalls/RC-2026-000123"])
    workflow_id: str = Field(examples=["recall:RC-2026-000123"])


class BothTimes(Out):
    """An instant as it is waited for, and the policy time it stands for (equal at pace 1)."""

    at: datetime
    policy_at: datetime


class NextDeadline(BothTimes):
    """The limit that runs out first."""

    name: str
    overdue: bool


class RecallItem(Out):
    """One recall in a list."""

    number: str
    title: str
    phase: Phase
    phase_since: datetime
    recall_class: RecallClassName | None
    geographic_scope: str | None
    jurisdictions: list[str]
    owner: str
    started_by: str
    drill: bool
    pace: float
    awareness_at: datetime
    created_at: datetime
    waiting_for: str | None
    next_deadline: NextDeadline | None
    version: int


class ClassDecisionOut(Out):
    """Class of one product line in one jurisdiction: proposed, approved, overridden or the authority's."""

    product_line: str
    jurisdiction: str
    kind: str
    recall_class: RecallClassName
    local_term: str
    market_action: str
    proposal_id: int
    reasons: list[dict[str, Any]]
    decided_by: str
    decided_at: datetime


class ScopeOut(Out):
    """What the recall covers: criteria as given, and what the trace made of them."""

    criteria: dict[str, Any]
    version: int
    """0 while the first trace runs."""
    lots: int
    consignees: int
    quantity_shipped: Units
    """Units of use, shipped minus returned."""
    gaps: dict[str, int]
    """Number of gaps by kind; see the trace for each of them."""


class DeadlineOut(Out):
    """One limit, its basis, and both times."""

    name: str
    jurisdiction: str
    clock: str
    limit: str
    basis: str
    source: str
    due: BothTimes
    met_at: datetime | None
    overdue: bool


class ClockOut(Out):
    """A recorded fact that starts limits."""

    name: str
    scope_version: int
    at: datetime
    source: str
    author: str
    recorded_at: datetime


class WaitingOut(Out):
    """What the recall waits for, and for whom."""

    task_id: int
    what: str
    role: str
    assignee: str | None
    due: BothTimes | None
    overdue: bool


class HoldSummary(Out):
    """Positions under the recall's claim, by state, and their quantities in units of use."""

    positions: dict[str, int]
    quantities: dict[str, Units]
    late: int
    """Positions that appeared after the first request."""


class Counters(Out):
    """How far the notices and answers are."""

    consignees: dict[str, int]
    """By state: open, acknowledged, answered, documented."""
    deliveries: dict[str, int]
    """By state: pending, submitting, submitted, delivered, failed, cancelled."""
    replies: int
    outstanding: int
    """Consignees not yet answered or documented."""
    response_percent: int | None
    open_tasks: int


class Links(Out):
    """Where to read on."""

    trace: str
    holds: str
    consignees: str
    deliveries: str
    replies: str
    tasks: str
    deadlines: str
    sign_offs: str
    notices: str
    evidence: str
    audit: str
    live: str


class RecallDetail(RecallItem):
    """One recall with everything its owner asks for first. The `ETag` header carries `version`."""

    reason: str
    hazard: str
    trigger: dict[str, str | None]
    created: BothTimes
    ended_reason: str | None
    policies: list[str]
    """`id@version` of each pinned policy."""
    scope: ScopeOut
    class_decisions: list[ClassDecisionOut]
    clocks: list[ClockOut]
    deadlines: list[DeadlineOut]
    waiting: list[WaitingOut]
    holds: HoldSummary
    counters: Counters
    links: Links
    scope_versions: list[ScopeVersionOut]
    completion: list[CompletionSignatureOut]
    """Signatures under the completion and reopenings, oldest first."""
    authority_answers: list[AuthorityAnswerOut]


__all__ = [
    "BothTimes",
    "ClassDecisionOut",
    "ClockOut",
    "Counters",
    "DeadlineOut",
    "HoldSummary",
    "Jurisdiction",
    "Links",
    "NextDeadline",
    "RecallClassName",
    "RecallDetail",
    "RecallItem",
    "RecallStartIn",
    "RecallStarted",
    "ScopeOut",
    "TriggerIn",
    "WaitingOut",
]
