"""The sample chain, imported from its files, traced and held: all as the generator's own books say.

The books are kept by the simulation (`imports.sample_flow`), neither from the files nor by anything of the trace.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from db.engine import SessionFactory
from db.repositories import holds, trace
from domain.scope import LotRef, ScopeCriteria
from imports.loader import Order, run_import
from imports.sample_chain import generate
from models.chain import ImportKind
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
MAPPINGS = Path(__file__).parents[2] / "imports" / "mappings"
KINDS = ("products", "partners", "genealogy", "movements", "stock")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
FIGURES = {
    "got": "received",
    "in_transit": "in_transit",
    "shipped": "shipped_out",
    "returned": "returned_out",
    "returned_to": "returned_in",
    "used": "consumed",
    "destroyed": "destroyed",
    "adjusted": "adjusted",
}
Key = tuple[str, str, str]


async def load(sessions: SessionFactory, folder: Path, seed: int) -> dict[str, Any]:
    generate(folder, seed=seed, size=45)
    for kind in KINDS:
        order = Order(ImportKind(kind), folder / f"{kind}.csv", MAPPINGS / f"sample_{kind}.yaml", "test", NOW)
        report = await run_import(sessions, order)
        assert report.totals.by_outcome["rejected"].rows == 0
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def key(row: dict[str, Any]) -> Key:
    return row["product"], row["lot"], row["site"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_trace_consignees_and_holds_are_those_of_the_generators_books(
    db: SessionFactory, clean_db: PostgresForTests, tmp_path: Path, seed: int
) -> None:
    manifest = await load(db, tmp_path, seed)
    for number, truth in enumerate(manifest["truths"], start=1):
        product, lot, site = key(truth["start"])
        criteria = ScopeCriteria(lots=(LotRef(product_code=product, number=lot, site_code=site),))
        recall = write_recall(clean_db.owner_url, f"RC-2026-{number:06}")
        async with db.begin() as session:
            result = await trace.trace_forward(session, await trace.resolve_roots(session, criteria))
            await trace.materialise_scope(session, recall, 1, criteria, NOW)
            await holds.request_holds(session, recall, 1, NOW)
        names = {each.lot_id: (each.product_code, each.number, each.site_code or "") for each in result.lots}
        assert set(names.values()) == {key(each) for each in truth["lots"]}
        check_sites(result, truth, names, manifest)
        check_gaps(result, truth, manifest)
        with psycopg.connect(clean_db.owner_url) as connection:
            told = connection.execute(
                "SELECT p.code FROM consignee c JOIN partner p ON p.id = c.partner_id WHERE recall_number = %s",
                [recall],
            ).fetchall()
            held = connection.execute(
                "SELECT l.code, h.lot_id, sum(h.quantity) FILTER (WHERE position = 'reserved'), sum(h.quantity) "
                "FROM hold h JOIN location l ON l.id = h.location_id "
                "WHERE recall_number = %s AND position <> 'in_transit' GROUP BY l.code, h.lot_id",
                [recall],
            ).fetchall()
        assert sorted(row[0] for row in told) == truth["consignees"]
        assert {(place, names[lot_id]): (reserved or 0, total) for place, lot_id, reserved, total in held} == {
            (row["location"], key(row)): (row["reserved"], row["on_hand"]) for row in truth["stock"] if row["on_hand"]
        }


async def test_the_wrong_count_of_the_chain_is_found(
    db: SessionFactory, clean_db: PostgresForTests, tmp_path: Path
) -> None:
    wrong = (await load(db, tmp_path, 1))["miscounted"]
    product, lot, site = key(wrong)
    criteria = ScopeCriteria(lots=(LotRef(product_code=product, number=lot, site_code=site),))
    async with db() as session:
        result = await trace.trace_forward(session, await trace.resolve_roots(session, criteria))
    short = str(wrong["on_hand"] - wrong["by_the_books"])
    found = [gap.detail for gap in result.gaps if gap.kind == "unbalanced"]
    assert {"count_differs", "produced_differs"} == {each["check"] for each in found}
    assert [each["difference"] for each in found if each.get("site") == wrong["location"]] == [short]


def check_sites(
    result: trace.TraceResult, truth: dict[str, Any], names: dict[int, Key], manifest: dict[str, Any]
) -> None:
    """Each figure of each place and lot; only the wrong count may differ from the books."""
    found = {(site.location_code, names[site.lot_id]): site for site in result.sites}
    wrong = manifest["miscounted"]
    for position in truth["positions"]:
        site = found.pop((position["place"], key(position)))
        for figure, name in FIGURES.items():
            assert getattr(site, name) == position.get(figure, 0), (position, figure)
        if site.custody != "customer" and (position["place"], key(position)) != (wrong["location"], key(wrong)):
            assert site.on_hand == position.get("on_hand", 0), position
    for site in found.values():  # places the books leave out because nothing is there and nothing moved
        assert (site.received, site.shipped_out, site.on_hand) == (Decimal(0), Decimal(0), Decimal(0))


def check_gaps(result: trace.TraceResult, truth: dict[str, Any], manifest: dict[str, Any]) -> None:
    """The wrong count, the store nobody counted again, and receipts without a lot; no other balance is broken."""
    products = {each["product"] for each in truth["lots"]}
    documents = {g.detail["document_no"] for g in result.gaps if g.kind == "no_lot_receipt"}
    assert documents <= {row["document"] for row in manifest["receipts_without_lot"] if row["product"] in products}
    wrong, lots = manifest["miscounted"], {key(each) for each in truth["lots"]}
    unbalanced = {(g.detail["check"], g.detail["lot"]) for g in result.gaps if g.kind == "unbalanced"}
    expected = {("count_differs", wrong["lot"]), ("produced_differs", wrong["lot"])} if key(wrong) in lots else set()
    assert unbalanced == expected
    assert not [gap for gap in result.gaps if gap.kind == "broken_link"]
    stale = {g.detail["site"] for g in result.gaps if g.kind == "stale_site" and g.detail["custody"] != "customer"}
    in_old_store = {row["location"] for row in truth["stock"] if row["location"] == "WH-OLD" and row["on_hand"]}
    assert stale == in_old_store
