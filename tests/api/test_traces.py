"""Traces over HTTP: questions before any recall in three forms, frozen results, what differs between two of them."""

import csv
import io
from typing import Any
from xml.etree import ElementTree as ET

import psycopg
import pytest

from api.routers import traces
from db.engine import SessionFactory
from db.repositories import trace, trace_runs_read
from domain.scope import LotRef, ScopeCriteria, ScopeSummary, SerialRange
from tests.api.test_lists import pages
from tests.support.api import Callers
from tests.support.chain import Chain, day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
NUMBER = "RC-2026-000077"


@pytest.fixture
def chain(api: Callers, postgres: PostgresForTests) -> dict[str, Any]:
    """Resin in kits that a ward has; a clinic got the product without a lot; one serial is placed, one is not."""
    chain = Chain(base=700_000)
    plant, ward, clinic = chain.place("own", "manufacturer"), chain.place(), chain.place()
    resin, kit = chain.product(), chain.product()
    raw = chain.lot(resin, number="RAW", site=plant)
    lot = chain.lot(kit, number="K9", site=plant, made=40, supplier_lot="SUP-1")
    chain.step(raw, lot, 5)
    chain.move("shipment", lot, 30, plant, ward, day=10, delivered=True, document="DN-9")
    chain.move("receipt", None, 4, None, clinic, day=12, product=kit, document="DN-10")
    chain.serial(lot, "S1", ward)
    chain.serial(lot, "S2")
    chain.serial(lot, "S30", ward)
    chain.write(postgres.owner_url)
    write_recall(postgres.owner_url, NUMBER)
    return {"chain": chain, "lot": lot, "raw": raw, "plant": plant, "ward": ward, "clinic": clinic, "kit": f"P{kit}"}


async def freeze(db: SessionFactory, criteria: ScopeCriteria, version: int = 1) -> ScopeSummary:
    async with db.begin() as session:
        return await trace.materialise_scope(session, NUMBER, version, criteria, day(500))


def kits(chain: dict[str, Any]) -> ScopeCriteria:
    return ScopeCriteria(lots=(LotRef(product_code=chain["kit"], number="K9"),))


async def test_a_question_is_answered_as_json_csv_and_picture(api: Callers, chain: dict[str, Any]) -> None:
    question = {
        "direction": "backward",
        "scope": {"lot_ranges": [{"product_code": chain["kit"], "first": "K1", "last": "K10"}]},
    }
    answer = await api.post("/v1/trace", question)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(lot["number"], lot["path"]) for lot in body["lots"]] == [("K9", ["K9"]), ("RAW", ["K9", "RAW"])]
    assert body["gap_counts"]["recall_period"] == 1
    [period] = [gap for gap in body["gaps"] if gap["kind"] == "recall_period"]
    assert (period["site"], period["quantity"], period["receipts"]) == (f"L{chain['clinic']}", "4", 1)
    table = await api.post("/v1/trace?format=csv", {"scope": {"documents": ["DN-9"]}})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {(row["lot"], row["location_code"], row["received"]) for row in rows} >= {("K9", f"L{chain['ward']}", "30")}
    picture = await api.post("/v1/trace?format=svg", question)
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.content).tag.endswith("svg")  # noqa: S314 - our own


async def test_names_that_are_not_on_record_are_each_refused(api: Callers, chain: dict[str, Any]) -> None:
    scope = {"serials": [{"product_code": chain["kit"], "number": "S9"}], "documents": ["none", "DN-10"]}
    answer = await api.post("/v1/trace", {"scope": scope})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/scope/serials", "#/scope/documents"}
    assert len(answer.json()["errors"]) == 3
    turned = {"lot_ranges": [{"product_code": chain["kit"], "first": "K9", "last": "K1"}]}
    assert (await api.post("/v1/trace", {"scope": turned})).status_code == 422
    assert (await api.post("/v1/trace", {"scope": scope}, role=None)).status_code == 401


async def test_each_result_is_frozen_and_two_of_them_are_compared(
    api: Callers,
    sessions: SessionFactory,
    postgres: PostgresForTests,
    chain: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traces, "_PART", 2)
    first = await freeze(sessions, kits(chain))
    assert (await freeze(sessions, kits(chain))).run is None, "nothing differs"
    of_first = await whole(api, 1)
    data: Chain = chain["chain"]
    data.move("return", chain["lot"], 5, chain["ward"], chain["plant"], day=40)
    data.move("shipment", chain["lot"], 6, chain["plant"], chain["clinic"], day=41, delivered=True)
    with psycopg.connect(postgres.owner_url) as connection:
        data.write_moves(connection, data.moves[-2:])
        connection.execute("UPDATE movement SET lot_id = %s WHERE lot_id IS NULL", [chain["lot"]])
    second = await freeze(sessions, kits(chain))
    raw = LotRef(product_code=f"P{data.lots[chain['raw']].product}", number="RAW")
    both = ScopeCriteria(lots=(*kits(chain).lots, raw))
    third = await freeze(sessions, both, version=2)
    listed = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs")).json()["items"]
    assert [(each["run"], each["scope_version"]) for each in listed] == [(3, 2), (2, 1), (1, 1)]
    assert [each["sha256"] for each in reversed(listed)] == [first.run_sha256, second.run_sha256, third.run_sha256]
    [source] = [each for each in listed[1]["sources"] if each["source_system"] == "test"]
    assert source["newest_movement"].startswith("2026-02-11")
    assert await whole(api, 1) == of_first, "what was frozen stays"
    changed = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/2/difference")).json()
    assert (changed["since"], changed["counts"]["sites"]) == (1, {"added": 1, "removed": 0, "changed": 2})
    page = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/2/difference", limit=2)).json()
    assert page["counts"] == changed["counts"]
    cursor = page["changes"]["next_cursor"]
    rest = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/2/difference", limit=2, cursor=cursor)).json()
    assert (rest["counts"], len(rest["changes"]["items"])) == (None, 1)
    figures = {each["site"]: (each["change"], each["after"]["on_hand"]) for each in changed["changes"]["items"]}
    assert figures[f"L{chain['ward']}"] == ("changed", 25)
    assert figures[f"L{chain['clinic']}"] == ("added", 10)
    gaps = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/2/difference", what="gaps", since=1)).json()
    assert {(each["change"], (each["before"] or each["after"])["kind"]) for each in gaps["changes"]["items"]} >= {
        ("removed", "recall_period"),
        ("removed", "no_lot_receipt"),
    }
    lots = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/3/difference", what="lots")).json()
    assert {(each["lot"], each["change"]) for each in lots["changes"]["items"]} == {("RAW", "added")}
    refused = await api.get(f"/v1/recalls/{NUMBER}/trace/runs/2/difference", since=2)
    assert refused.status_code == 422
    assert (await api.get(f"/v1/recalls/{NUMBER}/trace/runs/9")).status_code == 404


