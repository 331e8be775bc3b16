"""Corrective and preventive action (ISO 13485 8.5, 21 CFR 820): investigation, cause, actions, verified effect."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, quantity, ref, text


class CapaState(StrEnum):
    """Where a CAPA stands; `reopened` ones go back to investigation."""

    investigation = "investigation"
    planning = "planning"
    """Cause recorded, plan being written."""
    implementation = "implementation"
    """Plan approved by another person than its author."""
    verification = "verification"
    """All actions done; the period runs in which the effect must show."""
    effective = "effective"
    closed = "closed"


class CauseCategory(StrEnum):
    """Ishikawa's groups as device makers use them."""

    design = "design"
    material = "material"
    supplier = "supplier"
    process = "process"
    equipment = "equipment"
    people = "people"
    measurement = "measurement"
    environment = "environment"
    labelling = "labelling"
    software = "software"
    distribution = "distribution"


class ActionKind(StrEnum):
    """ISO 9000: correction removes the nonconformity, corrective its cause, preventive a potential cause."""

    correction = "correction"
    corrective = "corrective"
    preventive = "preventive"


class Capa(SQLModel, table=True):
    """One CAPA opened by a recall; it may outlive it."""

    __tablename__ = "capa"
    __table_args__ = (
        UniqueConstraint("recall_number", "sequence"),
        one_of("state", CapaState),
        one_of("cause_category", CauseCategory),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    title: str = text(200)
    state: str = text(16)
    opened_at: datetime = instant()
    investigation: str | None = text(8000, nullable=True)
    investigated_by: str | None = text(120, nullable=True)
    trace_findings: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]")
    )
    """What the trace says the suspect lots have in common: inputs, supplier lots, sites, documents."""
    five_whys: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]"))
    cause: str | None = text(4000, nullable=True)
    cause_category: str | None = text(16, nullable=True)
    cause_by: str | None = text(120, nullable=True)
    cause_at: datetime | None = instant(nullable=True)
    plan_by: str | None = text(120, nullable=True)
    plan_approved_by: str | None = text(120, nullable=True)
    plan_approved_at: datetime | None = instant(nullable=True)
    criterion: str | None = text(1000, nullable=True)
    """What is measured to verify the effect."""
    criterion_comparison: str | None = text(4, nullable=True)
    """at_most is `<=`, at_least is `>=`, as `le` and `ge`."""
    criterion_target: Decimal | None = quantity(nullable=True)
    criterion_unit: str | None = text(40, nullable=True)
    verify_after_days: int | None = None
    """Policy days after the last action."""
    verify_due_at: datetime | None = instant(nullable=True)
    measured: Decimal | None = quantity(nullable=True)
    verified_by: str | None = text(120, nullable=True)
    verified_at: datetime | None = instant(nullable=True)
    effective: bool | None = None
    closed_by: str | None = text(120, nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    reopened: int = Field(default=0, nullable=False)


class CapaAction(SQLModel, table=True):
    """One action with owner and due date."""

    __tablename__ = "capa_action"
    __table_args__ = (one_of("kind", ActionKind), UniqueConstraint("capa_id", "sequence"))

    id: int | None = identity()
    capa_id: int = ref("capa.id")
    sequence: int = Field(nullable=False)
    kind: str = text(12)
    what: str = text(1000)
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


__all__ = ["ActionKind", "Capa", "CapaAction", "CapaState", "CauseCategory"]
