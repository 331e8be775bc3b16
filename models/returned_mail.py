"""Mail that came back: what each one was and what was made of it; and when a silent provider was last asked."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from domain.mail_kinds import MailKind
from models.base import identity, instant, one_of, text


class MailSender(StrEnum):
    """Who sent a mail, as far as it can be said; the From of a mail is only a claim."""

    contact = "contact"
    """The address is a contact's of the recipient it was sent to."""
    colleague = "colleague"
    """It was sent to the address of one notice, from the same domain as that notice's contact."""
    other = "other"
    """It answers a notice, but not from an address of that recipient, or from one of a contact that has left it."""
    unknown = "unknown"
    """Nothing ties it to a notice or a contact."""
    forged = "forged"
    """Our own mail system says that the domain it names did not send it (DMARC), or its token is not ours."""
    system = "system"
    """A mail system or a responder."""


class ReturnedMail(SQLModel, table=True):
    """One mail, once per Message-ID and content. The raw mail is the evidence file; `inbound_message` has its text."""

    __tablename__ = "returned_mail"
    __table_args__ = (
        one_of("kind", MailKind),
        one_of("sender", MailSender),
        CheckConstraint("size >= 0", name="size_not_negative"),
        Index("ix_returned_mail_recall", "recall_number", "id"),
        Index("ix_returned_mail_delivery", "delivery_id"),
    )

    id: int | None = identity()
    mail_key: str = text(60, unique=True)
    """Hash over Message-ID and content, as in `inbound_message.provider_id`."""
    message_id: str | None = text(300, nullable=True)
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    delivery_id: UUID | None = Field(default=None, foreign_key="delivery.id")
    """The notice it speaks of."""
    kind: str = text(12)
    sender: str = text(10)
    outcome: str = text(40)
    status: str | None = text(16, nullable=True)
    """Enhanced status code of a report (RFC 3463)."""
    evidence_id: UUID = Field(foreign_key="evidence.id", nullable=False)
    size: int = Field(nullable=False)
    whole: bool = Field(nullable=False)
    """Whether the evidence file is the whole mail; false: only its beginning, the rest is in the mailbox."""
    arrived_at: datetime = instant()
    """When the mail system took it in."""
    read_at: datetime = instant()


class DeliveryInquiry(SQLModel, table=True):
    """A delivery the provider accepted and never reported on: how often it was asked, and when next."""

    __tablename__ = "delivery_inquiry"
    __table_args__ = (CheckConstraint("asked > 0", name="asked_at_all"),)

    delivery_id: UUID = Field(foreign_key="delivery.id", primary_key=True)
    asked: int = Field(nullable=False)
    next_at: datetime | None = instant(nullable=True)
    """Empty: it is not asked again."""
    last_status: str | None = text(30, nullable=True)


__all__ = ["DeliveryInquiry", "MailSender", "ReturnedMail"]
