"""What was measured along the trace: known answers over a chain with fan-in, and the same over HTTP."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cli import app
from db.engine import SessionFactory
from db.repositories import findings
from db.repositories.dossier_plan import plan
from db.repositories.findings import FIRST, Subject
from tests.api.conftest import *  # noqa: F403 - the API's fixtures
from tests.quality.test_nonconformities import ok
from tests.support.api import Callers
from tests.support.chain import Chain, day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
RECALL, OTHER = "RC-2026-000001", "RC-2026-000002"


@dataclass
class World:
    """Kits K1 and K2 are recalled, K3 and K4 are not. Resin R1 went into K1 to K3, R2 into K1 and K2, R3 into K4; K1
    was made of another kit's rest, too, in a circle."""

    url: str
    lots: dict[str, int]
    places: dict[str, int]

    def sql(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url) as owner:
            owner.execute(statement.encode(), values)

    def measure(self, number: int, lot: str, stage: str, result: float | None, passed: bool, out: bool) -> None:
        self.sql(
            "INSERT INTO lot_measurement (stage, lot_id, characteristic, result, upper, passed, out_of_limits,"
            " measured_at, source_system, source_id) VALUES (%s, %s, 'x', %s, 5, %s, %s, %s, 'lims', %s)",
            *(stage, self.lots[lot], result, passed, out, day(1), str(number)),
        )

    def excursion(self, number: int, at: datetime, document: str | None = None, place: str | None = None) -> None:
        self.sql(
            "INSERT INTO sensor_series (id, source_system, device, measure, document_no, location_id, unit, upper,"
            " readings, first_at, last_at, longest_gap_s, mean_kinetic_c)"
            " VALUES (%s, 'log', %s, 'temperature', %s, %s, 'C', 8, 9, %s, %s, 600, 9.127)",
            *(number, f"TL-{number}", document, self.places[place] if place else None, at, at),
        )
        self.sql(
            "INSERT INTO sensor_excursion VALUES (%s, %s, %s, 'above', 11.5, 3, false)",
            *(number, at, at + timedelta(minutes=90)),
        )

    def complain(self, number: int, recall: str, lot: str | None) -> None:
        self.sql(
            "INSERT INTO complaint (id, recall_number, sequence, source, awareness_at, severity, description, lot_id,"
            " state, recorded_by, recorded_at) VALUES (%s, %s, %s, 'staff', %s, 'serious', 'd', %s, 'open', 'q', %s)",
            *(number, recall, number, day(20), self.lots[lot] if lot else None, day(20)),
        )


@pytest.fixture
def world(clean_db: PostgresForTests) -> World:
    chain = Chain(base=50_000)
    plant, store = (chain.place("own", "manufacturer"), chain.place("own", "warehouse"))
    clinic, ward = chain.place(), chain.place()
    resin, kit = chain.product(), chain.product()
    lots = {name: chain.lot(resin, number=name, supplier_lot=f"S-{name}") for name in ("R1", "R2", "R3")}
    lots |= {name: chain.lot(kit, number=name, site=plant) for name in ("K1", "K2", "K3", "K4")}
    for pair in ("R1 K1", "R1 K2", "R1 K3", "R2 K1", "R2 K2", "R3 K4", "K2 K1", "K1 K2"):
        tail, head = pair.split()
        chain.step(lots[tail], lots[head])
    chain.move("shipment", lots["K1"], 5, plant, store, document="D1", day=2.25)
    chain.move("receipt", lots["K1"], 5, plant, store, document="D1", day=4.25)
    chain.move("shipment", lots["K1"], 5, store, clinic, document="D2", day=8.25, delivered=True)
    chain.move("shipment", lots["R1"], 5, plant, ward, document="D3", day=1.25)
    chain.move("shipment", lots["K2"], 5, plant, ward, document="D4", day=10)
    chain.move("receipt", lots["K2"], 5, plant, ward, document="D4", day=12)
    chain.write(clean_db.owner_url)
    for number in (RECALL, OTHER):
        write_recall(clean_db.owner_url, number)
    built = World(clean_db.owner_url, lots, {"store": store, "clinic": clinic, "ward": ward})
    built.sql(
        "INSERT INTO trace_run (id, recall_number, run, scope_version, traced_at, found, sources, sha256) VALUES"
        " (1, %s, 1, 1, now(), '{}', '[]', 'a'), (2, %s, 2, 1, now(), '{}', '[]', 'b')",
        *(RECALL, RECALL),
    )
    for run, name, gone in ((1, "K1", False), (1, "K2", False), (1, "K4", False), (2, "K4", True)):
        built.sql(
            "INSERT INTO trace_run_lot (run_id, lot_id, gone, root, depth, by_serial)"
            " VALUES (%s, %s, %s, true, 0, false)",
            *(run, lots[name], gone),
        )
    return built


