"""Training: the same data give the same file, the future is not looked at, and the committed figures are true."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from domain.class_suggestion import Thresholds, suggest
from domain.levels import RecallClass
from suggestion import train
from suggestion.evaluation import outcomes
from suggestion.fitting import calibrated, fit, score
from suggestion.measures import macro_f1, recall_of_class_i
from suggestion.model_file import CARD, FOLDER, WEIGHTS, read_model
from suggestion.records import Case, DataError, between, events, read_cases
from suggestion.thresholds import chosen

pytestmark = pytest.mark.unit
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "fda" / "enforcement_2012_2024.csv.gz"
WORDS = {
    RecallClass.I: "undeclared sildenafil tainted contamination endotoxin death",
    RecallClass.II: "sterility assurance storage temperature deviation packaging",
    RecallClass.III: "imprint label misprint dissolution cosmetic counterpart",
}
HEADER = (
    "Product Type",
    "Event ID",
    "Recalling Firm",
    "Classification",
    "Product Description",
    "Reason for Recall",
    "Report Date",
)


def rows(seed: int = 7, per_year: int = 24) -> list[list[str]]:
    """Invented enforcement reports: each class has words of its own, and some of the others'."""
    chance = random.Random(seed)  # noqa: S311 - the same rows each time
    found = []
    for year in range(2012, 2025):
        for number in range(per_year):
            true = list(RecallClass)[number % 3]
            said = chance.sample(WORDS[true].split(), 3) + chance.sample(
                WORDS[chance.choice(list(RecallClass))].split(), 1
            )
            for line in range(chance.choice((1, 1, 3))):
                found.append(
                    [
                        "Drugs",
                        f"{year}{number:03d}",
                        f"{chance.choice('abcdefgh')}firm Inc.",
                        f"Class {true.value}",
                        f"Tablets of size {line}",
                        f"{' '.join(said)} found",
                        f"{chance.randint(1, 12):02d}/15/{year}",
                    ]
                )
    return found


def written(folder: Path, lines: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    file = folder / "reports.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *lines])
    return file


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    return read_cases(written(tmp_path, rows()))[0]


def test_the_same_data_give_the_same_file_and_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "DRIFT_YEARS", (2024, 2024))
    file = written(tmp_path, rows())
    for folder in ("one", "two"):
        assert train.main([str(file), "--out", str(tmp_path / folder)]) == 0
    one, two = (
        {each: (tmp_path / folder / each).read_bytes() for each in (WEIGHTS, CARD)} for folder in ("one", "two")
    )
    assert one == two
    card = json.loads(one[CARD])
    assert card["data"]["rows"] == len(rows())
    assert (
        card["evaluation"]["model"]["by_event"]["macro_f1"]
        > card["evaluation"]["baselines"]["always the commonest class"]["by_event"]["macro_f1"]
    )
    assert suggest(read_model(tmp_path / "one" / WEIGHTS), "endotoxin contamination").recall_class is RecallClass.I


def test_nothing_of_the_years_to_come_is_looked_at(cases: list[Case]) -> None:
    turned = [
        replace(case, recall_class=RecallClass.III, reason="something else") if case.year >= 2023 else case
        for case in cases
    ]
    with train.one_thread():
        assert train.trained(cases, 2023) == train.trained(turned, 2023)


def test_no_event_is_in_two_parts_and_its_year_is_that_of_its_last_report(tmp_path: Path) -> None:
    late = [*rows()[0]]
    late[6] = "03/01/2024"
    found, _ = read_cases(written(tmp_path, [*rows(), late]))
    assert {case.year for case in found if case.event == late[1]} == {2024}
    parts = [between(found, first, last) for first, last in ((1900, 2019), (2020, 2022), (2023, 2024))]
    assert sum(map(len, parts)) == len(found)
    assert sum(map(events, parts)) == events(found)


def test_what_fewer_than_three_firms_write_is_no_feature(cases: list[Case]) -> None:
    named = [replace(case, reason=f"{case.reason} {case.firm}house style") for case in cases]
    model = fit(named, 2025)
    assert "style" in model.features["reason"]
    assert not any("firmhouse" in text for text in model.features["reason"])


def test_thresholds_find_the_share_of_class_one_they_are_asked_for(cases: list[Case]) -> None:
    past, later = between(cases, 1900, 2021), between(cases, 2022, 2024)
    seen = score(fit(past, 2022), later)
    model = calibrated(fit(past, 2022), seen)
    model = replace(model, thresholds=chosen(model, seen))
    limits = model.thresholds
    assert limits.review <= limits.class_i
    found = outcomes(model, [each.case for each in seen], by_event=True)
    assert recall_of_class_i(found) >= 0.75


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        (6, "2024-01-01", "line 2: Report Date must read MM/DD/YYYY, not '2024-01-01'"),
        (3, "Class IV", "line 2: Classification must be one of Class I, Class II, Class III, not 'Class IV'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, column: int, value: str, fault: str) -> None:
    row = [*rows()[0]]
    row[column] = value
    with pytest.raises(DataError, match=fault):
        read_cases(written(tmp_path, [row]))


def test_a_file_without_the_columns_is_refused_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([str(written(tmp_path, [], ["Event ID"])), "--out", str(tmp_path / "out")]) == 2
    assert "columns missing: Classification" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lines", [[], rows()[:1]])
def test_too_little_data_is_refused_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[list[str]]
) -> None:
    assert train.main([str(written(tmp_path, lines)), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip()


@pytest.mark.skipif(not DATA.exists(), reason="FDA's enforcement reports are not beside the project (../shared)")
def test_the_committed_figures_are_those_of_the_data() -> None:
    card = json.loads((FOLDER / CARD).read_text(encoding="utf-8"))
    found, data_sha256 = read_cases(DATA)
    assert (data_sha256, len(found)) == (card["data"]["sha256"], card["data"]["rows"])
    of_card = card["evaluation"]
    first = train.TEST_YEARS[0]
    with train.one_thread():
        fitted = fit(between(found, 1900, first - 1), first)
    # `python -m bench.suggestion DATA` also does what takes longest: the years of validation, and every figure.
    model = replace(
        fitted,
        thresholds=Thresholds(**of_card["thresholds"]),
        temperature=of_card["temperature"],
        shift=tuple(of_card["shift"]),
    )
    # Every second event: half the time, and figures that must lie near those of all.
    test = [case for case in between(found, *train.TEST_YEARS) if int(case.event) % 2]
    shown = outcomes(model, test, by_event=False)
    assert macro_f1(shown) == pytest.approx(of_card["model"]["by_line"]["macro_f1"], abs=0.06)
    assert recall_of_class_i(shown) == pytest.approx(of_card["model"]["by_line"]["class_i_recall"], abs=0.06)
