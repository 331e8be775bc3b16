"""The generated chain: the same every time, imports without a reject, and its manifest agrees with the record."""

import json
from pathlib import Path
from typing import Any

import pytest

from imports.sample_chain import generate
from tests.imports.office import Office, counts

MAPPINGS = Path(__file__).parents[2] / "imports" / "mappings"
KINDS = ("products", "partners", "contacts", "genealogy", "movements", "stock")


@pytest.mark.unit
def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        generate(tmp_path / name, seed=seed, size=24) for name, seed in zip("abc", (7, 7, 8), strict=True)
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert [path.read_bytes() for path in first] != [path.read_bytes() for path in other]


@pytest.mark.unit
@pytest.mark.parametrize("seed", range(5))
def test_the_books_never_go_below_zero_and_the_chain_has_what_it_promises(tmp_path: Path, seed: int) -> None:
    generate(tmp_path, seed=seed, size=40)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    positions = [position for truth in manifest["truths"] for position in truth["positions"]]
    assert all(position.get("on_hand", 0) >= 0 for position in positions if not position["place"].startswith("SUP-"))
    for figure in ("in_transit", "returned", "returned_to", "used"):
        assert any(position.get(figure) for position in positions), figure
    assert manifest["receipts_without_lot"]
    assert manifest["rework_loops"]
    assert any(row["reserved"] for truth in manifest["truths"] for row in truth["stock"])
    assert any(row["location"] == "3PL-MEMPHIS" for truth in manifest["truths"] for row in truth["stock"])
    loop = manifest["rework_loops"][0]
    truths = {truth["why"]: truth for truth in manifest["truths"]}
    assert loop["lot"] in truths["bulk lot in a rework loop"]["lots"]
    assert loop["through"] in truths["finished lot in a rework loop"]["lots"]


async def load_all(office: Office, folder: Path) -> dict[str, Any]:
    generate(folder, seed=1, size=40)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    for kind in KINDS:
        report = await office.load(kind, folder / f"{kind}.csv", MAPPINGS / f"sample_{kind}.yaml")
        lines = manifest["rows"][kind]
        assert counts(report) == (lines, lines, 0, 0), (kind, office.rejects.read_text()[:500])
    return manifest


@pytest.mark.db
async def test_the_chain_imports_whole_and_the_record_says_what_the_manifest_says(office: Office) -> None:
    manifest = await load_all(office, office.folder / "chain")
    lots = {
        (product, number, site): lot
        for product, number, site, lot in office.sql(
            "SELECT p.code, l.number, s.code, l.id FROM lot l JOIN product p ON p.id = l.product_id "
            "JOIN location s ON s.id = l.site_id"
        )
    }
    for truth in manifest["truths"]:
        start = lots[truth["start"]["product"], truth["start"]["lot"], truth["start"]["site"]]
        reached = office.sql(
            "WITH RECURSIVE r(id) AS (SELECT %s::bigint UNION SELECT g.output_lot_id FROM lot_genealogy g "
            "JOIN r ON r.id = g.input_lot_id) SELECT id FROM r",
            start,
        )
        wanted = {lots[lot["product"], lot["lot"], lot["site"]] for lot in truth["lots"]}
        assert {lot for (lot,) in reached} == wanted, truth["why"]
        shipped = office.sql(
            "SELECT f.code, l.id, sum(m.quantity) FROM movement m JOIN lot l ON l.id = m.lot_id "
            "JOIN location f ON f.id = m.from_location_id WHERE l.id = ANY(%s) AND (m.kind = 'shipment' "
            "OR m.kind = 'receipt' AND f.code LIKE 'SUP-%%') GROUP BY 1, 2",
            sorted(wanted),
        )
        assert {(place, lot): quantity for place, lot, quantity in shipped} == {
            (position["place"], lots[position["product"], position["lot"], position["site"]]): position["shipped"]
            for position in truth["positions"]
            if position.get("shipped")
        }
        held = office.sql(
            "SELECT t.code, s.lot_id, s.on_hand, s.reserved FROM stock s JOIN location t ON t.id = s.location_id "
            "WHERE s.lot_id = ANY(%s)",
            sorted(wanted),
        )
        assert sorted(held) == sorted(
            (row["location"], lots[row["product"], row["lot"], row["site"]], row["on_hand"], row["reserved"])
            for row in truth["stock"]
        )
    without = office.sql("SELECT document_no, quantity FROM movement WHERE lot_id IS NULL ORDER BY 1")
    assert without == [(row["document"], row["quantity"]) for row in manifest["receipts_without_lot"]]


@pytest.mark.db
async def test_the_chain_a_second_time_is_all_there(office: Office) -> None:
    manifest = await load_all(office, office.folder / "chain")
    for kind in KINDS:
        report = await office.load(kind, office.folder / "chain" / f"{kind}.csv", MAPPINGS / f"sample_{kind}.yaml")
        assert counts(report) == (manifest["rows"][kind], 0, manifest["rows"][kind], 0), kind