async def found(sessions: SessionFactory, kind: str, **subject: Any) -> list[dict[str, Any]]:
    asked = Subject(**(subject or {"recalls": [RECALL]}))
    async with sessions() as session:
        return [dict(each.detail) for each in await findings.page(session, asked, kind=kind, after=FIRST, limit=100)]


async def test_what_did_not_pass_is_found_along_the_trace_affected_lots_first(
    world: World, sessions: SessionFactory
) -> None:
    world.measure(1, "R2", "incoming", 6, True, True)
    world.measure(2, "K1", "final", None, False, False)
    world.measure(3, "K3", "final", 7, False, True)
    world.measure(4, "K4", "final", 7, False, True)
    world.measure(5, "K1", "final", 4, True, False)
    world.measure(6, "K2", "parameter", 6, False, True)
    rows = await found(sessions, "inspection")
    assert [(row["source_id"], row["lot"], row["relation"]) for row in rows] == [
        ("2", "K1", "affected"),
        ("1", "R2", "upstream"),
        ("3", "K3", "sibling"),
    ]
    assert (rows[1]["result"], rows[1]["upper"], rows[1]["passed"], rows[1]["out_of_limits"]) == ("6", "5", True, True)
    assert [row["lot"] for row in await found(sessions, "parameter")] == ["K2"]


async def test_supplier_lots_are_ranked_by_affected_against_comparable_lots(
    world: World, sessions: SessionFactory
) -> None:
    rows = await found(sessions, "supplier_lot")
    assert [
        (r["supplier_lot"], r["affected_with"], r["affected"], r["comparable_with"], r["comparable"]) for r in rows
    ] == [("S-R2", 2, 2, 0, 2), ("S-R1", 2, 2, 1, 2)]
    assert [(r["share_of_affected"], r["share_of_comparable"]) for r in rows] == [("1", "0"), ("1", "0.5")]


async def test_an_excursion_counts_while_the_lot_was_there(world: World, sessions: SessionFactory) -> None:
    world.excursion(1, day(3), document="D1")
    world.excursion(2, day(1), document="D1")
    world.excursion(3, day(4.26), document="D1")
    world.excursion(4, day(30), document="D2")
    world.excursion(5, day(40), document="D3")
    world.excursion(6, day(6), place="store")
    world.excursion(7, day(4), place="store")
    world.excursion(8, day(8.5), place="store")
    world.excursion(9, day(60), place="clinic")
    world.excursion(10, day(3), document="D9")
    world.excursion(11, day(12.9), document="D4")
    world.excursion(12, day(13.1), document="D4")
    rows = await found(sessions, "excursion")
    assert [(row["device"], row["relation"]) for row in rows] == [
        ("TL-1", "affected"),
        ("TL-4", "affected"),
        ("TL-6", "affected"),
        ("TL-9", "affected"),
        ("TL-11", "affected"),
        ("TL-5", "upstream"),
    ]
    first = rows[0]
    assert (first["minutes"], first["peak"], first["mean_kinetic_celsius"], first["lots"]) == (90, "11.5", "9.13", 1)
    [lot] = first["first_lots"]
    assert (lot["lot"], lot["present_from"], lot["present_to"]) == (
        "K1",
        "2026-01-03T06:00:00.000000Z",
        "2026-01-05T06:00:00.000000Z",
    )
    assert rows[3]["first_lots"][0]["present_to"] is None, "it lies there still"


