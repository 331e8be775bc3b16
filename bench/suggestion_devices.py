"""What the shipped model, which has read recalls of drugs only, says of real recalls of devices.

Three files of FDA beside the project: 34 labelled enforcement reports, 42 notices (41 of them class I; read are the
products and the reason, not the headline, which names the class), and 13,198 recalls without their class, of which
every tenth is asked. `python -m bench.suggestion_devices [FOLDER]`.
"""

import csv
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from domain.class_suggestion import Model, suggest
from suggestion.model_file import shipped_model

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "fda"
_REASON = re.compile(
    r"Reason for Recall:?\s*\n?(.*?)(?=\n(?:Who May|What [Tt]o Do|Device Use|Actions|Contact)|\Z)", re.S
)
_PRODUCTS = re.compile(r"Recalled Products?:?\s*(.*)")
Text = tuple[str, str, str]
"""True class ("unknown" where the file has none), reason, product."""


def _enforcement(folder: Path) -> Iterator[Text]:
    with (folder / "device_enforcement_34rows.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row["classification"].removeprefix("Class "), row["reason_for_recall"], row["product_description"]


def _notices(folder: Path) -> Iterator[Text]:
    for line in (folder / "class1_device_notices.jsonl").read_text(encoding="utf-8").splitlines():
        notice = json.loads(line)
        reason, products = _REASON.search(notice["text"]), _PRODUCTS.search(notice["text"])
        known = "I" if notice["class_i"] else "unknown"
        yield known, reason[1] if reason else "", products[1] if products else ""


def _unlabelled(folder: Path) -> Iterator[Text]:
    with gzip.open(
        folder / "device_descriptions_reasons_2020_2024.csv.gz", "rt", encoding="utf-8", newline=""
    ) as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            if number % 10 == 0:
                yield "unknown", row["reason_for_recall"], row["product_description"]


def _table(title: str, model: Model, texts: Iterator[Text]) -> Table:
    counted: dict[str, Counter[str]] = {}
    for known, reason, product in texts:
        found = suggest(model, reason, product)
        row = counted.setdefault(known, Counter())
        row[found.recall_class or "none"] += 1
        row["raised"] += found.needs_review or found.recall_class == "I"
    table = Table(title=title, title_justify="left")
    columns = ("I", "II", "III", "none", "raised")
    for name in ("true class", *(f"suggested {each}" for each in columns[:4]), "raised to a person"):
        table.add_column(name, justify="right")
    for known, row in sorted(counted.items()):
        table.add_row(known, *(str(row[each]) for each in columns))
    return table


def main() -> int:
    """Print the three tables; nothing to do where the files are missing."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    console = Console(width=120)
    if not folder.is_dir():
        console.print(f"no folder {folder}: FDA's files are not beside the project")
        return 0
    model = shipped_model()
    console.print(f"Model {model.version}, learned from {model.learned_from}")
    console.print(_table("34 enforcement reports", model, _enforcement(folder)))
    console.print(_table("42 notices", model, _notices(folder)))
    console.print(_table("Every tenth of 13,198 recalls, class not in the file", model, _unlabelled(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
