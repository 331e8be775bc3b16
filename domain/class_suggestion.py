"""A recall class suggested from text: advice beside the decision table, never the decision (issue 4, section 3).

A linear model over counted words gives a calibrated probability per class. Class I is suggested long before it is the
likeliest, because a missed class I costs more than a look too many; from where on is a figure of the model. What it
cannot judge (another language, no known word) gets no suggestion and the reason why.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from domain.levels import RecallClass
from domain.suggestion_language import not_english
from domain.suggestion_text import BLOCKS, features

CLASSES: Final = tuple(RecallClass)
WORDS_SHOWN: Final = 8
"""Words for, and words against, that a suggestion names at most."""
NOT_ENGLISH: Final = "no suggestion: text is not English"
Vector = tuple[float, float, float]
"""One figure per class, in the order I, II, III."""


@dataclass(frozen=True, slots=True)
class Feature:
    """How rare a feature is (inverse document frequency), and what it adds to the score of each class."""

    rarity: float
    weights: Vector


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a probability turns into a suggestion; chosen on years that are not in the test."""

    class_i: float
    """Class I is suggested from this probability of class I on."""
    class_iii: float
    """Otherwise III from this share of III in II and III on; else II."""
    review: float
    """From this probability of class I on a person is asked to look, whatever is suggested."""
    familiar: float
    """Share of the reason's words that the model must know; below it a person is asked to look."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model; `suggestion.model_file` reads and checks it."""

    version: str
    """Name and the start of the SHA-256 of the file, so that stored advice can be traced to its weights."""
    learned_from: str
    """What the model has read, as everybody who reads its advice is told: "FDA recalls of drugs, 2011 to 2024"."""
    block_weights: Mapping[str, float]
    features: Mapping[str, Mapping[str, Feature]]
    intercept: Vector
    temperature: float
    shift: Vector
    thresholds: Thresholds


@dataclass(frozen=True, slots=True)
class Word:
    """One word (or pair, or "opening × form") and how much it moved the score of the suggested class."""

    text: str
    field: Literal["reason", "product", "together"]
    effect: float
    """In units of the logit, against the mean of the three classes; negative speaks against."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the text suggests. Exactly one of `recall_class` and `no_suggestion` is set."""

    recall_class: RecallClass | None
    confidence: Mapping[RecallClass, float]
    """Calibrated probability per class; empty without a suggestion."""
    words_for: tuple[Word, ...]
    words_against: tuple[Word, ...]
    model_version: str
    needs_review: bool
    """Whether a person has to look before anybody leans on the suggestion."""
    notes: tuple[str, ...]
    """Why this class, and why a person has to look, in plain words."""
    no_suggestion: str | None = None


def suggest(model: Model, reason: str, product: str = "") -> Suggestion:
    """The class that a reason for recall and a product description suggest; never raises, whatever the text.

    Args:
        model: the trained model.
        reason: why the product is recalled, in English.
        product: what the product is, in English; may be empty.
    """
    if not reason.strip():
        return not_suggested(model, "no suggestion: no reason is given")
    if not_english(reason):
        return not_suggested(model, NOT_ENGLISH)
    parts = _values(model, features(reason, product))
    if not parts["reason"]:
        return not_suggested(model, "no suggestion: the model knows no word of the reason")
    chances = probabilities(model, _scores(model, parts))
    suggested = decide(model.thresholds, chances)
    known = _known_share(model, reason)
    for_it, against = _words(model, parts, CLASSES.index(suggested))
    notes, review = _notes(model.thresholds, suggested, chances, known)
    notes += (f"learned from {model.learned_from}; what is unlike these is strange to it",)
    if not_english(product):
        notes += ("the product description is not all English; only words the model knows were read",)
    confidence = {each: round(chance, 4) for each, chance in zip(CLASSES, chances, strict=True)}
    return Suggestion(suggested, confidence, for_it, against, model.version, review, notes)


