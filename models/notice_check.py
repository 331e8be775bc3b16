"""What the content check found in a drafted notice, and what named reviewers said of the passages put to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, ref, signature_ref, text


class ReviewVerdict(StrEnum):
    """A rejected passage keeps the notice back until the texts are corrected and drafted again."""

    confirmed = "confirmed"
    rejected = "rejected"


class NoticeCheck(SQLModel, table=True):
    """The check of one draft: of exactly the bodies behind its hash, under the rules behind theirs."""

    __tablename__ = "notice_check"

    notice_id: int = ref("notice.id", primary_key=True)
    sha256: str = text(64)
    """The notice's hash: bodies with another one are not covered."""
    rules_sha256: str = text(64)
    refusals: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """`domain.notice_check.Refusal` each."""
    passages: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """`domain.notice_free_text.Passage` each."""
    checked_at: datetime = instant()


class NoticeTextReview(SQLModel, table=True):
    """One reviewer's word on one passage; the latest counts, the earlier ones stay."""

    __tablename__ = "notice_text_review"
    __table_args__ = (
        one_of("verdict", ReviewVerdict),
        Index("ix_notice_text_review_notice", "notice_id", "id"),
    )

    id: int | None = identity()
    notice_id: int = ref("notice.id")
    passage_id: str = text(16)
    verdict: str = text(10)
    note: str | None = text(1000, nullable=True)
    reviewer: str = text(120)
    role: str = text(24)
    signature_id: UUID | None = signature_ref()
    reviewed_at: datetime = instant()


__all__ = ["NoticeCheck", "NoticeTextReview", "ReviewVerdict"]
