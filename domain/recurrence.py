"""Recurrence after a CAPA was found effective: what came again within a period, judged by the criterion of its plan.

The rule is simple and stated with every answer: over the whole period no more than the plan allows; and in no month
more than the upper 97.5 % limit of a Poisson distribution whose mean is the allowed number spread evenly over the
period.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

CONFIDENCE: Final = 0.975
DEFAULT_DAYS: Final = 365
"""House figure: how long a closed CAPA is watched where its plan says nothing else."""
RULE: Final = (
    "A signal is more in the whole period than the plan allows, or more in one month than the upper 97.5 % limit of a"
    " Poisson distribution with the allowed number spread evenly over the period as its mean."
)


def poisson_upper(mean: float, confidence: float = CONFIDENCE) -> int:
    """The smallest count that a Poisson variable with this mean stays at or below with the confidence.

    Raises:
        ValueError: the mean is negative or no number, or the confidence is not between 0 and 1.
    """
    if not 0 <= mean < math.inf or not 0 < confidence < 1:
        raise ValueError(f"expected a mean from 0 and a confidence between 0 and 1, got {mean} and {confidence}")
    if mean > 500:
        # Far from zero the normal approximation is exact to a count or two, and the sum below underflows.
        return math.ceil(mean + 2 * math.sqrt(mean))
    count, term = 0, math.exp(-mean)
    total = term
    while total < confidence:
        count += 1
        term *= mean / count
        total += term
    return count


@dataclass(frozen=True, slots=True)
class Event:
    """Something that came again."""

    kind: str
    """complaint, nonconformity or recall."""
    reference: str
    at: datetime
    by: str
    """What it shares with the CAPA: code, product or supplier."""


@dataclass(frozen=True, slots=True)
class Month:
    """What came again in one month."""

    month: date
    count: int
    above_limit: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """What came again since the CAPA was closed."""

    total: int
    allowed: int
    monthly_limit: int
    months: Sequence[Month]
    watched_until: datetime
    signal: bool


def trend(events: Iterable[Event], closed_at: datetime, days: int, allowed: int, now: datetime) -> Trend:
    """The months from the closing to now or the end of the period, and whether the criterion is broken.

    Args:
        events: what came again, of any time; only what lies within the period counts.
        days: length of the period after closing.
        allowed: how many the plan allows in it.
    """
    until = closed_at + timedelta(days=days)
    counted = Counter(_month(each.at) for each in events if closed_at < each.at <= min(until, now))
    limit = poisson_upper(allowed * 30.4375 / days)
    months = [Month(month, counted[month], counted[month] > limit) for month in _months(closed_at, min(until, now))]
    total = sum(counted.values())
    # A single one is within any rule that allows one; the month's limit is for what the plan allows spread out.
    signal = total > allowed or any(each.above_limit for each in months)
    return Trend(total, allowed, limit, months, until, signal)


def _month(at: datetime) -> date:
    return at.date().replace(day=1)


def _months(first: datetime, last: datetime) -> Iterable[date]:
    month, end = _month(first), _month(max(first, last))
    while month <= end:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


__all__ = ["CONFIDENCE", "DEFAULT_DAYS", "RULE", "Event", "Month", "Trend", "poisson_upper", "trend"]