async def test_an_answer_without_bound_is_refused_and_says_what_to_narrow(
    api: Callers, sessions: SessionFactory, chain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await freeze(sessions, kits(chain))
    question = {"scope": {"lots": [{"product_code": chain["kit"], "number": "K9"}]}}
    for most, status in ((50, 200), (1, 413), (0, 413)):
        monkeypatch.setattr(traces, "MOST_ROWS", most)
        answer = await api.post("/v1/trace", question)
        assert answer.status_code == status, answer.text
    assert "narrow `scope`" in answer.json()["detail"]
    file = f"/v1/recalls/{NUMBER}/trace/runs/1/file"
    assert (await api.get(file, format="svg")).status_code == 413
    assert (await api.get(file)).status_code == 200


async def test_each_keeper_of_stock_has_its_own_age(
    api: Callers, sessions: SessionFactory, postgres: PostgresForTests, chain: dict[str, Any]
) -> None:
    with psycopg.connect(postgres.owner_url) as connection:
        for place, source, counted in (("plant", "wms", 90), ("ward", "dead", 3)):
            connection.execute(
                "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of, source)"
                " VALUES (%s, %s, 1, 0, 0, %s, %s)",
                [chain["lot"], chain[place], day(counted), source],
            )
    await freeze(sessions, kits(chain))
    [run] = (await api.get(f"/v1/recalls/{NUMBER}/trace/runs")).json()["items"]
    ages = {each["source_system"]: each["newest_count"] for each in run["sources"]}
    assert ages.keys() >= {"keeper:wms", "keeper:dead"}
    assert "unknown" not in ages
    assert ages["keeper:dead"] < ages["keeper:wms"]


async def whole(api: Callers, run: int) -> dict[str, Any]:
    """Everything of a run, by its pages and by its file, which must agree."""
    url = f"/v1/recalls/{NUMBER}/trace/runs/{run}"
    table = list(csv.DictReader(io.StringIO((await api.get(f"{url}/file", format="csv")).text)))
    parts: dict[str, Any] = {}
    for part in ("lots", "sites", "gaps"):
        parts[part] = [item for page in await pages(api, f"{url}/{part}", limit=1) for item in page]
    file = (await api.get(f"{url}/file")).json()
    assert len(file["sites"]) == len(parts["sites"]) == len(table)
    assert [row["location_code"] for row in table] == [site["location_code"] for site in file["sites"]]
    assert {site["net"] for site in file["sites"]} == {None}, "movements are not kept, so nothing is said of them"
    assert {gap["kind"] for gap in file["gaps"]} == {gap["kind"] for gap in parts["gaps"]}
    assert (await api.get(f"{url}/file", format="svg")).content.startswith(b"<?xml")
    return parts | {"file": file, "run": (await api.get(url)).json()}


async def test_a_frozen_result_is_what_the_trace_itself_says(
    api: Callers, sessions: SessionFactory, chain: dict[str, Any]
) -> None:
    await freeze(sessions, kits(chain))
    async with sessions() as session:
        frozen = await trace_runs_read.result_of(session, NUMBER, 1)
        live = await trace.trace_forward(session, [chain["lot"]])
    assert {(s.lot_id, s.location_id, s.received, s.on_hand, s.last_at) for s in frozen.sites} == {
        (s.lot_id, s.location_id, s.received, s.on_hand, s.last_at) for s in live.sites
    }
    assert frozen.gap_counts() == live.gap_counts()
    assert frozen.lots == live.lots


async def test_affected_units_are_listed_with_their_places(
    api: Callers, sessions: SessionFactory, postgres: PostgresForTests, chain: dict[str, Any]
) -> None:
    units = ScopeCriteria(serial_ranges=(SerialRange(product_code=chain["kit"], first="S1", last="S9"),))
    await freeze(sessions, units)
    with psycopg.connect(postgres.owner_url) as connection:
        connection.execute("UPDATE recall SET scope_version = 1 WHERE number = %s", [NUMBER])
    page = (await api.get(f"/v1/recalls/{NUMBER}/serials")).json()["items"]
    assert [(unit["serial"], unit["named"], unit["location_code"]) for unit in page] == [
        ("S1", True, f"L{chain['ward']}"),
        ("S2", True, None),
    ]
    assert page[0]["consignee_id"] is not None
    lost = (await api.get(f"/v1/recalls/{NUMBER}/serials", unplaced=True)).json()["items"]
    assert [unit["serial"] for unit in lost] == ["S2"]
