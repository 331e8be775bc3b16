"""The account mapping: which accounts an entry is booked to, by its kind, company, jurisdiction and product family.

Rules have a first day and may have a last one; a later rule of the same keys replaces the earlier from its first day.
Of the rules that fit an entry's day the most specific one counts: company before jurisdiction before family.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from domain.costs import CostKind


@dataclass(frozen=True, slots=True)
class MappingRule:
    """An approved row of the mapping; a key that is None fits everything."""

    id: int
    kind: CostKind
    company: str | None
    jurisdiction: str | None
    family: str | None
    debit: str | None
    """None together with `credit`: from the first day on entries with these keys are not mapped by this row."""
    credit: str | None
    cost_centre: str | None
    valid_from: date
    valid_until: date | None
    """Last day."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What of an entry decides its accounts."""

    kind: CostKind
    company: str | None
    jurisdiction: str | None
    family: str | None
    day: date


def choose(rules: Iterable[MappingRule], facts: Facts) -> MappingRule | None:
    """The rule an entry is booked by, or None where none fits."""
    fitting = [rule for rule in _newest(rules, facts.day) if _fits(rule, facts) and rule.debit is not None]
    return max(fitting, key=_specific, default=None)


def _newest(rules: Iterable[MappingRule], day: date) -> Sequence[MappingRule]:
    """Per set of keys the rule of the latest first day that has begun; it is gone where its last day has passed."""
    begun: dict[tuple[str | None, ...], MappingRule] = {}
    for rule in sorted(rules, key=lambda rule: (rule.valid_from, rule.id)):
        if rule.valid_from <= day:
            begun[rule.kind, rule.company, rule.jurisdiction, rule.family] = rule
    return [rule for rule in begun.values() if rule.valid_until is None or day <= rule.valid_until]


def _fits(rule: MappingRule, facts: Facts) -> bool:
    keys = ((rule.company, facts.company), (rule.jurisdiction, facts.jurisdiction), (rule.family, facts.family))
    return rule.kind is facts.kind and all(wanted is None or wanted == given for wanted, given in keys)


def _specific(rule: MappingRule) -> tuple[bool, bool, bool]:
    return rule.company is not None, rule.jurisdiction is not None, rule.family is not None


def missing(facts: Facts) -> str:
    """What a mapping would have to name for an entry that no rule fits."""
    keys = {"company": facts.company, "jurisdiction": facts.jurisdiction, "family": facts.family}
    named = ", ".join(f"{name} {value}" for name, value in keys.items() if value is not None)
    return f"no approved accounts for {facts.kind.value}{f' ({named})' if named else ''} on {facts.day.isoformat()}"


__all__ = ["Facts", "MappingRule", "choose", "missing"]
