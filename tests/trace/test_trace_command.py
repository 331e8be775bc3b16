"""`recall trace`: what it prints, and how it refuses."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from cli_trace import lot_ref, trace_app
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests


@pytest.fixture
def url(clean_db: PostgresForTests) -> str:
    chain = Chain()
    plant, clinic = chain.place("own", "warehouse"), chain.place()
    raw, lot = chain.lot(chain.product(), number="RAW"), chain.lot(chain.product(), number="A1")
    chain.step(raw, lot, 5)
    chain.move("shipment", lot, 12.5, plant, clinic, delivered=True)
    chain.move("receipt", None, 1, None, clinic, product=chain.lots[lot].product)
    chain.write(clean_db.app_url)
    return clean_db.app_url


@pytest.mark.db
def test_json_has_lots_with_paths_sites_and_gaps(url: str) -> None:
    done = CliRunner().invoke(trace_app, ["forward", "--database-url", url, "--lot", "P3:RAW", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [(lot["number"], lot["depth"], lot["path"]) for lot in answer["lots"]] == [
        ("RAW", 0, ["RAW"]),
        ("A1", 1, ["RAW", "A1"]),
    ]
    assert {(site["location_code"], site["shipped_to"], site["on_hand"]) for site in answer["sites"]} == {
        ("L1", "0", "0"),
        ("L2", "12.5", "12.5"),
    }
    assert answer["gap_counts"] == {"no_lot_receipt": 1, "recall_period": 1}


@pytest.mark.db
def test_csv_has_one_line_per_lot_and_place(url: str) -> None:
    done = CliRunner().invoke(trace_app, ["backward", "--database-url", url, "--product", "P5", "--csv"])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["made_at"] for row in rows} == {""}, "this lot names no manufacturing site"
    assert {(row["lot"], row["location_code"], row["received"]) for row in rows} == {
        ("A1", "L1", "0"),
        ("A1", "L2", "12.5"),
    }
    assert "gap: no_lot_receipt 1" in done.stderr


@pytest.mark.db
def test_lots_received_within_a_window_are_those_traced(url: str) -> None:
    asked = ["forward", "--database-url", url, "--product", "P5", "--json", "--received-from"]
    within = CliRunner().invoke(trace_app, [*asked, "2026-01-02", "--received-to", "2026-01-03"])
    assert within.exit_code == 0, within.output
    assert [lot["number"] for lot in json.loads(within.stdout)["lots"]] == ["A1"]
    assert CliRunner().invoke(trace_app, [*asked, "2026-01-01", "--received-to", "2026-01-02"]).exit_code == 2
    assert CliRunner().invoke(trace_app, [*asked, "2026-01-03"]).exit_code == 2


@pytest.mark.db
def test_a_picture_is_drawn_beside_the_answer(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "trace.svg"
    asked = ["--lot-range", "P5:A1..A9", "--svg", str(picture)]
    done = CliRunner().invoke(trace_app, ["backward", "--database-url", url, *asked])
    assert done.exit_code == 0, done.output
    assert {"lot4", "lot6"} <= {element.get("id") for element in ElementTree.parse(picture).iter()}  # noqa: S314
    away = ["--lot", "P3:RAW", "--svg", str(tmp_path / "none" / "trace.svg")]
    refused = CliRunner().invoke(trace_app, ["forward", "--database-url", url, *away])
    assert (refused.exit_code, "No such file" in refused.stderr) == (2, True)


@pytest.mark.db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lot-range", "P3:A"], "expected PRODUCT:FIRST..LAST"),
        (["--serial", "none"], "expected PRODUCT:NUMBER"),
        (["--serial", "P3:S1", "--document", "DN-1"], "not on record: documents: DN-1; serials: P3:S1"),
        (["--lot-range", "P3:B..A"], "first must not come after last"),
        (["--product", "P3", "--received-from", "2026-02-01", "--received-to", "2026-01-01"], "start must be before"),
        (["--lot", "P3:NONE"], "not on record: lots: P3:NONE"),
        (["--lot", "nocolon"], "expected PRODUCT:NUMBER"),
        ([], "name at least one of"),
        (["--lot", "P3:RAW", "--made-from", "2026-01-01"], "lots are taken as named"),
    ],
)
def test_what_cannot_be_traced_is_refused_in_one_line(url: str, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(trace_app, ["forward", "--database-url", url, *arguments])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.unit
def test_a_database_that_is_away_is_named_in_one_line() -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    done = CliRunner().invoke(trace_app, ["forward", "--database-url", away, "--lot", "P:1"])
    assert done.exit_code == 2
    assert "the database cannot be read" in done.stderr
    assert "no database" in CliRunner().invoke(trace_app, ["forward", "--lot", "P:1"], env={"DATABASE_URL": ""}).stderr


@pytest.mark.unit
def test_the_last_colon_parts_product_and_number() -> None:
    assert str(lot_ref("A:B:7@S")) == "A:B:7 of site S"