async def test_a_lot_on_record_as_gone_before_it_came_was_there_from_the_one_to_the_other_both_included(
    world: World, sessions: SessionFactory
) -> None:
    ways = (("receipt", "store", "ward", 22.25), ("shipment", "ward", "clinic", 20.25))
    for number, (kind, source, target, at) in enumerate(ways):
        world.sql(
            "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
            " occurred_at, source_system, source_id) SELECT %s, product_id, id, %s, %s, 5, false, %s, 'w', %s"
            " FROM lot WHERE id = %s",
            *(kind, world.places[source], world.places[target], day(at), f"w{number}", world.lots["K3"]),
        )
    lasts = 1.5 / 24
    for number, at in enumerate((20.25 - lasts - 0.01, 20.25 - lasts, 21, 22.25, 22.26), start=1):
        world.excursion(number, day(at), place="ward")
    rows = await found(sessions, "excursion")
    there = {row["device"] for row in rows if "K3" in {each["lot"] for each in row["first_lots"]}}
    assert there == {"TL-2", "TL-3", "TL-4"}


async def test_complaints_come_by_lot_from_any_recall_and_without_one_from_these(
    world: World, sessions: SessionFactory
) -> None:
    world.complain(1, RECALL, None)
    world.complain(2, OTHER, "K2")
    world.complain(3, OTHER, "K4")
    world.complain(4, OTHER, None)
    world.sql("INSERT INTO code_list VALUES (1, '2026', %s, 'f', 's', 'q', %s, 1)", day(0), day(0))
    world.sql(
        "INSERT INTO code_term (code, annex, term, first_list_id, last_list_id) VALUES ('A0401', 'A', 'Crack', 1, 1)"
    )
    world.sql(
        "INSERT INTO record_code (complaint_id, code, list_id, coded_by, coded_at) VALUES (2, 'A0401', 1, 'q', now())"
    )
    rows = await found(sessions, "complaint")
    assert [(row["complaint"], row["relation"], row["codes"]) for row in rows] == [
        (2, "affected", [{"code": "A0401", "term": "Crack"}]),
        (1, "recall", []),
    ]
    world.sql("UPDATE recall SET drill = true WHERE number = %s", OTHER)
    assert [row["complaint"] for row in await found(sessions, "complaint")] == [1]


async def test_nothing_measured_and_nobody_asked_for_is_empty(world: World, sessions: SessionFactory) -> None:
    assert await found(sessions, "excursion") == []
    assert await found(sessions, "supplier_lot", recalls=[]) == []
    async with sessions() as session:
        empty = await findings.summary(session, Subject())
    assert (set(empty.lots.values()), set(empty.findings.values()), list(empty.runs)) == ({0}, {0}, [])


async def test_the_dossier_holds_what_the_findings_rest_on(world: World, sessions: SessionFactory) -> None:
    for lot in ("K1", "K2"):
        world.sql("INSERT INTO scope_lot VALUES (%s, 1, %s, true, 0)", RECALL, world.lots[lot])
    for number, lot, passed in ((1, "K1", True), (2, "R2", True), (3, "K3", False), (4, "K3", True), (5, "K4", False)):
        world.measure(number, lot, "final", 4, passed, False)
    world.excursion(1, day(3), document="D1")
    world.excursion(2, day(3), place="store")
    world.excursion(3, day(3), document="D9")
    world.sql("INSERT INTO sensor_reading SELECT id, %s, 5 FROM sensor_series", day(2))
    world.sql("INSERT INTO sensor_reading SELECT id, %s, 9 FROM sensor_series", day(3))
    held, bound = {}, {"number": RECALL}
    async with sessions() as session:
        for each in plan():
            if each.table.name in ("lot_measurement", "sensor_series", "sensor_excursion", "sensor_reading"):
                rows = await (await session.connection()).execute(select(each.table).where(each.shown), bound)
                held[each.table.name] = rows.mappings().all()
    assert sorted(row["source_id"] for row in held["lot_measurement"]) == ["1", "2", "3"]
    assert sorted(row["id"] for row in held["sensor_series"]) == [1, 2]
    assert sorted(row["series_id"] for row in held["sensor_excursion"]) == [1, 2]
    assert sorted((row["series_id"], row["value"]) for row in held["sensor_reading"]) == [(1, 5), (1, 9), (2, 9)]


def command(world: World, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["findings", *arguments], env={"DATABASE_URL": world.url})


