"""How well the decision tables propose: filled evaluations of real FDA recalls against the class FDA gave them.

    python -m bench.levels [--policy us-fda] [--data ../shared/data/fda] [--cases tests/assessment/cases.yaml] [--each]

The forms are our own judgement (`tests/assessment/cases.yaml`); recall numbers join them to the classes in the data
folder. Printed: the confusion matrix, how many are raised to a person, and the shares asked for with Wilson intervals.
"""

import argparse
import csv
import gzip
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from domain.decision import Proposal
from domain.hazard import DeviceFlags, HazardEvaluation
from domain.levels import RecallClass
from domain.policy import Policy, parse_policy

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data" / "fda"
CASES: Final = ROOT / "tests" / "assessment" / "cases.yaml"
_NOTICES, _REPORTS, _DEVICES = (
    "class1_device_notices.jsonl",
    "enforcement_2012_2024.csv.gz",
    "device_enforcement_34rows.csv",
)
_WHY: Final = "Assessed from reason and product text of the public record."


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: the class FDA gave, and what the table proposes."""

    case: str
    true: RecallClass
    proposal: Proposal

    @property
    def raised(self) -> bool:
        """Whether the proposal asks a person a question."""
        return bool(self.proposal.review)


def form(case: Mapping[str, Any]) -> tuple[HazardEvaluation, DeviceFlags]:
    """The evaluation and the device flags a line of the cases file stands for."""
    deaths, serious, other = case.get("occurred", (0, 0, 0))
    late = case.get("long_range", False)
    degree = case["seriousness"]
    evaluation = HazardEvaluation.model_validate(
        {
            "occurred": {
                "rationale": _WHY,
                "deaths": deaths,
                "serious_injuries": serious,
                "other_injuries": other,
                "malfunction_in_use": case["in_use"],
            },
            "existing_conditions": {"rationale": _WHY, "aggravating": False},
            "population": {"rationale": _WHY, "groups": case["groups"]},
            "seriousness": {"rationale": _WHY, "degree": degree},
            "likelihood": {"rationale": _WHY, "degree": case["likelihood"]},
            "consequences": {
                "rationale": _WHY,
                "immediate": "none" if late else degree,
                "long_range": degree if late else "none",
            },
            "detectability": {"rationale": _WHY, "degree": case["detectability"]},
            "present_setting": {
                "rationale": _WHY,
                "can_injure": "no" if degree == "none" else "yes",
                "defect": case["defect"],
                "basis": ["opinion"],
            },
        }
    )
    return evaluation, DeviceFlags(**dict.fromkeys(case.get("device", ()), True))


def true_classes(data: Path) -> dict[str, RecallClass]:
    """Recall number, or name of the notice, to FDA's class.

    Raises:
        FileNotFoundError: the data folder lacks one of the files.
    """
    found: dict[str, RecallClass] = {}
    with gzip.open(data / _REPORTS, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["Recall Number"]] = RecallClass(row["Classification"].removeprefix("Class "))
    with (data / _DEVICES).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["recall_number"]] = RecallClass(row["classification"].removeprefix("Class "))
    with (data / _NOTICES).open(encoding="utf-8") as file:
        for notice in map(json.loads, file):
            if notice["class_i"]:
                found[notice["file"].removesuffix(".html")] = RecallClass.I
    return found


def judge(policy: Policy, cases: Iterable[Mapping[str, Any]], classes: Mapping[str, RecallClass]) -> list[Judged]:
    """Every case of known class with the policy's proposal."""
    return [
        Judged(case["case"], classes[case["case"]], policy.propose(*form(case)))
        for case in cases
        if case["case"] in classes
    ]


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) where there is nothing to count."""
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with the limit it has to keep."""

    name: str
    hits: int
    of: int
    at_least: float = 0.0
    at_most: float = 1.0

    @property
    def kept(self) -> bool:
        """Whether the limit is kept."""
        return self.of > 0 and self.at_least <= self.hits / self.of <= self.at_most


def shares(judged: Sequence[Judged]) -> tuple[Share, ...]:
    """What the tables are judged by: nothing of class I as III, hardly any overlooked, few false alarms."""
    first = [each for each in judged if each.true is RecallClass.I]
    rest = [each for each in judged if each.true is not RecallClass.I]
    as_first = [each for each in first if each.proposal.recall_class is RecallClass.I or each.raised]
    as_third = [each for each in first if each.proposal.recall_class is RecallClass.III]
    return (
        Share("class I proposed III", len(as_third), len(first), at_most=0.0),
        Share("class I proposed I or raised", len(as_first), len(first), at_least=0.95),
        Share(
            "class II, III proposed I",
            sum(each.proposal.recall_class is RecallClass.I for each in rest),
            len(rest),
            at_most=0.20,
        ),
        Share("class II, III raised", sum(each.raised for each in rest), len(rest), at_most=0.25),
    )


def report(judged: Sequence[Judged]) -> str:
    """Confusion matrix and shares as text."""
    counted = Counter((each.true, each.proposal.recall_class) for each in judged)
    raised = Counter(each.true for each in judged if each.raised)
    lines = ["FDA's class | proposed I    II   III | raised | cases"]
    for true in RecallClass:
        row = [counted[true, proposed] for proposed in RecallClass]
        lines.append(f"{true:>11} | {row[0]:>10} {row[1]:>5} {row[2]:>5} | {raised[true]:>6} | {sum(row):>5}")
    lines.append("")
    for share in shares(judged):
        low, high = wilson(share.hits, share.of)
        limit = f"at least {share.at_least:.0%}" if share.at_least else f"at most {share.at_most:.0%}"
        value = share.hits / share.of if share.of else 0.0
        lines.append(
            f"{share.name:<30} {share.hits:>3} of {share.of:<3} {value:>6.1%} "
            f"[{low:.1%}, {high:.1%}]  {limit}: {'kept' if share.kept else 'MISSED'}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the figures for one policy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", default="us-fda")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--each", action="store_true", help="one line per case that is not proposed as FDA decided")
    given = parser.parse_args()
    policy = parse_policy((ROOT / "policies" / f"{given.policy}.yaml").read_text(encoding="utf-8"))
    cases = yaml.safe_load(given.cases.read_text(encoding="utf-8"))
    try:
        classes = true_classes(given.data)
    except FileNotFoundError as error:
        parser.exit(2, f"the data are missing: {error.filename}; name their folder with --data\n")
    judged = judge(policy, cases, classes)
    groups = {"all cases": judged}
    groups["device notices and device reports"] = [each for each in judged if not each.case.startswith("D-")]
    groups["drug reports"] = [each for each in judged if each.case.startswith("D-")]
    for name, group in groups.items():
        print(f"{policy.id} version {policy.version}: {name}\n{report(group)}\n")
    for each in judged if given.each else ():
        if each.proposal.recall_class is not each.true:
            print(each.case, "FDA", each.true, "proposed", each.proposal.recall_class, "raised" * each.raised)


if __name__ == "__main__":
    main()
