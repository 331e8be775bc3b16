"""The command line: totals on standard output, one line on standard error and exit code 2 when refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.imports.office import CREATE_ALL, MOVEMENTS, Office, movement

pytestmark = pytest.mark.db


def run(office: Office, *arguments: object, url: str | None = None) -> Result:
    environment = {"DATABASE_URL": office.postgres.app_url if url is None else url, "RECALL_STATE_DIR": "/nonexistent"}
    return CliRunner().invoke(app, [str(part) for part in arguments], env=environment)


@pytest.fixture
def files(office: Office, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(office.folder)
    rows = [movement(1), movement(2), movement(3, Qty="x")]
    return office.file(rows, "may.csv"), office.mapping(MOVEMENTS + CREATE_ALL)


def test_an_import_prints_totals_and_leaves_its_rejects_beside(office: Office, files: tuple[Path, Path]) -> None:
    done = run(office, "import", "movements", files[0], "--map", files[1], "--actor", "kim")
    assert done.exit_code == 0, done.output
    assert "movements from may.csv: batch " in done.stdout
    assert "brought: 1 products, 2 partners" in done.stdout
    assert "1 rows were rejected; they are in" in done.stderr
    assert (office.folder / "may.rejects.csv").exists()
    listed = run(office, "import", "batches")
    assert "kim" in listed.stdout
    assert "may.csv" in listed.stdout


def test_totals_come_as_json_and_a_second_run_keeps_the_first_rejects(office: Office, files: tuple[Path, Path]) -> None:
    for run_number in (1, 2):
        done = run(office, "import", "movements", files[0], "--map", files[1], "--json")
        body = json.loads(done.stdout)
        assert (body["read"], body["rejected"]) == (3, 1)
        assert body["new"] == (2 if run_number == 1 else 0)
    assert (office.folder / "may.rejects.csv").exists()
    assert (office.folder / "may.rejects-2.csv").exists()


def test_a_dry_run_says_so(office: Office, files: tuple[Path, Path]) -> None:
    done = run(office, "import", "movements", files[0], "--map", files[1], "--dry-run")
    assert done.exit_code == 0
    assert "dry run, nothing was loaded" in done.stdout
    assert office.count("import_batch") == 0


def test_bad_input_is_one_line_and_exit_code_2(office: Office, files: tuple[Path, Path]) -> None:
    file, mapping = files
    wrong = office.mapping((MOVEMENTS + CREATE_ALL).replace("  lot: Lot", "  lot: Charge"))
    load = ("import", "movements")
    for arguments, message in (
        ((*load, "none.csv", "--map", mapping), "none.csv: No such file or directory"),
        ((*load, file, "--map", "none.yaml"), "mapping none.yaml: No such file or directory"),
        ((*load, file, "--map", wrong), "columns.lot: no column 'Charge'"),
        ((*load, file, "--map", mapping, "--expect-rows", 4), "totals differ, nothing was loaded: 3 rows were read"),
        ((*load, file, "--map", mapping, "--expect-quantity", "many"), "expected a number, or unit=number"),
        ((*load, file, "--map", mapping, "--rejects", file), "is the imported file itself"),
        (("import", "stock", file, "--map", mapping), "kind: 'movements', but 'stock' is being imported"),
        (("import", "reverse", 99, "--reason", "x"), "there is no batch 99"),
        (("import", "reverse", 1, "--reason", " "), "--reason: say why"),
    ):
        done = run(office, *arguments)
        assert done.exit_code == 2, (arguments, done.output)
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not done.stdout
        assert office.count("movement") == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no database: set DATABASE_URL"),
        ("mysql://x", "DATABASE_URL must start with postgresql://"),
        ("postgresql://x:y@127.0.0.1:1/z", "the database cannot be used"),
    ],
)
def test_without_a_database_there_is_one_clear_line(
    office: Office, files: tuple[Path, Path], url: str, message: str
) -> None:
    done = run(office, "import", "movements", files[0], "--map", files[1], url=url)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_the_sample_chain_is_written_where_asked(office: Office) -> None:
    done = run(office, "sample-chain", office.folder / "chain", "--seed", 3, "--size", 10)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 7
    assert (office.folder / "chain" / "manifest.json").exists()
    assert run(office, "sample-chain", office.rejects.parent / "chain" / "stock.csv").exit_code == 2
