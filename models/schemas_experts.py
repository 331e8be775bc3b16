"""HTTP contracts of reviews by experts outside the firm: the request, and the answer as staff see it."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from models.schemas_common import Code, In, Line, Out, Reason
from models.schemas_recall import BothTimes, LanguageTag, RecallClassName
from models.schemas_tasks import Address


class ExpertReviewIn(In):
    """Ask an expert outside the firm to review the evaluation and proposal of one product line."""

    product_line: Code
    question: Reason
    """What the expert is to say something about; no personal data."""
    name: Line
    email: Address
    language: LanguageTag = "en"
    """en or zh-CN; another language gets English."""
    due_at: AwareDatetime
    """Until when the answer is awaited; the link ends then. In the future, at most 90 days ahead."""


class WithdrawIn(In):
    """Take the request back."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ExpertReviewOut(Out):
    """A request to an expert, with the answer once there is one. The address is not shown."""

    id: int
    product_line: str
    proposal_id: int
    """The proposal it is about."""
    question: str
    name: str
    language: str
    asked_by: str
    asked_at: datetime
    due: BothTimes
    state: str = Field(examples=["asked"])
    """asked, answered or withdrawn."""
    overdue: bool
    agrees: bool | None
    recall_class: RecallClassName | None
    """The class the expert proposes instead."""
    rationale: str | None
    answered_name: str | None
    qualification: str | None
    answered_at: datetime | None
    withdrawn_by: str | None
    withdrawn_reason: str | None


__all__ = ["ExpertReviewIn", "ExpertReviewOut", "WithdrawIn"]
