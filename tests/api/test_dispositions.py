"""Disposition over HTTP: who may do what, what is refused and how, and that a repeated request changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
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
from tests.support.api import Callers, write_consignee
from tests.support.chain import day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests
from tests.support.stock_invariants import violations

pytestmark = pytest.mark.db
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
    policy = PolicyStore.load(POLICIES).in_force("us-fda", day(100).date())
    assert policy is not None
    async with db.begin() as session:
        await recalls.pin(session, NUMBER, [policy], day(1))
    quarantine = QuarantineActivities(db, LedgerInventory(StockLedger(db)))
    ref = RecallScopeRef(number=NUMBER, now=day(1), scope_version=1)
    await ActivityEnvironment().run(quarantine.request_holds, ref)
    await ActivityEnvironment().run(quarantine.execute_holds, ref)
    assert found.stock() == (50, 50)
    return found


async def test_a_destruction_from_proposal_to_certificate(warehouse: Warehouse) -> None:
    (position,) = (await warehouse.api.get(f"{URL}/positions")).json()
    assert (position["quantity"], position["available"], position["also_held_by"]) == ("50", "50", [])
    sequence = await warehouse.approved("destroy", "30")
    executed = await warehouse.execute(sequence, "30", document_no="CERT-1", witness="Wilma")
    assert executed.status_code == 200, executed.text
    assert executed.json()["disposition"]["state"] == "done"
    assert warehouse.stock() == (20, 20)
    file = (await warehouse.api.get(f"{URL}/dispositions/{sequence}", Role.AUDITOR)).json()
    assert [each["actor"] for each in file["signatures"]] == ["Ada"]
    assert [(part["quantity"], part["witness"], part["done_by"]) for part in file["parts"]] == [
        ("30", "Wilma", "Wanda")
    ]
    assert len(file["evidence_ids"]) == 1
    assert violations(warehouse.url) == []


async def test_tasks_follow_every_step_and_close_with_the_decision(warehouse: Warehouse) -> None:
    sequence = (await warehouse.propose("release", "10")).json()["items"][0]["sequence"]

    def open_tasks() -> set[str]:
        return {row[0] for row in warehouse.rows("SELECT key FROM task WHERE state = 'offered'")}

    approval = f"disposition_approval:{sequence}"
    assert open_tasks() == {"disposition:1", approval, f"{approval}:head"}
    await warehouse.api.post(f"{URL}/dispositions/{sequence}/approve", {}, Role.APPROVER)
    assert open_tasks() == {"disposition:1", f"{approval}:head"}
    await warehouse.api.post(f"{URL}/dispositions/{sequence}/approve", {}, Role.HEAD_OF_QUALITY)
    assert open_tasks() == {"disposition:1", f"execution:{sequence}"}
    done_by = warehouse.rows("SELECT done_by FROM task WHERE key LIKE 'disposition_approval:%%' ORDER BY id")
    assert done_by == [("Ada",), ("Hana",)]
    await warehouse.propose("destroy")
    await warehouse.execute(sequence, "10")
    assert open_tasks() == {"disposition_approval:2"}
    tick = warehouse.rows("SELECT id FROM task WHERE key = 'disposition_approval:2'")[0][0]
    answer = await warehouse.api.post(f"/v1/tasks/{tick}/complete", {"outcome": "done"}, Role.APPROVER)
    assert answer.json()["type"] == "urn:recall:problem:task-not-open"


async def test_the_release_answer_says_what_is_usable_and_who_still_holds(warehouse: Warehouse) -> None:
    sequence = await warehouse.approved("release", "20")
    answer = await warehouse.execute(sequence, "20")
    assert (answer.json()["still_held_by"], answer.json()["usable"]) == ([], "20")
    assert warehouse.stock() == (50, 30)
    assert violations(warehouse.url) == []


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"witness": "Wilma"}, "#/document_no"),
        ({"document_no": "C-1"}, "#/witness"),
        ({"document_no": "C-1", "witness": "wanda"}, "#/witness"),
        ({"document_no": "C-1", "witness": "Wilma", "result_lot": {"number": "R"}}, "#/result_lot"),
        ({"document_no": "C-1", "witness": "Wilma", "evidence_ids": []}, "#/evidence_ids"),
        (
            {"document_no": "C-1", "witness": "Wilma", "evidence_ids": ["0" * 8 + "-0000-4000-8000-" + "0" * 12]},
            "#/evidence_ids/0",
        ),
        ({"document_no": "C-1", "witness": "Wilma", "quantity": "0"}, "#/quantity"),
        ({"document_no": "C-1", "witness": "Wilma", "quantity": "0.0000001"}, "#/quantity"),
    ],
)
async def test_a_part_that_lacks_something_is_refused_by_field_and_changes_nothing(
    warehouse: Warehouse, more: dict[str, Any], pointer: str
) -> None:
    sequence = await warehouse.approved("destroy")
    answer = await warehouse.execute(sequence, str(more.pop("quantity", "5")), **more)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert warehouse.stock() == (50, 50)


async def test_too_much_is_a_conflict_with_the_figure_that_is_there(warehouse: Warehouse) -> None:
    answer = await warehouse.propose("destroy", "51")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:quantity-exceeded")
    assert "50 units are open" in answer.json()["detail"]
    sequence = await warehouse.approved("destroy", "10")
    answer = await warehouse.execute(sequence, "11", document_no="C", witness="Wilma")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:quantity-exceeded")


async def test_the_same_key_twice_or_at_once_disposes_once(warehouse: Warehouse) -> None:
    sequence = await warehouse.approved("destroy", "30")
    body = {"quantity": "10", "evidence_ids": [await warehouse.file()], "document_no": "C", "witness": "Wilma"}
    url = f"{URL}/dispositions/{sequence}/execute"
    answers = await asyncio.gather(*(warehouse.api.post(url, body, Role.WAREHOUSE, "one-key") for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert (await warehouse.api.post(url, body, Role.WAREHOUSE, "one-key")).status_code == 200
    assert warehouse.stock() == (40, 40)
    other = await warehouse.api.post(url, body | {"quantity": "9"}, Role.WAREHOUSE, "one-key")
    assert other.json()["type"] == "urn:recall:problem:idempotency-key-reused"


async def test_a_crash_between_the_commit_and_the_kept_answer_repeats_nothing(warehouse: Warehouse) -> None:
    sequence = await warehouse.approved("destroy", "30")
    body = {"quantity": "10", "evidence_ids": [await warehouse.file()], "document_no": "C", "witness": "Wilma"}
    url = f"{URL}/dispositions/{sequence}/execute"
    first = await warehouse.api.post(url, body, Role.WAREHOUSE, "lost-answer")
    warehouse.run("UPDATE idempotency_key SET status = NULL, response = NULL WHERE key = 'lost-answer'")
    again = await warehouse.api.post(url, body, Role.WAREHOUSE, "lost-answer")
    assert again.json()["part"] == first.json()["part"]
    assert warehouse.stock() == (40, 40)


async def test_four_eyes_and_permissions(warehouse: Warehouse) -> None:
    proposal = await warehouse.propose("destroy", role=Role.HEAD_OF_QUALITY)
    sequence = proposal.json()["items"][0]["sequence"]
    own = await warehouse.api.post(f"{URL}/dispositions/{sequence}/approve", {}, Role.HEAD_OF_QUALITY)
    assert (own.status_code, own.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    denied = await warehouse.api.post(f"{URL}/dispositions/{sequence}/approve", {}, Role.WAREHOUSE)
    assert (denied.status_code, denied.json()["type"]) == (403, "urn:recall:problem:not-permitted")
    assert (await warehouse.propose("destroy", role=Role.AUDITOR)).status_code == 403
    missing = await warehouse.api.post(f"{URL}/dispositions/{sequence}/reject", {}, Role.APPROVER)
    assert missing.status_code == 422


async def test_bulk_proposals_and_approvals(warehouse: Warehouse) -> None:
    body = {"bulk": {"kind": "destroy", "lot_id": warehouse.lot, "reason": "All of it"}}
    made = await warehouse.api.post(f"{URL}/dispositions", body, Role.QA)
    assert [row["quantity"] for row in made.json()["items"]] == ["50"]
    sequences = [row["sequence"] for row in made.json()["items"]]
    answer = await warehouse.api.post(f"{URL}/dispositions/approve", {"sequences": sequences}, Role.APPROVER)
    assert [row["state"] for row in answer.json()["items"]] == ["approved"]
    again = await warehouse.api.post(f"{URL}/dispositions", body, Role.QA)
    assert (again.status_code, again.json()["type"]) == (409, "urn:recall:problem:conflict")
    listed = (await warehouse.api.get(f"{URL}/dispositions", state="approved")).json()
    assert [row["sequence"] for row in listed["items"]] == sequences


async def test_a_return_is_held_in_the_same_answer(warehouse: Warehouse) -> None:
    consignee = write_consignee(warehouse.url, NUMBER)
    body = {
        "consignee_id": consignee,
        "lot_id": warehouse.lot,
        "location_id": warehouse.place,
        "quantity": "7",
        "document_no": "RET-1",
        "evidence_ids": [await warehouse.file()],
    }
    answer = await warehouse.api.post(f"{URL}/returns", body, Role.WAREHOUSE)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["held_by"], answer.json()["beyond_record"]) == ([NUMBER], False)
    assert warehouse.stock() == (57, 57)
    assert [row["quantity"] for row in (await warehouse.api.get(f"{URL}/returns")).json()["items"]] == ["7"]
    wrong = await warehouse.api.post(f"{URL}/returns", body | {"location_id": 999_999}, Role.WAREHOUSE)
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["#/location_id"]
    assert violations(warehouse.url) == []


async def test_costs_are_exact_reversed_once_and_summed_per_currency(warehouse: Warehouse) -> None:
    url = f"{URL}/costs"
    sequence = await warehouse.approved("destroy", "5")
    cost = {"kind": "destruction", "amount": "1250.40", "currency": "EUR", "disposition": sequence}
    first = await warehouse.api.post(url, cost, Role.WAREHOUSE)
    assert first.status_code == 201, first.text
    await warehouse.api.post(url, {"kind": "credit", "amount": "-0.40", "currency": "EUR"}, Role.QA)
    await warehouse.api.post(url, {"kind": "transport", "amount": "900", "currency": "CNY"}, Role.QA)
    listed = (await warehouse.api.get(url)).json()
    assert listed["totals"] == {"CNY": "900", "EUR": "1250"}
    reverse = f"{url}/{first.json()['id']}/reverse"
    assert (await warehouse.api.post(reverse, {"reason": "typed twice"}, Role.QA)).json()["amount"] == "-1250.4"
    twice = await warehouse.api.post(reverse, {"reason": "again"}, Role.QA)
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:recall:problem:already-decided")
    assert (await warehouse.api.get(url)).json()["totals"] == {"CNY": "900", "EUR": "-0.4"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": 12.5}, "#/amount"),
        ({"amount": "12.505"}, "#/amount"),
        ({"amount": "0"}, "#/amount"),
        ({"amount": "ten"}, "#/amount"),
        ({"currency": "eur"}, "#/currency"),
        ({"currency": "XYZ"}, "#/currency"),
        ({"disposition": 99}, "#/disposition"),
        ({"kind": "bribe"}, "#/kind"),
    ],
)
async def test_money_that_cannot_be_is_refused_by_field(
    warehouse: Warehouse, change: dict[str, Any], pointer: str
) -> None:
    cost = {"kind": "material", "amount": "12.50", "currency": "EUR"} | change
    answer = await warehouse.api.post(f"{URL}/costs", cost, Role.QA)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_retained_samples_are_settled_with_the_authoritys_reference(warehouse: Warehouse) -> None:
    url = f"{URL}/retained-samples"
    body = {
        "lot_id": warehouse.lot,
        "location_id": warehouse.place,
        "quantity": "3",
        "evidence_ids": [await warehouse.file()],
    }
    kept = await warehouse.api.post(url, body, Role.QA)
    assert kept.status_code == 201, kept.text
    (position,) = (await warehouse.api.get(f"{URL}/positions")).json()
    assert (position["retained"], position["available"]) == ("3", "47")
    too_much = await warehouse.api.post(url, body | {"quantity": "48"}, Role.QA)
    assert too_much.json()["type"] == "urn:recall:problem:quantity-exceeded"
    settle = f"{url}/{kept.json()['id']}/settle"
    settled = await warehouse.api.post(settle, {"reference": "FDA-2026-17"}, Role.REGULATORY)
    assert settled.json()["settled_reference"] == "FDA-2026-17"
    (position,) = (await warehouse.api.get(f"{URL}/positions")).json()
    assert position["available"] == "50"


async def test_a_shortage_from_the_figure_to_the_shipment(warehouse: Warehouse) -> None:
    consignee = write_consignee(warehouse.url, NUMBER)
    warehouse.run("UPDATE consignee SET state = 'answered'")
    warehouse.run(
        "INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at) "
        "VALUES (%s, %s, 'page', 'statement', true, '[]', now())",
        NUMBER,
        consignee,
    )
    warehouse.run(
        "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) "
        "SELECT id, %s, 12, 18, 12, 0 FROM reply",
        warehouse.lot,
    )
    warehouse.run("INSERT INTO lot (id, product_id, number) SELECT 9901, product_id, 'FRESH' FROM lot LIMIT 1")
    warehouse.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (9901, %s, 100, 0, 0, now())",
        warehouse.place,
    )
    computed = await warehouse.api.post(f"{URL}/shortages/compute", None, Role.QA)
    assert computed.json() == {"changed": 1, "proposed": 1}
    (short,) = (await warehouse.api.get(f"{URL}/shortages")).json()["items"]
    assert (short["removed"], short["used"], short["quantity"]) == ("12", "18", "12")
    (allocation,) = (await warehouse.api.get(f"{URL}/allocations")).json()["items"]
    url = f"{URL}/allocations/{allocation['id']}"
    assert (await warehouse.api.post(f"{url}/approve", None, Role.QA)).status_code == 403
    assert (await warehouse.api.post(f"{url}/approve", None, Role.HEAD_OF_SUPPLY)).json()["state"] == "approved"
    tasks = warehouse.rows("SELECT key, state FROM task WHERE key SIMILAR TO '(allocation|replacement)%%' ORDER BY id")
    assert tasks == [("allocation:1", "done"), (f"replacement:{consignee}", "offered")]
    shipped = await warehouse.api.post(f"{url}/ship", {"document_no": "SHIP-9"}, Role.WAREHOUSE)
    assert (shipped.json()["state"], shipped.json()["document_no"]) == ("shipped", "SHIP-9")
    assert warehouse.rows("SELECT state FROM task WHERE key = %s", f"replacement:{consignee}") == [("done",)]
    assert violations(warehouse.url) == []
