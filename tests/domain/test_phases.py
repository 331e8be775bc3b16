"""Phases: the story has one direction, its ends are ends."""

from itertools import pairwise

import pytest

from domain.phases import FINAL_PHASES, TRANSITIONS, Phase, allowed_moves, can_move, is_final

pytestmark = pytest.mark.unit


def test_the_story_of_a_recall_can_be_walked_from_alarm_to_termination() -> None:
    story = [
        Phase.INTAKE,
        Phase.ASSESSMENT,
        Phase.STRATEGY,
        Phase.GATES,
        Phase.NOTIFICATION,
        Phase.RESOLUTION,
        Phase.COMPLETED,
        Phase.AWAITING_AUTHORITY,
        Phase.TERMINATED,
    ]
    assert all(can_move(a, b) for a, b in pairwise(story))


def test_nothing_reaches_notification_except_through_the_gates_or_back_from_resolution() -> None:
    before = {phase for phase in Phase if can_move(phase, Phase.NOTIFICATION)}
    assert before == {Phase.GATES, Phase.RESOLUTION}


def test_every_phase_has_a_row_and_no_phase_moves_to_itself() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert not any(can_move(phase, phase) for phase in Phase)


def test_only_rejected_cancelled_and_terminated_are_final() -> None:
    assert frozenset({Phase.REJECTED, Phase.CANCELLED, Phase.TERMINATED}) == FINAL_PHASES
    assert [phase for phase in Phase if is_final(phase)] == [
        Phase.TERMINATED,
        Phase.REJECTED,
        Phase.CANCELLED,
    ]


def test_a_recall_is_rejected_only_in_assessment_and_not_cancelled_after_completion() -> None:
    assert {phase for phase in Phase if can_move(phase, Phase.REJECTED)} == {Phase.ASSESSMENT}
    late = (Phase.COMPLETED, Phase.AWAITING_AUTHORITY)
    assert not any(can_move(phase, Phase.CANCELLED) for phase in late)


def test_every_phase_is_reachable_from_intake() -> None:
    reached, frontier = {Phase.INTAKE}, [Phase.INTAKE]
    while frontier:
        fresh = [phase for phase in allowed_moves(frontier.pop()) if phase not in reached]
        reached.update(fresh)
        frontier.extend(fresh)
    assert reached == set(Phase)
