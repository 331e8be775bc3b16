"""What a release or a destruction rests on beside signatures: inspections, and the authority that watches."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from domain.policy_disposition import InspectionKind, SupervisionStep
from models.base import identity, instant, one_of, quantity, ref, signature_ref, text


class LotInspection(SQLModel, table=True):
    """An inspection of a lot, passed or failed; never changed, a later one of its kind counts instead."""

    __tablename__ = "lot_inspection"
    __table_args__ = (
        one_of("kind", InspectionKind),
        CheckConstraint("sampled > 0", name="sampled_positive"),
        Index("ix_lot_inspection_lot", "recall_number", "lot_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    lot_id: int = ref("lot.id")
    location_id: int | None = ref("location.id", nullable=True)
    """Where the units inspected lie; None: it speaks for the lot wherever it lies."""
    kind: str = text(16)
    passed: bool = Field(nullable=False)
    criterion: str = text(500)
    """What was tested against which limit."""
    sampled: Decimal | None = quantity(nullable=True)
    """Units of use inspected."""
    report_no: str = text(120)
    inspected_by: str = text(200)
    """Inspector or laboratory."""
    inspected_at: datetime = instant()
    request: str = text(120, unique=True)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()


class DestructionSupervision(SQLModel, table=True):
    """A step of a destruction under the authority's eyes: told, appointed or waived (domain.policy_disposition)."""

    __tablename__ = "destruction_supervision"
    __table_args__ = (
        one_of("step", SupervisionStep),
        Index("ix_destruction_supervision_recall", "recall_number", "jurisdiction"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    jurisdiction: str = text(20)
    step: str = text(12)
    at: datetime = instant()
    """When the authority was told, will watch, or waived."""
    office: str = text(200)
    """Which office of the authority."""
    reference: str = text(200)
    """Its or our number of the letter."""
    note: str | None = text(2000, nullable=True)
    signature_id: UUID | None = signature_ref()
    request: str = text(120, unique=True)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()


__all__ = ["DestructionSupervision", "LotInspection"]
