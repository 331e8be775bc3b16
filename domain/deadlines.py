"""From clock start and limit to the instant a duty is due (regulations.md §9).

The clock start's local date is day zero and never counted; the limit ends at 23:59:59 local of its
last day. Limits in hours are elapsed time, blind to weekends and daylight saving. Only where the
policy says so does a last day that is no working day roll to the next one; the due time without the
roll is kept beside it for internal use. Results are UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict

from domain.limits import Limit, Unit
from domain.policy_parts import Roll
from domain.working_days import WorkingDays

_LAST_SECOND = time(23, 59, 59)


class DeadlineError(ValueError):
    """A deadline that cannot be computed from what was given."""


class Due(BaseModel):
    """A due instant (UTC) and how it came about."""

    model_config = ConfigDict(frozen=True)

    due: AwareDatetime
    unrolled: AwareDatetime
    """The due instant without the roll to a working day; the internal date to work towards."""
    clock_start: AwareDatetime
    limit: str
    zone: str
    calendar: str | None = None


def due_at(
    clock_start: datetime,
    limit: Limit,
    calendar: WorkingDays | None,
    zone: str,
    roll: Roll = Roll.NONE,
) -> datetime | None:
    """When a duty is due, in UTC; None for "none" and "before start", which have no instant.

    Args:
        clock_start: the recorded fact the limit runs from, with a time zone.
        limit: the limit as the policy states it.
        calendar: needed for working days and for rolling; it must know the years reached.
        zone: IANA zone whose days are counted.
        roll: whether a last day that is no working day moves to the next working day.

    Raises:
        DeadlineError: for a clock start without a zone, a missing calendar or a date past year 9999.
        CalendarYearMissingError: when the calendar does not know a year the limit reaches.
    """
    due = compute_due(clock_start, limit, calendar, zone, roll)
    return None if due is None else due.due


def compute_due(
    clock_start: datetime,
    limit: Limit,
    calendar: WorkingDays | None,
    zone: str,
    roll: Roll = Roll.NONE,
) -> Due | None:
    """As `due_at`, with the due instant before rolling and the inputs, for the record."""
    if clock_start.tzinfo is None:
        raise DeadlineError(f"clock start {clock_start.isoformat()} has no time zone")
    if limit.unit in (Unit.NONE, Unit.BEFORE_START):
        return None
    try:
        due, unrolled = _instants(clock_start, limit, calendar, ZoneInfo(zone), roll)
    except OverflowError as error:
        raise DeadlineError(f"{limit} from {clock_start.isoformat()} leaves the calendar") from error
    return Due(
        due=due,
        unrolled=unrolled,
        clock_start=clock_start,
        limit=str(limit),
        zone=zone,
        calendar=calendar.name if calendar else None,
    )


def _instants(
    start: datetime, limit: Limit, calendar: WorkingDays | None, zone: ZoneInfo, roll: Roll
) -> tuple[datetime, datetime]:
    if limit.unit not in (Unit.CALENDAR_DAY, Unit.WORKING_DAY):
        elapsed = start.astimezone(UTC) + limit.as_timedelta()
        return elapsed, elapsed
    day_zero = start.astimezone(zone).date()
    if limit.unit == Unit.CALENDAR_DAY:
        last = day_zero + timedelta(days=limit.amount)
    else:
        last = _needed(calendar, limit).add(day_zero, limit.amount)
    rolled = _needed(calendar, limit).on_or_after(last) if roll == Roll.NEXT_WORKING_DAY else last
    return end_of_day(rolled, zone), end_of_day(last, zone)


def _needed(calendar: WorkingDays | None, limit: Limit) -> WorkingDays:
    if calendar is None:
        raise DeadlineError(f"{limit}: a calendar of working days is needed")
    return calendar


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last second of `day` in `zone`, in UTC (the later one where the clock is set back then)."""
    return datetime.combine(day, _LAST_SECOND, tzinfo=zone).replace(fold=1).astimezone(UTC)


def nth_due(clock_start: datetime, every: Limit, number: int, calendar: WorkingDays | None, zone: str) -> datetime:
    """When the `number`-th of a recurring report is due: `number` intervals after the clock start.

    Counting from the clock, not from the last submission, keeps a late report from moving the rest.
    """
    if number < 1 or not every.amount:
        raise DeadlineError(f"report {number} every {every}: expected a number from 1 and an interval")
    due = due_at(clock_start, Limit(every.unit, every.amount * number), calendar, zone)
    assert due is not None  # noqa: S101 (an interval with an amount always has an instant)
    return due


def comment_window_end(start: datetime, window: timedelta, zone: str) -> datetime:
    """When an authority's comment window ends that runs Monday to Friday only (MDCG 2023-3, Q20).

    Hours on Saturday and Sunday in `zone` do not count. The result is UTC.
    """
    if start.tzinfo is None or window <= timedelta(0):
        raise DeadlineError("a comment window needs a start with a time zone and a length above zero")
    local_zone, cursor = ZoneInfo(zone), start.astimezone(UTC)
    while True:
        today = cursor.astimezone(local_zone).date()
        if today.weekday() >= 5:
            cursor = _midnight(today + timedelta(days=7 - today.weekday()), local_zone)
            continue
        available = _midnight(today + timedelta(days=5 - today.weekday()), local_zone) - cursor
        if window <= available:
            return cursor + window
        window -= available
        cursor += available


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def tightened(open_due: datetime | None, new_due: datetime | None) -> datetime | None:
    """The due time after new facts: an open one never becomes later, an earlier one counts at once."""
    known = [due for due in (open_due, new_due) if due is not None]
    return min(known, default=None)
