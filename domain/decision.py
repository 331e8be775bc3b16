"""The decision table: a policy's ordered rules from facts to a level, evaluated with all reasons.

The first rule that applies decides; every further rule that applies is shown too, so a person sees
what else speaks. One safety rule is code and no policy can drop it: an implantable or life-supporting
device, or one of the highest device class, with harm possible in use is never class III. The result is a
proposal, an approver decides.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, field_validator, model_validator

from domain.hazard import DeviceFlags, Facts, HazardEvaluation
from domain.hazard_rules import NOT_STATED, contradictions, facts, harm_possible
from domain.hazard_scales import Answer, DefectEvidence, Detectability, Likelihood, PopulationGroup, Seriousness
from domain.levels import RecallClass, strictness

SCALES: Final[Mapping[str, type[StrEnum]]] = {
    "seriousness": Seriousness,
    "worst_seriousness": Seriousness,
    "immediate": Seriousness,
    "long_range": Seriousness,
    "likelihood": Likelihood,
    "detectability": Detectability,
}
"""Facts on an ordered scale: `at_least` and `at_most` apply to them."""
FLAG_FACTS: Final = frozenset(
    {
        "deaths_occurred",
        "serious_injuries_occurred",
        "injuries_occurred",
        "malfunction_in_use",
        "unanticipated",
        "aggravating_conditions",
        "vulnerable_group",
        "serious_public_health_threat",
        "fails_standards",
        "harm_possible",
        "implantable",
        "life_supporting",
        "critical_device",
        "sterile",
    }
)
"""Facts that are true or false."""
WORDS: Final[Mapping[str, frozenset[str]]] = {
    "groups": frozenset(PopulationGroup),
    "defect": frozenset({*DefectEvidence, NOT_STATED}),
    "can_injure": frozenset({*Answer, NOT_STATED}),
}
"""Facts that are one of a closed list of words without an order."""

_FORMS: Final = "expected true or false, a word, a list of words, or at_least / at_most"


class Range(BaseModel):
    """A condition on an ordered scale, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: StrictStr | None = None
    at_most: StrictStr | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Range":
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected at_least, at_most or both")
        return self


Condition = StrictBool | StrictStr | tuple[StrictStr, ...] | Range


class Rule(BaseModel):
    """One line of a decision table; all of its conditions must hold, none means always."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    when: dict[str, Condition]
    level: str
    recall_class: RecallClass = Field(alias="class")
    reason: str = Field(min_length=1)
    reason_zh: str = Field(min_length=1)
    source: str = Field(min_length=1)
    review: str | None = None
    """Set where the rule's result must be looked at by a person with this question in mind."""

    @field_validator("when", mode="before")
    @classmethod
    def _has_readable_conditions(cls, when: object) -> object:
        for name, condition in when.items() if isinstance(when, dict) else ():
            words = condition if isinstance(condition, list | tuple) else [condition]
            if not isinstance(condition, dict | Range) and not all(isinstance(word, str | bool) for word in words):
                raise ValueError(f"{name}: {_FORMS}, got {condition!r:.60}")
        return when

    @field_validator("when")
    @classmethod
    def _uses_known_facts(cls, when: dict[str, Condition]) -> dict[str, Condition]:
        for name, condition in when.items():
            _check_condition(name, condition)
        return when

    def applies(self, given: Facts) -> bool:
        """Whether every condition holds for the facts `given`."""
        return all(_holds(name, condition, given[name]) for name, condition in self.when.items())


class FiredRule(BaseModel):
    """A rule that applied, in the words shown to the approver."""

    model_config = ConfigDict(frozen=True)

    id: str
    level: str
    recall_class: RecallClass
    reason: str
    reason_zh: str
    source: str
    decided: bool
    """True for the one rule that made the proposal."""


class Proposal(BaseModel):
    """What the table proposes for one product line in one jurisdiction, with all reasons."""

    model_config = ConfigDict(frozen=True)

    level: str
    recall_class: RecallClass
    fired: tuple[FiredRule, ...]
    floor: str | None = None
    """Why the class was lifted above what the rules gave, if it was."""
    review: tuple[str, ...] = ()
    """Questions a person must answer before deciding; empty when nothing stands out."""
    facts: dict[str, bool | str | tuple[str, ...]]
    """The facts the table saw, for the record."""


