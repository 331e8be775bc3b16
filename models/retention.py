"""Legal holds, requests to delete the file of a recall, and the tombstone that stands where a file was."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, text


class LegalHold(SQLModel, table=True):
    """A reason to keep a file beyond its retention date: litigation, an inspection, an authority's order."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index("ix_legal_hold_open", "recall_number", postgresql_where=sql("lifted_at IS NULL")),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    reference: str = text(200)
    """Docket, order or matter it rests on."""
    reason: str = text(2000)
    placed_by: str = text(120)
    placed_at: datetime = instant()
    lifted_by: str | None = text(120, nullable=True)
    lifted_at: datetime | None = instant(nullable=True)
    lift_reason: str | None = text(2000, nullable=True)


class DeletionRequest(SQLModel, table=True):
    """Somebody asks that a file be deleted; another person signs, or it is withdrawn."""

    __tablename__ = "deletion_request"
    __table_args__ = (
        Index(
            "uq_deletion_request_open",
            "recall_number",
            unique=True,
            postgresql_where=sql("withdrawn_at IS NULL"),
        ),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    reason: str = text(2000)
    archive_sha256: str | None = text(64, nullable=True)
    """Hash of the dossier that is kept elsewhere, where one is."""
    keep_until: date = Field(sa_column=Column(Date, nullable=False))
    """Retention date as of the request; it is worked out anew when the deletion is signed."""
    requested_by: str = text(120)
    requested_at: datetime = instant()
    withdrawn_by: str | None = text(120, nullable=True)
    withdrawn_at: datetime | None = instant(nullable=True)


class Tombstone(SQLModel, table=True):
    """What remains of a deleted file beside its audit trail: when, why and on whose word it went, and how much."""

    __tablename__ = "tombstone"
    __table_args__ = (CheckConstraint("requested_by <> approved_by", name="four_eyes"),)

    recall_number: str = Field(max_length=20, primary_key=True)
    title: str = text(300)
    keep_until: date = Field(sa_column=Column(Date, nullable=False))
    policies: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """Per pinned policy: version, years, what they were counted from."""
    reason: str = text(2000)
    archive_sha256: str | None = text(64, nullable=True)
    requested_by: str = text(120)
    approved_by: str = text(120)
    deleted_at: datetime = instant()
    tables: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    """Rows deleted per table."""
    files: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """SHA-256 and size of every stored file that went."""
    finished_at: datetime | None = instant(nullable=True)
    """When the files and the workflow histories were gone as well."""


__all__ = ["DeletionRequest", "LegalHold", "Tombstone"]
