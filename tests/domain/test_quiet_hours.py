"""Quiet hours by the recipient's own clock and calendar, in every zone, on every day of a change of clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.channels import Channel
from domain.levels import RecallClass
from domain.local_days import day_off_in
from domain.quiet_hours import Hours, common, next_window, window_within
from tests.domain.factories import POLICY_IDS, load_policy

# Hypothesis wants its bounds without a zone and adds the one it is given.
FIRST, LAST = datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-12-31")
DAY = Hours(time(8), time(20), working_days=False)
ZONES = (
    "UTC",
    "Africa/Nairobi",
    "America/Anchorage",
    "America/Caracas",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Asia/Yangon",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
)


def never(day: date) -> bool:
    del day
    return False


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("zone", ZONES)
@given(when=st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_the_window_lies_within_the_hours_of_its_zone_and_is_the_next_one(zone: str, when: datetime) -> None:
    found = next_window(when, zone, DAY, never)
    opens, last = (each.astimezone(ZoneInfo(zone)) for each in (found.opens, found.closes - timedelta(minutes=1)))
    assert when <= found.opens < found.closes
    assert found.opens - when <= timedelta(hours=13), "a night is twelve hours, thirteen when the clock is put back"
    assert opens.date() == last.date()
    assert time(8) <= opens.time() < time(20)
    assert time(8) <= last.time() < time(20)
    if time(8) <= when.astimezone(ZoneInfo(zone)).time() < time(20):
        assert found.opens == when, "whoever is awake is told at once"


@pytest.mark.parametrize(
    ("zone", "now", "opens"),
    [
        ("Asia/Kolkata", "2026-11-21T16:00+00:00", "2026-11-22T02:30+00:00"),
        ("Asia/Kathmandu", "2026-11-21T16:00+00:00", "2026-11-22T02:15+00:00"),
        ("America/St_Johns", "2026-11-21T03:00+00:00", "2026-11-21T11:30+00:00"),
        ("Europe/Berlin", "2026-03-28T22:00+00:00", "2026-03-29T06:00+00:00"),
        ("Europe/Berlin", "2026-10-24T22:00+00:00", "2026-10-25T07:00+00:00"),
        ("Pacific/Kiritimati", "2026-11-21T12:00+00:00", "2026-11-21T18:00+00:00"),
        ("No/Such", "2026-11-21T22:00+00:00", "2026-11-22T08:00+00:00"),
    ],
)
def test_morning_comes_when_the_recipients_own_clock_says_so(zone: str, now: str, opens: str) -> None:
    assert next_window(at(now), zone, DAY, never).opens == at(opens)


def test_where_the_clock_jumps_over_or_repeats_the_hour_the_shorter_window_counts() -> None:
    early = Hours(time(2, 30), time(20), working_days=False)
    spring = next_window(at("2026-03-28T23:30+00:00"), "Europe/Berlin", early, never)
    assert spring.opens == at("2026-03-29T01:30+00:00"), "02:30 does not exist; 03:30 is the same moment"
    autumn = next_window(at("2026-10-24T22:30+00:00"), "Europe/Berlin", early, never)
    assert autumn.opens == at("2026-10-25T01:30+00:00"), "the second 02:30"
    late = Hours(time(1), time(2, 30), working_days=False)
    assert next_window(at("2026-10-24T23:10+00:00"), "Europe/Berlin", late, never).closes == at(
        "2026-10-25T00:30+00:00"
    )


@pytest.mark.parametrize(
    ("country", "zone", "now", "opens"),
    [
        # Thanksgiving Thursday; Friday is a working day.
        ("US", "America/New_York", "2026-11-26T15:00+00:00", "2026-11-27T13:00+00:00"),
        # Saturday.
        ("DE", "Europe/Berlin", "2026-11-21T09:00+00:00", "2026-11-23T07:00+00:00"),
        # Friday and Saturday are the weekend.
        ("EG", "Africa/Cairo", "2026-11-20T09:00+00:00", "2026-11-22T06:00+00:00"),
        # National Day week.
        ("CN", "Asia/Shanghai", "2026-10-01T02:00+00:00", "2026-10-08T00:00+00:00"),
        # No such country: Saturday and Sunday.
        ("ZZ", "UTC", "2026-11-21T09:00+00:00", "2026-11-23T08:00+00:00"),
    ],
)
def test_days_off_are_those_of_the_recipients_country(country: str, zone: str, now: str, opens: str) -> None:
    hours = Hours(time(8), time(20), working_days=True)
    assert next_window(at(now), zone, hours, day_off_in(country)).opens == at(opens)


def test_several_policies_leave_the_hours_that_all_allow() -> None:
    assert common([]) is None
    assert common([DAY, Hours(time(9), time(18), working_days=True)]) == Hours(time(9), time(18), working_days=True)
    assert common([DAY, Hours(time(21), time(22), working_days=False)]) is None
    assert common([DAY, Hours(time(20), time(22), working_days=False)]) is None, "a window without a minute in it"


@given(
    when=st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
    hours=st.integers(-24, 24 * 14),
    zone=st.sampled_from(ZONES),
    country=st.sampled_from(["US", "CN", "EG", "DE", "ZZ"]),
)
def test_what_has_a_limit_waits_for_a_whole_window_before_it_or_not_at_all(
    when: datetime, hours: int, zone: str, country: str
) -> None:
    rule, limit, day_off = (
        Hours(time(8), time(20), working_days=True),
        when + timedelta(hours=hours),
        day_off_in(country),
    )
    found = window_within(limit, when, zone, rule, day_off)
    usual = next_window(when, zone, rule, day_off)
    if found is None:
        assert next_window(when, zone, DAY, never).closes > limit, "not even a day off is left"
        return
    assert when <= found.opens < found.closes <= limit
    assert found == usual or usual.closes > limit, "courtesy is kept as long as there is time for it"


def test_a_window_that_closes_at_the_limit_is_over_in_time() -> None:
    now, limit = at("2026-11-21T21:00+00:00"), at("2026-11-22T20:00+00:00")
    assert window_within(limit, now, "UTC", DAY, never) == next_window(now, "UTC", DAY, never)
    assert window_within(limit - timedelta(seconds=1), now, "UTC", DAY, never) is None


@pytest.mark.parametrize("policy_id", POLICY_IDS)
def test_every_shipped_profile_has_quiet_hours_that_no_urgent_notice_and_no_mail_waits_for(policy_id: str) -> None:
    rule = load_policy(policy_id).quiet_hours
    assert rule is not None
    assert RecallClass.I in rule.except_classes
    assert not set(rule.channels) & {Channel.EMAIL, Channel.WEBHOOK}
    assert (rule.basis, rule.working_days) == ("house", True), "courtesy, and said to be no law"
    assert rule.source.startswith("house rule of courtesy;")


def test_a_recall_under_all_laws_still_has_hours_in_common() -> None:
    rules = [load_policy(policy_id).quiet_hours for policy_id in POLICY_IDS]
    found = common([rule.hours() for rule in rules if rule])
    assert found is not None
    assert (found.opens, found.closes) == (time(9), time(20))


def test_a_calendar_without_working_days_holds_nobody_for_ever() -> None:
    now = at("2026-11-21T09:00+00:00")
    found = next_window(now, "UTC", Hours(time(8), time(20), working_days=True), lambda day: True)
    assert (found.opens, found.closes) == (now, now + timedelta(days=1)), "and for long enough to be sent"
