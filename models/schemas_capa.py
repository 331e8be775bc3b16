"""HTTP contracts of CAPAs: what people write, the decisions they take, and a CAPA as it stands."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from domain.capa import MAX_VERIFY_DAYS, ActionKind, CauseCategory, Comparison
from domain.recurrence import DEFAULT_DAYS
from models.schemas_common import Block, Code, In, Line, Out, Reason, Units
from models.schemas_nonconformities import CodeOut, ImdrfCode, NcNumberText

_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Account = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000, pattern=_TEXT)]
"""Several paragraphs, 1 to 8,000 characters."""
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=_TEXT)]


def _storable(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) >= Decimal(10) ** 14:
        raise ValueError("expected a number below 10^14")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        raise ValueError("expected at most 6 decimal places")
    return value


Figure = Annotated[Decimal, AfterValidator(_storable)]
"""A measured number, exact; at most 14 digits before and 6 after the point."""
EvidenceIds = Annotated[tuple[UUID, ...], Field(max_length=100)]
NeededEvidence = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]


class InvestigationIn(In):
    """What was looked into and found. Names of patients do not belong here."""

    account: Account
    evidence_ids: EvidenceIds = ()
    reason: Reason | None = None


class CauseIn(In):
    """The cause: a chain of answers to "why?", the last one the root cause, and Ishikawa's group it belongs to."""

    five_whys: Annotated[list[Sentence], Field(min_length=1, max_length=10)]
    cause: Block
    category: CauseCategory
    codes: Annotated[list[ImdrfCode], Field(max_length=20)] = Field(default_factory=list)
    """IMDRF codes of annexes B to D (investigation) and G (component); once a list is in force at least one of C
    (findings) or D (conclusion), the category of the cause in that list."""
    evidence_ids: EvidenceIds = ()
    reason: Reason | None = None


class PlannedActionIn(In):
    """One action with its owner."""

    kind: ActionKind
    what: Sentence
    owner: Code = Field(examples=["Sunil"])
    """Principal of the person who does it."""
    due_on: date
    """Policy date by whose end (UTC) it has to be done."""


class CriterionIn(In):
    """What is measured to verify the effect, and what it has to be: "Cracked connectors, at most 2.5 per 10,000"."""

    what: Sentence
    comparison: Comparison
    target: Figure
    unit: Annotated[Line, Field(max_length=40)]


class PlanIn(In):
    """Actions and the measurable criterion of their effect; with at least one action against the cause."""

    actions: Annotated[list[PlannedActionIn], Field(min_length=1, max_length=100)]
    criterion: CriterionIn
    verify_after_days: Annotated[int, Field(ge=1, le=MAX_VERIFY_DAYS)]
    """Policy days after the last action until the effect can be measured."""
    watch_days: Annotated[int, Field(ge=1, le=MAX_VERIFY_DAYS)] = DEFAULT_DAYS
    """Days after the closing in which what comes again is counted."""
    recurrence_allowed: Annotated[int, Field(ge=0, le=100_000)] = 0
    """How many complaints, nonconformities and recalls of the kind may come in that time."""
    evidence_ids: EvidenceIds = ()
    reason: Reason | None = None


class PlanApprovalIn(In):
    """Approve the plan with this number, as read."""

    plan_version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    reason: Reason | None = None


class ActionDoneIn(In):
    """An action is done."""

    result: Annotated[Sentence, Field(max_length=2000)]
    evidence_ids: NeededEvidence
    reason: Reason | None = None


class VerificationIn(In):
    """What was measured, in the criterion's unit, and how."""

    measured: Figure
    account: Block
    evidence_ids: NeededEvidence
    reason: Reason | None = None


class CapaSignOffIn(In):
    """Close a CAPA whose effect is verified."""

    reason: Reason | None = None


class CapaReopeningIn(In):
    """Back to investigation, and why."""

    reason: Reason


class CapaDecisionOut(Out):
    """Receipt of a decision on a CAPA. `state` is `accepted` while it is still being carried out."""

    decision_id: str
    state: Annotated[str, Field(pattern="^(accepted|done)$")]
    status_url: str
    number: str
    sequence: int
    capa_state: str | None = None
    accepted_at: datetime | None = None
    detail: str | None = None
    waiting_for: str | None = None


class CapaActionOut(Out):
    """One action, with its evidence."""

    sequence: int
    plan_version: int
    kind: str
    what: str
    owner: str
    due_on: date
    due_at: datetime
    done_at: datetime | None
    done_by: str | None
    result: str | None
    withdrawn_at: datetime | None
    evidence_ids: list[UUID]
    overdue: bool


