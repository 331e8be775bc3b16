"""What follows from a filled health-hazard evaluation: the worst harm, contradictions, and facts for decision tables.

`facts` flattens form and device flags into the names a policy's table may test; `contradictions` are statements that
do not fit together, which a person has to look at; `missing_items` is what a jurisdiction's law wants beyond the form.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.hazard import DeviceFlags, Facts, HazardEvaluation
from domain.hazard_scales import Answer, Likelihood, PopulationGroup, Seriousness

NOT_STATED: Final = "not_stated"
"""The fact `defect` where the assessor left it open."""
_ORDINARY: Final = (PopulationGroup.GENERAL, PopulationGroup.HEALTH_WORKERS)
_DEMANDED: Final = {
    "cn-nmpa": (
        ("conformity", "Order 29 Art. 12(1): conformity to mandatory standards and registered requirements"),
        ("present_setting", "Order 29 Art. 12(3): whether injury can occur in the present setting, and the science"),
        ("area", "Order 29 Art. 12(4): the area the harm may reach"),
    )
}
"""Items a law demands that others leave open."""


class MissingItem(NamedTuple):
    """An item the form owes under one law."""

    field: str
    why: str


def missing_items(evaluation: HazardEvaluation, jurisdictions: Iterable[str]) -> tuple[MissingItem, ...]:
    """Items the laws of `jurisdictions` demand and the form leaves out, in the form's order."""
    return tuple(
        MissingItem(field, why)
        for jurisdiction in sorted(set(jurisdictions))
        for field, why in _DEMANDED.get(jurisdiction, ())
        if getattr(evaluation, field) is None
    )


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
    """Whether any harm in use is possible; remote is still possible, and so is what nobody knows."""
    setting = evaluation.present_setting
    can_injure = setting is not None and setting.can_injure is Answer.YES
    return can_injure or evaluation.serious_public_health_threat or worst_seriousness(evaluation) != Seriousness.NONE


def contradictions(evaluation: HazardEvaluation, flags: DeviceFlags | None = None) -> tuple[str, ...]:
    """Statements of the form that do not fit together, or not with the device; a person has to look at them."""
    found = []
    occurred, likelihood = evaluation.occurred, evaluation.likelihood.degree
    harmed = occurred.deaths + occurred.serious_injuries + occurred.other_injuries
    worst = worst_seriousness(evaluation)
    if worst != evaluation.seriousness.degree:
        found.append(
            f"seriousness is given as {evaluation.seriousness.degree}, but other factors show {worst}; the worse counts"
        )
    if harmed and likelihood == Likelihood.REMOTE:
        found.append(f"{harmed} people were harmed, but the likelihood is given as remote")
    if occurred.unanticipated and not (occurred.serious_injuries or occurred.deaths):
        found.append("an unanticipated serious deterioration is ticked, but no serious injury is counted")
    setting = evaluation.present_setting
    if setting is not None and setting.can_injure is Answer.NO and worst != Seriousness.NONE:
        found.append(f"no injury is said to be possible in the present setting, but the harm is given as {worst}")
    if setting is not None and setting.can_injure is Answer.YES and worst == Seriousness.NONE:
        found.append("injury is said to be possible in the present setting, but the harm is given as none")
    if flags is not None and flags.critical and occurred.malfunction_in_use and worst == Seriousness.NONE:
        found.append(
            f"the device is {' and '.join(flags.critical)} and failed in use, but no harm is said to be possible"
        )
    return tuple(found)


def facts(evaluation: HazardEvaluation, flags: DeviceFlags) -> Facts:
    """The evaluation and the flags under the names a decision table may test."""
    occurred, setting, conformity = evaluation.occurred, evaluation.present_setting, evaluation.conformity
    met = (conformity.meets_standards, conformity.meets_registered_requirements) if conformity else ()
    return {
        "deaths_occurred": occurred.deaths > 0,
        "serious_injuries_occurred": occurred.serious_injuries > 0,
        "injuries_occurred": occurred.deaths + occurred.serious_injuries + occurred.other_injuries > 0,
        "malfunction_in_use": occurred.malfunction_in_use,
        "unanticipated": occurred.unanticipated,
        "aggravating_conditions": evaluation.existing_conditions.aggravating,
        "groups": tuple(group.value for group in evaluation.population.groups),
        "vulnerable_group": any(group not in _ORDINARY for group in evaluation.population.groups),
        "seriousness": evaluation.seriousness.degree.value,
        "worst_seriousness": worst_seriousness(evaluation).value,
        "immediate": evaluation.consequences.immediate.value,
        "long_range": evaluation.consequences.long_range.value,
        "likelihood": evaluation.likelihood.degree.value,
        "detectability": evaluation.detectability.degree.value,
        "defect": setting.defect.value if setting else NOT_STATED,
        "can_injure": setting.can_injure.value if setting else NOT_STATED,
        "serious_public_health_threat": evaluation.serious_public_health_threat,
        "fails_standards": Answer.NO in met,
        "harm_possible": harm_possible(evaluation),
        "implantable": flags.implantable,
        "life_supporting": flags.life_supporting,
        "critical_device": bool(flags.critical),
        "sterile": flags.sterile,
        "device_class": flags.device_class,
    }


__all__ = [
    "NOT_STATED",
    "MissingItem",
    "contradictions",
    "facts",
    "harm_possible",
    "missing_items",
    "rank",
    "worst_seriousness",
]
