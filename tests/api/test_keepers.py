"""Keepers of stock over HTTP and by the command line: entered by administrators, read by all, nudged by webhooks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from temporalio.testing import WorkflowEnvironment

from domain.roles import Role
from domain.webhook_signature import signed_headers
from models.messages import RECALL_QUEUE
from models.messages_keepers import KeeperFeedsInput
from tests.api.test_staff import recall_command
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests
from tests.wms.server import TOKEN, Wms, running
from workflows.keeper_feeds import KeeperFeedsWorkflow

pytestmark = pytest.mark.db
URL = "/v1/keepers"
KEY = "the key of the eastern warehouse"
EAST: dict[str, Any] = {
    "kind": "http",
    "name": "Warehouse East",
    "base_url": "https://wms.example.com/recall",
    "credential_variable": "RECALL_KEEPER_EAST_TOKEN",
    "webhook_variable": "RECALL_KEEPER_EAST_WEBHOOK",
    "per_second": 50,
}


def rows(postgres: PostgresForTests, query: str, *binds: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.owner_url) as connection:
        done = connection.execute(query, binds or None)
        return done.fetchall() if done.description else []


def places(postgres: PostgresForTests, custody: str = "own") -> list[str]:
    return [code for (code,) in rows(postgres, "SELECT code FROM location WHERE custody = %s ORDER BY code", custody)]


async def test_a_keeper_is_entered_given_a_place_and_read_with_its_health(
    api: Callers, postgres: PostgresForTests
) -> None:
    entered = await api.put(f"{URL}/east", EAST, Role.ADMIN)
    assert entered.status_code == 200, entered.text
    assert (await api.put(f"{URL}/east", EAST, Role.ADMIN)).json() == entered.json()
    place = places(postgres)[0]
    body = {"places": [{"location": place, "own_code": "WH-EAST"}]}
    first = await api.post(f"{URL}/east/places", body, Role.ADMIN, key="one")
    assert (first.status_code, first.json()) == (200, {"keeper": "east", "moved": 1, "asked_again": {}})
    assert (await api.post(f"{URL}/east/places", body, Role.ADMIN, key="one")).json() == first.json()
    assert (await api.post(f"{URL}/east/places", body, Role.ADMIN)).json()["moved"] == 0
    rows(
        postgres,
        "INSERT INTO keeper_skip (keeper_code, what, subject, reason, first_seen_at, last_seen_at, times)"
        " VALUES ('east', 'change', 'P L', 'unknown', now(), now(), 3)",
    )
    ledger, east = (await api.get(URL, Role.AUDITOR)).json()["items"]
    assert (ledger["code"], ledger["health"]) == ("ledger", None)
    assert (east["places"], east["health"]["reachable"], east["health"]["rows_skipped"]) == (1, None, 1)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    rows(postgres, "UPDATE keeper SET read_at = %s, last_failure_at = now(), failures = 2", hour_ago)
    detail = (await api.get(f"{URL}/east", Role.QA)).json()
    assert detail["kept"] == [{"location": place, "own_code": "WH-EAST"}]
    assert detail["skipped"][0]["times"] == 3
    assert (detail["health"]["reachable"], round(detail["health"]["lag_seconds"], -2)) == (False, 3600)
    actions = rows(postgres, "SELECT action FROM audit_event WHERE action LIKE 'keeper.%%' ORDER BY seq")
    assert actions == [("keeper.changed",), ("keeper.places",), ("keeper.places",)]
    assert (await api.get(f"{URL}/west", Role.QA)).status_code == 404


@pytest.mark.parametrize(
    ("change", "role", "status"),
    [
        ({}, Role.QA, 403),
        ({"credential_variable": "DATABASE_URL"}, Role.ADMIN, 422),
        ({"base_url": "http://wms.example.com"}, Role.ADMIN, 422),
        ({"base_url": "https://wms.example.com?x=1"}, Role.ADMIN, 422),
        ({"database": "stock"}, Role.ADMIN, 422),
        ({"auth": "password"}, Role.ADMIN, 422),
        ({"timeout_seconds": 50, "give_up_seconds": 10}, Role.ADMIN, 422),
        ({"state": "gone"}, Role.ADMIN, 422),
    ],
)
async def test_what_cannot_work_is_not_entered(api: Callers, change: dict[str, Any], role: Role, status: int) -> None:
    assert (await api.put(f"{URL}/east", EAST | change, role)).status_code == status


async def test_two_keepers_are_never_one_system(api: Callers, postgres: PostgresForTests) -> None:
    await api.put(f"{URL}/east", EAST | {"state": "suspended"}, Role.ADMIN)
    for url in (EAST["base_url"], "https://WMS.example.com:443/recall/"):
        answer = await api.put(f"{URL}/west", EAST | {"base_url": url}, Role.ADMIN)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/base_url"), answer.text
        assert "east" in answer.json()["errors"][0]["detail"]
    erp = EAST | {"kind": "tryton", "auth": "password", "base_url": "https://erp.example.com", "webhook_variable": None}
    statuses = [
        (await api.put(f"{URL}/{code}", erp | {"database": database}, Role.ADMIN)).status_code
        for code, database in (("north", "one"), ("south", "two"), ("south", "one"), ("north", "one"))
    ]
    assert statuses == [200, 200, 422, 200]
    assert rows(postgres, "SELECT code FROM keeper ORDER BY code") == [("east",), ("north",), ("south",)]
    refused = await recall_command(
        postgres.app_url,
        "keepers",
        "set",
        "west",
        "--url",
        EAST["base_url"],
        "--credential-variable",
        "RECALL_KEEPER_T",
    )
    assert (refused[0], refused[2].count("\n")) == (2, 1)
    assert refused[2].startswith("expected an address of its own")


async def test_places_are_given_all_or_none(api: Callers, postgres: PostgresForTests) -> None:
    assert (await api.put(f"{URL}/ledger", EAST, Role.ADMIN)).status_code == 422
    place, customers = places(postgres)[0], places(postgres, "customer")[0]
    body = {"places": [{"location": place}]}
    assert (await api.post(f"{URL}/east/places", body, Role.ADMIN)).status_code == 404
    await api.put(f"{URL}/east", EAST, Role.ADMIN)
    for bad in ("nowhere", customers, place):
        answer = await api.post(f"{URL}/east/places", {"places": [{"location": place}, {"location": bad}]}, Role.ADMIN)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/places/1"), answer.text
    assert rows(postgres, "SELECT FROM keeper_location") == []


async def test_a_place_that_moves_takes_its_open_holds_along(api: Callers, postgres: PostgresForTests) -> None:
    await api.put(f"{URL}/east", EAST, Role.ADMIN)
    write_recall(postgres.owner_url, "RC-2026-000901")
    place = places(postgres)[0]
    hold = (
        "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, requested_at, attempts, late,"
        " confirmed_at, confirmed_by, document_no) SELECT 'RC-2026-000901', min(lot.id), location.id, 'on_hand', 5, %s,"
        " now(), 1, false, now(), 'ledger', %s FROM lot, location WHERE location.code = %s GROUP BY location.id"
    )
    for number, state in enumerate(("confirmed", "nonconformity", "released")):
        rows(postgres, hold, state, str(number), place)
    body = {"places": [{"location": place}]}
    given = await api.post(f"{URL}/east/places", body, Role.ADMIN)
    assert given.json()["asked_again"] == {"RC-2026-000901": 2}
    query = "SELECT state, confirmed_at IS NULL FROM hold ORDER BY document_no"
    assert rows(postgres, query) == [("requested", True), ("nonconformity", True), ("released", False)]
    back = await api.post(f"{URL}/ledger/places", body, Role.ADMIN)
    assert back.json() == {"keeper": "ledger", "moved": 1, "asked_again": {}}
    assert rows(postgres, "SELECT FROM keeper_location") == []
    told = rows(postgres, "SELECT data ->> 'keeper' FROM audit_event WHERE action = 'holds.keeper_changed'")
    assert told == [("east",)]


async def test_a_webhook_only_makes_the_workers_look(
    api: Callers, postgres: PostgresForTests, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECALL_KEEPER_EAST_WEBHOOK", KEY)
    await api.put(f"{URL}/east", EAST, Role.ADMIN)
    feeds = await temporal.client.start_workflow(
        KeeperFeedsWorkflow.run, KeeperFeedsInput(), id="keeper-feeds", task_queue=RECALL_QUEUE
    )

    async def looks() -> int:
        history = await feeds.fetch_history()
        return sum(each.HasField("workflow_execution_signaled_event_attributes") for each in history.events)

    async def tell(key: str = KEY, code: str = "east", *, at: datetime | None = None, message: str = "") -> int:
        url = f"{URL}/{code}/changes"
        return await Wms().tell(api.client, url, key, message_id=message or uuid4().hex, at=at)

    now = datetime.now(UTC)
    try:
        # Twice, and the older after the newer: nothing is taken from a message but that there is something to read.
        sent = [await tell(message="message-2", at=now) for _ in range(2)]
        assert [*sent, await tell(message="message-1", at=now - timedelta(minutes=1))] == [204] * 3
        assert await looks() == 3
        refused = [await tell(KEY + "!"), await tell(at=now - timedelta(minutes=6)), await tell(code="west")]
        headers = signed_headers([KEY.encode()], uuid4().hex, now, b"{}")
        refused.append((await api.client.post(f"{URL}/east/changes", content=b"[]", headers=headers)).status_code)
        assert refused == [403] * 4
        assert (await api.client.post(f"{URL}/east/changes", content=b"{}")).status_code == 403
        monkeypatch.delenv("RECALL_KEEPER_EAST_WEBHOOK")
        assert await tell() == 403
        assert await looks() == 3
        kept = rows(postgres, "SELECT DISTINCT kind FROM refused_access")
        assert kept == [("keeper_signature",)]
        assert (await api.post(f"{URL}/east/probe", {}, Role.ADMIN)).json() == {"asked": True}
        assert await looks() == 4
    finally:
        await feeds.terminate()
    assert (await api.post(f"{URL}/east/probe", {}, Role.ADMIN)).json() == {"asked": False}


async def test_the_command_enters_assigns_probes_and_lists(
    api: Callers, postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places(postgres)[0]

    async def keepers(*arguments: str) -> tuple[int, str, str]:
        return await recall_command(postgres.app_url, "keepers", *arguments)

    code, _, error = await keepers("set", "east", "--url", "ftp://x", "--credential-variable", "RECALL_KEEPER_T")
    assert (code, error) == (2, "record: base_url: expected an address that begins with https://\n")
    async with running(Wms()) as wms:
        wms.warehouse.put({"product": "P", "number": "unknown"}, "WH", 1)
        made = await keepers("set", "east", "--url", wms.url, "--credential-variable", "RECALL_KEEPER_T")
        assert made == (0, "east: recorded\n", "")
        assert (await keepers("set", "east", "--state", "active"))[1] == "east: nothing to change\n"
        assert (await keepers("assign", "east", f"{place}=WH"))[1] == "east: 1 places moved\n"
        for wrong, told in ((("east", "nowhere"), "place on record"), (("west", place), "no keeper has this code")):
            code, _, error = await keepers("assign", *wrong)
            assert code == 2
            assert told in error
        assert (await keepers("probe", "east"))[2] == "east: the environment variable RECALL_KEEPER_T is not set\n"
        monkeypatch.setenv("RECALL_KEEPER_T", TOKEN)
        told = (await keepers("probe", "east"))[1]
        assert told == "east: answers; 0 changes of lots on record wait, 1 rows could not be taken\n"
        monkeypatch.setenv("RECALL_KEEPER_T", "wrong")
        assert (await keepers("probe", "east"))[::2] == (2, "east: our credential is refused (HTTP 401)\n")
    assert '"places": 1' in (await keepers("list", "--json"))[1]
    assert "not asked yet" in (await keepers("list"))[1]
