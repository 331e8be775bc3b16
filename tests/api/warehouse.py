"""A recall in resolution whose stock is held, and people who dispose of it over HTTP."""

from pathlib import Path
from typing import Any

import psycopg
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.policies import PolicyStore
from activities.quarantine import QuarantineActivities
from adapters.inventory.ledger import LedgerInventory
from db.engine import SessionFactory
from db.repositories import recalls
from db.repositories.stock import StockLedger
from domain.roles import Role
from models.messages import RecallScopeRef
from tests.inventory.conftest import only
from tests.support.api import Callers
from tests.support.chain import day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

NUMBER = "RC-2026-000001"
URL = f"/v1/recalls/{NUMBER}"
POLICIES = Path(__file__).resolve().parents[2] / "policies"


class Warehouse:
    """A recall in resolution over the lot of `write_chain`: 50 units held in the warehouse, two hospitals."""

    def __init__(self, api: Callers, postgres: PostgresForTests) -> None:
        self.api, self.url = api, postgres.owner_url
        self.lot, self.place = self.rows("SELECT lot_id, location_id FROM stock")[0]

    def rows(self, query: str, *binds: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as db:
            return db.execute(query, binds or None).fetchall()

    def run(self, query: str, *binds: Any) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(query, binds or None)

    def stock(self) -> tuple[int, int]:
        on_hand, held = self.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", self.lot)[0]
        return int(on_hand), int(held)

    async def file(self, role: Role = Role.WAREHOUSE) -> str:
        files = {"file": ("certificate.txt", b"Destroyed on 2026-11-22.", "text/plain")}
        key = str(id(files)) + str(len(self.rows("SELECT id FROM evidence")))
        answer = await self.api.client.post("/v1/evidence", files=files, headers=self.api.headers(role, f"f{key}"))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def propose(self, kind: str, quantity: str | None = None, role: Role = Role.WAREHOUSE, **more: Any) -> Any:
        one = {"kind": kind, "lot_id": self.lot, "location_id": self.place, "reason": "Cracked"} | more
        one = {name: value for name, value in one.items() if value is not None}
        body = {"dispositions": [one | ({"quantity": quantity} if quantity else {})]}
        return await self.api.post(f"{URL}/dispositions", body, role)

    async def approved(self, kind: str, quantity: str | None = None, **more: Any) -> int:
        answer = await self.propose(kind, quantity, **more)
        assert answer.status_code == 201, answer.text
        sequence = int(answer.json()["items"][0]["sequence"])
        for role in (Role.APPROVER, Role.HEAD_OF_QUALITY) if kind == "release" else (Role.APPROVER,):
            decided = await self.api.post(f"{URL}/dispositions/{sequence}/approve", {}, role)
            assert decided.status_code == 200, decided.text
        return sequence

    async def execute(self, sequence: int, quantity: str, key: str | None = None, **more: Any) -> Any:
        body = {"quantity": quantity, "evidence_ids": [await self.file()]} | more
        return await self.api.post(f"{URL}/dispositions/{sequence}/execute", body, Role.WAREHOUSE, key)


@pytest_asyncio.fixture
async def warehouse(api: Callers, db: SessionFactory, postgres: PostgresForTests) -> Warehouse:
    found = Warehouse(api, postgres)
    write_recall(postgres.owner_url, NUMBER, "resolution")
    found.run("UPDATE recall SET scope_version = 1")
    found.run("INSERT INTO scope_lot VALUES (%s, 1, %s, true, 0)", NUMBER, found.lot)
    policy = PolicyStore.load(POLICIES).shipped("us-fda", day(100).date())
    assert policy is not None
    async with db.begin() as session:
        await recalls.pin(session, NUMBER, [policy], day(1))
    quarantine = QuarantineActivities(db, only(LedgerInventory(StockLedger(db))))
    ref = RecallScopeRef(number=NUMBER, now=day(1), scope_version=1)
    await ActivityEnvironment().run(quarantine.request_holds, ref)
    await ActivityEnvironment().run(quarantine.execute_holds, ref)
    assert found.stock() == (50, 50)
    return found
