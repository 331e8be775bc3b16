"""The health-hazard evaluation: the six factors of 21 CFR 7.41(a) as a typed form, per product line.

Every factor carries the assessor's rationale, because the conclusion has to be documented (7.41(b)).
The NMPA's list (Order 29 Art. 12) asks for the same facts plus conformity to standards. `facts`
flattens form and device flags into the names a policy's decision table may use.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, StringConstraints

Rationale = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Facts = dict[str, bool | str | tuple[str, ...]]
"""Fact name to value; ordered scales are given by the member's value."""


class Seriousness(StrEnum):
    """How bad the harm would be for the group at risk, in rising order."""

    NONE = "none"
    MINOR_REVERSIBLE = "minor_reversible"
    TEMPORARY_OR_REVERSIBLE = "temporary_or_reversible"
    SERIOUS = "serious"
    DEATH = "death"


class Likelihood(StrEnum):
    """How likely the harm is, in rising order."""

    REMOTE = "remote"
    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    PROBABLE = "probable"
    CERTAIN = "certain"


class Detectability(StrEnum):
    """How easily the user notices the defect before harm, from easily to not at all."""

    OBVIOUS = "obvious"
    WITH_CHECK = "with_check"
    NOT_DETECTABLE = "not_detectable"


class PopulationGroup(StrEnum):
    """Who is exposed."""

    GENERAL = "general"
    NEWBORNS = "newborns"
    CHILDREN = "children"
    PREGNANT = "pregnant"
    ELDERLY = "elderly"
    SURGICAL = "surgical"
    CRITICALLY_ILL = "critically_ill"
    IMMUNOCOMPROMISED = "immunocompromised"
    CHRONICALLY_ILL = "chronically_ill"
    HEALTH_WORKERS = "health_workers"


class _Factor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rationale: Rationale


class Occurred(_Factor):
    """Factor 1: disease or injury that has already happened."""

    deaths: NonNegativeInt = 0
    serious_injuries: NonNegativeInt = 0
    other_injuries: NonNegativeInt = 0
    malfunction_in_use: bool
    """Whether the defect showed in a device on the market, with or without harm."""
    unanticipated: bool = False
    """Whether a serious deterioration was not foreseen in the risk file (MDR Art. 87(5))."""


class ExistingConditions(_Factor):
    """Factor 2: conditions that could contribute to exposing people to the hazard."""

    aggravating: bool


class Population(_Factor):
    """Factor 3: the groups exposed, with attention to those at greatest risk."""

    groups: tuple[PopulationGroup, ...] = Field(min_length=1)


class SeriousnessFactor(_Factor):
    """Factor 4: seriousness for the group at risk."""

    degree: Seriousness


class LikelihoodFactor(_Factor):
    """Factor 5: likelihood of occurrence."""

    degree: Likelihood


class Consequences(_Factor):
    """Factor 6: consequences, immediate and long-range."""

    immediate: Seriousness
    long_range: Seriousness


class DetectabilityFactor(_Factor):
    """Whether the user can notice the defect (an input of the recall strategy, 21 CFR 7.42(a))."""

    degree: Detectability


class DeviceFlags(BaseModel):
    """What the product master says about the device; hard inputs nobody can argue away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    implantable: bool = False
    life_supporting: bool = False
    sterile: bool = False
    device_class: str = ""
    """The device's own risk class as registered (US 1-3, EU I-III, CN 一类-三类); not the recall class."""


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
    serious_public_health_threat: bool = False
    """An event that could mean imminent death or serious harm for many people (MDR Art. 2(66))."""
    meets_standards: bool | None = None
    """Whether the device meets its mandatory standard and technical requirements (Order 29 Art. 12)."""


def rank(value: Seriousness) -> int:
    """0 for none up to 4 for death."""
    return list(Seriousness).index(value)


def worst_seriousness(evaluation: HazardEvaluation) -> Seriousness:
    """The worst of factors 1, 4 and 6: what has happened counts whatever the estimate says."""
    stated = [
        evaluation.seriousness.degree,
        evaluation.consequences.immediate,
        evaluation.consequences.long_range,
    ]
    if evaluation.occurred.deaths:
        stated.append(Seriousness.DEATH)
    if evaluation.occurred.serious_injuries:
        stated.append(Seriousness.SERIOUS)
    if evaluation.occurred.other_injuries:
        stated.append(Seriousness.MINOR_REVERSIBLE)
    return max(stated, key=rank)


def harm_possible(evaluation: HazardEvaluation) -> bool:
    """Whether any harm in use is possible; remote is still possible."""
    return evaluation.serious_public_health_threat or worst_seriousness(evaluation) != Seriousness.NONE


def contradictions(evaluation: HazardEvaluation) -> tuple[str, ...]:
    """Statements of the form that do not fit together; a person has to look at them."""
    found = []
    occurred, likelihood = evaluation.occurred, evaluation.likelihood.degree
    harmed = occurred.deaths + occurred.serious_injuries + occurred.other_injuries
    if worst_seriousness(evaluation) != evaluation.seriousness.degree:
        found.append(
            f"seriousness is given as {evaluation.seriousness.degree}, but other factors show "
            f"{worst_seriousness(evaluation)}; the worse counts"
        )
    if harmed and likelihood == Likelihood.REMOTE:
        found.append(f"{harmed} people were harmed, but the likelihood is given as remote")
    if occurred.unanticipated and not (occurred.serious_injuries or occurred.deaths):
        found.append("an unanticipated serious deterioration is ticked, but no serious injury is counted")
    return tuple(found)


def facts(evaluation: HazardEvaluation, flags: DeviceFlags) -> Facts:
    """The evaluation and the flags under the names a decision table may test."""
    occurred = evaluation.occurred
    return {
        "deaths_occurred": occurred.deaths > 0,
        "serious_injuries_occurred": occurred.serious_injuries > 0,
        "injuries_occurred": occurred.deaths + occurred.serious_injuries + occurred.other_injuries > 0,
        "malfunction_in_use": occurred.malfunction_in_use,
        "unanticipated": occurred.unanticipated,
        "aggravating_conditions": evaluation.existing_conditions.aggravating,
        "groups": tuple(group.value for group in evaluation.population.groups),
        "vulnerable_group": any(
            group not in (PopulationGroup.GENERAL, PopulationGroup.HEALTH_WORKERS)
            for group in evaluation.population.groups
        ),
        "seriousness": evaluation.seriousness.degree.value,
        "worst_seriousness": worst_seriousness(evaluation).value,
        "immediate": evaluation.consequences.immediate.value,
        "long_range": evaluation.consequences.long_range.value,
        "likelihood": evaluation.likelihood.degree.value,
        "detectability": evaluation.detectability.degree.value,
        "serious_public_health_threat": evaluation.serious_public_health_threat,
        "fails_standards": evaluation.meets_standards is False,
        "harm_possible": harm_possible(evaluation),
        "implantable": flags.implantable,
        "life_supporting": flags.life_supporting,
        "sterile": flags.sterile,
        "device_class": flags.device_class,
    }