def test_the_command_shows_the_same_and_refuses_in_one_line(world: World) -> None:
    world.measure(1, "K1", "final", 6, False, True)
    world.sql(
        "INSERT INTO capa (recall_number, sequence, title, state, opened_at, plan_version, reopened)"
        " VALUES (%s, 1, 't', 'investigation', now(), 0, 0)",
        RECALL,
    )
    shown = json.loads(command(world, f"{RECALL}/capas/1", "--json").stdout)
    assert (shown["lots"]["affected"], shown["findings"]["inspection"]) == (2, 1)
    assert [each["kind"] for each in shown["items"]] == ["inspection", "supplier_lot", "supplier_lot"]
    assert "lot K1, characteristic x, result 6" in command(world, RECALL, "--kind", "inspection").stdout
    for unknown in (f"{RECALL}/capas/2", f"{RECALL}/capas/x", "NC-2026-000001", "nothing"):
        refused = command(world, unknown)
        assert (refused.exit_code, len(refused.stderr.strip().splitlines())) == (2, 1)
        assert "there is no" in refused.stderr


async def test_pages_and_summary_of_a_capa_and_a_nonconformity(
    world: World, api: Callers, sessions: SessionFactory
) -> None:
    world.measure(1, "R2", "incoming", 6, False, True)
    world.measure(2, "K1", "final", 6, False, True)
    world.excursion(1, day(3), document="D1")
    world.sql(
        "INSERT INTO capa (recall_number, sequence, title, state, opened_at, plan_version, reopened)"
        " VALUES (%s, 1, 't', 'investigation', now(), 0, 0)",
        RECALL,
    )
    world.sql(
        "INSERT INTO capa (recall_number, sequence, title, state, opened_at, plan_version, reopened, merged_into_id)"
        " SELECT %s, 1, 't', 'merged', now(), 0, 0, id FROM capa",
        OTHER,
    )
    url = f"/v1/recalls/{RECALL}/capas/1/findings"
    whole = await ok(await api.get(url))
    assert [each["kind"] for each in whole["items"]] == [
        *("inspection", "inspection", "supplier_lot", "supplier_lot", "excursion")
    ]
    seen, cursor = [], None
    while True:
        page = await ok(await api.get(url, limit=2, **({"cursor": cursor} if cursor else {})))
        seen += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == whole["items"]
    assert len((await ok(await api.get(url, kind="excursion")))["items"]) == 1
    first = (await ok(await api.get(url, limit=1)))["next_cursor"]
    assert (await api.get(url, kind="inspection", cursor=first)).status_code == 400
    assert (await api.get(url.replace("/1/", "/2/"))).status_code == 404
    counted = await ok(await api.get(f"{url}/summary"))
    assert counted["lots"] == {"affected": 2, "upstream": 2, "downstream": 0, "sibling": 1}
    assert (counted["recalls"], counted["findings"]["inspection"]) == ([RECALL, OTHER], 2)
    assert [(each["recall"], each["run"], each["sha256"]) for each in counted["runs"]] == [(RECALL, 2, "b")]
    made = await ok(
        await api.post(
            "/v1/nonconformities",
            {
                "title": "t",
                "source": "incoming",
                "severity": "major",
                "description": "d",
                "detected_at": day(30).isoformat(),
                "lots": [{"product_code": "P50005", "number": "R2"}],
            },
        ),
        201,
    )
    of_nc = (await ok(await api.get(f"/v1/nonconformities/{made['number']}/findings", kind="inspection")))["items"]
    assert [(each["lot"], each["relation"]) for each in of_nc] == [("R2", "affected"), ("K1", "downstream")]
    assert (await ok(await api.get(f"/v1/nonconformities/{made['number']}/findings/summary")))["lots"][
        "downstream"
    ] == 2
    world.sql("INSERT INTO quality_file VALUES ('CA-2026-000009', 'CA', 't', false, 1, 'q', now())")
    world.sql(
        "INSERT INTO capa (file_number, sequence, title, state, opened_at, plan_version, reopened)"
        " VALUES ('CA-2026-000009', 1, 't', 'investigation', now(), 0, 0)"
    )
    world.sql(
        "INSERT INTO capa_nonconformity SELECT id, %s, 'q', now() FROM capa WHERE file_number IS NOT NULL",
        made["number"],
    )
    of_capa = (await ok(await api.get("/v1/capas/CA-2026-000009/findings", kind="inspection")))["items"]
    assert of_capa == of_nc
    assert (await ok(await api.get("/v1/capas/CA-2026-000009/findings/summary")))["recalls"] == []
