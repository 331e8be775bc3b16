"""Suggested classes over HTTP: a text in, advice out; and the advice that is on a recall's record."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from models.schemas_common import In, Out
from models.schemas_recall import RecallClassName

Text = Annotated[str, Field(max_length=20_000)]
"""Any text of up to 20,000 characters; empty is answered, too."""


class SuggestionIn(In):
    """What is recalled and why, in English."""

    reason: Text
    """Why the product is recalled."""
    product_description: Text = ""
    """What the product is."""


class WordOut(Out):
    """One word (or pair, or opening of the reason × kind of product) that moved the suggestion."""

    text: str
    field: Literal["reason", "product", "together"]
    effect: float
    """How much it moved the score of the suggested class, against the mean of the three; negative speaks against."""


class SuggestionOut(Out):
    """Advice from text: never the decision. Exactly one of `recall_class` and `no_suggestion` is given."""

    recall_class: RecallClassName | None
    confidence: dict[RecallClassName, float]
    """Calibrated probability of each class; empty without a suggestion."""
    words_for: list[WordOut]
    words_against: list[WordOut]
    needs_review: bool
    """A person has to look before anybody leans on it."""
    notes: list[str]
    no_suggestion: str | None
    """Why there is no suggestion."""
    model_version: str


class StoredSuggestionOut(SuggestionOut):
    """Advice on record for one product line of a recall."""

    product_line: str
    scope_version: int
    text_sha256: str
    """SHA-256 of the text the model read."""
    suggested_at: datetime


__all__ = ["StoredSuggestionOut", "SuggestionIn", "SuggestionOut", "WordOut"]
