"""Which rule about responsible people fits a task best: the most specific one about its function, product and place.

A rule without product answers for every product, one without country for every place. The product counts before the
place; a name counts before a pattern, a region before its country. Of two equal ones the older counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from domain.roles import Role


@dataclass(frozen=True, slots=True)
class Matter:
    """What a task is about."""

    role: Role
    lines: tuple[str, ...] = ()
    """Product lines of the recall, or the one the task speaks of."""
    places: tuple[tuple[str, str | None], ...] = ()
    """(country, region) of the consignee, or the countries of the recall."""


class Rule(Protocol):
    """A rule as the record has it (`models.responsibility.Responsibility`)."""

    id: int | None
    role: str
    product: str | None
    country: str | None
    region: str | None


RuleT = TypeVar("RuleT", bound=Rule)


def ranked(rules: Iterable[RuleT], matter: Matter) -> list[RuleT]:
    """The rules that fit, the most specific first."""
    fitting = [(score, rule) for rule in rules if (score := fit(rule, matter)) is not None]
    return [rule for _, rule in sorted(fitting, key=lambda each: (-each[0][0], -each[0][1], each[1].id or 0))]


def fit(rule: Rule, matter: Matter) -> tuple[int, int] | None:
    """How specifically a rule fits, by product and by place; None when it does not."""
    if rule.role != matter.role:
        return None
    product, place = _product(rule.product, matter.lines), _place(rule, matter.places)
    return None if product is None or place is None else (product, place)


def _product(wanted: str | None, lines: tuple[str, ...]) -> int | None:
    if wanted is None:
        return 0
    folded = wanted.casefold()
    if any(line.casefold() == folded for line in lines):
        return 2
    # Only `*` is a wildcard: the other signs of the pattern language stand for themselves.
    pattern = "".join(f"[{sign}]" if sign in "?[" else sign for sign in folded)
    return 1 if "*" in wanted and any(fnmatchcase(line.casefold(), pattern) for line in lines) else None


def _place(rule: Rule, places: tuple[tuple[str, str | None], ...]) -> int | None:
    if rule.country is None:
        return 0
    within = [region for country, region in places if country == rule.country]
    if not within:
        return None
    if rule.region is None:
        return 1
    wanted = rule.region.strip().casefold()
    return 2 if any(region is not None and region.strip().casefold() == wanted for region in within) else None


__all__ = ["Matter", "Rule", "fit", "ranked"]