class CriterionOut(Out):
    """The criterion in force."""

    what: str
    comparison: str
    target: Units
    unit: str
    verify_after_days: int


class CapaStatementOut(Out):
    """One statement that was applied, as written."""

    id: UUID
    kind: str
    body: dict[str, Any]
    author: str
    written_at: datetime
    applied_at: datetime


class CapaMergeIn(In):
    """The CAPA that answers for this one: of a recall with its number there, or one without a recall."""

    file: Annotated[str, StringConstraints(pattern=r"^(R[CD]|CA)-[0-9]{4}-[0-9]{6}$")]
    sequence: Annotated[int, Field(ge=1, le=999_999)] = 1
    reason: Reason


class CapaOpenIn(In):
    """A CAPA without a recall: of nonconformities, or of a trend."""

    title: Line
    reason: Reason
    """Why it is opened: the trend, audit or nonconformities it answers."""
    nonconformities: Annotated[list[NcNumberText], Field(max_length=100)] = Field(default_factory=list)


class CapaOpenedOut(Out):
    """A CAPA on record; Temporal has accepted its workflow."""

    number: str
    status_url: str
    workflow_id: str


class RecurrenceEventOut(Out):
    """Something that came again."""

    kind: str
    reference: str
    at: datetime
    by: str
    """code, product or supplier: what it shares with the CAPA."""


class RecurrenceMonthOut(Out):
    """What came again in one month."""

    month: date
    count: int
    above_limit: bool


class RecurrenceOut(Out):
    """What came again since the CAPA was closed, judged by its plan."""

    rule: str
    closed_at: datetime
    watched_until: datetime
    allowed: int
    monthly_limit: int
    total: int
    signal: bool
    months: list[RecurrenceMonthOut]
    events: list[RecurrenceEventOut]


class CapaItem(Out):
    """A CAPA in a list."""

    sequence: int
    title: str
    state: str
    opened_at: datetime
    cause_recorded: bool
    plan_approved: bool
    effective: bool | None
    verify_due_at: datetime | None
    closed_at: datetime | None
    reopened: int
    merged_into: str | None = None
    """`RC-.../capas/1` or `CA-...`: the CAPA that answers for this one."""


class CapaOut(CapaItem):
    """A CAPA as it stands, with everything ever said about it."""

    trace_findings: list[dict[str, Any]]
    """What the suspect lots have in common, from the trace."""
    investigation: str | None
    investigated_by: str | None
    investigated_at: datetime | None
    five_whys: list[str]
    cause: str | None
    cause_category: str | None
    cause_by: str | None
    cause_at: datetime | None
    plan_version: int
    plan_by: str | None
    plan_approved_by: str | None
    plan_approved_at: datetime | None
    criterion: CriterionOut | None
    actions: list[CapaActionOut]
    """Actions in force and, marked `withdrawn_at`, those of earlier plans."""
    measured: Units | None
    verification: str | None
    verified_by: str | None
    verified_at: datetime | None
    closed_by: str | None
    merged_by: str | None
    merged_at: datetime | None
    merge_reason: str | None
    watch_days: int
    recurrence_allowed: int
    codes: list[CodeOut] = Field(default_factory=list)
    nonconformities: list[str] = Field(default_factory=list)
    """Nonconformities it answers."""
    merged: list[str] = Field(default_factory=list)
    """CAPAs merged into it."""
    evidence_ids: dict[str, list[UUID]]
    """Files by the part they prove: investigation, cause, plan, verification; those of actions stand with them."""
    statements: list[CapaStatementOut]
    """Oldest first; a reopened CAPA keeps those of its earlier passes."""


__all__ = [
    "ActionDoneIn",
    "CapaActionOut",
    "CapaDecisionOut",
    "CapaItem",
    "CapaMergeIn",
    "CapaOpenIn",
    "CapaOpenedOut",
    "CapaOut",
    "CapaReopeningIn",
    "CapaSignOffIn",
    "CapaStatementOut",
    "CauseIn",
    "CriterionIn",
    "CriterionOut",
    "EvidenceIds",
    "InvestigationIn",
    "NeededEvidence",
    "PlanApprovalIn",
    "PlanIn",
    "PlannedActionIn",
    "RecurrenceEventOut",
    "RecurrenceMonthOut",
    "RecurrenceOut",
    "VerificationIn",
]
