"""Disposition over HTTP: who may do what, what is refused and how, and that a repeated request changes nothing."""

import asyncio
from typing import Any

import pytest

from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.api import write_consignee
from tests.support.stock_invariants import violations

__all__ = ["warehouse"]
pytestmark = pytest.mark.db


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
