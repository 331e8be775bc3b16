"""From which probability on a class is suggested: the best macro-F1 among what finds enough of class I.

Chosen on years that come before the test, from predictions of models that had not seen those years; an event counts
as much as in training. The share asked for (`CLASS_I_RECALL`) is a house rule: a missed class I harms people, a look
too many costs an hour.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from domain.class_suggestion import CLASSES, Model, Thresholds, probabilities
from suggestion.fitting import Scored

CLASS_I_RECALL: Final = 0.84
"""Share of class I for which class I must be suggested on the validation years."""
RAISED_RECALL: Final = 0.95
"""Share of class I that must be suggested as I or raised to a person there."""
FAMILIAR: Final = 0.5
"""House rule: less than half of the reason's words known is too little to go by."""


def chosen(model: Model, scored: Sequence[Scored]) -> Thresholds:
    """Thresholds for a calibrated model, from cases it has not seen.

    Raises:
        ValueError: no case of class I is among them.
    """
    chances = np.array([probabilities(model, each.scores) for each in scored])
    truth = np.array([CLASSES.index(each.case.recall_class) for each in scored])
    weights = np.array([each.case.lines**-0.5 for each in scored])
    if not (truth == 0).any():
        raise ValueError("the validation years have no case of class I")
    first = chances[:, 0]
    third = chances[:, 2] / np.maximum(1e-12, chances[:, 1] + chances[:, 2])
    highest = _reached(first, truth, weights, CLASS_I_RECALL)
    best = (-1.0, 0.0, 0.0)
    for class_i in np.unique(np.round(np.linspace(highest / 20, highest, 40), 4)):
        for class_iii in np.linspace(0.1, 0.9, 81):
            suggested = np.where(first >= class_i, 0, np.where(third >= class_iii, 2, 1))
            found = _macro_f1(truth, suggested, weights)
            if found > best[0] + 1e-12:
                best = (found, float(class_i), float(class_iii))
    review = min(best[1], _reached(first, truth, weights, RAISED_RECALL))
    return Thresholds(round(best[1], 4), round(best[2], 4), round(review, 4), FAMILIAR)


def with_thresholds(model: Model, scored: Sequence[Scored]) -> Model:
    """The calibrated model with its thresholds."""
    return replace(model, thresholds=chosen(model, scored))


def _reached(first: np.ndarray, truth: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The highest probability of class I (four decimals, rounded down) that at least `share` of class I reaches."""
    mine = truth == 0
    order = np.argsort(-first[mine])
    reached = np.cumsum(weights[mine][order]) / weights[mine].sum()
    at = int(np.searchsorted(reached, share - 1e-12))
    return float(np.floor(first[mine][order][min(at, len(reached) - 1)] * 1e4) / 1e4)


def _macro_f1(truth: np.ndarray, suggested: np.ndarray, weights: np.ndarray) -> float:
    found = []
    for index in range(len(CLASSES)):
        right = weights[(truth == index) & (suggested == index)].sum()
        both = weights[truth == index].sum() + weights[suggested == index].sum()
        found.append(2 * right / both if both else 0.0)
    return float(np.mean(found))


__all__ = ["CLASS_I_RECALL", "FAMILIAR", "RAISED_RECALL", "chosen", "with_thresholds"]
