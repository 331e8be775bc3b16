"""Which deadlines an obligation gives rise to, once the clock it runs from has started.

An obligation of a policy is a rule; a deadline is one time it is owed. Most are owed once. One that runs from reported
harm is owed per complaint, one that runs from an extension per extension, and a recurring report again and again at
its interval, counted from the clock so that a late report moves none of the following (21 CFR 7.53(b)).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.limits import Limit, Unit
from domain.policy import Policy
from domain.policy_parts import Obligation, Trigger

SERIES = "#"
"""Separates a recurring report's name from its number: `status_report`, `status_report#2`, ..."""

_PER_FACT = (Trigger.ON_HARM, Trigger.ON_EXTENSION, Trigger.ON_AUTHORITY_ORDER)


@dataclass(frozen=True, slots=True)
class RunningClock:
    """A clock start on record, named `base[@jurisdiction][:number]`.

    A clock that can start several times has a number after its name (`completion:2`); one that is a single
    authority's names the jurisdiction (`authority_order@us-fda`) and starts nothing under another law.
    """

    name: str
    scope_version: int
    at: datetime
    superseded_at: datetime | None = None
    """When a signed correction put another instant in its place; what was computed before it stays."""

    stands_for: str | None = None
    """The clock a raised severity starts anew with this one (`awareness` for `new_facts:2`)."""

    @property
    def base(self) -> str:
        """The clock as a policy names it."""
        return self.stands_for or self.name.partition(":")[0].partition("@")[0]

    @property
    def jurisdiction(self) -> str | None:
        """The jurisdiction whose authority started it, where the name says so."""
        return self.name.partition(":")[0].partition("@")[2] or None

    @property
    def number(self) -> int | None:
        """Which of several starts this is, where the name says so."""
        tail = "" if self.stands_for else self.name.partition(":")[2]
        return int(tail) if tail.isdigit() else None


@dataclass(frozen=True, slots=True)
class Owed:
    """One time an obligation is owed: the deadline's name, and the fact its clock started with."""

    name: str
    clock: RunningClock
    fact: int | None = None
    """Complaint, scope version or order that made it owed; None for what is owed once."""


def owed(item: Obligation, clocks: Iterable[RunningClock]) -> list[Owed]:
    """Every deadline that `item` gives rise to under the clocks that run, in the order of those clocks.

    Reports an authority has to ask for (`if_asked`) and limits without an instant give none.
    """
    if item.trigger == Trigger.IF_ASKED or item.runs_from is None or item.due.unit in (Unit.NONE, Unit.BEFORE_START):
        return []
    running = [clock for clock in clocks if clock.base == item.runs_from]
    if item.trigger in _PER_FACT:
        return [_per_fact(item, clock) for clock in running]
    found = []
    # A clock started anew (a recall completed a second time) owes its report anew.
    for number in sorted({clock.number or 1 for clock in running}):
        first = min((clock for clock in running if (clock.number or 1) == number), key=lambda each: each.at)
        found.append(Owed(item.id if number == 1 else f"{item.id}:{number}", first))
    return found


def _per_fact(item: Obligation, clock: RunningClock) -> Owed:
    if item.trigger == Trigger.ON_EXTENSION:
        fact = clock.number or clock.scope_version
        return Owed(f"{item.id}:{fact}", clock, fact)
    if clock.number is None:
        return Owed(item.id, clock)
    return Owed(f"{item.id}:{clock.number}", clock, clock.number)


def every_obligation(policy: Policy) -> list[Obligation]:
    """The obligations of a policy at every level."""
    return [*policy.obligations, *(item for level in policy.levels.values() for item in level.obligations)]


def base_name(name: str) -> str:
    """The obligation's id in a deadline's name (`mdr_30_day:4` and `status_report#2` without their numbers)."""
    return name.partition(SERIES)[0].partition(":")[0]


def series_of(name: str) -> tuple[str, int]:
    """A recurring report's first name and its number in the series, from 1."""
    first, _, number = name.partition(SERIES)
    return first, int(number) if number.isdigit() else 1


def series_name(first: str, number: int) -> str:
    """The name of the `number`-th report of the series that began as `first`."""
    return first if number == 1 else f"{first}{SERIES}{number}"


def nth_limit(due: Limit, every: Limit, number: int) -> Limit | None:
    """The limit of the `number`-th report counted from the clock; None where the units differ.

    With different units (first after 24 h, then every 7 days) each report is counted from the due time before it.
    """
    if due.unit != every.unit:
        return None
    return Limit(due.unit, due.amount + every.amount * (number - 1), due.after)


def recurring(policy: Policy, levels: Sequence[str], day: date | None = None) -> dict[str, Obligation]:
    """Recurring reports of a policy by id, valid on `day`; of several levels the one with the shortest interval."""
    found: dict[str, Obligation] = {}
    for level in levels:
        for item in policy.obligations_for(level, day):
            if item.every is None or item.trigger == Trigger.IF_ASKED:
                continue
            known = found.get(item.id)
            if known is None or known.every is None or _shorter(item.every, known.every):
                found[item.id] = item
    return found


def _shorter(left: Limit, right: Limit) -> bool:
    days = {Unit.HOUR: 1, Unit.CALENDAR_DAY: 24, Unit.WORKING_DAY: 33.6}  # five working days are a week
    return left.amount * days[left.unit] < right.amount * days[right.unit]


__all__ = [
    "SERIES",
    "Owed",
    "RunningClock",
    "base_name",
    "every_obligation",
    "nth_limit",
    "owed",
    "recurring",
    "series_name",
    "series_of",
]
