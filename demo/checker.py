"""The separate check at the end: recomputes from the raw file and compares with what the product says.

It imports nothing of the product and can be run on its own against a running stack:

    python -m demo.checker --recall RC-2026-000001 --file deliveries.csv.gz --brand Uni-Gold
        --site "Trinity Biotech, Plc" --addresses ready.json [--stock stock.csv] [--diary diary.json]

or, on a folder that `recall sample-chain` wrote, with `--chain FOLDER --start PRODUCT LOT SITE` instead of the file.
When the recall is terminated, `--final --dossier FILE.zip` compares its end: `--brand` or `--start` are then given once
for each time the scope grew, in that order, and the diary says what was done to every unit.
Exit code 0 when everything agrees, 1 when anything differs, 2 when it could not be compared.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from demo import sample, usaid
from demo.checks import compare_all
from demo.comparing import Comparison
from demo.facts import Reader
from demo.final_checks import compare_end
from demo.final_facts import Dossier, FinalReader
from demo.truth import Truth, read_diary


def verdict(comparisons: Sequence[Comparison]) -> tuple[int, str]:
    """Exit code and text of a list of comparisons; an empty list proves nothing and fails."""
    lines = [line for comparison in comparisons for line in comparison.lines()]
    wrong = sum(not comparison.agrees for comparison in comparisons)
    if not comparisons:
        return 1, "nothing was compared"
    if wrong:
        return 1, "\n".join([*lines, f"{wrong} of {len(comparisons)} comparisons differ"])
    return 0, "\n".join([*lines, f"all {len(comparisons)} comparisons agree"])


def check(truth: Truth, reader: Reader, number: str) -> tuple[int, str]:
    """Read the product's answer and compare it with the truth."""
    return verdict(compare_all(truth, reader.read(number)))


def check_end(truth: Truth, reader: FinalReader, number: str, dossier: Path) -> tuple[int, str]:
    """Read the product's last word and the dossier, and compare them with the truth."""
    others = [other for other, _ in truth.doings.second]
    return verdict(compare_end(truth, reader.read_end(number, Dossier.read(dossier), others)))


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.checker", description=__doc__.splitlines()[0])
    parser.add_argument("--recall", required=True, help="number of the recall")
    parser.add_argument("--file", type=Path, help="delivery history as the sender gave it")
    parser.add_argument("--brand", action="append", help="brand as written in the file; repeat where the scope grew")
    parser.add_argument("--site", help="manufacturing site as written in the file")
    parser.add_argument("--chain", type=Path, help="folder of a sample chain, instead of --file")
    start = parser.add_argument("--start", nargs=3, action="append", metavar=("PRODUCT", "LOT", "SITE"))
    start.help = "suspect lot of the chain; repeat where the scope grew"
    parser.add_argument("--stock", type=Path, action="append", default=[], help="stock list as imported; repeatable")
    parser.add_argument("--diary", type=Path, help="what the recipients did (written by the demonstration)")
    parser.add_argument("--addresses", type=Path, required=True, help="JSON with api, inbox, twilio, tokens_file")
    parser.add_argument("--final", action="store_true", help="the recall is terminated: compare its end")
    parser.add_argument("--dossier", type=Path, help="archive that `recall dossier` wrote; with --final")
    arguments = parser.parse_args(given)
    if arguments.final != bool(arguments.dossier) or (arguments.final and not arguments.diary):
        parser.error("--final, --dossier and --diary belong together")
    if not (arguments.file and arguments.brand and arguments.site) and not (arguments.chain and arguments.start):
        parser.error("give --file, --brand and --site, or --chain and --start")
    return arguments


def _truth(arguments: argparse.Namespace) -> Truth:
    stock = arguments.stock
    if arguments.chain:
        first, *later = [(product, lot, site) for product, lot, site in arguments.start]
        truth = sample.read_truth(sample.Chain(arguments.chain), first, stock, later)
    else:
        brand, *wider = arguments.brand
        truth = usaid.read_truth(arguments.file, brand, arguments.site, stock, wider)
    if arguments.diary:
        read_diary(arguments.diary, truth)
    return truth


def main(given: Sequence[str] | None = None) -> int:
    """Run the check and print it."""
    arguments = _arguments(given)
    try:
        addresses: dict[str, Any] = json.loads(arguments.addresses.read_text())
        tokens = json.loads(Path(addresses["tokens_file"]).read_text())
        truth = _truth(arguments)
        reader = FinalReader(addresses["api"], tokens["auditor"]["token"], addresses["inbox"], addresses["twilio"])
        if arguments.final:
            code, text = check_end(truth, reader, arguments.recall, arguments.dossier)
        else:
            code, text = check(truth, reader, arguments.recall)
    except (OSError, ValueError, TypeError, LookupError, httpx.HTTPError) as error:
        print(f"the check could not be carried out: {error!r}", file=sys.stderr)
        return 2
    print(text)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
