"""`python -m suggestion.train DATA --out FOLDER`: trains, measures and writes the model that the product ships.

Three steps, each on events the step before has not seen. Validation: for each of three years, a model of the years
before predicts it; calibration and thresholds come from these predictions. Test: a model of all years before the test,
with that calibration and those thresholds, on the test years. Shipped: the same recipe, moved on to the last year.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits

from domain.class_suggestion import Model, Thresholds
from suggestion.baselines import baselines
from suggestion.baselines import outcomes as baseline_outcomes
from suggestion.evaluation import figures, main_figures
from suggestion.fitting import BLOCK_WEIGHTS, FIRMS_AT_LEAST, HALF_LIFE_YEARS, STRENGTH, Scored, calibrated, fit, score
from suggestion.measures import summary
from suggestion.model_file import CARD, FOLDER, WEIGHTS, sha256_of, write_model
from suggestion.records import Case, DataError, between, events, read_cases
from suggestion.thresholds import CLASS_I_RECALL, RAISED_RECALL, with_thresholds

TEST_YEARS: Final = (2023, 2024)
VALIDATION_YEARS: Final = 3
"""Years before the test, each predicted by a model of the years before it."""
DRIFT_YEARS: Final = (2018, 2024)
_FIRST: Final = 1900


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with what it was made of."""

    model: Model
    trained_on: tuple[int, int]
    """Cases and events."""
    validated_on: tuple[int, int]


def one_thread() -> AbstractContextManager[object]:
    """Where training is exact: sums in another order would give other last digits, and the file another hash."""
    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def trained(cases: Sequence[Case], before: int) -> Trained:
    """The recipe for use from the year `before` on; nothing of that year or later is looked at.

    Raises:
        ValueError: the years before have too few cases.
    """
    seen: list[Scored] = []
    for year in range(before - VALIDATION_YEARS, before):
        of_year = between(cases, year, year)
        seen += score(fit(between(cases, _FIRST, year - 1), year), of_year) if of_year else []
    past = between(cases, _FIRST, before - 1)
    model = with_thresholds(calibrated(fit(past, before), seen), seen)
    return Trained(
        replace(model, version=f"fda-until-{before - 1}", learned_from=_learned_from(past)),
        (len(past), events(past)),
        (len(seen), events([each.case for each in seen])),
    )


def evaluated(cases: Sequence[Case], first: int, last: int) -> tuple[Model, dict[str, Any]]:
    """The recipe as of the year `first`, and its figures and the baselines' on `first` to `last`."""
    found = trained(cases, first)
    past, test = between(cases, _FIRST, first - 1), between(cases, first, last)
    others = {
        name: {
            key: summary(baseline_outcomes(test, classes, by_event=flag))
            for key, flag in (("by_line", False), ("by_event", True))
        }
        for name, classes in baselines(past, test).items()
    }
    report = {
        "test_years": [first, last],
        "trained_on": dict(zip(("cases", "events"), found.trained_on, strict=True)),
        "validated_on": dict(zip(("cases", "events"), found.validated_on, strict=True)),
        "tested_on": {"cases": len(test), "events": events(test)},
        "thresholds": _thresholds(found.model.thresholds),
        "temperature": found.model.temperature,
        "shift": list(found.model.shift),
        "model": figures(found.model, test),
        "as_of_each_year": drift(cases, *DRIFT_YEARS),
        "baselines": others,
    }
    return found.model, report


def drift(cases: Sequence[Case], first: int, last: int) -> dict[str, Any]:
    """The recipe as it would have been used: for each year a model of the years before, on that year."""
    return {
        str(year): main_figures(trained(cases, year).model, between(cases, year, year))
        for year in range(first, last + 1)
    }


def card(
    cases: Sequence[Case], data_sha256: str, shipped: Trained, sha256: str, report: dict[str, Any]
) -> dict[str, Any]:
    """Everything that is to be known about the shipped model, as written beside it."""
    kinds = sorted({case.kind for case in cases})
    return {
        "model": {"name": shipped.model.version, "sha256": sha256, "thresholds": _thresholds(shipped.model.thresholds)},
        "data": {
            "sha256": data_sha256,
            "rows": len(cases),
            "events": events(cases),
            "product_types": kinds,
            "years": [min(case.year for case in cases), max(case.year for case in cases)],
        },
        "recipe": {
            "block_weights": BLOCK_WEIGHTS,
            "firms_at_least": FIRMS_AT_LEAST,
            "half_life_years": HALF_LIFE_YEARS,
            "strength": STRENGTH,
            "class_i_recall_asked": CLASS_I_RECALL,
            "raised_recall_asked": RAISED_RECALL,
            "validation_years": VALIDATION_YEARS,
            "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "scipy")},
        },
        "shipped": {
            "trained_on": dict(zip(("cases", "events"), shipped.trained_on, strict=True)),
            "validated_on": dict(zip(("cases", "events"), shipped.validated_on, strict=True)),
        },
        "evaluation": report,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the file given, write weights and card, print the main figures."""
    parser = argparse.ArgumentParser(prog="python -m suggestion.train", description=__doc__)
    parser.add_argument("data", type=Path, help="FDA enforcement reports as CSV, may be gzipped")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for weights and card")
    chosen = parser.parse_args(arguments)
    try:
        cases, data_sha256 = read_cases(chosen.data)
        with one_thread():
            _, report = evaluated(cases, *TEST_YEARS)
            shipped = trained(cases, TEST_YEARS[1] + 1)
    except (OSError, DataError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_model(shipped.model, chosen.out / WEIGHTS)
    document = card(cases, data_sha256, shipped, sha256_of(chosen.out / WEIGHTS), report)
    (chosen.out / CARD).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    main_figures = report["model"]["by_line"]
    sys.stdout.write(f"{json.dumps(main_figures)}\nwritten to {chosen.out}\n")
    return 0


def _learned_from(cases: Sequence[Case]) -> str:
    kinds = " and ".join(sorted({case.kind.lower() for case in cases}))
    return f"FDA recalls of {kinds}, {min(case.year for case in cases)} to {max(case.year for case in cases)}"


def _thresholds(thresholds: Thresholds) -> dict[str, float]:
    return {name: getattr(thresholds, name) for name in Thresholds.__slots__}


if __name__ == "__main__":
    sys.exit(main())
