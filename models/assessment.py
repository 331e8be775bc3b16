"""Facts of the level assessment beside evaluation and class: market actions with their reviews, and expert reviews.

A market action is decided per product line and jurisdiction before the hazard is evaluated; a new one replaces the
one before, none is changed. Where nothing is reported the record of 21 CFR 806.20 is part of it: justification and
conclusions, reviewed by a designated person. An expert review is a question to somebody outside the firm.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class ReviewOutcome(StrEnum):
    """What the designated person found (21 CFR 806.20(b)(4))."""

    accepted = "accepted"
    sent_back = "sent_back"


class ExpertState(StrEnum):
    """asked -> answered | withdrawn; an answer ends the link."""

    asked = "asked"
    answered = "answered"
    withdrawn = "withdrawn"


class MarketActionRecord(SQLModel, table=True):
    """What is done on one market with one product line, and why nothing is reported where that is so."""

    __tablename__ = "market_action"
    __table_args__ = (
        UniqueConstraint("recall_number", "product_line", "jurisdiction", "decided_at", name="uq_market_action_at"),
        CheckConstraint("(justification IS NULL) = (conclusions IS NULL)", name="justified_with_conclusions"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    product_line: str = text(120)
    jurisdiction: str = text(20)
    action: str = text(24)
    """A `domain.levels.MarketAction`."""
    justification: str | None = text(4000, nullable=True)
    """Why no report is owed (21 CFR 806.20(b)(4)); also for class III, which is recorded and not reported."""
    conclusions: str | None = text(4000, nullable=True)
    follow_up: str | None = text(4000, nullable=True)
    decided_by: str = text(120)
    role: str = text(24)
    decided_at: datetime = instant()
    signature_id: str | None = text(64, nullable=True)


class MarketActionReview(SQLModel, table=True):
    """The designated person's word on a justification; another person than the one who wrote it."""

    __tablename__ = "market_action_review"
    __table_args__ = (UniqueConstraint("market_action_id", "reviewed_at"), one_of("outcome", ReviewOutcome))

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    market_action_id: int = ref("market_action.id")
    outcome: str = text(12)
    evaluation: str = text(4000)
    reviewed_by: str = text(120)
    role: str = text(24)
    reviewed_at: datetime = instant()
    signature_id: str | None = text(64, nullable=True)


class ExpertReview(SQLModel, table=True):
    """A request to an expert outside the firm to look at the evaluation of one product line, and the answer."""

    __tablename__ = "expert_review"
    __table_args__ = (
        one_of("state", ExpertState),
        CheckConstraint("asked_at < due_at", name="due_after_asked"),
        CheckConstraint(
            "(state = 'answered') = (answered_at IS NOT NULL AND agrees IS NOT NULL AND rationale IS NOT NULL"
            " AND answered_name IS NOT NULL AND qualification IS NOT NULL)",
            name="answer_complete",
        ),
        CheckConstraint("agrees IS NOT FALSE OR recall_class IS NOT NULL", name="other_class_named"),
        Index("ix_expert_review_recall", "recall_number", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    product_line: str = text(120)
    proposal_id: int = Field(nullable=False)
    """The proposal the expert is asked about."""
    question: str = text(2000)
    name: str = text(200)
    email: str = text(320)
    language: str = text(12)
    asked_by: str = text(120)
    asked_at: datetime = instant()
    due_at: datetime = instant()
    state: str = text(12)
    agrees: bool | None = Field(default=None)
    recall_class: str | None = text(4, nullable=True)
    """The class the expert proposes instead."""
    rationale: str | None = text(4000, nullable=True)
    answered_name: str | None = text(200, nullable=True)
    qualification: str | None = text(500, nullable=True)
    answered_at: datetime | None = instant(nullable=True)
    withdrawn_by: str | None = text(120, nullable=True)
    withdrawn_reason: str | None = text(500, nullable=True)


__all__ = [
    "ExpertReview",
    "ExpertState",
    "MarketActionRecord",
    "MarketActionReview",
    "ReviewOutcome",
]