def evaluate(
    table: Sequence[Rule],
    levels: Mapping[str, Sequence[RecallClass]],
    evaluation: HazardEvaluation,
    flags: DeviceFlags,
) -> Proposal:
    """The proposal for one product line.

    Args:
        table: the policy's rules in order; its last rule always applies (checked by the policy).
        levels: the policy's level codes, strictest first, with the classes each covers.
        evaluation: the assessor's form.
        flags: the device flags of the product master.

    Raises:
        ValueError: when no rule applies, which a checked policy excludes.
    """
    given = facts(evaluation, flags)
    applying = [rule for rule in table if rule.applies(given)]
    if not applying:
        raise ValueError("no rule of the decision table applies; its last rule must have no condition")
    deciding = applying[0]
    level, recall_class, floor = deciding.level, deciding.recall_class, None
    if recall_class == RecallClass.III and harm_possible(evaluation) and flags.critical:
        recall_class = RecallClass.II
        if RecallClass.II not in levels[level]:
            level = strictest_level(levels, RecallClass.II)
        floor = f"raised from III to II: the device is {' and '.join(flags.critical)} and harm in use is possible"
    questions = (deciding.review,) if deciding.review else ()
    return Proposal(
        level=level,
        recall_class=recall_class,
        fired=tuple(_fired(rule, decided=rule is deciding) for rule in applying),
        floor=floor,
        review=(*questions, *contradictions(evaluation, flags)),
        facts=given,
    )


def strictest_level(levels: Mapping[str, Sequence[RecallClass]], recall_class: RecallClass) -> str:
    """The strictest level that covers `recall_class`; `levels` is ordered strictest first.

    Where no level covers it, the mildest level that covers a stricter class: never a milder one.
    """
    for code, classes in levels.items():
        if recall_class in classes:
            return code
    stricter = [
        code for code, classes in levels.items() if any(strictness(item) > strictness(recall_class) for item in classes)
    ]
    return stricter[-1] if stricter else next(iter(levels))


def _fired(rule: Rule, *, decided: bool) -> FiredRule:
    return FiredRule(
        id=rule.id,
        level=rule.level,
        recall_class=rule.recall_class,
        reason=rule.reason,
        reason_zh=rule.reason_zh,
        source=rule.source,
        decided=decided,
    )


def _holds(name: str, condition: Condition, value: bool | str | tuple[str, ...]) -> bool:
    match condition:
        case bool():
            return value is condition
        case Range():
            scale = [member.value for member in SCALES[name]]
            position = scale.index(str(value))
            low = 0 if condition.at_least is None else scale.index(condition.at_least)
            high = len(scale) if condition.at_most is None else scale.index(condition.at_most)
            return low <= position <= high
        case str():
            return condition in value if isinstance(value, tuple) else value == condition
        case _:
            held = value if isinstance(value, tuple) else (value,)
            return any(item in held for item in condition)


def _check_condition(name: str, condition: Condition) -> None:
    if name in FLAG_FACTS:
        if not isinstance(condition, bool):
            raise ValueError(f"{name} is true or false, got {condition!r}")
        return
    words: frozenset[str] | None
    if name == "device_class":
        words = None
    elif name in WORDS:
        words = WORDS[name]
    elif name in SCALES:
        words = frozenset(SCALES[name])
    else:
        known = sorted({*FLAG_FACTS, *SCALES, *WORDS, "device_class"})
        raise ValueError(f"unknown fact {name!r}; expected one of {', '.join(known)}")
    if isinstance(condition, bool):
        raise ValueError(f"{name} is a word, got {condition!r}")
    if isinstance(condition, Range):
        if name not in SCALES:
            raise ValueError(f"{name} has no order; at_least and at_most do not apply")
        given = [word for word in (condition.at_least, condition.at_most) if word is not None]
    else:
        given = [condition] if isinstance(condition, str) else list(condition)
        if not given:
            raise ValueError(f"{name}: an empty list can never hold")
    if words is not None and (wrong := [word for word in given if word not in words]):
        raise ValueError(f"{name}: {wrong[0]!r} is not one of {', '.join(sorted(words))}")
