"""When a recipient may be disturbed: on its own working days, between two hours of its own clock.

A house rule of courtesy, never a reason to miss a limit: class I ignores it always, and a first notice waits only for
a window that is over before its limit. The answer is a window, not only a beginning, so that a message that waits in a
queue until evening is not sent in the night.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SEARCH: Final = 31
"""Days looked ahead; a calendar without any working day in a month is not believed."""


@dataclass(frozen=True, slots=True)
class Hours:
    """From `opens` (inclusive) to `closes` (exclusive), local time of one day."""

    opens: time
    closes: time
    working_days: bool
    """Whether days off of the recipient's country are quiet as a whole."""


@dataclass(frozen=True, slots=True)
class Window:
    """Instants between which a message may go out; `opens` is never before the instant asked about."""

    opens: datetime
    closes: datetime


def common(rules: Iterable[Hours]) -> Hours | None:
    """One rule for several policies: the hours that all of them allow; None without rules, or without a common hour."""
    given = list(rules)
    if not given:
        return None
    opens, closes = max(each.opens for each in given), min(each.closes for each in given)
    return Hours(opens, closes, any(each.working_days for each in given)) if opens < closes else None


def next_window(now: datetime, zone: str, hours: Hours, day_off: Callable[[date], bool]) -> Window:
    """The window that is open at `now`, or else the next one.

    Args:
        now: an aware instant, in workflows and what they call `workflow.now()`.
        zone: IANA zone of the recipient; one that nobody knows counts as UTC.
        hours: what is allowed.
        day_off: whether the recipient's country has a day off (`domain.local_days`); asked where the rule says so.
    """
    here = _zone(zone)
    today = now.astimezone(here).date()
    for days in range(_SEARCH):
        day = today + timedelta(days=days)
        window = _on(day, here, hours)
        if window.closes > now and not (hours.working_days and day_off(day)):
            return Window(max(window.opens, now), window.closes)
    return Window(now, now + timedelta(days=1))


def window_within(
    limit: datetime, now: datetime, zone: str, hours: Hours, day_off: Callable[[date], bool]
) -> Window | None:
    """The next window that is over before `limit`; None: nothing of it can wait, it goes now.

    A whole window before the limit is the margin: what a queue or an outage leaves over when it closes still goes in
    time. Where days off would use it up, they are given up first and the hours of the night last.
    """
    for rule in (hours, replace(hours, working_days=False)):
        window = next_window(now, zone, rule, day_off)
        if window.closes <= limit:
            return window
    return None


def _on(day: date, zone: ZoneInfo, hours: Hours) -> Window:
    """Where the clock is put back or forward at such an hour, the shorter window counts."""
    return Window(max(_both(day, hours.opens, zone)), min(_both(day, hours.closes, zone)))


def _both(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    wall = datetime.combine(day, at, zone)
    return wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)


@lru_cache(maxsize=700)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


__all__ = ["Hours", "Window", "common", "next_window", "window_within"]
