"""Fitting the linear model: which words count, what each adds to a class, and how scores become probabilities.

Needs scikit-learn, which is a tool of the development environment: what it finds is written as plain figures, and the
product reads them without it (`domain.class_suggestion`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from domain.class_suggestion import CLASSES, Feature, Model, Thresholds, Vector, scores_of
from domain.suggestion_text import BLOCKS, features
from suggestion.records import Case

BLOCK_WEIGHTS: Final = {"reason": 1.0, "product": 0.5, "together": 0.5}
FIRMS_AT_LEAST: Final = 3
"""A word that fewer firms use is a name or a habit of theirs, and would let the model know the firm."""
HALF_LIFE_YEARS: Final = 2.0
"""FDA's practice drifts; an event this much older counts half."""
STRENGTH: Final = 1.0
"""Inverse of the L2 penalty."""
_UNSET: Final = Thresholds(class_i=0.5, class_iii=0.5, review=0.5, familiar=0.0)
Matrix = Any
"""A SciPy sparse matrix; the library has no types."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A case and the linear scores of a model that has not seen its event."""

    case: Case
    scores: Vector


@lru_cache(maxsize=50_000)
def _counted(reason: str, product: str) -> dict[str, Counter[str]]:
    return features(reason, product)


def fit(cases: Sequence[Case], year: int) -> Model:
    """A model of these cases, for use in `year`; uncalibrated. The same cases give the same model.

    Raises:
        ValueError: a class does not occur, or nothing is common to three firms.
    """
    rarity = {block: _rarity(cases, block) for block in BLOCKS}
    if not rarity["reason"]:
        raise ValueError(f"no word of the reasons is used by {FIRMS_AT_LEAST} firms: too few cases")
    missing = set(CLASSES) - {case.recall_class for case in cases}
    if missing:
        raise ValueError(f"no case of class {', '.join(sorted(missing))}")
    matrix = sparse.hstack([_block(cases, block, rarity[block]) for block in BLOCKS]).tocsr()
    labels = [CLASSES.index(case.recall_class) for case in cases]
    weights = np.array([case.lines**-0.5 * 0.5 ** ((year - case.year) / HALF_LIFE_YEARS) for case in cases])
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000, tol=1e-6)
    fitted.fit(matrix, labels, sample_weight=weights / weights.mean())
    return _model(fitted, rarity)


def score(model: Model, cases: Sequence[Case]) -> list[Scored]:
    """The model's scores of each case, by the very code the product uses."""
    return [Scored(case, scores_of(model, case.reason, case.product)) for case in cases]


def calibrated(model: Model, scored: Sequence[Scored]) -> Model:
    """The model with temperature and shifts under which the probabilities fit `scored`, event by event."""
    scores = np.array([each.scores for each in scored])
    truth = np.array([CLASSES.index(each.case.recall_class) for each in scored])
    weights = np.array([1 / each.case.lines for each in scored])

    def loss(parameters: Any) -> float:
        logits = scores / np.exp(parameters[0]) + np.array([parameters[1], 0.0, parameters[2]])
        logits -= logits.max(axis=1, keepdims=True)
        chances = logits[np.arange(len(truth)), truth] - np.log(np.exp(logits).sum(axis=1))
        return float(-(weights * chances).sum() / weights.sum())

    found = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 4000})
    heat, first, third = (float(each) for each in found.x)
    shift = (round(first, 5), 0.0, round(third, 5))
    return replace(model, temperature=round(float(np.exp(heat)), 5), shift=shift)


def _rarity(cases: Sequence[Case], block: str) -> dict[str, float]:
    """Inverse document frequency by event, of what enough firms use."""
    firms: defaultdict[str, set[str]] = defaultdict(set)
    events: defaultdict[str, set[str]] = defaultdict(set)
    for case in cases:
        for text in _counted(case.reason, case.product)[block]:
            firms[text].add(case.firm)
            events[text].add(case.event)
    total = len({case.event for case in cases})
    common = sorted(text for text, users in firms.items() if len(users) >= FIRMS_AT_LEAST)
    return {text: round(float(np.log((1 + total) / (1 + len(events[text]))) + 1), 4) for text in common}


def _block(cases: Sequence[Case], block: str, rarity: dict[str, float]) -> Matrix:
    column = {text: index for index, text in enumerate(rarity)}
    rows, columns, values = [], [], []
    for row, case in enumerate(cases):
        for text, count in _counted(case.reason, case.product)[block].items():
            if text in column:
                rows.append(row)
                columns.append(column[text])
                values.append((1 + np.log(count)) * rarity[text])
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(len(cases), len(column)))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    length[length == 0] = 1.0
    return sparse.diags(BLOCK_WEIGHTS[block] / length) @ matrix


def _model(fitted: Any, rarity: dict[str, dict[str, float]]) -> Model:
    found: dict[str, dict[str, Feature]] = {}
    at = 0
    for block in BLOCKS:
        found[block] = {}
        for text, rare in rarity[block].items():
            found[block][text] = Feature(rare, _vector(fitted.coef_[:, at]))
            at += 1
    return Model("unnamed", "", BLOCK_WEIGHTS, found, _vector(fitted.intercept_), 1.0, (0.0, 0.0, 0.0), _UNSET)


def _vector(values: Any) -> Vector:
    first, second, third = (round(float(value), 4) for value in values)
    return (first, second, third)


__all__ = ["BLOCK_WEIGHTS", "FIRMS_AT_LEAST", "HALF_LIFE_YEARS", "STRENGTH", "Scored", "calibrated", "fit", "score"]
