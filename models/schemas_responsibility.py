"""Responsible people and branches over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from domain.roles import Role
from models.schemas_common import Code, In, Out

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class ResponsibilityIn(In):
    """Who answers for a function, for which products and in which place."""

    role: Role
    principal: Code
    stand_in: Code | None = None
    """Asked while `principal` is away; before the stand-in of the staff record."""
    product: Code | None = Field(default=None, examples=["Uni-Gold*"])
    """Product line; `*` stands for any characters. None: every product."""
    country: Country | None = Field(default=None, examples=["US"])
    """ISO 3166-1 code, or EU for tasks of EU law. None: every place."""
    region: Code | None = None
    valid_from: date
    valid_to: date | None = None
    """Last day; none: until further notice."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ResponsibilityIn":
        if self.region is not None and self.country is None:
            raise ValueError("country: expected the country of the region")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to: expected the first day or a later one")
        if self.stand_in == self.principal:
            raise ValueError("stand_in: expected another person")
        return self


class EndResponsibilityIn(In):
    """The last day on which somebody answers for it."""

    last_day: date


class ResponsibilityOut(Out):
    """A responsibility as recorded."""

    id: int
    role: str
    principal: str
    stand_in: str | None
    product: str | None
    country: str | None
    region: str | None
    valid_from: date
    valid_to: date | None
    recorded_by: str
    recorded_at: datetime


class BranchOut(Out):
    """A branch of a policy that holds, or held once."""

    policy: str
    branch: str
    title: str
    title_zh: str
    when: str
    """The condition over the facts."""
    since: datetime
    until: datetime | None
    """When it ceased to hold; what it made owed stays owed."""
    times: int


class GivenSignature(Out):
    """One signature given so far under an open approval."""

    actor: str
    role: str
    signed_at: datetime


class ApprovalOut(Out):
    """A step that is signed: the functions that must sign it, in order, and who has."""

    step: str
    needed: list[str]
    given: list[GivenSignature]
    """Under the proposal, draft or completion that is open now; empty again once all have signed."""


class BranchesOut(Out):
    """What the policies of a recall branch on, and what that makes of it now."""

    number: str
    facts: dict[str, Any]
    """Fact -> value, as the conditions see it."""
    market_actions: dict[str, str]
    currency: str
    """Reporting currency of the fact `value`."""
    unvalued_products: list[str]
    """Products in scope without a value in that currency; they count for nothing in `value`."""
    unvalued_count: int
    changed_at: datetime | None
    branches: list[BranchOut]
    approvals: list[ApprovalOut]


__all__ = [
    "ApprovalOut",
    "BranchOut",
    "BranchesOut",
    "EndResponsibilityIn",
    "GivenSignature",
    "ResponsibilityIn",
    "ResponsibilityOut",
]
