"""HTTP contracts of the decisions that change a running recall or bring it to its end."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from domain.scope import LotRef, ScopeCriteria
from models.messages import AuthorityClass
from models.schemas_common import Code, In, Line, Reason
from models.schemas_decisions import ClassOverrideIn, one_class_each
from models.schemas_recall import Jurisdiction, RecallClassName


class ExpansionIn(In):
    """Further suspect criteria; those of the versions before stay."""

    scope: ScopeCriteria
    reason: Reason


class ReductionIn(In):
    """Lots to take out of the scope, as printed; what descends only from them goes with them."""

    lots: Annotated[tuple[LotRef, ...], Field(min_length=1, max_length=10_000)]
    reason: Reason


class AuthorityClassIn(In):
    """The class an authority gave a product line itself."""

    product_line: Code
    jurisdiction: Jurisdiction
    recall_class: RecallClassName
    reference: Line
    """Its letter, or its entry in the authority's list."""
    level: Annotated[str | None, Field(pattern="^[A-Za-z0-9_-]{1,20}$", examples=["2"])] = None
    """The authority's own level, where several cover the class (the EU's severity buckets)."""

    def message(self) -> AuthorityClass:
        """The same as the workflow reads it."""
        return AuthorityClass(**self.model_dump())


class ReclassificationIn(In):
    """Decide on the newest proposal again, or record the authority's own class: one of the two."""

    proposal_id: Annotated[int | None, Field(ge=0, le=2**53)] = None
    overrides: Annotated[tuple[ClassOverrideIn, ...], Field(max_length=500), AfterValidator(one_class_each)] = ()
    authority: Annotated[tuple[AuthorityClassIn, ...], Field(max_length=500), AfterValidator(one_class_each)] = ()
    reason: Reason | None = None
    facts_known_at: AwareDatetime | None = None
    """When the firm became aware of the facts behind a raised severity: limits from awareness run from there.

    Without it the earliest report of harm or the newest evaluation since the last decision counts.
    """

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "ReclassificationIn":
        if (self.proposal_id is None) == (not self.authority):
            raise ValueError("give either proposal_id or authority")
        if self.overrides and self.authority:
            raise ValueError("overrides change a proposal; the authority's class is stored as it is")
        if self.overrides and self.reason is None:
            raise ValueError("another class than the proposed one needs a reason")
        return self


class CompletionIn(In):
    """One of the two signatures under the completed recall."""

    capacity: Literal["quality", "regulatory"]
    reason: Reason | None = None


class ClosureNoticeIn(In):
    """Whether everybody told is to be told that the recall has ended."""

    wanted: bool = True
    reason: Reason | None = None
    """Owed where nobody is to be told after all."""


class AuthorityAnswerIn(In):
    """An authority's word on the completed recall."""

    jurisdiction: Jurisdiction
    answer: Literal["terminated", "no_authority", "more_ordered"]
    reference: Line | None = None
    """The authority's letter; needed unless there is no authority to ask."""
    reason: Reason | None = None
    """Needed for `no_authority` and `more_ordered`."""
    evidence_ids: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _says_on_what_it_rests(self) -> "AuthorityAnswerIn":
        if self.answer != "no_authority" and self.reference is None:
            raise ValueError(f"the answer {self.answer} needs the reference of the authority's letter")
        if self.answer != "terminated" and self.reason is None:
            raise ValueError(f"the answer {self.answer} needs a reason")
        return self


class ExtensionIn(In):
    """More time for a task of the recall."""

    key: Annotated[str, Field(min_length=1, max_length=120, examples=["notice"])]
    due_at: AwareDatetime
    reason: Reason


__all__ = [
    "AuthorityAnswerIn",
    "AuthorityClassIn",
    "ClosureNoticeIn",
    "CompletionIn",
    "ExpansionIn",
    "ExtensionIn",
    "ReclassificationIn",
    "ReductionIn",
]
