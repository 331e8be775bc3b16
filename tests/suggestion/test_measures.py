"""The figures are what their names say: checked by hand, and against scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score

from domain.levels import RecallClass
from suggestion.measures import Outcome, confusion, macro_f1, summary, wilson

pytestmark = pytest.mark.unit
I, II, III = RecallClass  # noqa: E741 - the law's own names
CLASSES = st.sampled_from(list(RecallClass))


@given(st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=60))
def test_confusion_and_macro_f1_are_scikit_learns(pairs: list[tuple[RecallClass, RecallClass]]) -> None:
    truth, suggested = [one.value for one, _ in pairs], [two.value for _, two in pairs]
    found = [Outcome(one, two, raised=False) for one, two in pairs]
    names = [each.value for each in RecallClass]
    assert confusion(found) == confusion_matrix(truth, suggested, labels=names).tolist()
    score = f1_score(truth, suggested, labels=names, average="macro", zero_division=0)
    assert macro_f1(found) == pytest.approx(score)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Worked by hand with z = 1.959964; 81/263 is the example of Newcombe (1998), Stat Med 17:857, table I.
    [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (10, 10, 0.7225, 1.0)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert list(wilson(hits, of)) == pytest.approx([low, high], abs=1e-4)


def test_nothing_seen_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert summary([])["reviews_per_true_i"] is None


def test_reviews_count_what_is_suggested_as_one_and_what_is_raised() -> None:
    found = [
        Outcome(I, I, raised=True),
        Outcome(I, II, raised=True),
        Outcome(II, II, raised=True),
        Outcome(II, I, raised=True),
        Outcome(III, III, raised=False),
    ]
    figures = summary(found)
    assert figures["class_i_recall"] == 0.5
    assert figures["class_i_suggested_or_raised"] == 1.0
    assert figures["reviews_per_true_i"] == 2.0
    assert figures["others_raised"] == pytest.approx(2 / 3, abs=1e-4)


def test_an_event_counts_once_however_many_lines_it_has() -> None:
    lines = [Outcome(I, II, raised=False, weight=0.01)] * 100 + [Outcome(I, I, raised=True)]
    assert summary(lines)["class_i_recall"] == 0.5
