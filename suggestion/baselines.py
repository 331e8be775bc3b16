"""What a model has to beat: always the commonest class, and a plain TF-IDF logistic regression, balanced or not.

Their text is product description and reason put together, their thresholds are the likeliest class, and they are
trained on the same events as the model they are compared with.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from domain.levels import RecallClass
from suggestion.measures import Outcome
from suggestion.records import Case

PLAIN: Final = "plain TF-IDF logistic regression"
BALANCED: Final = "the same, classes balanced"
MAJORITY: Final = "always the commonest class"


def baselines(past: Sequence[Case], test: Sequence[Case]) -> dict[str, list[RecallClass]]:
    """Name of each baseline and its classes for the test cases."""
    commonest = Counter(case.recall_class for case in past).most_common(1)[0][0]
    found = {MAJORITY: [commonest] * len(test)}
    for name, weight in ((PLAIN, None), (BALANCED, "balanced")):
        pipeline: Any = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2), LogisticRegression(class_weight=weight, max_iter=1000)
        )
        pipeline.fit([_text(case) for case in past], [case.recall_class.value for case in past])
        found[name] = [RecallClass(each) for each in pipeline.predict([_text(case) for case in test])]
    return found


def outcomes(test: Sequence[Case], classes: Sequence[RecallClass], *, by_event: bool) -> list[Outcome]:
    """A baseline's classes as outcomes; it raises nothing but what it calls class I."""
    return [
        Outcome(case.recall_class, each, each is RecallClass.I, 1 / case.lines if by_event else 1.0)
        for case, each in zip(test, classes, strict=True)
    ]


def _text(case: Case) -> str:
    return f"{case.product} {case.reason}"


__all__ = ["BALANCED", "MAJORITY", "PLAIN", "baselines", "outcomes"]
