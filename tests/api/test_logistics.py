"""Logistics providers are asked to stop, redirect or bring back goods on their way; document numbers are the answer."""

import pytest
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from db.engine import SessionFactory
from db.repositories import logistics_watch
from domain.roles import Role
from models.messages import RecallScopeRef
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.chain import day
from worker_keepers import keepers_of

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
ASKS = f"{URL}/logistics-requests"


async def under_way(warehouse: Warehouse, db: SessionFactory) -> int:
    """Goods on their way from the warehouse, claimed and not yet confirmed; the hold's id."""
    warehouse.run("SELECT setval(pg_get_serial_sequence('movement', 'id'), 100000)")
    warehouse.run(
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, document_no, source_system, source_id)"
        " SELECT 'shipment', product_id, id, %s, (SELECT min(id) FROM location WHERE custody = 'customer'), 5, false,"
        " %s, 'SH-1', 'erp', 'SH-1' FROM lot WHERE id = %s",
        warehouse.place,
        day(1),
        warehouse.lot,
    )
    ref = RecallScopeRef(number=NUMBER, now=day(2), scope_version=1)
    await ActivityEnvironment().run(QuarantineActivities(db, keepers_of(db)).request_holds, ref)
    rows = warehouse.rows("SELECT id FROM hold WHERE position = 'in_transit' AND document_no = 'SH-1'")
    return int(rows[0][0])


async def test_a_document_number_confirms_the_hold_and_ends_the_task(warehouse: Warehouse, db: SessionFactory) -> None:
    api, hold = warehouse.api, await under_way(warehouse, db)
    async with db.begin() as session:
        assert await logistics_watch.turn(session, NUMBER, day(2)) == (1, True)
    by_itself = (await api.get(ASKS)).json()["items"][0]
    assert (by_itself["asked_by"], by_itself["kind"], by_itself["provider_id"]) == ("system", "stop", None)
    carrier = warehouse.rows("SELECT code FROM partner ORDER BY id LIMIT 1")[0][0]
    nameless = await api.post(ASKS, {"requests": [{"hold_id": hold, "kind": "stop"}]}, Role.WAREHOUSE)
    assert (nameless.status_code, nameless.json()["errors"][0]["pointer"]) == (422, "#/requests/0/provider")
    nowhere = {"hold_id": hold, "kind": "redirect", "provider": carrier}
    refused = await api.post(ASKS, {"requests": [nowhere]}, Role.WAREHOUSE)
    assert refused.json()["errors"][0]["pointer"] == "#/requests/0/to_location_id"
    redirect = nowhere | {"to_location_id": warehouse.place}
    stop_there = await api.post(ASKS, {"requests": [redirect | {"kind": "stop"}]}, Role.WAREHOUSE)
    assert stop_there.json()["errors"][0]["pointer"] == "#/requests/0/to_location_id"
    made = await api.post(ASKS, {"requests": [redirect]}, Role.WAREHOUSE, key="ask-1")
    assert made.status_code == 201, made.text
    assert (await api.post(ASKS, {"requests": [redirect]}, Role.WAREHOUSE, key="ask-1")).json() == made.json()
    twice = await api.post(ASKS, {"requests": [redirect]}, Role.WAREHOUSE)
    assert twice.json()["type"] == "urn:recall:problem:conflict"
    request = made.json()["items"][0]["id"]
    replaced = warehouse.rows("SELECT state FROM task WHERE key = %s", f"logistics:{by_itself['id']}")
    assert replaced == [("cancelled",)], "what a person asks for takes the place of the stop"
    key = f"logistics:{request}"
    task, state, due = warehouse.rows("SELECT id, state, due_at FROM task WHERE key = %s", key)[0]
    assert (state, due is not None) == ("offered", True)
    tick = await api.post(f"/v1/tasks/{task}/complete", {"outcome": "done"}, Role.WAREHOUSE)
    assert tick.json()["type"] == "urn:recall:problem:task-not-open", "a tick is no document number"
    answer = {"reference": "RD-77", "expected_at": "2026-11-25T08:00:00Z"}
    for _ in range(2):
        done = await api.post(f"{ASKS}/{request}/answer", answer, Role.WAREHOUSE)
        assert (done.status_code, done.json()["state"], done.json()["reference"]) == (200, "answered", "RD-77")
    assert warehouse.rows("SELECT state FROM task WHERE key = %s", key) == [("done",)]
    assert warehouse.rows("SELECT state, confirmed_by FROM hold WHERE id = %s", hold) == [("confirmed", "Wanda")]
    other = await api.post(f"{ASKS}/{request}/answer", {"reference": "RD-78"}, Role.WAREHOUSE)
    assert other.json()["type"] == "urn:recall:problem:already-decided"
    assert [each["id"] for each in (await api.get(ASKS)).json()["items"]] == [by_itself["id"], request]


async def test_a_repeat_after_a_crash_asks_once_and_ended_recalls_can_be_asked_about(
    warehouse: Warehouse, db: SessionFactory
) -> None:
    api, hold = warehouse.api, await under_way(warehouse, db)
    warehouse.run("UPDATE recall SET phase = 'cancelled'")
    warehouse.run("UPDATE hold SET state = 'nonconformity', ended_at = %s", day(3))
    carrier = warehouse.rows("SELECT code FROM partner ORDER BY id LIMIT 1")[0][0]
    ask = {"requests": [{"hold_id": hold, "kind": "stop", "provider": carrier}]}
    made = await api.post(ASKS, ask, Role.WAREHOUSE, key="ask-1")
    assert made.status_code == 201, made.text
    request = made.json()["items"][0]["id"]
    await api.post(f"{ASKS}/{request}/answer", {"reference": "ST-1"}, Role.WAREHOUSE)
    assert warehouse.rows("SELECT state, confirmed_by FROM hold WHERE id = %s", hold) == [("nonconformity", "Wanda")]
    warehouse.run("UPDATE idempotency_key SET status = NULL, response = NULL WHERE key = 'ask-1'")
    again = await api.post(ASKS, ask, Role.WAREHOUSE, key="ask-1")
    assert [each["id"] for each in again.json()["items"]] == [request]
    assert warehouse.rows("SELECT count(*) FROM task WHERE key LIKE 'logistics:%%'") == [(1,)]


async def test_a_refusal_confirms_nothing_and_another_provider_can_be_asked(
    warehouse: Warehouse, db: SessionFactory
) -> None:
    api, hold = warehouse.api, await under_way(warehouse, db)
    carrier = warehouse.rows("SELECT code FROM partner ORDER BY id LIMIT 1")[0][0]
    ask = {"requests": [{"hold_id": hold, "kind": "stop", "provider": carrier}]}
    first = (await api.post(ASKS, ask, Role.WAREHOUSE)).json()["items"][0]["id"]
    no = await api.post(f"{ASKS}/{first}/refuse", {"reason": "It is on the plane."}, Role.WAREHOUSE)
    assert no.json()["state"] == "refused"
    assert warehouse.rows("SELECT confirmed_at FROM hold WHERE id = %s", hold) == [(None,)]
    second = (await api.post(ASKS, ask, Role.WAREHOUSE)).json()["items"][0]["id"]
    gone = await api.post(f"{ASKS}/{second}/withdraw", {"reason": "It arrived."}, Role.WAREHOUSE)
    assert gone.json()["state"] == "withdrawn"
    states = warehouse.rows("SELECT key, state FROM task WHERE key LIKE 'logistics:%%' ORDER BY id")
    assert states == [(f"logistics:{first}", "done"), (f"logistics:{second}", "cancelled")]
