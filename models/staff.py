"""Our own people as far as a recall must reach them: address, function, absence, who stands in; and what was sent."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class Staff(SQLModel, table=True):
    """A member of staff; the principal is the one of the access tokens."""

    __tablename__ = "staff"
    __table_args__ = (CheckConstraint("absent_until IS NULL OR absent_from < absent_until", name="absence_in_order"),)

    principal: str = Field(sa_column=Column(String(120), primary_key=True))
    name: str = text(200)
    roles: list[str] = Field(sa_column=Column(ARRAY(String(24)), nullable=False))
    email: str | None = text(320, nullable=True)
    phone: str | None = text(20, nullable=True)
    """E.164."""
    language: str = text(12)
    on_call: bool = Field(default=False, nullable=False)
    """Paged when harm is reported."""
    stand_in: str | None = text(120, nullable=True)
    """Principal who gets this person's tasks while absent."""
    absent_from: datetime | None = instant(nullable=True)
    absent_until: datetime | None = instant(nullable=True)


class MessageKind(StrEnum):
    """Why a member of staff is told."""

    reminder = "reminder"
    hand_over = "hand_over"
    escalation = "escalation"
    sent_back = "sent_back"
    assigned = "assigned"
    page = "page"
    expert_request = "expert_request"
    """To an expert outside the firm: the signed link to what is to be reviewed."""
    expert_reminder = "expert_reminder"
    supplier_request = "supplier_request"
    """To a supplier's contact: the signed link to a corrective action request."""
    supplier_remind = "supplier_remind"
    supplier_return = "supplier_return"
    """To the same: an answer could not be accepted."""
    notice_test = "notice_test"
    """A body of a notice, marked as a test, to the person who asked for it."""


class StaffMessageState(StrEnum):
    """blocked: a drill, nothing leaves the house."""

    pending = "pending"
    sent = "sent"
    failed = "failed"
    blocked = "blocked"


class StaffMessage(SQLModel, table=True):
    """A reminder, hand-over, escalation or page to one member of staff; written before it is sent."""

    __tablename__ = "staff_message"
    __table_args__ = (
        UniqueConstraint("dedupe"),
        one_of("state", StaffMessageState),
        one_of("kind", MessageKind),
        CheckConstraint("channel IN ('email','sms')", name="channel_known"),
        CheckConstraint("num_nonnulls(recall_number, file_number) = 1", name="of_one_file"),
        Index("ix_staff_message_recall", "recall_number", "id"),
        Index("ix_staff_message_file", "file_number", "id", postgresql_where=sql("file_number IS NOT NULL")),
    )

    id: int | None = identity()
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    file_number: str | None = Field(default=None, foreign_key="quality_file.number")
    principal: str = text(120)
    kind: str = text(16)
    """A `MessageKind`."""
    channel: str = text(10)
    dedupe: str = text(200)
    """Natural key: kind, task or complaint, occasion, principal, channel; writing it twice changes nothing."""
    task_id: int | None = ref("task.id", nullable=True)
    complaint_id: int | None = ref("complaint.id", nullable=True)
    expert_review_id: int | None = ref("expert_review.id", nullable=True)
    """Set where the reader is an expert outside the firm and no member of staff."""
    notice_body_id: int | None = ref("notice_body.id", nullable=True)
    """The body of a test message."""
    state: str = text(10)
    provider_id: str | None = text(200, nullable=True)
    error: str | None = text(300, nullable=True)
    created_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)


__all__ = ["MessageKind", "Staff", "StaffMessage", "StaffMessageState"]
