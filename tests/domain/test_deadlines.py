"""Due instants: counting rules as properties, and timelines worked by hand from the calendar."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendars import member_state, parse_calendar_table, us_federal
from domain.deadlines import (
    DeadlineError,
    comment_window_end,
    compute_due,
    due_at,
    end_of_day,
    nth_due,
    tightened,
)
from domain.limits import Limit, Unit
from domain.policy_parts import Roll
from domain.working_days import CalendarYearMissingError, WorkingDays
from tests.domain.factories import ROOT

pytestmark = pytest.mark.unit

US = us_federal(range(2024, 2029))
DE = member_state("DE", range(2024, 2029))
CN = parse_calendar_table((ROOT / "policies/calendars/cn-state-council.yaml").read_text(encoding="utf-8"))
CALENDARS = {
    "us": (US, "America/New_York", Roll.NONE),
    "de": (DE, "Europe/Berlin", Roll.NONE),
    "eu": (DE, "Europe/Berlin", Roll.NEXT_WORKING_DAY),
    "cn": (CN, "Asia/Shanghai", Roll.NONE),
}
ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Shanghai", "UTC", "Pacific/Auckland"])
instants = st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 30), timezones=st.just(UTC))  # noqa: DTZ001


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("law", "start", "limit", "due"),
    [
        # US 806.10(b): Friday; 3 July is Independence Day observed (4 July 2026 is a Saturday).
        ("us", "2026-06-26 10:00", "10 wd", "2026-07-13 23:59:59"),
        # Thanksgiving on 26 November 2026; the Friday after it is a working day.
        ("us", "2026-11-20 09:00", "5 wd", "2026-11-30 23:59:59"),
        # Christmas 2026 is a Friday; New Year's Day 2027 too.
        ("us", "2026-12-18 16:00", "10 wd", "2027-01-05 23:59:59"),
        # Juneteenth 2027 is a Saturday, observed on Friday 18 June.
        ("us", "2027-06-16 08:00", "2 wd", "2027-06-21 23:59:59"),
        # New Year's Day 2028 is a Saturday, observed on Friday 31 December 2027.
        ("us", "2027-12-30 08:00", "1 wd", "2028-01-03 23:59:59"),
        # A start on a Saturday: day zero is not counted, whatever day it is.
        ("us", "2026-08-08 12:00", "10 wd", "2026-08-21 23:59:59"),
        # Columbus Day 12 October and Veterans Day 11 November 2026.
        ("us", "2026-10-09 12:00", "1 wd", "2026-10-13 23:59:59"),
        ("us", "2026-11-10 23:59", "1 wd", "2026-11-12 23:59:59"),
        # 24 hours over the start of daylight saving are 24 elapsed hours.
        ("us", "2026-03-07 12:00", "24 h", "2026-03-08 13:00:00"),
        ("us", "2026-10-31 12:00", "24 h", "2026-11-01 11:00:00"),
        ("us", "2026-03-07 12:00", "1 cd", "2026-03-08 23:59:59"),
        ("us", "2026-01-31 08:00", "30 cd", "2026-03-02 23:59:59"),
        # EU Art. 87, MDCG Q14: no roll needed on a Friday.
        ("eu", "2026-04-02 15:00", "15 cd", "2026-04-17 23:59:59"),
        # Last day Good Friday 3 April 2026: next working day is Tuesday after Easter Monday.
        ("eu", "2026-04-01 09:00", "2 cd", "2026-04-07 23:59:59"),
        # Last day 26 December 2026, a Saturday and a holiday.
        ("eu", "2026-12-16 09:00", "10 cd", "2026-12-28 23:59:59"),
        # Last day Ascension Day, Thursday 14 May 2026.
        ("eu", "2026-05-12 09:00", "2 cd", "2026-05-15 23:59:59"),
        # Last day Sunday 1 November; Reformation Day and All Saints are not nationwide in Germany.
        ("eu", "2026-10-22 09:00", "10 cd", "2026-11-02 23:59:59"),
        # The clock is put forward on Sunday 29 March 2026: hours are elapsed hours.
        ("eu", "2026-03-28 18:00", "48 h", "2026-03-30 19:00:00"),
        # China Art. 16: National Day 1 to 7 October, make-up Saturday 10 October 2026.
        ("cn", "2026-09-29 10:00", "5 wd", "2026-10-12 23:59:59"),
        # Make-up Sunday 20 September 2026 counts, Mid-Autumn Friday 25 September does not.
        ("cn", "2026-09-18 10:00", "5 wd", "2026-09-24 23:59:59"),
        ("cn", "2026-09-21 10:00", "5 wd", "2026-09-29 23:59:59"),
        # Spring Festival 15 to 23 February 2026, make-up Saturdays 14 and 28 February.
        ("cn", "2026-02-12 10:00", "5 wd", "2026-02-26 23:59:59"),
        ("cn", "2026-02-13 18:00", "1 wd", "2026-02-14 23:59:59"),
        # Make-up Sunday 26 January and Saturday 8 February 2025 around Spring Festival.
        ("cn", "2025-01-24 10:00", "10 wd", "2025-02-13 23:59:59"),
        # Art. 15: 1, 3, 7 日 are calendar days and end at the end of the day, holiday or not.
        ("cn", "2026-09-30 23:00", "1 cd", "2026-10-01 23:59:59"),
        ("cn", "2026-02-13 09:00", "3 cd", "2026-02-16 23:59:59"),
        ("cn", "2026-04-30 09:00", "7 cd", "2026-05-07 23:59:59"),
        # Art. 22: labour holiday 1 to 5 May, make-up Saturday 9 May 2026.
        ("cn", "2026-04-29 17:00", "10 wd after completion", "2026-05-15 23:59:59"),
        ("us", "2026-08-10 12:00", "immediately", "2026-08-10 12:00:00"),
        ("us", "2026-08-10 12:00", "90 min", "2026-08-10 13:30:00"),
    ],
)
def test_a_timeline_worked_by_hand_comes_out_to_the_second(law: str, start: str, limit: str, due: str) -> None:
    calendar, zone, roll = CALENDARS[law]
    assert due_at(local(start, zone), Limit.parse(limit), calendar, zone, roll) == local(due, zone)


def test_the_internal_due_time_without_the_roll_is_kept_beside_it() -> None:
    start = local("2026-12-16 09:00", "Europe/Berlin")
    due = compute_due(start, Limit.parse("10 cd"), DE, "Europe/Berlin", Roll.NEXT_WORKING_DAY)
    assert due is not None
    assert due.unrolled == local("2026-12-26 23:59:59", "Europe/Berlin")
    assert due.due == local("2026-12-28 23:59:59", "Europe/Berlin")
    assert (due.limit, due.zone, due.calendar) == ("10 cd", "Europe/Berlin", "eu-member-state:DE")


def test_day_zero_is_the_date_in_the_zone_of_the_obligation() -> None:
    late_evening_in_new_york = datetime(2026, 8, 11, 2, 0, tzinfo=UTC)  # 22:00 on the 10th
    limit = Limit.parse("1 cd")
    assert due_at(late_evening_in_new_york, limit, None, "America/New_York") == local(
        "2026-08-11 23:59:59", "America/New_York"
    )
    assert due_at(late_evening_in_new_york, limit, None, "Asia/Shanghai") == local(
        "2026-08-12 23:59:59", "Asia/Shanghai"
    )


@pytest.mark.parametrize("text", ["none", "before start"])
def test_none_and_before_start_have_no_instant(text: str) -> None:
    assert due_at(datetime(2026, 1, 1, tzinfo=UTC), Limit.parse(text), US, "UTC") is None


@given(instants, st.integers(1, 60), ZONES)
def test_working_days_are_exactly_as_many_as_the_limit_says(start: datetime, days: int, zone: str) -> None:
    due = due_at(start, Limit(Unit.WORKING_DAY, days), US, zone)
    assert due is not None
    first, last = start.astimezone(ZoneInfo(zone)).date(), due.astimezone(ZoneInfo(zone)).date()
    between = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(US.is_working_day(day) for day in between) == days
    assert US.is_working_day(last)


@given(instants, st.integers(1, 400), ZONES)
def test_a_limit_in_calendar_days_ends_at_the_last_second_of_its_last_local_day(
    start: datetime, days: int, zone: str
) -> None:
    due = due_at(start, Limit(Unit.CALENDAR_DAY, days), None, zone)
    assert due is not None
    end = due.astimezone(ZoneInfo(zone))
    assert end.time() == time(23, 59, 59)
    assert (end.date() - start.astimezone(ZoneInfo(zone)).date()).days == days
    assert (due + timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date() > end.date()


@given(instants, st.integers(1, 90))
def test_rolling_never_shortens_a_limit_and_ends_on_a_working_day(start: datetime, days: int) -> None:
    zone = "Europe/Berlin"
    due = compute_due(start, Limit(Unit.CALENDAR_DAY, days), DE, zone, Roll.NEXT_WORKING_DAY)
    assert due is not None
    assert due.due >= due.unrolled
    last = due.due.astimezone(ZoneInfo(zone)).date()
    assert DE.is_working_day(last)
    skipped = (last - due.unrolled.astimezone(ZoneInfo(zone)).date()).days
    assert not any(DE.is_working_day(last - timedelta(days=n)) for n in range(1, skipped + 1))


@given(instants, st.integers(1, 5000), ZONES)
def test_hours_are_elapsed_hours_in_every_zone(start: datetime, hours: int, zone: str) -> None:
    due = due_at(start.astimezone(ZoneInfo(zone)), Limit(Unit.HOUR, hours), None, zone)
    assert due == start + timedelta(hours=hours)


@given(instants, instants, st.integers(1, 30), st.sampled_from(["cd", "wd", "h"]), ZONES)
def test_a_later_clock_start_never_gives_an_earlier_due_time(
    one: datetime, other: datetime, amount: int, unit: str, zone: str
) -> None:
    limit = Limit.parse(f"{amount} {unit}")
    first, second = (due_at(start, limit, US, zone) for start in sorted((one, other)))
    assert first is not None
    assert second is not None
    assert first <= second


def test_a_year_without_a_chinese_table_is_refused_by_name() -> None:
    start = local("2026-12-28 10:00", "Asia/Shanghai")
    with pytest.raises(CalendarYearMissingError, match=r"cn-state-council has no table for 2027"):
        due_at(start, Limit.parse("10 wd after completion"), CN, "Asia/Shanghai")


def test_calendar_days_and_hours_need_no_calendar_but_working_days_do() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert due_at(start, Limit.parse("3 cd"), None, "UTC") is not None
    with pytest.raises(DeadlineError, match="calendar of working days is needed"):
        due_at(start, Limit.parse("3 wd"), None, "UTC")
    with pytest.raises(DeadlineError, match="calendar of working days is needed"):
        due_at(start, Limit.parse("3 cd"), None, "UTC", Roll.NEXT_WORKING_DAY)


def test_a_clock_start_without_a_zone_or_at_the_end_of_time_is_refused() -> None:
    with pytest.raises(DeadlineError, match="no time zone"):
        due_at(datetime(2026, 1, 1), Limit.parse("24 h"), None, "UTC")  # noqa: DTZ001
    with pytest.raises(DeadlineError, match="leaves the calendar"):
        due_at(datetime(9999, 12, 31, tzinfo=UTC), Limit.parse("2 cd"), None, "UTC")


def test_the_last_second_of_a_day_that_ends_twice_is_the_later_one() -> None:
    # Santiago sets the clock back from 24:00 to 23:00 on 4 April 2026.
    assert end_of_day(date(2026, 4, 4), ZoneInfo("America/Santiago")) == datetime(2026, 4, 5, 3, 59, 59, tzinfo=UTC)


@given(instants, st.integers(1, 20))
def test_recurring_reports_keep_their_rhythm_from_the_clock_start(start: datetime, number: int) -> None:
    zone, every = "America/New_York", Limit.parse("14 cd")
    assert nth_due(start, every, number, None, zone) == due_at(start, Limit(Unit.CALENDAR_DAY, 14 * number), None, zone)


@pytest.mark.parametrize(("every", "number"), [("14 cd", 0), ("none", 1), ("immediately", 1)])
def test_a_report_without_number_or_interval_is_refused(every: str, number: int) -> None:
    with pytest.raises(DeadlineError):
        nth_due(datetime(2026, 1, 1, tzinfo=UTC), Limit.parse(every), number, None, "UTC")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-16 10:00", "2026-11-18 10:00"),  # Monday to Wednesday
        ("2026-11-18 10:00", "2026-11-20 10:00"),  # Wednesday to Friday
        ("2026-11-19 10:00", "2026-11-23 10:00"),  # Thursday to Monday
        ("2026-11-20 10:00", "2026-11-24 10:00"),  # Friday to Tuesday
        ("2026-11-21 10:00", "2026-11-25 00:00"),  # Saturday: two whole weekdays
        ("2026-11-22 23:59", "2026-11-25 00:00"),  # Sunday
        ("2026-03-27 12:00", "2026-03-31 12:00"),  # over the Sunday the clock is put forward
    ],
)
def test_the_eu_comment_window_counts_monday_to_friday(start: str, end: str) -> None:
    zone = "Europe/Berlin"
    assert comment_window_end(local(start, zone), timedelta(hours=48), zone) == local(end, zone)


@given(instants)
def test_a_comment_window_never_ends_before_its_length_has_passed(start: datetime) -> None:
    window = timedelta(hours=48)
    end = comment_window_end(start, window, "Europe/Berlin")
    assert window <= end - start <= window + timedelta(hours=49)


@pytest.mark.parametrize(
    ("weekday", "conflicts"),
    [(16, False), (17, False), (18, False), (19, True), (20, True), (21, True), (22, False)],
)
def test_the_window_outlasts_the_72_hours_of_bucket_3_from_thursday_to_saturday(weekday: int, conflicts: bool) -> None:
    zone = "Europe/Berlin"
    decision = local(f"2026-11-{weekday} 10:00", zone)
    notify = due_at(decision, Limit.parse("72 h"), None, zone)
    assert notify is not None
    assert (comment_window_end(decision, timedelta(hours=48), zone) > notify) is conflicts


def test_an_open_due_time_never_becomes_later_and_an_earlier_one_counts_at_once() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)
    assert tightened(early, late) == tightened(late, early) == early
    assert tightened(None, late) == tightened(late, None) == late
    assert tightened(None, None) is None


def test_a_calendar_that_contradicts_itself_is_refused() -> None:
    day = date(2026, 2, 14)
    base: dict[str, Any] = {"name": "x", "source": "x", "years": [2026]}
    contradictions: list[dict[str, Any]] = [
        {"days_off": [date(2027, 1, 1)]},
        {"working_weekends": [date(2026, 2, 13)]},
        {"working_weekends": [day], "days_off": [day]},
        {"years": []},
    ]
    for wrong in contradictions:
        with pytest.raises(ValueError, match=r"x:|at least 1"):
            WorkingDays.model_validate(base | wrong)
