"""What a person should know about a policy before it is used: its faults, and what is no fault but needs care.

Faults keep a policy from being used. Warnings do not: figures nobody has confirmed in the law's text, a check of the
law that lies long back, and calendars that end before the deadlines of the coming year do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from pydantic import BaseModel

from domain.calendars import calendar_for
from domain.policy import Policy, PolicyError, parse_policy
from domain.policy_figures import Sourced
from domain.policy_text import path_of
from domain.working_days import CalendarError

VERIFY_EVERY: Final = timedelta(days=366)
"""How old the last check of the law may be (house rule)."""


@dataclass(frozen=True, slots=True)
class Report:
    """The policy, if the text is one, with faults and warnings as lines `path: what was expected`."""

    policy: Policy | None
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def check_text(text: str, today: date, tables: Mapping[str, str]) -> Report:
    """Look at the text of a policy.

    Args:
        text: YAML of schema `recall-policy/1`.
        today: the day of the check.
        tables: texts of the yearly calendar tables by name, for calendars that are no rule.
    """
    try:
        policy = parse_policy(text)
    except PolicyError as error:
        return Report(None, error.faults, ())
    return Report(policy, (), (*_unverified(policy), *_old(policy, today), *_calendar(policy, today, tables)))


def figures(value: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Sourced]]:
    """Every figure in a policy or a part of one, with its path, in the order of the document."""
    if isinstance(value, Sourced):
        yield path_of(loc), value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from figures(getattr(value, name), (*loc, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from figures(item, (*loc, str(key)))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from figures(item, (*loc, index))


def _unverified(policy: Policy) -> Iterator[str]:
    for path, figure in figures(policy):
        if figure.unverified:
            yield f"{path}: not verified; expected somebody to read {figure.source} and remove the mark"


def _old(policy: Policy, today: date) -> Iterator[str]:
    if today - policy.verified_on > VERIFY_EVERY:
        yield f"verified_on: last compared with the law on {policy.verified_on}; expected a day within the last year"
    if policy.valid_to and policy.valid_to < today:
        yield f"valid_to: the profile ended on {policy.valid_to}"


def _calendar(policy: Policy, today: date, tables: Mapping[str, str]) -> Iterator[str]:
    rule = policy.calendar
    years = (today.year, today.year + 1)
    try:
        calendar = calendar_for(rule, years, tables.get(rule.working_days.value))
    except PolicyError as error:
        yield from (f"calendar.working_days: table {rule.working_days}: {line}" for line in error.faults)
        return
    except CalendarError as error:
        yield f"calendar.working_days: {error}"
        return
    for year in years:
        if year not in calendar.years:
            known = f"it has {min(calendar.years)} to {max(calendar.years)}"
            yield f"calendar.working_days: {rule.working_days} has no table for {year} ({known}); expected that year's"
