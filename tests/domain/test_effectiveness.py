"""Effectiveness checks: sizes, samples that anybody can draw again, verdicts, and when a level is met."""

import hashlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.effectiveness import (
    STRICTER,
    FoundLot,
    at_depth,
    candidates_hash,
    draw,
    is_met,
    judge,
    percent_of,
    required,
)
from domain.policy_parts import EffectivenessLevel

pytestmark = pytest.mark.unit
IDS = st.sets(st.integers(1, 500), max_size=60)
PERCENT = st.sampled_from([0, 2, 10, 50, 100])


@pytest.mark.parametrize(("level", "percent"), [("A", 100), ("B", 50), ("C", 10), ("D", 2), ("E", 0)])
def test_each_level_checks_the_share_of_the_regulation(level: str, percent: int) -> None:
    assert percent_of(EffectivenessLevel(level), policy_b=[20, 50]) == percent


def test_level_b_without_any_policys_figure_checks_everybody() -> None:
    assert percent_of(EffectivenessLevel.B) == 100


@pytest.mark.parametrize(
    ("population", "percent", "size"),
    [(0, 100, 0), (1, 2, 1), (49, 2, 1), (50, 2, 1), (51, 2, 2), (53, 10, 6), (60, 10, 6), (7, 100, 7), (9, 0, 0)],
)
def test_sizes_are_rounded_up_and_at_least_one(population: int, percent: int, size: int) -> None:
    assert required(population, percent) == size


@pytest.mark.parametrize(
    ("depth", "kind", "tier", "passes_on", "counts"),
    [
        ("wholesale", "distributor", 2, True, True),
        ("wholesale", "hospital", 1, False, True),
        ("wholesale", "hospital", 2, False, False),
        ("user_facility", "hospital", 2, False, True),
        ("retail", "hospital", 1, True, True),
        ("user_facility", "distributor", 1, True, False),
        ("user_facility", "distributor", 1, False, True),
        ("patient", "warehouse", 1, False, True),
    ],
)
def test_who_is_at_the_strategys_depth(depth: str, kind: str, tier: int, passes_on: bool, counts: bool) -> None:
    assert at_depth(depth, kind, tier, passes_on) is counts


def test_a_draw_can_be_repeated_by_hand_from_seed_and_candidates() -> None:
    candidates = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]
    by_hand = sorted(candidates, key=lambda each: hashlib.sha256(f"seed-1/{each}".encode()).hexdigest())[:2]
    assert draw("seed-1", candidates, 10) == tuple(by_hand)
    assert draw("seed-1", list(reversed(candidates)), 10) == tuple(by_hand), "the order of the roster does not matter"
    assert draw("seed-2", candidates, 10) != tuple(by_hand)
    assert candidates_hash([3, 1, 2]) == hashlib.sha256(b"1,2,3").hexdigest()


@given(candidates=IDS, passed=IDS, again=IDS, percent=PERCENT)
def test_a_sample_repeats_failures_spares_what_stands_and_fills_the_share(
    candidates: set[int], passed: set[int], again: set[int], percent: int
) -> None:
    sample = draw("s", candidates, percent, passed=passed, again=again)
    drawn = set(sample)
    assert len(drawn) == len(sample)
    assert candidates & again <= drawn <= candidates
    assert not drawn & (passed - again)
    standing = candidates & passed - again
    assert len(drawn) + len(standing) >= required(len(candidates), percent)
    fresh = drawn - again
    assert not fresh or len(drawn) + len(standing) == required(len(candidates), percent), "nobody more than needed"


@given(candidates=IDS, passed=IDS, failed=IDS, percent=PERCENT)
def test_an_empty_sample_means_the_level_is_met_and_only_then(
    candidates: set[int], passed: set[int], failed: set[int], percent: int
) -> None:
    passed -= failed
    sample = draw("s", candidates, percent, passed=passed, again=failed)
    assert (sample == ()) is is_met(candidates, percent, passed, failed)


def test_a_failed_round_widens_to_the_next_stricter_level_and_ends_at_all() -> None:
    level, seen = EffectivenessLevel.E, []
    for _ in range(5):
        level = STRICTER[level]
        seen.append(level.value)
    assert seen == ["D", "C", "B", "A", "A"]


def lot(found: str, expected: str, explanation: str | None = None) -> FoundLot:
    return FoundLot("L1", Decimal(found), Decimal(expected), explanation)


def test_a_check_passes_with_three_facts_and_the_units_that_should_be_there() -> None:
    assert judge(received=True, understood=True, acted=True, lots=[lot("4", "4"), lot("0", "0")]).passed
    assert judge(received=True, understood=True, acted=True, lots=[]).passed


@pytest.mark.parametrize(
    ("facts", "lots", "why"),
    [
        ((False, True, True), [], "not received"),
        ((True, False, True), [], "not understood"),
        ((True, True, False), [], "not acted"),
        ((True, True, True), [lot("5", "4", "found in a cupboard")], "lot L1: 5 found, 4 expected"),
        ((True, True, True), [lot("3.50", "4")], "lot L1: 3.5 found, 4 expected, not explained"),
        (
            (False, False, False),
            [lot("3", "4")],
            "not received; not understood; not acted; lot L1: 3 found, 4 expected",
        ),
    ],
)
def test_a_check_fails_and_says_why(facts: tuple[bool, bool, bool], lots: list[FoundLot], why: str) -> None:
    verdict = judge(received=facts[0], understood=facts[1], acted=facts[2], lots=lots)
    assert not verdict.passed
    assert verdict.why is not None
    assert verdict.why.startswith(why)


def test_less_than_expected_passes_with_an_explanation() -> None:
    assert judge(received=True, understood=True, acted=True, lots=[lot("3", "4", "1 under way, note R-7")]).passed


def test_a_very_long_verdict_is_cut_for_the_record() -> None:
    lots = [lot("1", "2") for _ in range(100)]
    assert len(judge(received=True, understood=True, acted=True, lots=lots).why or "") == 500
