"""Answers begun on the recipient page and not given yet."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, ref, text


class ReplyDraft(SQLModel, table=True):
    """An answer begun on the recipient page, kept per link holder until it is sent, given up or 30 days old.

    Not evidence: nobody has stated it yet, so it is changed, and deleted as soon as it has served (GDPR Art. 5(1)(e)).
    """

    __tablename__ = "reply_draft"
    __table_args__ = (
        # One per person who got a link; a link without a delivery (a test, the telephone) is the consignee's own.
        UniqueConstraint("consignee_id", "contact_id", postgresql_nulls_not_distinct=True),
        Index("ix_reply_draft_updated", "updated_at"),
    )

    id: int | None = identity()
    consignee_id: int = ref("consignee.id")
    contact_id: int | None = ref("contact.id", nullable=True)
    form_id: str = text(64)
    """The form it belongs to: resumed under the same one-time id, so that two tabs make one answer."""
    step: str = text(16)
    answers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    """Form fields as typed, of this consignee only."""
    files: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    """Ids of the evidence uploaded with it; the evidence stays when the draft goes."""
    updated_at: datetime = instant()


__all__ = ["ReplyDraft"]
