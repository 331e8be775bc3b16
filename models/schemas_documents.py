"""HTTP contracts of documents for authorities: stated fields, submission of a draft, what became of it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.documents.form import Explanation
from domain.roles import Role
from models.schemas_common import In, Line, Out

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}(\.[a-z][a-z0-9_]{0,60})?$")]
Stated = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)] | int | bool
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FieldsIn(In):
    """The whole set of stated fields; what is left out is not stated any more."""

    based_on: Annotated[int, Field(ge=0, le=1_000_000, examples=[0])]
    """Version that was read; 0: nothing was stated yet."""
    supplied: Annotated[dict[FieldName, Stated], Field(max_length=100)] = Field(
        default_factory=dict, examples=[{"intended_use": "Rapid detection of antibodies."}]
    )
    """Values that no record holds. A field the record holds is refused."""
    explanations: Annotated[dict[FieldName, Explanation], Field(max_length=100)] = Field(
        default_factory=dict,
        examples=[{"consignee_addresses": {"reason": "Being collected.", "expected_on": "2026-12-01"}}],
    )
    """Why a field is missing and when it will be supplied (21 CFR 806.10(c)(13)), or that it does not apply."""


class MissingOut(Out):
    """An open field and who owes it."""

    field: str
    place: str
    title: str
    title_zh: str
    owes: Role
    why: str
    expected_on: date | None
    explained: bool


class FieldsOut(Out):
    """What people have stated for a document, and what is still open."""

    subject: str
    """`{jurisdiction}:{name}`."""
    kind: str
    model_version: str
    version: int
    """0: nothing is stated yet."""
    supplied: dict[str, Any]
    explanations: dict[str, Explanation]
    stated_by: str | None
    stated_at: datetime | None
    overruled: list[str]
    """Stated fields that the record holds by now."""
    missing: list[MissingOut]
    complete: bool
    """Whether it may be submitted: every open field is explained."""
    draft_sha256: str
    """Of the draft's JSON as it stands; a submission names it."""


class SubmitDraftIn(In):
    """Freeze the draft that was read and hand it over."""

    draft_sha256: Sha256
    """ETag of the draft's JSON: what was read is what is submitted."""
    reference: Line | None = Field(default=None, examples=["FDA acknowledgement 2026-11-22 / RES 98112"])
    """Receipt of the authority. Needed where a person sends the document; a transport brings it by itself."""
    transport: Literal["manual", "file_drop"] | None = None
    """Other than the jurisdiction's configured one: `manual` where the person sent it by another way."""
    corrects: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """Id of the newest submission, to submit a correction of it."""


class StoredFileOut(Out):
    """One frozen file; its content is the evidence of that id."""

    evidence_id: UUID
    sha256: str
    size: int


class SubmissionEventOut(Out):
    """One step on the way to the authority."""

    step: str
    at: datetime
    by: str
    reference: str | None
    detail: str | None


class SubmissionOut(Out):
    """One frozen version."""

    id: int
    subject: str
    version: int
    corrects_id: int | None
    kind: str
    model_version: str | None
    report_number: str | None
    fields_version: int
    sha256: str
    files: dict[str, StoredFileOut]
    missing: list[dict[str, Any]]
    transport: str
    drill: bool
    submitted_by: str
    submitted_at: datetime
    signature_id: UUID | None
    state: str
    """under_way, acknowledged, refused."""
    events: list[SubmissionEventOut]


class CommentWindowOut(Out):
    """The time an authority gets to comment on a draft before its gate is passed."""

    gate: str
    """Gate key, `{jurisdiction}:{gate}`."""
    title: str
    source: str
    sent_at: datetime | None
    """When the draft was handed over; null: not yet."""
    ends_at: datetime | None
    policy_ends_at: datetime | None
    notice_due_at: datetime | None
    """Earliest limit of the first notice."""
    open: bool
    settled: str | None
    """passed or waived; null: the gate is open."""
    conflict: str | None
    """What clashes with the notice limit, and the ways to settle it."""


__all__ = [
    "CommentWindowOut",
    "FieldsIn",
    "FieldsOut",
    "MissingOut",
    "StoredFileOut",
    "SubmissionEventOut",
    "SubmissionOut",
    "SubmitDraftIn",
]
