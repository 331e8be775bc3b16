"""Documents for authorities: what people add to a draft, the frozen submissions, and what became of each.

A draft is assembled from the record whenever somebody asks; it is not stored. Stored are the facts that no record
holds (`document_fields`, a new row per change), the exact bytes that were submitted (`submission`, with the files in
the evidence store) and every step of the way to the authority (`submission_event`). All three are only ever added to.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class SubmissionStep(StrEnum):
    """handed_over: the transport has it; acknowledged: the receiver's receipt is on record; refused: for good;
    failed: this try did not work, another follows."""

    handed_over = "handed_over"
    acknowledged = "acknowledged"
    refused = "refused"
    failed = "failed"


class DocumentFields(SQLModel, table=True):
    """What a person states for one document: values no record holds, and why and until when others are missing."""

    __tablename__ = "document_fields"
    __table_args__ = (UniqueConstraint("recall_number", "subject", "version"), UniqueConstraint("request"))

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    subject: str = text(120)
    """`{jurisdiction}:{name}` of the obligation or gate (`us-fda:regulator_report`)."""
    version: int = Field(nullable=False)
    """From 1; each holds the whole set, the newest counts."""
    supplied: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    explanations: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """Field -> {reason, expected_on}: 21 CFR 806.10(c)(13)."""
    request: str = text(120)
    stated_by: str = text(120)
    stated_at: datetime = instant()


class Submission(SQLModel, table=True):
    """One document as submitted: its bytes are the evidence files named here, by hash."""

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("recall_number", "subject", "version"),
        UniqueConstraint("request"),
        CheckConstraint("version >= 1", name="version_positive"),
        CheckConstraint("(corrects_id IS NULL) = (version = 1)", name="later_versions_correct_one"),
        Index("ix_submission_deadline", "deadline_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    deadline_id: int | None = ref("deadline.id", nullable=True)
    """Empty for a document owed without an instant: a draft notice for comments, a report before the start."""
    subject: str = text(120)
    jurisdiction: str = text(20)
    name: str = text(80)
    version: int = Field(nullable=False)
    corrects_id: int | None = ref("submission.id", nullable=True)
    """The version before: nothing submitted is ever changed."""
    kind: str = text(40)
    """Kind of the draft (`us_806_report`), or `own`: a document made elsewhere, frozen as uploaded."""
    model_version: str | None = text(20, nullable=True)
    """Version of the kind's typed model."""
    report_number: str | None = text(60, nullable=True)
    """The document's own number (21 CFR 806.10(c)(1)), which amendments cite."""
    fields_version: int = Field(default=0, nullable=False)
    """The `document_fields` it was made with; 0 without any."""
    files: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """Format (json, html, pdf) or evidence id -> {evidence_id, sha256, size}."""
    sha256: str = text(64)
    """Of the draft's JSON, or over the sorted hashes of an own document's files."""
    missing: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """Fields left open with who owes them, why and until when."""
    transport: str = text(20)
    drill: bool = Field(nullable=False)
    request: str = text(120)
    submitted_by: str = text(120)
    role: str = text(24)
    signature_id: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("signature.id"), nullable=True))
    submitted_at: datetime = instant()


class SubmissionEvent(SQLModel, table=True):
    """One step of a submission on its way; `acknowledged` and `refused` end it."""

    __tablename__ = "submission_event"
    __table_args__ = (
        one_of("step", SubmissionStep),
        UniqueConstraint("submission_id", "step", "attempt"),
        Index("ix_submission_event_submission", "submission_id"),
    )

    id: int | None = identity()
    submission_id: int = ref("submission.id")
    step: str = text(12)
    attempt: int = Field(default=0, nullable=False)
    """0 for what happens once; failures are counted."""
    reference: str | None = text(200, nullable=True)
    detail: str | None = text(500, nullable=True)
    at: datetime = instant()
    by: str = text(120)


def evidence_ids(submission: Submission) -> list[UUID]:
    """The files of a submission."""
    return [UUID(each["evidence_id"]) for each in submission.files.values()]


__all__ = ["DocumentFields", "Submission", "SubmissionEvent", "SubmissionStep", "evidence_ids"]
