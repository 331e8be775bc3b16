"""Nonconformities over HTTP: recorded, investigated, decided lot by lot under signature, closed; what they start."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from activities.quality import QualityActivities
from db.engine import SessionFactory
from db.repositories import carry_over, holds
from domain.roles import Role
from models.evidence import Evidence
from models.messages_quality import TurnQuality
from tests.api.conftest import *  # noqa: F403 - the API's fixtures
from tests.quality.test_codes import SAMPLE, load
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
URL = "/v1/nonconformities"
DETECTED = datetime(2026, 3, 1, 8, tzinfo=UTC)


def found(**changes: Any) -> dict[str, Any]:
    """A valid nonconformity of the lot of `write_chain`."""
    body: dict[str, Any] = {
        "title": "Luer connectors crack at incoming",
        "source": "incoming",
        "severity": "major",
        "description": "Three of fifty connectors cracked.",
        "detected_at": DETECTED.isoformat(),
        "lots": [{"product_code": "P1003", "number": "L26-0412", "quantity": "50"}],
    }
    return body | changes


async def file(db: SessionFactory) -> str:
    row = Evidence(
        id=uuid4(),
        file_name="r.pdf",
        content_type="application/pdf",
        size=10,
        sha256="a" * 64,
        uploaded_by="q",
        uploaded_at=datetime.now(UTC),
    )
    async with db.begin() as session:
        session.add(row)
        return str(row.id)


async def ok(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_a_lot_is_used_as_it_is_only_under_two_signatures_and_evidence(api: Callers, db: SessionFactory) -> None:
    await load(db, SAMPLE.read_text(), "2026", DETECTED - timedelta(days=1))
    made = await ok(await api.post(URL, found(codes=["A0401"]), Role.WAREHOUSE), 201)
    nc, lot = f"{URL}/{made['number']}", made["lots"][0]["lot_id"]
    assert (made["state"], made["codes"][0]["term"], made["detected_by"]) == ("open", "Crack", "Wanda")
    early = {"lot_ids": [lot], "disposition": "scrap", "justification": "x"}
    assert (await api.post(f"{nc}/decisions", early, Role.APPROVER)).status_code == 409
    await ok(await api.post(f"{nc}/investigation", {"account": "Mould 3 is worn."}))
    use = {"lot_ids": [lot], "disposition": "use_as_is", "justification": "Inside the drawing's limits."}
    assert (await api.post(f"{nc}/decisions", use, Role.QA)).status_code == 403
    assert (await api.post(f"{nc}/decisions", use, Role.APPROVER)).json()["type"].endswith("evidence-required")
    proof = {"evidence_ids": [await file(db)]}
    decided = await ok(await api.post(f"{nc}/decisions", use | proof, Role.APPROVER))
    assert decided["open"] == ["lot L26-0412: the second signature under its use is missing"]
    assert (await api.post(f"{nc}/close", {"conclusion": "Done."}, Role.APPROVER)).status_code == 409
    assert (await api.post(f"{nc}/concessions", {"lot_ids": [lot]}, Role.APPROVER)).status_code == 403
    second = await ok(await api.post(f"{nc}/concessions", {"lot_ids": [lot]}, Role.HEAD_OF_QUALITY))
    assert (second["state"], second["lots"][0]["second_by"], second["open"]) == ("decided", "Hana", [])
    closed = await ok(await api.post(f"{nc}/close", {"conclusion": "Used."}, Role.APPROVER))
    assert (closed["state"], closed["closed_by"]) == ("closed", "Ada")
    chain = await ok(await api.get(f"{nc}/audit"))
    assert (chain["state"], chain["events"][0]["action"]) == ("intact", "nc.recorded")
    actions = [each["action"] for each in chain["events"]]
    assert actions.index("nc.decided") < actions.index("nc.use_signed") < actions.index("nc.closed")
    again = await ok(await api.post(f"{nc}/reopen", {"reason": "It cracked again."}))
    assert (again["state"], again["reopened"]) == ("open", 1)
    listed = (await api.get(URL, state="open", code="A04")).json()["items"]
    assert [each["number"] for each in listed] == [made["number"]]


async def test_whoever_found_or_investigated_it_decides_nothing(api: Callers) -> None:
    made = await ok(await api.post(URL, found(detected_by="Ada")), 201)
    nc, lot = f"{URL}/{made['number']}", made["lots"][0]["lot_id"]
    await ok(await api.post(f"{nc}/investigation", {"account": "x"}, Role.HEAD_OF_QUALITY))
    scrap = {"lot_ids": [lot], "disposition": "scrap", "justification": "Worn."}
    for role in (Role.APPROVER, Role.HEAD_OF_QUALITY):
        refused = await api.post(f"{nc}/decisions", scrap, role)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:recall:problem:four-eyes")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"codes": ["A0401"]}, "#/codes/0"),
        ({"lots": [{"product_code": "P1003", "number": "nope"}]}, "#/lots/0"),
        ({"site_code": "nowhere"}, "#/site_code"),
        ({"detected_at": "2999-01-01T00:00:00+00:00"}, "#/detected_at"),
        ({"source": "recall_hold"}, "#/source"),
    ],
)
async def test_what_cannot_be_recorded_names_its_field(api: Callers, change: dict[str, Any], pointer: str) -> None:
    refused = await api.post(URL, found(**change))
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert (await api.get(URL)).json()["items"] == []


async def test_its_tasks_are_somebodys_day_and_climb_without_a_recall(api: Callers, db: SessionFactory) -> None:
    made = await ok(await api.post(URL, found(), key="once"), 201)
    assert await ok(await api.post(URL, found(), key="once"), 201) == made
    day = (await api.get("/v1/tasks", Role.QA, mine="true")).json()["items"]
    assert [(each["file_number"], each["key"]) for each in day] == [(made["number"], "nc:investigate")]
    task = f"/v1/tasks/{day[0]['id']}"
    assert (await api.post(f"{task}/accept", {}, Role.QA)).json()["state"] == "accepted"
    assert (await api.post(f"{task}/complete", {"outcome": "x"}, Role.QA)).json()["type"].endswith("task-not-open")
    look = QualityActivities(db)
    first = await look.turn_quality(TurnQuality(now=datetime.now(UTC)))
    assert (first.turned, first.next_at is not None) == (0, True)
    later = await look.turn_quality(TurnQuality(now=datetime.now(UTC) + timedelta(days=6)))
    assert later.turned == 1
    assert (await api.get(task)).json()["role"] == "supplier_quality"


async def test_holds_that_a_recall_leaves_are_decided_lot_by_lot_before_it_is_closed(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    number = write_recall(postgres.owner_url)
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute(
            "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late,"
            " requested_at) SELECT %s, l.id, s.location_id, 'on_hand', 50, 'confirmed', 0, false, now()"
            " FROM lot l JOIN stock s ON s.lot_id = l.id",
            [number],
        )
    async with db.begin() as session:
        assert await holds.to_nonconformity(session, number, datetime.now(UTC)) == 1
    async with db.begin() as session:
        assert await holds.to_nonconformity(session, number, datetime.now(UTC)) == 0
    (item,) = (await api.get(URL, recall=number)).json()["items"]
    nc = f"{URL}/{item['number']}"
    made = (await api.get(nc)).json()
    assert (made["source"], made["lots"][0]["held"], made["recalls"][0]["kind"]) == ("recall_hold", "50", "hold")
    await ok(await api.post(f"{nc}/investigation", {"account": "No recall; still cracked."}))
    scrap = {"lot_ids": [made["lots"][0]["lot_id"]], "disposition": "scrap", "justification": "Cracked."}
    assert "nonconformity hold" in (await ok(await api.post(f"{nc}/decisions", scrap, Role.APPROVER)))["open"][0]
    refused = await api.post(f"{nc}/close", {"conclusion": "Gone."}, Role.APPROVER)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:recall:problem:not-complete")
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE hold SET quantity = 0, state = 'disposed'")
    assert (await ok(await api.post(f"{nc}/close", {"conclusion": "Gone."}, Role.APPROVER)))["state"] == "closed"


async def test_units_that_join_a_decided_lot_void_what_was_signed_about_fewer(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    number, now = write_recall(postgres.owner_url), datetime.now(UTC)
    with psycopg.connect(postgres.owner_url) as owner:
        rows = owner.execute(
            "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late,"
            " requested_at) SELECT %s, l.id, s.location_id, x.position, x.units, 'confirmed', 0, false, now()"
            " FROM lot l JOIN stock s ON s.lot_id = l.id"
            " CROSS JOIN (VALUES ('on_hand', 10), ('reserved', 500)) AS x (position, units) RETURNING id, position",
            [number],
        ).fetchall()
    ids = {position: each for each, position in rows}
    by: dict[str, Any] = {"actor": "Ada", "role": "approver", "reason": "Carried over.", "now": now}
    async with db.begin() as session:
        await carry_over.carry_over(session, number, [ids["on_hand"]], **by)
    nc = f"{URL}/{(await api.get(URL, recall=number)).json()['items'][0]['number']}"
    lot = (await api.get(nc)).json()["lots"][0]["lot_id"]
    await ok(await api.post(f"{nc}/investigation", {"account": "Ten units of the edge."}))
    use = {"lot_ids": [lot], "disposition": "use_as_is", "justification": "Ten.", "evidence_ids": [await file(db)]}
    await ok(await api.post(f"{nc}/decisions", use, Role.APPROVER))
    await ok(await api.post(f"{nc}/concessions", {"lot_ids": [lot]}, Role.HEAD_OF_QUALITY))
    async with db.begin() as session:
        await carry_over.carry_over(session, number, [ids["reserved"]], **by)
    shown = (await api.get(nc)).json()
    (only,) = shown["lots"]
    assert (shown["state"], only["held"], only["disposition"], only["second_by"]) == ("open", "510", None, None)
    with psycopg.connect(postgres.owner_url) as owner:
        grown = owner.execute("SELECT data FROM audit_event WHERE action = 'nc.lots_grown'").fetchall()
    void = {"disposition": "use_as_is", "decided_by": "Ada", "second_by": "Hana"}
    assert grown == [({"lots": [{"lot": lot, "from": "10", "to": "510", "void": void}]},)]
    assert (await api.post(f"{nc}/decisions", use, Role.APPROVER)).status_code == 409


async def test_an_entry_whose_process_died_after_it_was_done_is_not_done_again(
    api: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch, suppress(RuntimeError):
        patch.setattr("api.quality_desk.nudge_owners", dies)
        await api.post(URL, found(), key="once")
    made = await ok(await api.post(URL, found(), key="once"), 201)
    assert [each["number"] for each in (await api.get(URL)).json()["items"]] == [made["number"]]


async def test_a_recall_starts_from_it_with_its_lots_and_its_awareness(api: Callers, workers: Any) -> None:
    made = await ok(await api.post(URL, found()), 201)
    body = {"title": "Connectors", "hazard": "Leakage", "jurisdictions": ["us-fda"], "owner": "Quinn"}
    url = f"{URL}/{made['number']}/recall"
    twice = await api.post(url, body | {"jurisdictions": ["us-fda", "us-fda"]})
    assert twice.status_code == 422
    started = await ok(await api.post(url, body, key="start"), 202)
    assert (await ok(await api.post(url, body, key="start"), 202))["number"] == started["number"]
    recall = (await api.get(started["status_url"])).json()
    assert recall["awareness_at"].startswith("2026-03-01T08:00:00")
    assert recall["scope"]["criteria"]["lots"][0]["number"] == "L26-0412"
    linked = (await api.get(f"{URL}/{made['number']}")).json()["recalls"]
    assert [(each["recall_number"], each["kind"]) for each in linked] == [(started["number"], "led_to")]
