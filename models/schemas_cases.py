"""HTTP contracts of consignees' cases: attempts, documents, settled queries, patient counts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from domain.attempts import DocumentedKind, Outcome
from models.case import AttemptChannel, CaseReason, CaseState
from models.schemas_common import Block, In, Line, Out, Reason

EvidenceIds = Annotated[list[UUID], Field(default_factory=list, max_length=50)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]


class CaseOut(Out):
    """One reason why a person looks after a consignee."""

    id: int
    consignee_id: int
    consignee: str
    consignee_state: str
    reason: CaseReason
    subject: str | None
    """What it is about where there can be several: `reply:12`, `check:7`, `quantities`."""
    state: CaseState
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None


class AttemptIn(In):
    """An attempt to reach a consignee. Telephone and visit are live: they say who was asked for, and where."""

    channel: AttemptChannel
    at: AwareDatetime = Field(examples=["2026-11-21T14:05:00+08:00"])
    """When it was made: after the first notice, not in the future."""
    outcome: Outcome
    person: Line | None = Field(default=None, examples=["Ms Ann Other, head of stores"])
    number: Line | None = Field(default=None, examples=["+254700000001"])
    """Telephone number dialled, or address visited."""
    note: Reason | None = None
    task_id: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The call or visit task that this attempt completes, whatever came of it; left out: the task stays open."""


class AttemptOut(Out):
    """An attempt on record."""

    id: int
    channel: AttemptChannel
    live: bool
    person: str | None
    number: str | None
    outcome: Outcome
    note: str | None
    at: datetime
    task_id: int | None
    entered_by: str
    recorded_at: datetime


class EffortOut(Out):
    """Everything tried, as the rule counts it (three attempts, two channels, one live; a bounce is none)."""

    attempts: int
    channels: list[str]
    live: int
    missing: list[str]
    """What has to be done before the consignee may be documented as `no_response`; empty when it may."""
    items: list[AttemptOut]
    """Attempts of people; messages that did not bounce are counted above."""


class DocumentIn(In):
    """Why a consignee counts as done without its own answer."""

    kind: DocumentedKind
    account: Block
    """What was tried, what is known of it, and why no answer is to be expected."""
    evidence_ids: EvidenceIds
    """At least one for `out_of_business`."""
    authority_informed: Line | None = Field(default=None, examples=["FDA district office, RES-2026-114"])
    """Reference of the report to the authority, where one was made."""


class SettleIn(In):
    """Why a statement that was questioned is accepted as it stands."""

    reason: Block
    evidence_ids: EvidenceIds


class DocumentedOut(Out):
    """A signed account."""

    id: int
    consignee_id: int
    kind: str
    """no_response, refused, out_of_business, or settled."""
    reply_id: int | None
    account: str
    authority_informed: str | None
    signed_by: str
    signed_at: datetime
    consignee_state: str


class PatientsIn(In):
    """A hospital's counts of its patients; never a name, never a case number."""

    exposed: Count
    """Patients on whom affected product was or may have been used."""
    contacted: Count
    monitored: Count
    replaced: Count
    """Patients whose device was replaced or explanted."""
    final: bool
    """The hospital says nothing more is to be expected."""
    channel: Literal["phone", "visit", "letter", "email", "page"] = "phone"
    stated_by: Line | None = None
    """Who stated it for the hospital."""

    @model_validator(mode="after")
    def _are_possible(self) -> "PatientsIn":
        for name in ("contacted", "monitored", "replaced"):
            if getattr(self, name) > self.exposed:
                raise ValueError(f"{name}: expected at most the {self.exposed} patients exposed")
        return self


class PatientsOut(Out):
    """Counts on record; the newest are the ones that count."""

    id: int
    exposed: int
    contacted: int
    monitored: int
    replaced: int
    final: bool
    channel: str
    stated_by: str | None
    entered_by: str | None
    received_at: datetime


class PatientsList(Out):
    """Every statement of one hospital, the newest last."""

    items: list[PatientsOut]


__all__ = [
    "AttemptIn",
    "AttemptOut",
    "CaseOut",
    "DocumentIn",
    "DocumentedOut",
    "EffortOut",
    "PatientsIn",
    "PatientsList",
    "PatientsOut",
    "SettleIn",
]
