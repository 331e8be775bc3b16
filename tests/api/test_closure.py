"""Effectiveness checks, checklist and mass balance over HTTP: what a person reads, does, and is refused."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from db.engine import SessionFactory
from db.repositories import effectiveness
from domain.roles import Role
from tests.closing.complete import CompleteRecall
from tests.closing.world import HOUR, NUMBER, T0
from tests.support.api import Callers

pytestmark = pytest.mark.workflow
BASE = f"/v1/recalls/{NUMBER}"


@pytest.fixture
def recall(complete_recall: CompleteRecall) -> CompleteRecall:
    """What is closed here."""
    return complete_recall


async def drawn(db: SessionFactory, recall: CompleteRecall) -> list[dict[str, Any]]:
    """Round 1, drawn anew."""
    recall.world.run("DELETE FROM effectiveness_check")
    recall.world.run("DELETE FROM effectiveness_round")
    async with db.begin() as session:
        await effectiveness.turn(session, NUMBER, T0 + 5 * HOUR)
    return recall.world.rows("SELECT id, consignee_id FROM effectiveness_check ORDER BY id")


def passing(lot: int, quantity: str = "0", **changes: Any) -> dict[str, Any]:
    facts = {"received": True, "understood": True, "acted": True, "method": "visit", "person": "A. Nurse"}
    return facts | {"found": [{"lot_id": lot, "quantity": quantity}]} | changes


async def evidence(api: Callers, role: Role = Role.QA) -> str:
    answer = await api.client.post(
        "/v1/evidence",
        files={"file": ("search.txt", b"Searched shelves A to F.", "text/plain")},
        headers=api.headers(role, secrets.token_hex(8)),
    )
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def test_the_checklist_of_a_complete_recall_is_complete(offline: Callers, recall: CompleteRecall) -> None:
    body = (await offline.get(f"{BASE}/checklist", Role.AUDITOR)).json()
    assert body["complete"] is True
    assert len(body["items"]) == 16
    assert all(item["ok"] and item["open"] == [] and item["total"] == 0 for item in body["items"])


async def test_the_checklist_names_what_is_open(offline: Callers, recall: CompleteRecall) -> None:
    recall.world.run("DELETE FROM capa")
    task = recall.world.task("evaluation:kits", "evaluation", role="medical")
    body = (await offline.get(f"{BASE}/checklist")).json()
    assert body["complete"] is False
    assert {item["key"]: item["open"] for item in body["items"] if not item["ok"]} == {
        "capa": ["no CAPA is opened"],
        "tasks": [f"task {task} (evaluation:kits) is open, offered to medical"],
    }


async def test_the_mass_balance_shows_both_identities_lot_by_lot(offline: Callers, recall: CompleteRecall) -> None:
    body = (await offline.get(f"{BASE}/mass-balance", lot=recall.lot)).json()
    (lot,) = body["lots"]["items"]
    terms = lot["terms"]
    told = {name: value for name, value in terms.items() if value not in ("0", [])}
    assert told == {"produced": "100", "distributed": "60", "returned": "10", "scrapped": "50", "used": "50"}
    assert (lot["lot_number"], lot["basis"], lot["unit"], lot["needs_signature"]) == ("L1", "made", "unit", False)
    assert (body["allowed_percent"], body["differences"]) == ("2", [])
    assert body["total"] == terms


async def test_the_mass_balance_is_paged_by_lot_with_totals_over_all(offline: Callers, recall: CompleteRecall) -> None:
    for number in range(4):
        other = recall.world.add("lot", product_id=recall.world.chain.lots[recall.lot].product, number=f"X{number}")
        recall.world.scope(other)
    seen, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        body = (await offline.get(f"{BASE}/mass-balance", **params)).json()
        seen += [row["lot_id"] for row in body["lots"]["items"]]
        assert body["total"]["distributed"] == "60"
        cursor = body["lots"]["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 5
    assert body["total"]["produced"] is None, "of four lots nobody knows how much was made"


async def test_a_lot_outside_the_scope_and_a_foreign_cursor_are_refused(
    offline: Callers, recall: CompleteRecall
) -> None:
    unknown = await offline.get(f"{BASE}/mass-balance", lot=999_999)
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        f"Lot 999999 is not in the scope of the recall {NUMBER}.",
    )
    cursor = await offline.get(f"{BASE}/mass-balance", cursor="abc")
    assert cursor.json()["type"] == "urn:recall:problem:bad-cursor"
    assert (await offline.get(f"{BASE}/mass-balance", lot=0)).status_code == 422
    assert (await offline.get("/v1/recalls/RC-2026-999999/mass-balance")).status_code == 404
    assert (await offline.get("/v1/recalls/RC-2026-999999/checklist")).status_code == 404
    assert (await offline.get(f"{BASE}/checklist", None)).status_code == 401


async def test_rounds_show_what_is_needed_to_draw_them_again(
    offline: Callers, recall: CompleteRecall, db: SessionFactory
) -> None:
    checks = await drawn(db, recall)
    body = (await offline.get(f"{BASE}/effectiveness", Role.AUDITOR)).json()
    (only,) = body["rounds"]
    assert (body["level"], body["met"], body["candidates"], body["waiting"]) == ("A", False, 2, 0)
    assert (only["sequence"], only["pending"], only["outcome"], only["percent"]) == (1, 2, None, 100)
    assert only["candidates"] == [row["consignee_id"] for row in checks]
    assert len(only["seed"]) == 64


async def test_recording_checks_meets_the_level(offline: Callers, recall: CompleteRecall, db: SessionFactory) -> None:
    for row in await drawn(db, recall):
        key = secrets.token_hex(8)
        answers = [
            await offline.post(f"{BASE}/effectiveness/checks/{row['id']}", passing(recall.lot), key=key)
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
        assert answers[0].json() == answers[1].json() == {"id": row["id"], "state": "done", "passed": True, "why": None}
        assert answers[1].headers["Idempotency-Replayed"] == "true"
    async with db.begin() as session:
        await effectiveness.turn(session, NUMBER, T0 + 9 * HOUR)
    assert (await offline.get(f"{BASE}/effectiveness")).json()["met"] is True
    listed = (await offline.get(f"{BASE}/effectiveness/checks", round=1, state="done")).json()["items"]
    assert [each["passed"] for each in listed] == [True, True]
    assert "Nurse" not in str(listed)
    assert listed[0]["found"] == [
        {"lot_id": recall.lot, "lot": "L1", "found": "0", "expected": "0", "explanation": None}
    ]


async def test_a_non_responder_is_recorded_as_one_and_does_not_pass(
    offline: Callers, recall: CompleteRecall, db: SessionFactory
) -> None:
    check = (await drawn(db, recall))[0]["id"]
    file = await evidence(offline)
    body = {"no_response": True, "method": "phone", "evidence_ids": [file]}
    answer = await offline.post(f"{BASE}/effectiveness/checks/{check}", body, Role.REGULATORY)
    assert answer.json() == {"id": check, "state": "no_response", "passed": False, "why": "no response"}
    linked = recall.world.one("SELECT subject FROM evidence_link WHERE evidence_id = %s", file)
    assert linked == f"check:{check}"


FOUND: dict[str, Any] = {"lot_id": 1, "quantity": "0"}


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        (lambda b: b.pop("received"), "#/", "received: expected true or false, or no_response true"),
        (lambda b: b.update(received=None, acted=None), "#/", "received, acted: expected true or false"),
        (lambda b: b.update(received="maybe"), "#/received", "Input should be a valid boolean"),
        (lambda b: b.update(no_response=True), "#/", "no_response: give neither received, understood, acted nor found"),
        (lambda b: b.pop("person"), "#/", "person: expected who was spoken to, for a check by visit"),
        (lambda b: b.update(method="pigeon"), "#/method", "Input should be 'visit', 'phone', 'letter', 'email'"),
        (lambda b: b.update(found=[]), "#/found", "expected the quantity found of lot L1"),
        (
            lambda b: b["found"].append(b["found"][0]),
            "#/found/0/lot_id",
            "expected a lot of this consignee's statement",
        ),
        (lambda b: b["found"][0].update(lot_id=999_999), "#/found/0/lot_id", "expected a lot of this consignee's"),
        (lambda b: b["found"][0].update(quantity="-1"), "#/found/0/quantity", "greater than or equal to 0"),
        (lambda b: b["found"][0].update(quantity="NaN"), "#/found/0/quantity", "finite number"),
        (lambda b: b["found"][0].update(quantity="0.0000001"), "#/found/0/quantity", "no more than 6 decimal places"),
        (lambda b: b.update(person="a\u0000b"), "#/", "control characters are not allowed"),
        (lambda b: b.update(evidence_ids=["x"]), "#/evidence_ids/0", "valid UUID"),
        (lambda b: b.update(evidence_ids=["00000000-0000-0000-0000-000000000001"]), "#/evidence_ids/0", "no evidence"),
        (lambda b: b.update(color="red"), "#/color", "Extra inputs are not permitted"),
    ],
)
async def test_a_check_that_is_not_whole_is_refused_field_by_field(
    offline: Callers,
    recall: CompleteRecall,
    db: SessionFactory,
    change: Callable[[dict[str, Any]], Any],
    pointer: str,
    detail: str,
) -> None:
    check = (await drawn(db, recall))[0]["id"]
    body = passing(recall.lot)
    change(body)
    answer = await offline.post(f"{BASE}/effectiveness/checks/{check}", body)
    assert answer.status_code == 422, answer.text
    errors = [(each["pointer"], each["detail"]) for each in answer.json()["errors"]]
    assert any(where == pointer and detail in what for where, what in errors), errors
    assert recall.world.one("SELECT state FROM effectiveness_check WHERE id = %s", check) == "pending"


async def test_checks_are_refused_when_they_cannot_be_made(
    offline: Callers, recall: CompleteRecall, db: SessionFactory
) -> None:
    first, second = (row["id"] for row in await drawn(db, recall))
    body = passing(recall.lot)

    async def refused(check: int, role: Role | None = Role.QA) -> tuple[int, str]:
        answer = await offline.post(f"{BASE}/effectiveness/checks/{check}", body, role)
        return answer.status_code, answer.json()["type"].removeprefix("urn:recall:problem:")

    assert await refused(999_999) == (404, "not-found")
    assert await refused(first, Role.WAREHOUSE) == (403, "not-permitted")
    assert await refused(first, Role.AUDITOR) == (403, "not-permitted")
    assert await refused(first, None) == (401, "unauthenticated")
    recall.world.run("UPDATE consignee SET state = 'open'")
    assert await refused(second) == (409, "not-answered")
    recall.world.run("UPDATE consignee SET state = 'answered'")
    recall.world.run("UPDATE recall SET phase = 'completed'")
    assert await refused(first) == (409, "wrong-phase")
    recall.world.run("UPDATE recall SET phase = 'resolution'")
    assert (await offline.post(f"{BASE}/effectiveness/checks/{first}", body)).status_code == 200
    assert await refused(first) == (409, "check-not-open")
    none = await offline.client.post(
        f"{BASE}/effectiveness/checks/{second}", json=body, headers=offline.headers(Role.QA)
    )
    assert none.json()["type"] == "urn:recall:problem:idempotency-key-missing"


async def test_a_check_is_never_ticked_off_as_a_task(
    offline: Callers, recall: CompleteRecall, db: SessionFactory
) -> None:
    await drawn(db, recall)
    task = recall.world.one("SELECT id FROM task WHERE key LIKE 'check:%%' ORDER BY id LIMIT 1")
    answer = await offline.post(f"/v1/tasks/{task}/complete", {"outcome": "done", "evidence_ids": []})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:task-not-open")


async def test_the_head_of_quality_signs_once_for_what_a_search_has_not_found(
    offline: Callers, recall: CompleteRecall
) -> None:
    recall.world.statement(recall.second, {recall.lot: {"used": 15}})
    recall.world.task("unaccounted:1", "unaccounted", role="head_of_quality")
    file, key = await evidence(offline), secrets.token_hex(8)
    body = {"account": "All stores of both hospitals were searched on 20 November.", "evidence_ids": [file]}
    answers = [await offline.post(f"{BASE}/unaccounted/sign", body, Role.HEAD_OF_QUALITY, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    expected = {"signed_by": "Hana", "lots": [{"lot_id": recall.lot, "unaccounted": "5", "residual": "0"}]}
    assert answers[0].json() == answers[1].json() == expected
    assert len(recall.world.rows("SELECT id FROM sign_off WHERE step = 'unaccounted'")) == 1
    assert recall.world.one("SELECT state FROM task WHERE key = 'unaccounted:1'") == "done"
    assert (await offline.get(f"{BASE}/checklist")).json()["complete"] is True
    assert (await offline.get(f"{BASE}/mass-balance")).json()["lots"]["items"][0]["needs_signature"] is False
    again = await offline.post(f"{BASE}/unaccounted/sign", body, Role.HEAD_OF_QUALITY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:recall:problem:nothing-to-sign")


async def test_a_signature_lost_after_its_commit_is_found_by_its_repeat(
    offline: Callers, recall: CompleteRecall
) -> None:
    recall.world.statement(recall.second, {recall.lot: {"used": 15}})
    body = {"account": "All stores of both hospitals were searched.", "evidence_ids": [await evidence(offline)]}
    first = await offline.post(f"{BASE}/unaccounted/sign", body, Role.HEAD_OF_QUALITY, "one-key")
    recall.world.run("UPDATE idempotency_key SET status = NULL, response = NULL WHERE key = 'one-key'")
    again = await offline.post(f"{BASE}/unaccounted/sign", body, Role.HEAD_OF_QUALITY, "one-key")
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(recall.world.rows("SELECT id FROM sign_off WHERE step = 'unaccounted'")) == 1


@pytest.mark.parametrize("role", [Role.QA, Role.APPROVER, Role.REGULATORY, Role.WAREHOUSE, Role.AUDITOR, Role.ADMIN])
async def test_nobody_else_signs_for_unaccounted_units(offline: Callers, recall: CompleteRecall, role: Role) -> None:
    body = {"account": "All stores of both hospitals were searched.", "evidence_ids": [secrets.token_hex(16)]}
    answer = await offline.post(f"{BASE}/unaccounted/sign", body, role)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:recall:problem:not-permitted")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"account": "too short"}, "#/account"),
        ({"account": " " * 40}, "#/account"),
        ({"evidence_ids": []}, "#/evidence_ids"),
        ({"evidence_ids": ["00000000-0000-0000-0000-000000000001"]}, "#/evidence_ids/0"),
        ({"extra": 1}, "#/extra"),
    ],
)
async def test_a_signature_without_a_documented_search_is_refused(
    offline: Callers, recall: CompleteRecall, changes: dict[str, Any], pointer: str
) -> None:
    recall.world.statement(recall.second, {recall.lot: {"used": 15}})
    body = {"account": "All stores of both hospitals were searched.", "evidence_ids": [await evidence(offline)]}
    answer = await offline.post(f"{BASE}/unaccounted/sign", body | changes, Role.HEAD_OF_QUALITY)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert recall.world.rows("SELECT id FROM sign_off WHERE step = 'unaccounted'") == []


async def test_nothing_is_signed_after_completion(offline: Callers, recall: CompleteRecall) -> None:
    recall.world.statement(recall.second, {recall.lot: {"used": 15}})
    recall.world.run("UPDATE recall SET phase = 'terminated'")
    body = {"account": "All stores of both hospitals were searched.", "evidence_ids": [await evidence(offline)]}
    answer = await offline.post(f"{BASE}/unaccounted/sign", body, Role.HEAD_OF_QUALITY)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:wrong-phase")


async def test_held_stock_is_carried_over_as_nonconformity_and_stays_locked(
    offline: Callers, recall: CompleteRecall
) -> None:
    held = recall.world.hold(recall.lot, recall.plant, 3, confirmed_at=T0, confirmed_by="wanda")
    assert (await offline.get(f"{BASE}/checklist")).json()["complete"] is False
    body, key = {"hold_ids": [held], "reason": "Waits for the maker's analysis."}, secrets.token_hex(8)
    answers = [await offline.post(f"{BASE}/holds/carry-over", body, Role.APPROVER, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    (carried,) = answers[0].json()["holds"]
    assert (carried["id"], carried["state"], carried["quantity"]) == (held, "nonconformity", "3")
    row = recall.world.one("SELECT state, ended_at, quantity FROM hold WHERE id = %s", held)
    assert (row["state"], row["ended_at"], row["quantity"]) == ("nonconformity", None, 3), "the claim goes on"
    assert (await offline.get(f"{BASE}/checklist")).json()["complete"] is True
    again = await offline.post(f"{BASE}/holds/carry-over", body, Role.APPROVER)
    assert again.status_code == 200
    events = recall.world.rows("SELECT actor, reason FROM audit_event WHERE action = 'holds.carried_over'")
    assert events == [{"actor": "Ada", "reason": "Waits for the maker's analysis."}]


async def test_only_confirmed_holds_of_this_recall_are_carried_over(offline: Callers, recall: CompleteRecall) -> None:
    held = recall.world.hold(recall.lot, recall.plant, 3, confirmed_at=T0, confirmed_by="wanda")
    asked = recall.world.hold(recall.lot, recall.plant, 2, "requested", position="reserved")
    body = {"hold_ids": [held, asked, recall.hold, 999_999], "reason": "r"}
    answer = await offline.post(f"{BASE}/holds/carry-over", body, Role.APPROVER)
    assert answer.status_code == 422
    assert [(each["pointer"], each["detail"]) for each in answer.json()["errors"]] == [
        ("#/hold_ids/1", "expected a confirmed hold, this one is requested"),
        ("#/hold_ids/2", "expected a confirmed hold, this one is disposed"),
        ("#/hold_ids/3", "expected a hold of this recall"),
    ]
    assert recall.world.one("SELECT state FROM hold WHERE id = %s", held) == "confirmed"
    url = f"{BASE}/holds/carry-over"
    assert (await offline.post(url, {"hold_ids": [held]}, Role.APPROVER)).status_code == 422
    assert (await offline.post(url, {"hold_ids": [], "reason": "r"}, Role.APPROVER)).status_code == 422
    assert (await offline.post(url, {"hold_ids": [held], "reason": "r"}, Role.WAREHOUSE)).status_code == 403
    recall.world.run("UPDATE recall SET phase = 'completed'")
    late = await offline.post(url, {"hold_ids": [held], "reason": "r"}, Role.APPROVER)
    assert (late.status_code, late.json()["type"]) == (409, "urn:recall:problem:wrong-phase")
