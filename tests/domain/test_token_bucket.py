"""The shared token bucket: never faster than the rate, halved by a refusal, grown back, class I first."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.token_bucket import BURST, Bucket, lease, rate_at, slowed

T0 = datetime(2026, 11, 22, 8, tzinfo=UTC)
SPAN = timedelta(milliseconds=500)
SECOND = timedelta(seconds=1)


def _at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@given(
    rate=st.floats(0.2, 500),
    asks=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), min_size=1, max_size=60),
)
def test_any_number_of_askers_together_never_get_more_than_rate_times_time(
    rate: float, asks: list[tuple[float, int]]
) -> None:
    bucket, now, given_units = Bucket(spent_until=T0), 0.0, []
    for pause, wanted in asks:
        now += pause
        bucket, leased = lease(bucket, rate, _at(now), wanted=wanted, span=SPAN, priority=3)
        assert leased.units is not None
        if leased.units:
            given_units.append((leased.start, leased.units))
    most_at_once = max(units for _, units in given_units)
    for start, _ in given_units:
        for end, _ in given_units:
            if end >= start:
                used = sum(units for at, units in given_units if start <= at <= end)
                allowed = rate * ((end - start) + BURST).total_seconds() + most_at_once
                assert used <= allowed * (1 + 1e-6) + 1e-3 * rate


def test_a_message_larger_than_a_chunk_gets_all_its_units_at_once() -> None:
    bucket, first = lease(Bucket(spent_until=T0), 1.0, T0, wanted=7, span=SPAN, priority=1)
    assert (first.units, first.start) == (7, T0)
    _, following = lease(bucket, 1.0, T0, wanted=1, span=SPAN, priority=1)
    assert following.start == _at(7), "the next one waits until the seven are paid for"


def test_a_rest_is_worth_one_second_and_no_more() -> None:
    bucket, _ = lease(Bucket(spent_until=T0), 10.0, T0, wanted=1, span=SPAN, priority=3)
    at_once = 0.0
    while True:
        bucket, leased = lease(bucket, 10.0, _at(3600), wanted=1, span=SPAN, priority=3)
        if leased.start > _at(3600):
            break
        at_once += leased.units or 0
    assert at_once == 15, "a second's rest and the chunk that begins now"


def test_an_unlimited_channel_is_free() -> None:
    bucket, leased = lease(Bucket(spent_until=T0), None, T0, wanted=1, span=SPAN, priority=3)
    assert (leased.units, leased.rate, leased.start) == (None, None, T0)
    assert bucket.slow is None


def test_too_fast_halves_the_rate_once_for_all_calls_under_way_and_it_grows_back() -> None:
    bucket = slowed(Bucket(spent_until=T0), 100.0, T0, observed=80, retry_after=None)
    again = slowed(bucket, 100.0, _at(0.4), observed=80, retry_after=None)
    assert rate_at(again, 100.0, T0) == 50
    assert rate_at(again, 100.0, _at(10)) == 70
    assert rate_at(again, 100.0, _at(1000)) == 100
    later = slowed(again, 100.0, _at(10), observed=70, retry_after=None)
    assert rate_at(later, 100.0, _at(10)) == 35
    recovered, _ = lease(later, 100.0, _at(1000), wanted=1, span=SPAN, priority=3)
    assert recovered.slow is None


def test_an_unlimited_channel_is_slowed_from_what_it_really_sent_and_set_free_again() -> None:
    bucket = slowed(Bucket(spent_until=T0), None, T0, observed=40, retry_after=None)
    assert rate_at(bucket, None, T0) == 20
    _, leased = lease(bucket, None, T0, wanted=1, span=SPAN, priority=3)
    assert leased.units == 10
    assert rate_at(bucket, None, _at(76)) is None, "beyond twice what was complained about nobody knows the limit"


def test_refusals_without_end_leave_a_trickle_and_never_raise_a_lower_configured_rate() -> None:
    bucket, low = Bucket(spent_until=T0), Bucket(spent_until=T0)
    for second in range(0, 60, 2):
        bucket = slowed(bucket, None, _at(second), observed=50, retry_after=None)
        low = slowed(low, 0.05, _at(second), observed=1, retry_after=None)
    assert 0.2 <= (rate_at(bucket, None, _at(58)) or 0) < 5
    assert rate_at(low, 0.05, _at(58)) == 0.05


def test_the_providers_own_time_is_kept() -> None:
    bucket = slowed(Bucket(spent_until=T0), None, T0, observed=5, retry_after=timedelta(seconds=30))
    _, refused = lease(bucket, None, _at(29), wanted=1, span=SPAN, priority=1)
    assert (refused.units, refused.start) == (0.0, _at(30))
    _, given_again = lease(bucket, None, _at(30), wanted=1, span=SPAN, priority=1)
    assert given_again.units


def test_while_class_one_waits_the_others_get_nothing() -> None:
    bucket, urgent = lease(Bucket(spent_until=T0), 2.0, T0, wanted=1, span=SPAN, priority=1)
    assert urgent.units
    same, refused = lease(bucket, 2.0, _at(0.1), wanted=1, span=SPAN, priority=5)
    assert refused.units == 0
    assert same == bucket, "a refusal leaves no trace"
    _, another_urgent = lease(bucket, 2.0, _at(0.1), wanted=1, span=SPAN, priority=1)
    assert another_urgent.units
    _, afterwards = lease(bucket, 2.0, _at(1.6), wanted=1, span=SPAN, priority=5)
    assert afterwards.units, "whoever does not come back keeps nobody waiting"
