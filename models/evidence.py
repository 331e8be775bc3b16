"""Evidence: stored files by content hash, and which records of a recall each of them proves (design promise 8)."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.base import instant, text


class Evidence(SQLModel, table=True):
    """A stored file: content hash, verified type, uploader. Never a string."""

    __tablename__ = "evidence"
    __table_args__ = (
        Index("ix_evidence_recall", "recall_number"),
        Index("ix_evidence_file", "file_number", postgresql_where=sql("file_number IS NOT NULL")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    """Empty until the recall or step that cites it is accepted."""
    file_number: str | None = Field(default=None, foreign_key="quality_file.number")
    """The nonconformity, CAPA or supplier request that cites it."""
    file_name: str = text(200)
    content_type: str = text(100)
    size: int = Field(nullable=False)
    sha256: str = text(64)
    uploaded_by: str = text(120)
    uploaded_at: datetime = instant()


class EvidenceLink(SQLModel, table=True):
    """Which record a stored file proves: `task:12`, `disposition:4`, `capa:1:action:2`, `complaint:3`."""

    __tablename__ = "evidence_link"
    __table_args__ = (
        CheckConstraint("num_nonnulls(recall_number, file_number) = 1", name="of_one_file"),
        Index("ix_evidence_link_subject", "recall_number", "subject"),
        Index("ix_evidence_link_file", "file_number", "subject", postgresql_where=sql("file_number IS NOT NULL")),
    )

    evidence_id: UUID = Field(foreign_key="evidence.id", primary_key=True)
    subject: str = Field(max_length=80, primary_key=True)
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    file_number: str | None = Field(default=None, foreign_key="quality_file.number")
    linked_by: str = text(120)
    linked_at: datetime = instant()


__all__ = ["Evidence", "EvidenceLink"]
