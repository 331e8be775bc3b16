"""How good the class suggested from text is, as the card of the shipped model has it, beside what it has to beat.

`python -m bench.suggestion` reads the card; `python -m bench.suggestion DATA` trains the model of the test again from
FDA's file and prints the same table, with a line that says whether every figure is the card's.
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from suggestion.model_file import CARD, FOLDER
from suggestion.records import read_cases
from suggestion.train import TEST_YEARS, evaluated, one_thread

_COLUMNS = (
    ("macro-F1", "macro_f1"),
    ("recall of I", "class_i_recall"),
    ("95 % interval", "class_i_recall_interval"),
    ("I suggested per true I", "suggested_i_per_true_i"),
    ("reviews per true I", "reviews_per_true_i"),
    ("I suggested or raised", "class_i_suggested_or_raised"),
    ("others raised", "others_raised"),
)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(f"{each:.3f}" for each in value)
    return "none" if value is None else f"{value:.3f}"


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name, _ in _COLUMNS:
        table.add_column(name, justify="right")
    for name, figures in rows.items():
        table.add_row(name, *(_cell(figures[key]) for _, key in _COLUMNS))
    return table


def _confusion(title: str, figures: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("true class", "suggested I", "suggested II", "suggested III"):
        table.add_column(name, justify="right")
    for name, row in zip(("I", "II", "III"), figures["confusion"], strict=True):
        table.add_row(name, *(f"{cell:g}" for cell in row))
    return table


def _report(evaluation: dict[str, Any], console: Console) -> None:
    first, last = evaluation["test_years"]
    tested = evaluation["tested_on"]
    console.print(f"Test: {tested['cases']} product lines of {tested['events']} events, {first} to {last}")
    for key, name in (("by_line", "by product line"), ("by_event", "by event")):
        rows = {"shipped recipe": evaluation["model"][key]}
        rows |= {baseline: figures[key] for baseline, figures in evaluation["baselines"].items()}
        console.print(_table(name, rows))
        console.print(_confusion(f"Shipped recipe, {name}", evaluation["model"][key]))
    years = Table(title="The recipe as of each year, on that year (by event)", title_justify="left")
    for name in ("year", "events", "true I", "macro-F1", "recall of I", "reviews per true I"):
        years.add_column(name, justify="right")
    for year, figures in evaluation["as_of_each_year"].items():
        of = figures["by_event"]
        shown = (of["macro_f1"], of["class_i_recall"], of["reviews_per_true_i"])
        years.add_row(year, f"{of['cases']:g}", f"{of['true_class_i']:g}", *(_cell(each) for each in shown))
    console.print(years)
    chances = Table(title="Stated chance of class I against what it was (by event)", title_justify="left")
    for name in ("from", "events", "stated", "was class I"):
        chances.add_column(name, justify="right")
    for band in evaluation["model"]["calibration"]:
        chances.add_row(*(f"{band[key]:g}" for key in ("from", "events", "stated", "was_class_i")))
    console.print(chances)


def main() -> int:
    """Print the table; 1 when the figures of a new training are not the card's."""
    console = Console(width=160)
    card = json.loads((FOLDER / CARD).read_text(encoding="utf-8"))
    console.print(f"Model {card['model']['name']}, SHA-256 {card['model']['sha256']}")
    console.print(f"Data: {card['data']['rows']} rows, {', '.join(card['data']['product_types'])}")
    _report(card["evaluation"], console)
    if len(sys.argv) < 2:
        return 0
    cases, _ = read_cases(Path(sys.argv[1]))
    with one_thread():
        _, report = evaluated(cases, *TEST_YEARS)
    same = json.loads(json.dumps(report)) == card["evaluation"]
    console.print(
        "Trained again: every figure is the card's." if same else "Trained again: figures DIFFER from the card."
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
