"""Complaints: harm reported in any reply, text message or by staff; each starts awareness clocks of its own."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class HarmSeverity(StrEnum):
    """Worst outcome reported (21 CFR 803.3, MDR Art 2(65))."""

    death = "death"
    serious = "serious"
    other = "other"
    unknown = "unknown"


class ComplaintState(StrEnum):
    """evaluated: a new hazard evaluation took it into account; closed: quality signed what came of it."""

    open = "open"
    evaluated = "evaluated"
    closed = "closed"


class Complaint(SQLModel, table=True):
    """One report of harm (or possible harm) under a recall."""

    __tablename__ = "complaint"
    __table_args__ = (
        one_of("severity", HarmSeverity),
        one_of("state", ComplaintState),
        UniqueConstraint("reply_id"),
        UniqueConstraint("form_id"),
        UniqueConstraint("recall_number", "sequence"),
        Index("ix_complaint_recall", "recall_number", "state"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    """Numbered within the recall; its clock is `harm_awareness:{sequence}`."""
    consignee_id: int | None = ref("consignee.id", nullable=True)
    reply_id: int | None = ref("reply.id", nullable=True)
    source: str = text(8)
    """page, sms, phone, staff."""
    awareness_at: datetime = instant()
    severity: str = text(8)
    patients: int | None = Field(default=None, ge=0)
    description: str = text(4000)
    """As reported; never with a patient's name."""
    lot_id: int | None = ref("lot.id", nullable=True)
    product_line: str | None = text(120, nullable=True)
    state: str = text(10)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()
    paged: str | None = text(120, nullable=True)
    """Principal who was paged."""
    taken_up_at: datetime | None = instant(nullable=True)
    """When the recall's workflow started its clocks and reopened the evaluation."""
    closed_by: str | None = text(120, nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    outcome: str | None = text(2000, nullable=True)
    form_id: str | None = text(64, nullable=True)
    """One-time id of a staff entry, or the provider's id of a text message: a repeat changes nothing."""


__all__ = ["Complaint", "ComplaintState", "HarmSeverity"]
