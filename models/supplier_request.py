"""Supplier corrective action requests: what a supplier is asked, by when, and every answer with our word on it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.supplier_request import RequestState, Stage
from models.base import identity, instant, one_of, ref, text


class SupplierRequest(SQLModel, table=True):
    """One request to one supplier, of a CAPA or of a nonconformity."""

    __tablename__ = "supplier_request"
    __table_args__ = (
        one_of("stage", Stage),
        one_of("state", RequestState),
        CheckConstraint("num_nonnulls(capa_id, nonconformity_number) = 1", name="of_one_file"),
        Index("ix_supplier_request_capa", "capa_id"),
        Index("ix_supplier_request_nc", "nonconformity_number"),
    )

    number: str = Field(foreign_key="quality_file.number", primary_key=True)
    supplier_id: int = ref("partner.id")
    contact_name: str = text(200)
    contact_email: str = text(320)
    language: str = text(12)
    capa_id: int | None = ref("capa.id", nullable=True)
    nonconformity_number: str | None = Field(default=None, foreign_key="nonconformity.number")
    question: str = text(4000)
    """What is wrong and what is asked; with supplier lots, never with a customer or patient."""
    stage: str = text(12)
    state: str = text(10)
    round: int = Field(default=1, nullable=False)
    """Rises with each answer sent back."""
    acknowledge_due_at: datetime = instant()
    containment_due_at: datetime = instant()
    cause_due_at: datetime = instant()
    verification_due_at: datetime = instant()
    issued_by: str = text(120)
    issued_at: datetime = instant()
    accepted_by: str | None = text(120, nullable=True)
    """Who accepted the last stage."""
    closed_by: str | None = text(120, nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    closing_signature_id: str | None = text(64, nullable=True)
    outcome: str | None = text(2000, nullable=True)
    """Conclusion of the closing, or why it was withdrawn."""

    def due_at(self, stage: Stage) -> datetime:
        """Deadline of a stage."""
        found: datetime = getattr(self, f"{stage.value}_due_at")
        return found


class SupplierAnswer(SQLModel, table=True):
    """What the supplier said at one stage, as written, and whether we accepted it."""

    __tablename__ = "supplier_answer"
    __table_args__ = (
        one_of("stage", Stage),
        CheckConstraint("accepted IS NOT FALSE OR review_reason IS NOT NULL", name="sent_back_with_reason"),
        CheckConstraint("(accepted IS NULL) = (reviewed_at IS NULL)", name="reviewed_whole"),
        Index("ix_supplier_answer_request", "request_number", "id"),
    )

    id: int | None = identity()
    request_number: str = Field(foreign_key="supplier_request.number", nullable=False)
    stage: str = text(12)
    round: int = Field(nullable=False)
    account: str = text(4000)
    action: str | None = text(4000, nullable=True)
    """Corrective action, with the cause."""
    action_due_on: date | None = None
    codes: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]"))
    files: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]")
    )
    """Evidence sent with it: id, name, SHA-256."""
    name: str = text(200)
    position: str = text(200)
    late: bool = Field(nullable=False)
    answered_at: datetime = instant()
    accepted: bool | None = Field(default=None)
    review_reason: str | None = text(2000, nullable=True)
    reviewed_by: str | None = text(120, nullable=True)
    reviewed_at: datetime | None = instant(nullable=True)


__all__ = ["SupplierAnswer", "SupplierRequest"]
