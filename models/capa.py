"""Corrective and preventive action (ISO 13485 8.5, 21 CFR 820.100): investigation, cause, actions, verified effect.

The `capa` row says where a CAPA stands now; what people wrote stays in `capa_entry`, one row per statement, so that
a reopened CAPA keeps its first investigation and a replaced plan stays readable. Free text goes from the API into an
entry and never through a workflow; a workflow's decision names the entry it is about.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.capa import ActionKind, CapaState, CauseCategory, Comparison
from models.base import identity, instant, one_of, quantity, ref, signature_ref, text


class EntryKind(StrEnum):
    """What somebody wrote."""

    investigation = "investigation"
    cause = "cause"
    plan = "plan"
    action = "action"
    verification = "verification"


class Capa(SQLModel, table=True):
    """One CAPA opened by a recall; it may outlive it."""

    __tablename__ = "capa"
    __table_args__ = (
        UniqueConstraint("recall_number", "sequence"),
        UniqueConstraint("file_number"),
        CheckConstraint("num_nonnulls(recall_number, file_number) = 1", name="of_one_file"),
        CheckConstraint("(state = 'merged') = (merged_into_id IS NOT NULL)", name="merged_into_one"),
        Index("ix_capa_merged_into", "merged_into_id", postgresql_where=sql("merged_into_id IS NOT NULL")),
        one_of("state", CapaState),
        one_of("cause_category", CauseCategory),
        one_of("criterion_comparison", Comparison),
    )

    id: int | None = identity()
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    file_number: str | None = Field(default=None, foreign_key="quality_file.number")
    """Its own number, where it belongs to no recall."""
    sequence: int = Field(nullable=False)
    title: str = text(200)
    state: str = text(16)
    opened_at: datetime = instant()
    investigation: str | None = text(8000, nullable=True)
    investigated_by: str | None = text(120, nullable=True)
    investigated_at: datetime | None = instant(nullable=True)
    trace_findings: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]")
    )
    """What the trace says the suspect lots have in common: inputs, supplier lots, sites, documents."""
    five_whys: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]"))
    cause: str | None = text(4000, nullable=True)
    cause_category: str | None = text(16, nullable=True)
    cause_by: str | None = text(120, nullable=True)
    cause_at: datetime | None = instant(nullable=True)
    plan_version: int = Field(default=0, nullable=False)
    """Counts every plan ever written for this CAPA; an approver approves the version read."""
    plan_by: str | None = text(120, nullable=True)
    plan_approved_by: str | None = text(120, nullable=True)
    plan_signature_id: UUID | None = signature_ref()
    plan_approved_at: datetime | None = instant(nullable=True)
    criterion: str | None = text(1000, nullable=True)
    """What is measured to verify the effect."""
    criterion_comparison: str | None = text(8, nullable=True)
    criterion_target: Decimal | None = quantity(nullable=True)
    criterion_unit: str | None = text(40, nullable=True)
    verify_after_days: int | None = None
    """Policy days after the last action."""
    verify_due_at: datetime | None = instant(nullable=True)
    measured: Decimal | None = quantity(nullable=True)
    verification: str | None = text(4000, nullable=True)
    """How the effect was measured."""
    verified_by: str | None = text(120, nullable=True)
    verified_at: datetime | None = instant(nullable=True)
    effective: bool | None = None
    closed_by: str | None = text(120, nullable=True)
    closing_signature_id: UUID | None = signature_ref()
    closed_at: datetime | None = instant(nullable=True)
    reopened: int = Field(default=0, nullable=False)
    """How often it went back to investigation: by a failed verification or by a signed decision."""
    merged_into_id: int | None = ref("capa.id", nullable=True)
    """The CAPA that answers for this one."""
    merged_by: str | None = text(120, nullable=True)
    merged_at: datetime | None = instant(nullable=True)
    merge_reason: str | None = text(2000, nullable=True)
    watch_days: int = Field(default=365, nullable=False, sa_column_kwargs={"server_default": "365"})
    """How long after its closing what comes again is counted."""
    recurrence_allowed: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """How many complaints, nonconformities and recalls of the kind the plan allows in that time."""
    recurrences: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """How many there were when reopening was last asked for."""

    @property
    def file(self) -> str:
        """Number of its recall, or its own where it belongs to none."""
        return self.recall_number or self.file_number or ""


class CapaNonconformity(SQLModel, table=True):
    """A nonconformity that a CAPA answers."""

    __tablename__ = "capa_nonconformity"
    __table_args__ = (Index("ix_capa_nonconformity_nc", "nonconformity_number"),)

    capa_id: int = ref("capa.id", primary_key=True)
    nonconformity_number: str = Field(foreign_key="nonconformity.number", primary_key=True)
    linked_by: str = text(120)
    linked_at: datetime = instant()


class CapaEntry(SQLModel, table=True):
    """One statement of one person, as written; it counts once a workflow has applied it."""

    __tablename__ = "capa_entry"
    __table_args__ = (one_of("kind", EntryKind), Index("ix_capa_entry_capa", "capa_id", "written_at"))

    id: UUID = Field(primary_key=True)
    """Derived from the decision's update id, so that a repeated request writes it once."""
    capa_id: int = ref("capa.id")
    kind: str = text(13)
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    author: str = text(120)
    written_at: datetime = instant()
    applied_at: datetime | None = instant(nullable=True)
    """Empty: refused, or not decided yet."""


class CapaAction(SQLModel, table=True):
    """One action with owner and due date."""

    __tablename__ = "capa_action"
    __table_args__ = (one_of("kind", ActionKind), UniqueConstraint("capa_id", "sequence"))

    id: int | None = identity()
    capa_id: int = ref("capa.id")
    sequence: int = Field(nullable=False)
    kind: str = text(12)
    what: str = text(1000)
    plan_version: int = Field(nullable=False)
    """The plan it came with."""
    owner: str = text(120)
    """Principal."""
    due_on: date
    due_at: datetime = instant()
    """The real instant at the recall's pace."""
    done_at: datetime | None = instant(nullable=True)
    done_by: str | None = text(120, nullable=True)
    result: str | None = text(2000, nullable=True)
    withdrawn_at: datetime | None = instant(nullable=True)
    """Dropped by a later version of the plan; the row stays."""


__all__ = [
    "ActionKind",
    "Capa",
    "CapaAction",
    "CapaEntry",
    "CapaNonconformity",
    "CapaState",
    "CauseCategory",
    "Comparison",
    "EntryKind",
]
