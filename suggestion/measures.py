"""How good suggestions are: macro-F1, recall of class I with its Wilson interval, reviews per true class I.

Counted twice: by product line, as FDA lists them, and by event, where each line counts 1 / lines of its event, so that
one event with 400 lines does not decide the figure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.class_suggestion import CLASSES
from domain.levels import RecallClass

_Z: Final = 1.959964
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case is, what was suggested, and how it counts."""

    truth: RecallClass
    suggested: RecallClass
    raised: bool
    """Whether a person is asked to look: class I is suggested, or the suggestion says so."""
    weight: float = 1.0


def confusion(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """Rows are the true classes I, II, III; columns the suggested ones."""
    table = [[0.0] * len(CLASSES) for _ in CLASSES]
    for each in outcomes:
        table[CLASSES.index(each.truth)][CLASSES.index(each.suggested)] += each.weight
    return table


def macro_f1(outcomes: Sequence[Outcome]) -> float:
    """Unweighted mean of the three classes' F1; a class that is neither there nor suggested counts 0."""
    table = confusion(outcomes)
    found = []
    for index in range(len(CLASSES)):
        both = sum(table[index]) + sum(row[index] for row in table)
        found.append(2 * table[index][index] / both if both else 0.0)
    return sum(found) / len(found)


def recall_of_class_i(outcomes: Sequence[Outcome]) -> float:
    """Share of true class I for which class I is suggested; 0 when there is none."""
    row = confusion(outcomes)[0]
    return row[0] / sum(row) if sum(row) else 0.0


def wilson(hits: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays inside 0 to 1 also for small numbers."""
    if of <= 0:
        return 0.0, 1.0
    share = hits / of
    middle = share + _Z * _Z / (2 * of)
    half = _Z * math.sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of))
    below = 1 + _Z * _Z / of
    return max(0.0, (middle - half) / below), min(1.0, (middle + half) / below)


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """All figures of one set of outcomes, rounded, as the model's card keeps them."""
    table = confusion(outcomes)
    true_i = sum(table[0])
    # The interval is over whole events: their number, not the number of their lines, says how sure the share is.
    low, high = wilson(table[0][0], true_i)
    raised = sum(each.weight for each in outcomes if each.raised)
    caught = sum(each.weight for each in outcomes if each.raised and each.truth is RecallClass.I)
    others = sum(map(sum, table)) - true_i
    return {
        "cases": round(sum(map(sum, table)), 1),
        "true_class_i": round(true_i, 1),
        "macro_f1": round(macro_f1(outcomes), 4),
        "class_i_recall": round(recall_of_class_i(outcomes), 4),
        "class_i_recall_interval": [round(low, 4), round(high, 4)],
        "suggested_i_per_true_i": _ratio(sum(row[0] for row in table), true_i),
        "reviews_per_true_i": _ratio(raised, true_i),
        "class_i_suggested_or_raised": _ratio(caught, true_i),
        "others_suggested_i": _ratio(table[1][0] + table[2][0], others),
        "others_raised": _ratio(raised - caught, others),
        "confusion": [[round(cell, 1) for cell in row] for row in table],
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


__all__ = ["Outcome", "confusion", "macro_f1", "recall_of_class_i", "summary", "wilson"]
