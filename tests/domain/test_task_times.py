"""When a task is reminded of, handed over and escalated."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policy import Policy
from domain.policy_parts import HumanStep
from domain.roles import HEADS, Role
from domain.task_times import (
    Stage,
    TaskLimit,
    TaskTimes,
    due_stage,
    next_instant,
    stand_in_for,
    strictest_limit,
    task_times,
    times_until,
)

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = TaskLimit(limit=24 * HOUR, remind=12 * HOUR, role=Role.QA, stand_in=Role.REGULATORY)
TIMES = task_times(NOW, RULE.limit, RULE.remind)


def test_the_stand_in_has_as_long_as_the_first_had_before_the_reminder() -> None:
    assert TaskTimes(NOW + 12 * HOUR, NOW + 24 * HOUR, NOW + 36 * HOUR) == TIMES


def test_a_faster_pace_shortens_every_interval_alike() -> None:
    assert task_times(NOW, RULE.limit, RULE.remind, pace=24) == TaskTimes(
        NOW + HOUR / 2, NOW + HOUR, NOW + HOUR + HOUR / 2
    )


def test_without_a_reminder_in_the_policy_it_comes_at_half_the_time() -> None:
    assert task_times(NOW, 10 * HOUR).remind_at == NOW + 5 * HOUR


def test_a_legal_limit_is_not_moved_and_reminded_of_before_it() -> None:
    due = NOW + 40 * HOUR
    assert times_until(NOW, due, RULE) == TaskTimes(due - 12 * HOUR, due, due + 12 * HOUR)
    assert times_until(NOW, NOW + 8 * HOUR, RULE).remind_at == NOW + 4 * HOUR, "its share, where the time is shorter"
    assert times_until(NOW, NOW + HOUR / 3, RULE, pace=24).remind_at == NOW + HOUR / 6
    passed = times_until(NOW, NOW - HOUR, RULE)
    assert passed == TaskTimes(NOW, NOW - HOUR, NOW + 12 * HOUR), "what is late already still gets its time to climb"


@pytest.mark.parametrize(
    ("hours", "stand_in", "stage"),
    [(11, True, 0), (12, True, 1), (23, True, 1), (24, True, 2), (35, True, 2), (36, True, 3), (24, False, 3)],
)
def test_a_task_climbs_from_reminder_to_stand_in_to_head(hours: int, stand_in: bool, stage: int) -> None:
    assert due_stage(Stage.OFFERED, TIMES, NOW + hours * HOUR, stand_in=stand_in) == stage


@given(
    stage=st.sampled_from(Stage),
    hours=st.integers(min_value=0, max_value=60),
    stand_in=st.booleans(),
)
def test_a_task_never_climbs_down_and_its_next_instant_lies_ahead(stage: Stage, hours: int, stand_in: bool) -> None:
    now = NOW + hours * HOUR
    reached = due_stage(stage, TIMES, now, stand_in=stand_in)
    assert reached >= stage
    assert due_stage(reached, TIMES, now, stand_in=stand_in) == reached, "a second look changes nothing"
    following = next_instant(reached, TIMES)
    if reached > stage:
        assert following is None or following > now, "or the timer would spin"


def test_a_task_without_times_waits_for_ever() -> None:
    nothing = TaskTimes(None, None, None)
    assert due_stage(0, nothing, NOW, stand_in=True) == Stage.OFFERED
    assert next_instant(0, nothing) is None


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.QA, Role.REGULATORY),
        (Role.REGULATORY, None),
        (Role.WAREHOUSE, None),
    ],
)
def test_a_stand_in_stands_in_for_the_function_the_rule_speaks_of_only(role: Role, expected: Role | None) -> None:
    assert stand_in_for(role, RULE.role, RULE.stand_in) == expected


def test_a_head_named_as_stand_in_is_the_last_step_and_not_two() -> None:
    assert stand_in_for(Role.QA, Role.QA, Role.HEAD_OF_QUALITY) is None


def test_the_strictest_policy_gives_the_limit(policies: dict[str, Policy]) -> None:
    slow, fast = (policies["us-fda"].tasks[step] for step in (HumanStep.VISIT, HumanStep.APPROVAL))
    found = strictest_limit([slow, fast])
    assert (found.limit, found.remind) == (12 * HOUR, 6 * HOUR)
    assert (found.role, found.stand_in) == (fast.role, fast.stand_in)
    with pytest.raises(ValueError, match="at least one policy"):
        strictest_limit([])


def test_every_policy_offers_every_step_to_a_function_with_a_head(policies: dict[str, Policy]) -> None:
    for policy in policies.values():
        for step, rule in policy.tasks.items():
            assert rule.role in HEADS, step
            assert rule.stand_in in HEADS, step
