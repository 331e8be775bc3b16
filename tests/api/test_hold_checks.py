"""Counts of held units by people, and the list of holds with what its keepers still owe first."""

from typing import Any

import pytest

from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.api import write_consignee

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


async def test_what_consignees_hold_on_our_notice_is_listed_unconfirmed_first(warehouse: Warehouse) -> None:
    first, second = (write_consignee(warehouse.url, NUMBER, hospital=each) for each in (0, 1))
    url = f"{URL}/holds/consignees"

    def state_of(consignee: int, on_hand: int, held: int, *, findings: str = "[]") -> None:
        ((reply,),) = warehouse.rows(
            "INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at)"
            " VALUES (%s, %s, 'page', 'statement', true, %s, now()) RETURNING id",
            *(NUMBER, consignee, findings),
        )
        warehouse.run(
            "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) VALUES (%s, %s, %s, 0, %s, 0)",
            *(reply, warehouse.lot, on_hand, held),
        )

    async def listed(**more: Any) -> list[tuple[int, str]]:
        answer = await warehouse.api.get(url, **more)
        assert answer.status_code == 200, answer.text
        return [(each["consignee_id"], each["state"]) for each in answer.json()["items"]]

    warehouse.run("UPDATE consignee SET first_notified_at = NULL WHERE id = %s", second)
    assert await listed() == [(first, "requested"), (second, "not_asked")]
    ages = [each["unconfirmed_seconds"] for each in (await warehouse.api.get(url)).json()["items"]]
    assert ages[0] is not None
    assert ages[1] is None
    state_of(first, 4, 4)
    state_of(first, 9, 0, findings='[{"code": "more_than_shipped", "severity": "error"}]')
    assert await listed() == [(second, "not_asked"), (first, "confirmed")]
    assert await listed(state="confirmed") == [(first, "confirmed")]
    page = (await warehouse.api.get(url, limit=1)).json()
    assert await listed(limit=1, cursor=page["next_cursor"]) == [(first, "confirmed")]
    state_of(second, 4, 1)
    assert await listed(state="not_held") == [(second, "not_held")]
    ((drawn,),) = warehouse.rows(
        "INSERT INTO effectiveness_round (recall_number, sequence, level, percent, depth, seed, population,"
        " sample_size, drawn_at) VALUES (%s, 1, 'A', 100, 'user', 's', 2, 1, now()) RETURNING id",
        NUMBER,
    )
    warehouse.run(
        "INSERT INTO effectiveness_check (round_id, consignee_id, state, method, passed, checked_by, checked_at)"
        " VALUES (%s, %s, 'done', 'visit', true, 'Vera', now())",
        *(drawn, first),
    )
    assert await listed() == [(second, "not_held"), (first, "verified")]
