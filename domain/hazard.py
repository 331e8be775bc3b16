"""The health-hazard evaluation: the six factors of 21 CFR 7.41(a) and the list of Order 29 Art. 12 as a typed form.

One form per product line, signed by a medical assessor. Every factor carries the assessor's rationale, because a
conclusion has to be documented (7.41(b)). What only China asks for is optional here and demanded where the recall
runs under that law (`domain.hazard_rules.missing_items`). Scales and their criteria: `domain.hazard_scales`.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.hazard_scales import (
    Answer,
    DefectEvidence,
    Detectability,
    Likelihood,
    PopulationGroup,
    ScientificBasis,
    Seriousness,
    described,
)

Rationale = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"^[^\x00]*$")
]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Facts = dict[str, bool | str | tuple[str, ...]]
"""Fact name to value; ordered scales are given by the member's value."""

_HARM = "The credible harm when the defect meets the group at risk, on the facts at hand."


class _Factor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rationale: Rationale


class Occurred(_Factor):
    """Factor 1, 7.41(a)(1), Art. 12(2): disease, injury or failure that has already happened in use."""

    deaths: Count = Field(default=0, description="Deaths linked to the defect, as reported.")
    serious_injuries: Count = Field(default=0, description="Serious injuries linked to the defect (21 CFR 803.3).")
    other_injuries: Count = Field(default=0, description="Other injuries linked to the defect.")
    malfunction_in_use: bool = Field(
        description="Whether the defect showed in a device on the market, with or without harm."
    )
    unanticipated: bool = Field(
        default=False,
        description="Whether a serious deterioration was not foreseen in the risk file (MDR Art. 87(5)).",
    )


class ExistingConditions(_Factor):
    """Factor 2, 7.41(a)(2): conditions that could contribute to a situation exposing people to the hazard."""

    aggravating: bool = Field(
        description="Whether something in the setting of use raises the hazard: no backup, no alarm, untrained users."
    )


class PresentSetting(_Factor):
    """Factor 2 and Art. 12(3): can injury occur in the present setting of use, and what science explains it."""

    can_injure: Answer = Field(description="Whether the defect can injure in the setting in which it is used now.")
    defect: DefectEvidence = Field(description=described(DefectEvidence, "What is known of the defect."))
    basis: tuple[ScientificBasis, ...] = Field(
        min_length=1, max_length=6, description="What explains the injury; `opinion` where nothing documented does."
    )


class Population(_Factor):
    """Factor 3, 7.41(a)(3), Art. 12(4): the groups exposed, with attention to those at greatest risk."""

    groups: tuple[PopulationGroup, ...] = Field(min_length=1, max_length=10)
    at_greatest_risk: PopulationGroup | None = Field(
        default=None, description="The one of `groups` for which seriousness and likelihood are stated."
    )

    @model_validator(mode="after")
    def _names_one_of_the_exposed(self) -> "Population":
        if len(set(self.groups)) != len(self.groups):
            raise ValueError("groups: name each group once")
        if self.at_greatest_risk is not None and self.at_greatest_risk not in self.groups:
            raise ValueError(f"at_greatest_risk: {self.at_greatest_risk.value} is none of groups")
        return self


Region = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00]*$")]


class Area(_Factor):
    """Art. 12(4): the area the harm may reach, beside the population."""

    regions: tuple[Region, ...] = Field(
        min_length=1, max_length=200, description="Countries, provinces or places, as far as known."
    )
    people: Count | None = Field(default=None, description="People exposed, estimated; null when not known.")


class Conformity(_Factor):
    """Art. 12(1): mandatory standards, and the technical requirements as registered or filed."""

    meets_standards: Answer = Field(description="Whether the device meets its mandatory standards.")
    meets_registered_requirements: Answer = Field(
        description="Whether it meets the technical requirements it was registered or filed with."
    )


class SeriousnessFactor(_Factor):
    """Factor 4, 7.41(a)(4), Art. 12(5): seriousness for the group at risk."""

    degree: Seriousness = Field(
        description=described(Seriousness, f"{_HARM} The worse of the immediate and the long-range consequences.")
    )


class LikelihoodFactor(_Factor):
    """Factor 5, 7.41(a)(5), Art. 12(6): likelihood of occurrence."""

    degree: Likelihood = Field(
        description=described(
            Likelihood, "How likely harm of the stated seriousness is through affected units still in use."
        )
    )


class Consequences(_Factor):
    """Factor 6, 7.41(a)(6), Art. 12(7): consequences, immediate and long-range."""

    immediate: Seriousness = Field(description="At once or within days. Degrees as under `seriousness`.")
    long_range: Seriousness = Field(description="Later or lasting. Degrees as under `seriousness`.")


class DetectabilityFactor(_Factor):
    """Whether the user can notice the defect (an input of the recall strategy, 21 CFR 7.42(a)(3))."""

    degree: Detectability = Field(description=described(Detectability, "Whether the user notices it before harm."))


class DeviceFlags(BaseModel):
    """What the product master says about the device; hard inputs nobody can argue away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    implantable: bool = False
    life_supporting: bool = False
    sterile: bool = False
    device_class: str = ""
    """The device's own risk class as registered (US 1-3, EU I-III, CN 一类-三类); not the recall class."""

    @property
    def highest_class(self) -> bool:
        """Whether the device is in the highest risk class of its registration (US 3, EU III, CN 三类)."""
        word = self.device_class.strip().casefold()
        return word.removeprefix("class").removeprefix("第").removesuffix("类").strip() in {"3", "iii", "三"}

    @property
    def critical(self) -> tuple[str, ...]:
        """Why a class III recall of the device needs the absence of any harm, in words; empty when nothing does."""
        words = (
            ("implantable", self.implantable),
            ("life-supporting", self.life_supporting),
            ("of the highest device class", self.highest_class),
        )
        return tuple(word for word, flag in words if flag)


class HazardEvaluation(BaseModel):
    """One medical assessor's evaluation of one product line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    occurred: Occurred
    existing_conditions: ExistingConditions
    population: Population
    seriousness: SeriousnessFactor
    likelihood: LikelihoodFactor
    consequences: Consequences
    detectability: DetectabilityFactor
    present_setting: PresentSetting | None = Field(
        default=None,
        description="Can injury occur in the present setting, and is there science behind it. Required under cn-nmpa; "
        "everywhere else it tells a defect that was shown from conformity that is merely not assured.",
    )
    area: Area | None = Field(default=None, description="Area the harm may reach. Required under cn-nmpa.")
    conformity: Conformity | None = Field(
        default=None, description="Mandatory standards and registered requirements. Required under cn-nmpa."
    )
    other_factors: Rationale | None = Field(default=None, description="Anything else that may harm (Art. 12(8)).")
    serious_public_health_threat: bool = Field(
        default=False,
        description="An event that could mean imminent death or serious harm for many people (MDR Art. 2(66)).",
    )


__all__ = [
    "Answer",
    "Area",
    "Conformity",
    "Consequences",
    "DefectEvidence",
    "Detectability",
    "DetectabilityFactor",
    "DeviceFlags",
    "ExistingConditions",
    "Facts",
    "HazardEvaluation",
    "Likelihood",
    "LikelihoodFactor",
    "Occurred",
    "Population",
    "PopulationGroup",
    "PresentSetting",
    "ScientificBasis",
    "Seriousness",
    "SeriousnessFactor",
]
