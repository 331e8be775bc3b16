"""What a model suggests for cases it has not seen, as figures: by line, by event, and as chances kept."""

from collections.abc import Sequence
from typing import Any

from domain.class_suggestion import CLASSES, Model, probabilities, scores_of, suggest
from domain.levels import RecallClass
from suggestion.measures import Outcome, summary
from suggestion.records import Case


def outcomes(model: Model, cases: Sequence[Case], *, by_event: bool) -> list[Outcome]:
    """Suggestions as outcomes. No suggestion counts as class II raised to a person: somebody decides without advice."""
    found = []
    for case in cases:
        given = suggest(model, case.reason, case.product)
        suggested = given.recall_class or RecallClass.II
        raised = given.needs_review or suggested is RecallClass.I
        found.append(Outcome(case.recall_class, suggested, raised, 1 / case.lines if by_event else 1.0))
    return found


def figures(model: Model, cases: Sequence[Case]) -> dict[str, Any]:
    """All figures of a model on unseen cases, as its card keeps them."""
    return {
        "by_line": summary(outcomes(model, cases, by_event=False)),
        "by_event": summary(outcomes(model, cases, by_event=True)),
        "calibration": calibration(model, cases),
    }


def main_figures(model: Model, cases: Sequence[Case]) -> dict[str, Any]:
    """The few figures that show drift, by line and by event."""
    keep = ("cases", "true_class_i", "macro_f1", "class_i_recall", "reviews_per_true_i")
    found: dict[str, Any] = {}
    for name, flag in (("by_line", False), ("by_event", True)):
        whole = summary(outcomes(model, cases, by_event=flag))
        found[name] = {key: whole[key] for key in keep}
    return found


def calibration(model: Model, cases: Sequence[Case]) -> list[dict[str, float]]:
    """Stated probability of class I against how often it was class I, by event, in bands."""
    edges = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01)
    bands = [[0.0, 0.0, 0.0] for _ in edges[1:]]
    for case in cases:
        chance = probabilities(model, scores_of(model, case.reason, case.product))[0]
        band = bands[next(index for index, upper in enumerate(edges[1:]) if chance < upper)]
        weight = 1 / case.lines
        band[0] += weight
        band[1] += weight * chance
        band[2] += weight * (case.recall_class is CLASSES[0])
    return [
        {"from": low, "events": round(of, 1), "stated": round(stated / of, 3), "was_class_i": round(was / of, 3)}
        for low, (of, stated, was) in zip(edges, bands, strict=False)
        if of
    ]


__all__ = ["calibration", "figures", "main_figures", "outcomes"]
