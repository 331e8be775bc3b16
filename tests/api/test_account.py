"""The provisional account over HTTP: costs are booked while it is open, and only a signed act opens it again."""

import pytest

from db.engine import SessionFactory
from db.repositories import provisional_account
from domain.roles import Role
from tests.api.warehouse import URL, Warehouse, warehouse

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
COST = {"kind": "labour", "amount": "12.50", "currency": "EUR"}


async def test_nothing_is_booked_on_a_locked_account_until_it_is_reopened(warehouse: Warehouse) -> None:
    api, account = warehouse.api, f"{URL}/account"
    assert (await api.get(account)).json()["state"] == "open"
    first = await api.post(f"{URL}/costs", COST, Role.WAREHOUSE, key="cost-1")
    assert first.status_code == 201
    refused = await api.post(f"{account}/lock", {"reason": "done"}, Role.WAREHOUSE)
    assert refused.json()["type"] == "urn:recall:problem:not-permitted"
    locked = await api.post(f"{account}/lock", {"reason": "done"}, Role.APPROVER)
    assert (locked.status_code, locked.json()["state"], locked.json()["totals"]) == (200, "locked", {"EUR": "12.5"})
    late = await api.post(f"{URL}/costs", COST, Role.WAREHOUSE, key="cost-2")
    assert late.json()["type"] == "urn:recall:problem:account-locked"
    reverse = await api.post(f"{URL}/costs/{first.json()['id']}/reverse", {"reason": "no"}, Role.WAREHOUSE)
    assert reverse.json()["type"] == "urn:recall:problem:account-locked"
    again = await api.post(f"{URL}/costs", COST, Role.WAREHOUSE, key="cost-1")
    assert again.json() == first.json(), "what was booked before the lock is answered as before"
    opened = await api.post(f"{account}/reopen", {"reason": "a late invoice"}, Role.APPROVER)
    assert (opened.json()["state"], opened.json()["turn"]) == ("open", 2)
    assert (await api.post(f"{URL}/costs", COST, Role.WAREHOUSE, key="cost-3")).status_code == 201
    signed = warehouse.rows("SELECT document #>> '{refers_to,totals,EUR}' FROM signature ORDER BY signed_at")
    assert [row[0] for row in signed] == ["12.5", "12.5"]


async def test_an_account_is_settled_when_every_entry_is_in_a_journal(warehouse: Warehouse) -> None:
    api, account = warehouse.api, f"{URL}/account"
    entry = (await api.post(f"{URL}/costs", COST, Role.WAREHOUSE)).json()["id"]
    await api.post(f"{account}/lock", {"reason": "done"}, Role.APPROVER)
    early = await api.post(f"{account}/settle", {"settlement_no": "FI-1"}, Role.HEAD_OF_QUALITY)
    assert (early.status_code, early.json()["type"]) == (409, "urn:recall:problem:wrong-state")
    (error,) = early.json()["errors"]
    assert (error["pointer"], error["detail"]) == (f"#/entries/{entry}", "in a journal: labour, 12.5 EUR")
    rule = {"kind": "labour", "valid_from": "2020-01-01", "debit": "6810", "credit": "2001"}
    proposed = (await api.post("/v1/account-rules", rule, Role.HEAD_OF_SUPPLY)).json()["id"]
    await api.post(f"/v1/account-rules/{proposed}/approve", {"reason": "chart"}, Role.FINANCE)
    assert (await api.post(f"{URL}/journals", {}, Role.FINANCE)).status_code == 201
    settled = await api.post(f"{account}/settle", {"settlement_no": "FI-1"}, Role.HEAD_OF_QUALITY)
    assert settled.json()["state"] == "settled"


async def test_who_locked_an_account_does_not_settle_it(warehouse: Warehouse, db: SessionFactory) -> None:
    api, account = warehouse.api, f"{URL}/account"
    settlement = {"settlement_no": "FI-100234"}
    early = await api.post(f"{account}/settle", settlement, Role.APPROVER)
    assert early.json()["type"] == "urn:recall:problem:wrong-state"
    await api.post(f"{account}/lock", {"reason": "done"}, Role.APPROVER)
    own = await api.post(f"{account}/settle", settlement, Role.APPROVER)
    assert own.json()["type"] == "urn:recall:problem:four-eyes"
    settled = await api.post(f"{account}/settle", settlement, Role.HEAD_OF_QUALITY)
    assert (settled.json()["state"], settled.json()["settlement_no"]) == ("settled", "FI-100234")
    other = await api.post(f"{account}/settle", {"settlement_no": "FI-2"}, Role.HEAD_OF_QUALITY)
    assert other.json()["type"] == "urn:recall:problem:already-decided"
    async with db() as session:
        assert not await provisional_account.account_open(session, URL.rpartition("/")[2])
