"""Limits: what can be written, what cannot, and that nothing is lost on the way."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits import Clock, Limit, LimitError, Unit

pytestmark = pytest.mark.unit

counted = st.builds(
    Limit,
    st.sampled_from([Unit.MINUTE, Unit.HOUR, Unit.CALENDAR_DAY, Unit.WORKING_DAY]),
    st.integers(1, 9999),
    st.none() | st.sampled_from(Clock),
)


@given(counted | st.sampled_from([Limit(Unit.IMMEDIATELY), Limit(Unit.BEFORE_START), Limit(Unit.NONE)]))
def test_every_limit_is_read_back_from_its_text(limit: Limit) -> None:
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("24 h", Limit(Unit.HOUR, 24)),
        (" 3  CD ", Limit(Unit.CALENDAR_DAY, 3)),
        ("10 wd after completion", Limit(Unit.WORKING_DAY, 10, Clock.COMPLETION)),
        ("Immediately", Limit(Unit.IMMEDIATELY)),
    ],
)
def test_spaces_and_case_do_not_matter(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


@pytest.mark.parametrize(
    "text", ["", "24", "24h", "0 h", "-1 h", "1.5 h", "10 days", "99999 h", "24 h after lunch", "٣ h"]
)
def test_a_text_that_states_no_limit_is_refused_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(LimitError, match="expected"):
        Limit.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_limit_or_a_limit_error(text: str) -> None:
    try:
        limit = Limit.parse(text)
    except LimitError:
        return
    assert Limit.parse(str(limit)) == limit


def test_only_elapsed_time_becomes_a_timedelta() -> None:
    assert Limit.parse("90 min").as_timedelta() == timedelta(minutes=90)
    assert Limit.parse("3 cd").as_timedelta() == timedelta(hours=72)
    assert Limit.parse("immediately").as_timedelta() == timedelta(0)
    for text in ("3 wd", "before start", "none"):
        with pytest.raises(LimitError, match="no elapsed time"):
            Limit.parse(text).as_timedelta()
