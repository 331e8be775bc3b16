"""A CAPA's pure rules: the criterion is judged exactly, plans act against causes, periods run in policy time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.capa import (
    MAX_VERIFY_DAYS,
    ActionKind,
    Comparison,
    Criterion,
    action_due,
    plan_faults,
    policy_today,
    verification_due,
)

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6)


@given(_NUMBERS, _NUMBERS)
def test_a_measurement_meets_at_most_or_at_least_and_both_only_when_equal(measured: Decimal, target: Decimal) -> None:
    most = Criterion(Comparison.at_most, target).met_by(measured)
    least = Criterion(Comparison.at_least, target).met_by(measured)
    assert most or least
    assert (most and least) == (measured == target)


def test_the_smallest_step_over_the_target_fails() -> None:
    criterion = Criterion(Comparison.at_most, Decimal("0.1"))
    assert criterion.met_by(Decimal("0.1"))
    assert not criterion.met_by(Decimal("0.100001"))


@pytest.mark.parametrize("measured", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_not_judged(measured: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Criterion(Comparison.at_most, Decimal(1)).met_by(Decimal(measured))


def test_a_plan_acts_against_the_cause_and_lies_ahead() -> None:
    today = date(2026, 11, 22)
    assert plan_faults([ActionKind.corrective], [today], today) == []
    assert plan_faults([ActionKind.correction, ActionKind.preventive], [today, today], today) == []
    faults = plan_faults([ActionKind.corrective], [date(9999, 12, 31)], today)
    assert faults == [(0, "expected a day within 3660 days, got 9999-12-31")]
    faults = plan_faults([ActionKind.correction], [today - timedelta(days=1)], today)
    assert [index for index, _ in faults] == [None, 0]


def test_an_action_is_due_at_the_end_of_its_policy_day_at_the_recalls_pace() -> None:
    assert action_due(date(2026, 11, 23), NOW, 1) == datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    fast = action_due(date(2026, 11, 23), NOW, 86_400)
    assert timedelta(seconds=1) < fast - NOW < timedelta(seconds=2)


@given(st.integers(0, MAX_VERIFY_DAYS), st.floats(1, 10_000_000))
def test_the_period_of_the_effect_is_policy_days_divided_by_the_pace(days: int, pace: float) -> None:
    due = verification_due(NOW, days, pace)
    assert abs((due - NOW) * pace - timedelta(days=days)) < timedelta(seconds=pace)


@pytest.mark.parametrize("days", [-1, MAX_VERIFY_DAYS + 1])
def test_a_period_outside_its_range_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        verification_due(NOW, days, 1)


def test_the_policy_date_runs_at_the_pace() -> None:
    assert policy_today(NOW + timedelta(seconds=10), NOW, 86_400) == date(2026, 12, 2)
