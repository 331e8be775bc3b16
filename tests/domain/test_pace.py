"""Pace: real and policy time map onto each other and meet at the start."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.pace import PolicyClock, policy_instant, real_due

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
paces = st.floats(1, 1e6, allow_nan=False)
spans = st.timedeltas(timedelta(0), timedelta(days=3650))


@given(spans)
def test_at_pace_one_both_times_are_the_same_to_the_microsecond(span: timedelta) -> None:
    assert real_due(START, START, START + span, 1) == START + span
    assert policy_instant(START + span, START, 1) == START + span


@given(spans, paces)
def test_waiting_until_the_real_due_time_brings_the_policy_time_to_its_due(span: timedelta, pace: float) -> None:
    real = real_due(START, START, START + span, pace)
    # One microsecond of real time is `pace` microseconds of policy time.
    tolerance = timedelta(microseconds=pace + 1)
    assert abs(policy_instant(real, START, pace) - (START + span)) <= tolerance


@given(st.lists(spans, min_size=2, max_size=5), paces)
def test_the_order_of_deadlines_does_not_depend_on_the_pace(spans_: list[timedelta], pace: float) -> None:
    ordered = sorted(spans_)
    reals = [real_due(START, START, START + span, pace) for span in ordered]
    assert reals == sorted(reals)


def test_a_day_passes_in_a_second_at_pace_86400() -> None:
    due = real_due(START, START, START + timedelta(days=3), 86_400)
    assert due == START + timedelta(seconds=3)


def test_a_due_time_before_the_start_is_overdue() -> None:
    assert real_due(START, START, START - timedelta(hours=1), 60) < START


def test_a_clock_may_start_at_another_policy_time() -> None:
    policy_start = datetime(2026, 3, 2, tzinfo=UTC)
    clock = PolicyClock(start_real=START, policy_start=policy_start, pace=3600)
    assert clock.to_real(policy_start + timedelta(hours=2)) == START + timedelta(seconds=2)
    assert clock.to_policy(START + timedelta(seconds=2)) == policy_start + timedelta(hours=2)


@pytest.mark.parametrize("pace", [0.5, 0, -1, float("nan"), float("inf"), 1e9])
def test_a_pace_below_one_or_absurd_is_refused(pace: float) -> None:
    with pytest.raises(ValueError, match="pace"):
        real_due(START, START, START, pace)
    with pytest.raises(ValidationError):
        PolicyClock.starting(START, pace)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        real_due(datetime(2026, 1, 1), START, START, 1)  # noqa: DTZ001


def test_policy_time_beyond_the_calendar_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="leaves the calendar"):
        policy_instant(START + timedelta(days=3650), START, 1e6)


def test_a_clock_survives_json() -> None:
    clock = PolicyClock.starting(START, 1000)
    assert PolicyClock.model_validate_json(clock.model_dump_json()) == clock
