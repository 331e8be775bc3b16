"""Recurrence: the Poisson limit against tables, and what counts within the period."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.recurrence import Event, poisson_upper, trend

pytestmark = pytest.mark.unit
CLOSED = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(("mean", "limit"), [(0, 0), (0.1, 1), (1, 3), (5, 10), (10, 17), (100, 120)])
def test_the_upper_limit_agrees_with_tables(mean: float, limit: int) -> None:
    assert poisson_upper(mean) == limit


@pytest.mark.parametrize("mean", [-1, float("nan"), float("inf")])
def test_a_mean_that_is_none_is_refused(mean: float) -> None:
    with pytest.raises(ValueError, match="expected a mean"):
        poisson_upper(mean)


def at(*days: int) -> list[Event]:
    return [Event("complaint", str(day), CLOSED + timedelta(days=day), "code") for day in days]


def test_only_what_lies_within_the_period_counts() -> None:
    now = CLOSED + timedelta(days=400)
    found = trend(at(-5, 0, 10, 364, 366), CLOSED, 365, 2, now)
    assert (found.total, found.signal) == (2, False)
    assert [each.count for each in found.months if each.count] == [1, 1]
    assert trend(at(1, 40, 80), CLOSED, 365, 2, now).signal


def test_many_in_one_month_are_a_signal_though_the_period_allows_them() -> None:
    now = CLOSED + timedelta(days=60)
    assert trend(at(1, 2, 3, 4, 5), CLOSED, 365, 12, now).signal
    assert not trend(at(1, 2, 3, 25, 40), CLOSED, 365, 12, now).signal
    assert not trend((), CLOSED, 365, 0, now).signal
