"""Stages of an answer, their ladders merged, and who matters most: pure rules."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.ladder import Ladder, LadderStep, StageLadder, StepKind, look_again, stages_of, strictest_ladder
from domain.priority import score, weight_of
from domain.stages import Owed, Stage, stage_of, units_left

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Line:
    on_hand: Decimal
    held: Decimal


def ladder(reminder: int, phone: int, *owed: Owed) -> Ladder:
    steps = (
        LadderStep(kind=StepKind.REMINDER, after=reminder * HOUR),
        LadderStep(kind=StepKind.PHONE, after=(phone - reminder) * HOUR),
    )
    first = LadderStep(kind=StepKind.FIRST, after=timedelta(0))
    return Ladder(steps=(first, *steps), stages=tuple(StageLadder(owed=each, steps=steps) for each in owed))


def test_the_stage_follows_from_state_and_action() -> None:
    assert stage_of("answered", action_done=False) is Stage.QUANTITIES
    assert stage_of("answered", action_done=True) is Stage.ACTION
    assert stage_of("acknowledged", action_done=True) is Stage.ACKNOWLEDGED, "an older action says nothing"
    assert stage_of("withdrawn", action_done=False) is None


def test_units_are_left_while_some_on_hand_are_not_set_aside() -> None:
    assert units_left([Line(Decimal(10), Decimal(4)), Line(Decimal(2), Decimal(2))]) == 6
    assert units_left([Line(Decimal(1), Decimal(5)), Line(Decimal(3), Decimal(3))]) == 0, "no lot makes up for another"


def test_several_laws_share_the_earliest_step_of_each_stage_and_keep_a_stage_only_one_has() -> None:
    merged = strictest_ladder([ladder(24, 72, Owed.QUANTITIES), ladder(12, 96, *Owed)])
    quantities, action = (merged.stage(owed) for owed in Owed)
    assert quantities
    assert [step.after for step in quantities.steps] == [12 * HOUR, 60 * HOUR]
    assert action
    assert [step.after for step in action.steps] == [12 * HOUR, 84 * HOUR]


def test_without_stages_the_quantities_are_called_for_after_the_ladder_of_the_notice() -> None:
    (stage,) = stages_of(ladder(24, 72))
    assert (stage.owed, [step.kind for step in stage.steps]) == (Owed.QUANTITIES, [StepKind.PHONE])
    assert stage.steps[0].after == 72 * HOUR


def test_a_stage_ends_with_a_call_and_gives_some_time() -> None:
    reminder = LadderStep(kind=StepKind.REMINDER, after=HOUR)
    with pytest.raises(ValidationError, match="ends with a call"):
        StageLadder(owed=Owed.ACTION, steps=(reminder,))
    with pytest.raises(ValidationError, match="needs some time"):
        StageLadder(owed=Owed.ACTION, steps=(LadderStep(kind=StepKind.PHONE, after=timedelta(0)),))
    with pytest.raises(ValidationError, match="each stage once"):
        ladder(1, 2, Owed.ACTION, Owed.ACTION)


@given(st.integers(0, 10**6), st.lists(st.integers(60, 10**6), min_size=1, max_size=4))
def test_looks_are_never_early_and_at_most_an_eighth_of_the_shortest_wait_late(after: int, waits: list[int]) -> None:
    due, given_waits = NOW + timedelta(seconds=after), [timedelta(seconds=each) for each in waits]
    at = look_again(due, NOW, given_waits)
    assert due <= at <= due + min(given_waits) / 8


def test_units_class_and_time_multiply() -> None:
    assert weight_of(["III", "I"]) == 100
    assert weight_of([]) == 100, "undecided counts as the worst"
    assert score(Decimal(10) * weight_of(["I"]), Decimal(5)) == score(Decimal(1000) * weight_of(["III"]), Decimal(5))
    assert score(Decimal(0), Decimal(5)) == 5, "nobody is forgotten for want of units"