def probabilities(model: Model, scores: Vector) -> Vector:
    """Calibrated probabilities of I, II, III from the linear scores."""
    shifted = [score / model.temperature + shift for score, shift in zip(scores, model.shift, strict=True)]
    top = max(shifted)
    raised = [math.exp(each - top) for each in shifted]
    total = sum(raised)
    return (raised[0] / total, raised[1] / total, raised[2] / total)


def decide(thresholds: Thresholds, chances: Vector) -> RecallClass:
    """The class suggested at these probabilities: I first, then III against II."""
    if chances[0] >= thresholds.class_i:
        return RecallClass.I
    rest = chances[1] + chances[2]
    return RecallClass.III if rest > 0 and chances[2] / rest >= thresholds.class_iii else RecallClass.II


def scores_of(model: Model, reason: str, product: str) -> Vector:
    """Linear scores of a text before calibration (what training and evaluation compare)."""
    return _scores(model, _values(model, features(reason, product)))


def not_suggested(model: Model, why: str) -> Suggestion:
    """No class, and why; a person has to judge without advice."""
    return Suggestion(None, {}, (), (), model.version, needs_review=True, notes=(why,), no_suggestion=why)


def _values(model: Model, counted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """Value of every known feature: damped count times rarity, each block at the length of its weight."""
    found: dict[str, dict[str, float]] = {}
    for block in BLOCKS:
        known = model.features[block]
        raw = {text: (1 + math.log(n)) * known[text].rarity for text, n in counted[block].items() if text in known}
        length = math.sqrt(sum(value * value for value in raw.values())) or 1.0
        found[block] = {text: model.block_weights[block] * value / length for text, value in raw.items()}
    return found


def _scores(model: Model, parts: Mapping[str, Mapping[str, float]]) -> Vector:
    total = list(model.intercept)
    for block, values in parts.items():
        for text, value in values.items():
            for index, weight in enumerate(model.features[block][text].weights):
                total[index] += value * weight
    return (total[0], total[1], total[2])


def _words(
    model: Model, parts: Mapping[str, Mapping[str, float]], index: int
) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The words that speak most for and most against the class at `index`."""
    found = []
    for block in BLOCKS:
        for text, value in parts[block].items():
            weights = model.features[block][text].weights
            effect = value * (weights[index] - sum(weights) / len(weights))
            found.append(Word(text, block, round(effect, 4)))
    found.sort(key=lambda word: (-abs(word.effect), word.text))
    speaking = tuple(word for word in found if word.effect > 0)[:WORDS_SHOWN]
    return speaking, tuple(word for word in found if word.effect < 0)[:WORDS_SHOWN]


def _known_share(model: Model, reason: str) -> float:
    single = {text: n for text, n in features(reason, "")["reason"].items() if " " not in text}
    known = sum(n for text, n in single.items() if text in model.features["reason"])
    return known / max(1, sum(single.values()))


def _notes(
    thresholds: Thresholds, suggested: RecallClass, chances: Vector, known: float
) -> tuple[tuple[str, ...], bool]:
    """Why this class, and why a person has to look; and whether one has to."""
    notes = []
    review = False
    if suggested is RecallClass.I and chances[0] < max(chances):
        review = True
        notes.append(
            "a person has to look: another class is likelier, but class I is suggested from "
            f"{thresholds.class_i:.0%} on, because a missed class I is the worse error"
        )
    if suggested is not RecallClass.I and chances[0] >= thresholds.review:
        review = True
        notes.append(f"a person has to look: class I cannot be ruled out ({chances[0]:.0%})")
    if known < thresholds.familiar:
        review = True
        notes.append(f"a person has to look: the model knows only {known:.0%} of the reason's words")
    return tuple(notes), review


__all__ = [
    "CLASSES",
    "NOT_ENGLISH",
    "Feature",
    "Model",
    "Suggestion",
    "Thresholds",
    "Word",
    "decide",
    "not_suggested",
    "probabilities",
    "scores_of",
    "suggest",
]
