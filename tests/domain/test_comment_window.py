"""The comment window of the EU draft notice: where it ends, what it clashes with, at any pace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.comment_window import CommentWindow, window_of
from tests.domain.factories import load_policy

pytestmark = pytest.mark.unit
WEDNESDAY = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)


def window(**changes: Any) -> CommentWindow:
    policy = load_policy("eu-mdr")
    gate = next(each for each in policy.gates if each.comment_window)
    given: dict[str, Any] = {
        "sent_at": WEDNESDAY,
        "settled": None,
        "notice_due_at": WEDNESDAY + timedelta(hours=24),
        "created_at": WEDNESDAY - timedelta(hours=1),
        "pace": 1.0,
    }
    return window_of(policy, gate, **given | changes)


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        ("2026-11-18T09:00+00:00", "2026-11-20T09:00+00:00"),  # Wednesday to Friday
        ("2026-11-19T09:00+00:00", "2026-11-23T09:00+00:00"),  # Thursday: the weekend does not count
        ("2026-11-21T09:00+00:00", "2026-11-24T23:00+00:00"),  # Saturday: from Monday 00:00 in Berlin
    ],
)
def test_it_counts_weekdays_from_the_hand_over(sent: str, ends: str) -> None:
    at = datetime.fromisoformat(sent)
    found = window(sent_at=at, created_at=at)
    assert found.ends_at == datetime.fromisoformat(ends)
    assert found.is_open(found.ends_at - timedelta(seconds=1))
    assert not found.is_open(found.ends_at)


def test_a_draft_that_was_not_sent_opens_no_window() -> None:
    found = window(sent_at=None)
    assert (found.ends_at, found.conflict, found.is_open(WEDNESDAY)) == (None, None, False)


def test_the_conflict_with_the_notice_limit_names_waiver_and_later_notice() -> None:
    assert window(notice_due_at=WEDNESDAY + timedelta(hours=72)).conflict is None
    assert window(notice_due_at=None).conflict is None
    found = window().conflict
    assert found is not None
    assert "waive the gate for urgency, signed" in found
    assert "late against the limit and recorded as such" in found


@pytest.mark.parametrize("settled", ["passed", "waived"])
def test_a_settled_gate_has_no_open_window_and_no_conflict(settled: str) -> None:
    found = window(settled=settled)
    assert (found.is_open(WEDNESDAY), found.conflict) == (False, None)


def test_at_a_faster_pace_the_real_window_is_shorter_and_the_rule_is_the_same() -> None:
    found = window(created_at=WEDNESDAY, pace=24.0)
    assert found.policy_ends_at == WEDNESDAY + timedelta(hours=48)
    assert found.ends_at == WEDNESDAY + timedelta(hours=2)


def test_a_gate_without_a_window_has_none() -> None:
    policy = load_policy("eu-mdr")
    gate = next(each for each in policy.gates if not each.comment_window)
    with pytest.raises(ValueError, match="no comment window"):
        window_of(policy, gate, sent_at=None, settled=None, notice_due_at=None, created_at=WEDNESDAY, pace=1.0)
