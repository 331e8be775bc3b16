"""HTTP contracts of supplier corrective action requests."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from domain.supplier_request import MOST_DAYS, RequestState, Stage
from models.schemas_common import Block, In, Line, Out, Reason
from models.schemas_nonconformities import NcNumberText
from models.schemas_recall import LanguageTag
from models.schemas_tasks import Address


class SupplierRequestIn(In):
    """A request to a supplier, of a CAPA or of a nonconformity."""

    title: Line
    supplier_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)]
    contact_name: Line
    contact_email: Address
    language: LanguageTag = "en"
    """The page and the mail speak it where they can, English else."""
    question: Block
    """What is wrong and what is asked, as the supplier reads it; with supplier lots, never with customers."""
    capa_file: Annotated[str, StringConstraints(pattern=r"^(R[CD]|CA)-[0-9]{4}-[0-9]{6}$")] | None = None
    """Recall, or CAPA without a recall, whose CAPA it belongs to."""
    capa_sequence: Annotated[int, Field(ge=1, le=999_999)] = 1
    nonconformity: NcNumberText | None = None
    days: Annotated[dict[Stage, Annotated[int, Field(ge=1, le=MOST_DAYS)]], Field(max_length=4)] = Field(
        default_factory=dict
    )
    """Days from the issue to each stage's deadline; what the profiles say where left out."""

    @model_validator(mode="after")
    def _belongs_to_one(self) -> "SupplierRequestIn":
        if (self.capa_file is None) == (self.nonconformity is None):
            raise ValueError("capa_file or nonconformity: expected one of them")
        return self


class SupplierReviewIn(In):
    """Our word on the newest answer, as it was read."""

    stage: Stage
    round: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Stage and round of the answer that was read."""
    accepted: bool
    reason: Reason | None = None
    """Needed where it is sent back; the supplier reads it."""


class SupplierCloseIn(In):
    """What came of the request."""

    conclusion: Reason


class SupplierExtensionIn(In):
    """Later deadlines."""

    due: Annotated[dict[Stage, AwareDatetime], Field(min_length=1, max_length=4)]
    """New deadline of each stage that gets more time."""
    reason: Reason


class SupplierWithdrawIn(In):
    """Why the request is taken back."""

    reason: Reason


class SupplierRequestItem(Out):
    """A request in a list."""

    number: str
    title: str
    supplier_code: str
    stage: Stage
    state: RequestState
    due_at: datetime
    """Deadline of the stage it stands at."""
    overdue: bool
    issued_by: str
    issued_at: datetime
    closed_at: datetime | None
    drill: bool


class SupplierAnswerOut(Out):
    """One answer, and what we said to it."""

    stage: Stage
    round: int
    account: str
    action: str | None
    action_due_on: date | None
    codes: list[str]
    files: list[dict[str, Any]]
    name: str
    position: str
    late: bool
    answered_at: datetime
    accepted: bool | None
    review_reason: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None


class SupplierRequestOut(SupplierRequestItem):
    """A request with every answer."""

    question: str
    contact_name: str
    language: str
    round: int
    nonconformity: str | None
    capa: str | None
    """`RC-.../capas/1` or `CA-...`."""
    deadlines: dict[str, datetime]
    accepted_by: str | None
    closed_by: str | None
    outcome: str | None
    answers: list[SupplierAnswerOut]


__all__ = [
    "SupplierAnswerOut",
    "SupplierCloseIn",
    "SupplierExtensionIn",
    "SupplierRequestIn",
    "SupplierRequestItem",
    "SupplierRequestOut",
    "SupplierReviewIn",
    "SupplierWithdrawIn",
]
