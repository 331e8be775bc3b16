"""Counts of held units by people, and the list of holds with what its keepers still owe first."""

import pytest

from domain.roles import Role
from tests.api.warehouse import URL, Warehouse, warehouse

__all__ = ["warehouse"]
pytestmark = pytest.mark.db


async def test_a_count_that_agrees_verifies_the_hold_and_one_that_differs_opens_a_task(warehouse: Warehouse) -> None:
    ((hold,),) = warehouse.rows("SELECT id FROM hold")
    photo = await warehouse.file()
    short = {"counts": [{"hold_id": hold, "counted": "47", "evidence_id": photo}]}
    first = await warehouse.api.post(f"{URL}/holds/verify", short, Role.WAREHOUSE, "count-1")
    assert first.status_code == 200, first.text
    (shown,) = first.json()["holds"]
    assert (shown["counted"], shown["verified"], shown["quantity"]) == ("47", False, "50")
    assert warehouse.rows("SELECT detail ->> 'counted' FROM scope_gap WHERE kind = 'hold_count_differs'") == [("47",)]
    task = warehouse.rows("SELECT what, state FROM task WHERE key LIKE 'hold_count:%%'")
    assert task == [(f"Hold {hold}: 47 counted, 50 held", "offered")]
    assert (await warehouse.api.post(f"{URL}/holds/verify", short, Role.WAREHOUSE, "count-1")).json() == first.json()
    full = {"counts": [{"hold_id": hold, "counted": "50"}]}
    again = await warehouse.api.post(f"{URL}/holds/verify", full, Role.WAREHOUSE)
    assert again.json()["holds"][0]["verified"] is True
    assert warehouse.rows("SELECT count(*) FROM scope_gap WHERE kind = 'hold_count_differs'") == [(0,)]
    assert warehouse.rows("SELECT state FROM task WHERE key LIKE 'hold_count:%%'") == [("done",)]
    assert warehouse.stock() == (50, 50)


async def test_a_count_of_what_is_no_confirmed_hold_names_the_line(warehouse: Warehouse) -> None:
    ((hold,),) = warehouse.rows("SELECT id FROM hold")
    body = {
        "counts": [{"hold_id": hold, "counted": "1"}, {"hold_id": hold, "counted": "1"}, {"hold_id": 9, "counted": "1"}]
    }
    refused = await warehouse.api.post(f"{URL}/holds/verify", body, Role.WAREHOUSE)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/counts/1/hold_id", "#/counts/2/hold_id"]
    assert (await warehouse.api.post(f"{URL}/holds/verify", body, Role.AUDITOR)).status_code == 403


async def test_what_nobody_has_confirmed_comes_first_with_its_age(warehouse: Warehouse) -> None:
    warehouse.run(
        "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late, requested_at,"
        " last_error) SELECT recall_number, lot_id, location_id, 'reserved', 2, 'failed', 3, true, requested_at,"
        " 'closed' FROM hold"
    )
    first, second = (await warehouse.api.get(f"{URL}/holds")).json()["items"]
    assert (first["state"], first["last_error"], first["attempts"]) == ("failed", "closed", 3)
    assert first["unconfirmed_seconds"] > 0
    assert second["state"] == "confirmed"
    assert second["unconfirmed_seconds"] is None
