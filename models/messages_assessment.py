"""Decisions on market actions: what is done on each market with each product line, and the review of a justification.

The action comes before the evaluation, because it says under which duties the rest runs. Where nothing is reported,
the record of 21 CFR 806.20 (justification, conclusions, follow-up) is part of the decision.
"""

from typing import Literal

from pydantic import Field

from models.message_base import Message
from models.messages_decisions import Decision


class MarketActionFor(Message):
    """The action on one market with one product line."""

    product_line: str
    jurisdiction: str
    action: Literal["removal", "correction", "market_withdrawal", "stock_recovery", "fsca", "none"]
    justification: str | None = Field(default=None, max_length=4000)
    """Why no report is owed; owed itself where the action is no recall in law, and where class III is not reported."""
    conclusions: str | None = Field(default=None, max_length=4000)
    follow_up: str | None = Field(default=None, max_length=4000)

    @property
    def key(self) -> str:
        """What the workflow remembers it by."""
        return market_key(self.product_line, self.jurisdiction)


class RecordMarketActions(Decision):
    """Regulatory affairs decides the action per product line and jurisdiction; a later decision replaces it."""

    actions: tuple[MarketActionFor, ...] = Field(min_length=1)


class ReviewMarketAction(Decision):
    """The designated person's word on a justification for not reporting (21 CFR 806.20(b)(4))."""

    product_line: str
    jurisdiction: str
    market_action_id: int
    """The record with the justification as it was read; another one in force refuses the review."""
    outcome: Literal["accepted", "sent_back"]
    evaluation: str = Field(min_length=1, max_length=4000)


def market_key(product_line: str, jurisdiction: str) -> str:
    """Key of one product line on one market."""
    return f"{jurisdiction}:{product_line}"


__all__ = ["MarketActionFor", "RecordMarketActions", "ReviewMarketAction", "market_key"]
