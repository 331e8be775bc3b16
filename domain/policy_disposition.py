"""What a profile asks of ways out of a hold beside signatures: inspections, and an authority that watches."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints, model_validator

from domain.expressions import Expression
from domain.policy_figures import Part, Sourced, Text

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class InspectionKind(StrEnum):
    """What was looked at before units may be called conforming."""

    visual = "visual"
    """Units and packages, by eye."""
    functional = "functional"
    """Units tried out or measured (quality control)."""
    laboratory = "laboratory"
    """A sample analysed by a laboratory."""
    documents = "documents"
    """Batch record, sterilisation and test records reviewed again."""


class ReleaseCheck(Part):
    """Inspections asked for while a condition holds; facts as for approvals."""

    when: Expression = "true"
    inspections: tuple[InspectionKind, ...] = Field(min_length=1, max_length=len(InspectionKind))


class ReleaseRule(Sourced):
    """Which passed inspections, lot by lot, the release gate asks for; all checks that hold count together."""

    checks: tuple[ReleaseCheck, ...] = Field(min_length=1, max_length=20)


class DestructionRule(Sourced):
    """Destruction under the eyes of the authority: told, appointed, and a witness of the authority named."""

    countries: tuple[Country, ...] = Field(min_length=1, max_length=60)
    """Where units must lie for the rule to count (ISO 3166-1); a place whose country is not on record counts too."""
    waivable: bool
    waiver_text: Text | None = None
    """What a waiver by the authority rests on."""

    @model_validator(mode="after")
    def _names_the_ground(self) -> "DestructionRule":
        if self.waivable and not self.waiver_text:
            raise ValueError("a waivable supervision needs waiver_text: what the authority's waiver rests on")
        return self


class SupervisionStep(StrEnum):
    """What is recorded about a supervised destruction."""

    told = "told"
    """The plan was told to the authority."""
    appointment = "appointment"
    """When and where it will watch."""
    waiver = "waiver"
    """The authority does without watching; its letter is the evidence."""


WAYS_TO_SUPERVISE: Final = "POST destruction-supervision"
"""Where a step is recorded, for refusals."""


__all__ = [
    "WAYS_TO_SUPERVISE",
    "Country",
    "DestructionRule",
    "InspectionKind",
    "ReleaseCheck",
    "ReleaseRule",
    "SupervisionStep",
]
