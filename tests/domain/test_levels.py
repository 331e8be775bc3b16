"""Classes and market actions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.levels import MarketAction, RecallClass, needs_justification, strictest, strictness

pytestmark = pytest.mark.unit


@given(st.lists(st.sampled_from(RecallClass), min_size=1))
def test_the_strictest_class_is_one_of_those_given_and_none_is_stricter(classes: list[RecallClass]) -> None:
    winner = strictest(classes)
    assert winner in classes
    assert all(strictness(winner) >= strictness(item) for item in classes)


def test_class_one_is_stricter_than_two_is_stricter_than_three() -> None:
    assert sorted(RecallClass, key=strictness, reverse=True) == [
        RecallClass.I,
        RecallClass.II,
        RecallClass.III,
    ]
    assert strictest([]) is None


def test_an_action_that_is_no_recall_needs_a_justification() -> None:
    assert {action for action in MarketAction if needs_justification(action)} == {
        MarketAction.MARKET_WITHDRAWAL,
        MarketAction.STOCK_RECOVERY,
        MarketAction.NONE,
    }
