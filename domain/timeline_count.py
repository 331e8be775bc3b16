"""One duty with its instant: the figure valid on the local day of the clock start, counted by the policy's calendar.

A limit that reaches a year no calendar covers is left without an instant and says why (regulations.md §9); nothing is
guessed.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from domain.deadlines import DeadlineError, compute_due
from domain.limits import Limit, Unit
from domain.obligations import RunningClock
from domain.policy import Policy
from domain.policy_figures import DueFigure, Roll
from domain.policy_parts import Obligation
from domain.timeline_facts import Duty, Standing
from domain.working_days import CalendarError, WorkingDays

Calendars = Callable[[Policy, date], WorkingDays]
"""The working days a policy counts by, for the years a limit from that day may reach; raises `CalendarError`."""


def local_day(policy: Policy, instant: datetime) -> date:
    """The date of an instant in the policy's zone: day zero of what runs from it."""
    return instant.astimezone(ZoneInfo(policy.zone.zone)).date()


def applies(item: Obligation, items: Iterable[Obligation], day: date) -> bool:
    """Whether of all figures with one id this is the one for a clock started on `day`.

    A clock that began before the first figure on file counts by that first figure: a duty is not lost because our
    data begin later. One that began after the last figure ended counts by none.
    """
    if item.valid_on(day):
        return True
    same = [each for each in items if each.id == item.id]
    if any(each.valid_on(day) for each in same):
        return False
    first = min(same, key=lambda each: each.valid_from)
    return item == first and day < item.valid_from


def compute(
    policy: Policy,
    name: str,
    figure: DueFigure,
    clock: RunningClock,
    calendars: Calendars,
    *,
    standing: Standing,
    complaint: int | None = None,
    limit: Limit | None = None,
) -> Duty:
    """One duty with its instant; a year no calendar covers leaves it to be worked out by hand and says which."""
    allowed = limit or figure.due
    due, uncomputed = None, None
    try:
        needed = allowed.unit == Unit.WORKING_DAY or figure.roll != Roll.NONE
        calendar = calendars(policy, local_day(policy, clock.at)) if needed else None
        due = compute_due(clock.at, allowed, calendar, policy.zone.zone, figure.roll)
    except (CalendarError, DeadlineError) as error:
        uncomputed = str(error)
    return Duty(
        name=name,
        policy=policy,
        figure=figure,
        clock=clock,
        limit=allowed,
        due=due,
        level=standing.level,
        line=standing.line,
        complaint=complaint,
        uncomputed=uncomputed,
    )


__all__ = ["Calendars", "applies", "compute", "local_day"]
