"""Advice on record: the class that a trained model read out of a recall's reason and the names of a product line.

It stands beside what the decision table proposes and is never used by a decision. Which text it was, is kept as a
hash; which weights, as the model's version.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, text


class ClassSuggestion(SQLModel, table=True):
    """One answer of one model to one text; asked again with another text or model, another row."""

    __tablename__ = "class_suggestion"
    __table_args__ = (
        UniqueConstraint(
            "recall_number", "product_line", "text_sha256", "model_version", name="uq_class_suggestion_once"
        ),
        CheckConstraint("recall_class IN ('I', 'II', 'III')", name="class_known"),
        CheckConstraint("(recall_class IS NULL) = (no_suggestion IS NOT NULL)", name="class_or_why_not"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    product_line: str = text(120)
    scope_version: int = Field(nullable=False)
    """Version of the scope whose products were named."""
    text_sha256: str = text(64)
    """SHA-256 of the canonical JSON of reason and product description as the model read them."""
    recall_class: str | None = text(4, nullable=True)
    confidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """Class -> calibrated probability; empty without a suggestion."""
    words: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """`for` and `against`: lists of {text, field, effect}."""
    notes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    needs_review: bool = Field(nullable=False)
    no_suggestion: str | None = text(200, nullable=True)
    model_version: str = text(80)
    suggested_at: datetime = instant()


__all__ = ["ClassSuggestion"]
