"""The notice ladder: who is asked again when, and the strictest of several."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.ladder import (
    ContactRule,
    Ladder,
    LadderError,
    LadderStep,
    StepKind,
    next_step,
    strictest_ladder,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ladder(*steps: tuple[StepKind, float, ContactRule] | tuple[StepKind, float]) -> Ladder:
    return Ladder(
        steps=tuple(
            LadderStep(kind=step[0], after=step[1] * HOUR, contact=step[2] if len(step) > 2 else ContactRule.SAME)
            for step in steps
        )
    )


FULL = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 24), (StepKind.ESCALATION, 24), (StepKind.PHONE, 24))


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    hours = draw(st.lists(st.integers(1, 500), min_size=3, max_size=3))
    kept = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    rest = [
        (kind, hour, draw(st.sampled_from(ContactRule)))
        for kind, hour, keep in zip(list(StepKind)[1:], hours, kept, strict=True)
        if keep
    ]
    return ladder((StepKind.FIRST, 0), *rest)


def offsets_by_kind(given_ladder: Ladder) -> dict[StepKind, timedelta]:
    pairs = zip(given_ladder.steps, given_ladder.offsets(), strict=True)
    return {step.kind: offset for step, offset in pairs}


def test_the_first_step_is_due_at_the_approval() -> None:
    step = next_step(FULL, -1, NOW, NOW)
    assert step is not None
    assert (step.index, step.step.kind, step.due, step.is_due) == (0, StepKind.FIRST, NOW, True)


def test_a_step_counts_from_the_one_before_as_it_really_happened() -> None:
    late = NOW + 5 * HOUR
    step = next_step(FULL, 1, late, late + 23 * HOUR)
    assert step is not None
    assert (step.step.kind, step.due, step.is_due) == (StepKind.ESCALATION, late + 24 * HOUR, False)


def test_after_the_telephone_call_nothing_follows() -> None:
    assert next_step(FULL, 3, NOW, NOW) is None


@pytest.mark.parametrize("index", [-2, 4])
def test_a_step_the_ladder_does_not_have_is_refused(index: int) -> None:
    with pytest.raises(LadderError, match="steps 0 to 3"):
        next_step(FULL, index, NOW, NOW)


@given(st.lists(ladders(), min_size=1, max_size=4))
def test_the_strictest_ladder_is_never_later_than_any_ladder_at_any_step(given_ladders: list[Ladder]) -> None:
    merged = offsets_by_kind(strictest_ladder(given_ladders))
    for one in given_ladders:
        for kind, offset in offsets_by_kind(one).items():
            assert merged[kind] <= offset
    assert set(merged) == {step.kind for one in given_ladders for step in one.steps}


@given(st.lists(ladders(), min_size=1, max_size=4), st.randoms())
def test_the_strictest_ladder_does_not_depend_on_the_order_of_the_laws(
    given_ladders: list[Ladder], random: object
) -> None:
    assert strictest_ladder(given_ladders) == strictest_ladder(given_ladders[::-1])


@given(ladders())
def test_one_ladder_alone_is_its_own_strictest(one: Ladder) -> None:
    assert strictest_ladder([one]) == strictest_ladder([one, one]) == one


def test_the_strictest_ladder_takes_each_step_at_its_earliest() -> None:
    slow = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 12), (StepKind.ESCALATION, 120), (StepKind.PHONE, 36))
    merged = strictest_ladder([FULL, slow])
    assert [offset / HOUR for offset in merged.offsets()] == [0, 12, 48, 72]


def test_a_step_only_the_slower_law_knows_is_pulled_forward_not_dropped() -> None:
    fast = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 12), (StepKind.PHONE, 24))
    slow = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 100), (StepKind.ESCALATION, 100))
    merged = offsets_by_kind(strictest_ladder([fast, slow]))
    assert merged[StepKind.ESCALATION] == merged[StepKind.PHONE] == 36 * HOUR


def test_the_wider_contact_rule_wins() -> None:
    same = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 10))
    other = ladder((StepKind.FIRST, 0), (StepKind.REMINDER, 20, ContactRule.OTHER_CHANNEL))
    assert strictest_ladder([same, other]).steps[1].contact == ContactRule.OTHER_CHANNEL


@pytest.mark.parametrize(
    "steps",
    [
        (),
        ((StepKind.REMINDER, 1),),
        ((StepKind.FIRST, 0), (StepKind.FIRST, 1)),
        ((StepKind.FIRST, 0), (StepKind.PHONE, 1), (StepKind.REMINDER, 1)),
        ((StepKind.FIRST, 0), (StepKind.REMINDER, 0)),
        ((StepKind.FIRST, 0), (StepKind.REMINDER, -1)),
    ],
)
def test_a_ladder_that_cannot_be_walked_is_refused(steps: tuple[tuple[StepKind, float], ...]) -> None:
    with pytest.raises(ValidationError):
        ladder(*steps)


def test_there_is_no_strictest_of_nothing() -> None:
    with pytest.raises(LadderError):
        strictest_ladder([])


def test_a_ladder_survives_json() -> None:
    assert Ladder.model_validate_json(FULL.model_dump_json()) == FULL
