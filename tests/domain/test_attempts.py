"""Documenting a consignee without its answer takes three attempts, two channels and one live one (design §7)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attempts import (
    DocumentedKind,
    Effort,
    Needed,
    Outcome,
    Tried,
    effort,
    faults_of_attempt,
    missing,
    strictest,
)
from domain.policy_parts import Closing

pytestmark = pytest.mark.unit
NEEDED = Needed()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAIL, TEXT = Tried("email", live=False), Tried("sms", live=False)
CALL = Tried("phone", live=True, outcome=Outcome.NOT_REACHED)


def test_three_attempts_on_two_channels_with_one_live_are_enough() -> None:
    assert missing(DocumentedKind.NO_RESPONSE, effort([MAIL, MAIL, CALL]), 0, NEEDED) == ()


@pytest.mark.parametrize(
    ("tried", "wanted"),
    [
        ([], ("3 attempts, 0 made", "2 channels, tried by none", "one live attempt by telephone or visit")),
        ([MAIL, CALL], ("3 attempts, 2 made",)),
        ([CALL, CALL, CALL], ("2 channels, tried by phone",)),
        ([MAIL, TEXT, MAIL], ("one live attempt by telephone or visit",)),
        (
            [MAIL, MAIL, Tried("phone", live=True, outcome=Outcome.WRONG_NUMBER)],
            ("3 attempts, 2 made", "2 channels, tried by email", "one live attempt by telephone or visit"),
        ),
    ],
)
def test_what_is_missing_is_named(tried: list[Tried], wanted: tuple[str, ...]) -> None:
    assert missing(DocumentedKind.NO_RESPONSE, effort(tried), 3, NEEDED) == wanted


def test_the_strictest_of_several_policies_says_how_much_is_needed() -> None:
    def closing(attempts: int, channels: int, live: int) -> Closing:
        sourced = {"basis": "house", "source": "house rule", "valid_from": "2026-01-01"}
        return Closing.model_validate({"attempts": attempts, "channels": channels, "live": live} | sourced)

    needed = strictest([closing(3, 3, 1), closing(5, 2, 2)])
    assert needed == Needed(attempts=5, channels=3, live=2)
    assert strictest([]) == NEEDED == Needed(3, 2, 1)
    assert missing(DocumentedKind.NO_RESPONSE, effort([MAIL, TEXT, CALL, MAIL]), 0, needed) == (
        "5 attempts, 4 made",
        "2 live attempts by telephone or visit",
    )


def test_a_refusal_needs_a_live_attempt_that_was_refused() -> None:
    assert missing(DocumentedKind.REFUSED, effort([MAIL, MAIL, CALL]), 1, NEEDED)
    refused = Tried("phone", live=True, outcome=Outcome.REFUSED)
    assert missing(DocumentedKind.REFUSED, effort([refused]), 0, NEEDED) == ()
    assert missing(DocumentedKind.REFUSED, effort([Tried("email", live=False, outcome=Outcome.REFUSED)]), 0, NEEDED)


def test_out_of_business_needs_a_file() -> None:
    assert missing(DocumentedKind.OUT_OF_BUSINESS, effort([]), 0, NEEDED)
    assert missing(DocumentedKind.OUT_OF_BUSINESS, effort([]), 1, NEEDED) == ()


_ANY = st.builds(
    Tried,
    channel=st.sampled_from(["email", "sms", "phone", "visit", "letter"]),
    live=st.booleans(),
    outcome=st.one_of(st.none(), st.sampled_from(list(Outcome))),
)


@given(st.lists(_ANY, max_size=8), _ANY)
def test_one_attempt_more_never_makes_it_harder(tried: list[Tried], more: Tried) -> None:
    before = missing(DocumentedKind.NO_RESPONSE, effort(tried), 0, NEEDED)
    assert len(missing(DocumentedKind.NO_RESPONSE, effort([*tried, more]), 0, NEEDED)) <= len(before)


@given(st.lists(_ANY, max_size=8))
def test_nothing_is_documented_below_the_rule(tried: list[Tried]) -> None:
    made = effort(tried)
    assert isinstance(made, Effort)
    if not missing(DocumentedKind.NO_RESPONSE, made, 0, NEEDED):
        counted = [each for each in tried if each.outcome is not Outcome.WRONG_NUMBER]
        assert len(counted) >= 3
        assert len({each.channel for each in counted}) >= 2
        assert any(each.live for each in counted)


def faults(**changes: object) -> list[str]:
    given: dict[str, object] = {
        "channel": "phone",
        "at": NOW - timedelta(hours=1),
        "person": "Ms Ann Other",
        "number": "+254700000001",
        "first_notice_at": NOW - timedelta(days=1),
        "now": NOW,
    } | changes
    return [fault.field for fault in faults_of_attempt(**given)]  # type: ignore[arg-type]


def test_an_attempt_lies_between_the_first_notice_and_now_and_says_whom_and_where() -> None:
    assert faults() == []
    assert faults(at=NOW + timedelta(seconds=1)) == ["at"]
    assert faults(at=NOW - timedelta(days=2)) == ["at"]
    assert faults(first_notice_at=None) == ["at"]
    assert faults(person=None, number="") == ["person", "number"]
    assert faults(channel="visit", number=None) == ["number"]
    assert faults(channel="letter", person=None, number=None) == []
