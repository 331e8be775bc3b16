"""Reading one recall: its page, its lists, its audit trail; and what warehouse and staff enter."""

from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.api.test_lists import pages
from tests.support.api import Callers, write_consignee
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow


@pytest.fixture
def number(api: Callers, postgres: PostgresForTests) -> str:
    """A recall with scope, two consignees, holds, a gap, deadlines, a task and a class proposal."""
    number = write_recall(postgres.owner_url, "RC-2026-000031")
    for hospital in (0, 1):
        write_consignee(postgres.owner_url, number, hospital=hospital)
    with psycopg.connect(postgres.owner_url) as owner:
        for statement in (
            (
                "UPDATE recall SET scope_version = 1, quantity_shipped = 50, pace = 60, "
                "next_deadline_at = created_at + interval '1 hour', "
                "next_deadline_name = 'first notice', waiting_for = 'hazard evaluation' WHERE number = %(n)s"
            ),
            (
                "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) "
                "SELECT %(n)s, 1, id, true, 0 FROM lot"
            ),
            (
                "INSERT INTO scope_gap (recall_number, scope_version, kind, detail) "
                "VALUES (%(n)s, 1, 'receipt_without_lot', '{\"location\": \"L1\"}')"
            ),
            (
                "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late, "
                "requested_at) SELECT %(n)s, lot_id, location_id, 'on_hand', on_hand, 'requested', 1, false, now() "
                "FROM stock"
            ),
            (
                "INSERT INTO deadline (recall_number, name, jurisdiction, clock, limit_text, basis, source, "
                "policy_due_at, due_at) VALUES (%(n)s, 'first notice', 'us-fda', 'decision', '24 h', 'law', "
                "'21 CFR 7.49', now() + interval '60 hours', now() + interval '1 hour')"
            ),
            (
                "INSERT INTO task (recall_number, key, step, what, role, state, opened_at, due_at, evidence_required) "
                "VALUES (%(n)s, 'evaluation', 'assessment', 'Evaluate the hazard', 'medical', 'offered', now(), "
                "now() + interval '1 hour', false)"
            ),
            (
                "INSERT INTO class_decision (recall_number, product_line, jurisdiction, kind, proposal_id, "
                "recall_class, level, local_term, market_action, reasons, decided_by, decided_at) VALUES (%(n)s, "
                "'Infusion sets', 'us-fda', 'proposed', 1, 'I', 'I', 'Class I', 'removal', "
                "'[{\"rule\": \"r1\"}]', 'system', now())"
            ),
        ):
            owner.execute(statement, {"n": number})
    return number


async def test_the_page_of_a_recall_says_what_waits_for_whom_and_both_times(api: Callers, number: str) -> None:
    answer = await api.get(f"/v1/recalls/{number}")
    page = answer.json()
    assert answer.headers["ETag"] == '"0"'
    assert page["waiting_for"] == "hazard evaluation"
    assert [(task["what"], task["role"]) for task in page["waiting"]] == [("Evaluate the hazard", "medical")]
    deadline = page["next_deadline"]
    assert (deadline["at"], deadline["policy_at"]) == ("2026-01-01T01:00:00Z", "2026-01-03T12:00:00Z")
    assert deadline["overdue"] is True
    assert page["scope"]["lots"] == 1
    assert page["scope"]["consignees"] == 2
    assert float(page["scope"]["quantity_shipped"]) == 50
    assert page["scope"]["gaps"] == {"receipt_without_lot": 1}
    assert page["holds"] == {"positions": {"requested": 1}, "quantities": {"requested": "50"}, "late": 0}
    assert page["counters"]["consignees"] == {"open": 2}
    assert page["counters"]["outstanding"] == 2
    assert page["counters"]["response_percent"] == 0
    assert [(row["kind"], row["recall_class"], row["proposal_id"]) for row in page["class_decisions"]] == [
        ("proposed", "I", 1)
    ]
    for url in page["links"].values():
        if not url.endswith("/live"):
            assert (await api.get(url)).status_code == 200, url


async def test_the_trace_lists_lots_sites_and_gaps(api: Callers, number: str) -> None:
    trace = (await api.get(f"/v1/recalls/{number}/trace")).json()
    (lot,) = trace["lots"]["items"]
    assert (lot["number"], lot["root"], float(lot["quantity_shipped"])) == ("L26-0412", True, 50)
    assert [float(site["shipped"]) for site in trace["sites"]] == [30, 20]
    assert trace["gaps"] == [{"kind": "receipt_without_lot", "detail": {"location": "L1"}}]
    assert trace["gaps_total"] == 1


async def test_the_trace_gives_the_path_and_every_place_of_its_lots(
    api: Callers, number: str, postgres: PostgresForTests
) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        for statement in (
            "INSERT INTO lot (product_id, number) SELECT product_id, 'REWORK' FROM lot",
            (
                "INSERT INTO lot_genealogy (input_lot_id, output_lot_id, quantity, source_system, source_id) "
                "SELECT a.id, b.id, 5, 'test', 'g1' FROM lot a, lot b "
                "WHERE a.number <> 'REWORK' AND b.number = 'REWORK'"
            ),
            (
                "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) "
                "SELECT %(n)s, 1, id, false, 1 FROM lot WHERE number = 'REWORK'"
            ),
            (
                "INSERT INTO movement (kind, product_id, lot_id, to_location_id, from_location_id, quantity, "
                "delivered, occurred_at, document_no, source_system, source_id) SELECT 'shipment', lot.product_id, "
                "lot.id, target.id, source.id, 7, false, now(), 'D1', 'test', 'm1' FROM lot, location source, "
                "location target WHERE lot.number = 'REWORK' AND source.custody = 'own' "
                "AND target.custody = 'customer' LIMIT 1"
            ),
        ):
            owner.execute(statement, {"n": number})
    trace = (await api.get(f"/v1/recalls/{number}/trace")).json()
    root, child = sorted(trace["lots"]["items"], key=lambda lot: lot["depth"])
    assert (root["parent_id"], child["parent_id"], child["depth"]) == (None, root["lot_id"], 1)
    under_way = [place for place in trace["positions"] if place["in_transit"] != "0"]
    assert [(p["lot_id"], p["custody"], p["shipped_to"], p["in_transit"], p["received"]) for p in under_way] == [
        (child["lot_id"], "customer", "7", "7", "0")
    ]
    stocked = [place for place in trace["positions"] if place["lot_id"] == root["lot_id"] and place["counted"]]
    assert [float(place["on_hand"]) for place in stocked] == [50]
    first = (await api.get(f"/v1/recalls/{number}/trace", limit=1)).json()
    assert {place["lot_id"] for place in first["positions"]} == {first["lots"]["items"][0]["lot_id"]}, "of this page"


async def test_consignees_come_page_by_page_with_their_lots(api: Callers, number: str) -> None:
    seen = await pages(api, f"/v1/recalls/{number}/consignees", limit=1)
    assert [len(page) for page in seen] == [1, 1]
    assert [float(page[0]["lots"][0]["shipped"]) for page in seen] == [30, 20]
    assert (await api.get(f"/v1/recalls/{number}/consignees", state="answered")).json()["items"] == []


async def test_the_warehouse_confirms_a_hold_once(api: Callers, number: str, postgres: PostgresForTests) -> None:
    (hold,) = (await api.get(f"/v1/recalls/{number}/holds")).json()["items"]
    url = f"/v1/recalls/{number}/holds/{hold['id']}/confirm"
    assert (await api.post(url, {}, Role.MEDICAL)).status_code == 403
    confirmed = await api.post(url, {"note": "cage 4, red tape"}, Role.WAREHOUSE)
    assert confirmed.status_code == 200, confirmed.text
    assert (confirmed.json()["state"], confirmed.json()["confirmed_by"]) == ("confirmed", "Wanda")
    assert (await api.post(url, {}, Role.WAREHOUSE)).json()["confirmed_at"] == confirmed.json()["confirmed_at"]
    assert (await api.post(f"/v1/recalls/{number}/holds/999999/confirm", {}, Role.WAREHOUSE)).status_code == 404
    with psycopg.connect(postgres.owner_url) as owner:
        held = owner.execute("SELECT held FROM stock").fetchone()
        owner.execute("UPDATE hold SET state = 'released', confirmed_at = NULL")
    assert held == (50,), "the ledger counts the units as held"
    late = await api.post(url, {}, Role.WAREHOUSE)
    assert (late.status_code, late.json()["type"]) == (409, "urn:recall:problem:hold-not-open")


def statement(lot: int, **changes: Any) -> dict[str, Any]:
    """A telephone answer for one lot."""
    line = {"lot_id": lot, "on_hand": 12, "held": 12, "used": 18, "passed_on": 0}
    return {"affected": True, "statements": [line | changes], "responder_name": "Grace", "responder_role": "Stores"}


async def test_staff_enters_a_telephone_answer_once(api: Callers, number: str) -> None:
    consignee = (await api.get(f"/v1/recalls/{number}/consignees")).json()["items"][0]
    lot_id = consignee["lots"][0]["lot_id"]
    url = f"/v1/recalls/{number}/consignees/{consignee['id']}/replies"
    first = await api.post(url, statement(lot_id), key="call-1")
    assert (first.status_code, first.json()["consignee_state"]) == (201, "answered")
    assert (await api.post(url, statement(lot_id), key="call-1")).json() == first.json()
    (reply,) = (await api.get(f"/v1/recalls/{number}/replies")).json()["items"]
    assert (reply["channel"], reply["entered_by"], float(reply["lines"][0]["used"])) == ("phone", "Quinn", 18)
    assert "Grace" not in str(reply)
    assert (await api.post(url, statement(lot_id), Role.WAREHOUSE)).status_code == 403


async def test_a_corrected_answer_stays_on_record_and_names_its_correction(api: Callers, number: str) -> None:
    consignee = (await api.get(f"/v1/recalls/{number}/consignees")).json()["items"][0]
    url, lot_id = f"/v1/recalls/{number}/consignees/{consignee['id']}/replies", consignee["lots"][0]["lot_id"]
    listing = f"/v1/recalls/{number}/replies"
    await api.post(url, statement(lot_id), key="first")
    (before,) = (await api.get(listing)).json()["items"]
    await api.post(url, statement(lot_id, used=10, on_hand=20, held=20), key="second")
    await api.post(url, statement(lot_id, used=9, on_hand=21, held=21), key="third")
    first, second, third = (await api.get(listing)).json()["items"]
    assert first | {"corrected_by": None} == before, "as it was given, figures and time"
    assert [each["corrected_by"] for each in (first, second, third)] == [second["id"], third["id"], None]
    assert [float(each["lines"][0]["used"]) for each in (first, second, third)] == [18, 10, 9]
    page = (await api.get(listing, limit=1)).json()
    assert page["items"][0]["corrected_by"] == second["id"], "also where the correction is on a later page"


async def test_a_telephone_answer_to_a_recall_that_has_ended_is_refused_and_a_repeat_is_not(
    api: Callers, number: str, postgres: PostgresForTests
) -> None:
    consignee = (await api.get(f"/v1/recalls/{number}/consignees")).json()["items"][0]
    url, body = f"/v1/recalls/{number}/consignees/{consignee['id']}/replies", statement(consignee["lots"][0]["lot_id"])
    first = await api.post(url, body, key="in-time")
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET phase = 'terminated' WHERE number = %s", [number])
    late = await api.post(url, body | {"statements": [body["statements"][0] | {"used": 400}]}, key="late")
    assert (late.status_code, late.json()["type"]) == (409, "urn:recall:problem:recall-closed")
    assert (await api.post(url, body, key="in-time")).json() == first.json()
    with psycopg.connect(postgres.owner_url) as owner:
        counts = owner.execute("SELECT (SELECT count(*) FROM reply), (SELECT count(*) FROM consignee_case)").fetchone()
    assert counts == (1, 0), "nobody is left to ask about a statement that cannot be"


@pytest.mark.parametrize(
    "changes", [{"on_hand": -1}, {"used": None}, {"lot_id": 999_999}, {"on_hand": 1e30}, {"held": "many"}]
)
async def test_a_statement_that_cannot_be_stored_is_422(api: Callers, number: str, changes: dict[str, Any]) -> None:
    consignee = (await api.get(f"/v1/recalls/{number}/consignees")).json()["items"][0]
    url = f"/v1/recalls/{number}/consignees/{consignee['id']}/replies"
    answer = await api.post(url, statement(consignee["lots"][0]["lot_id"], **changes))
    assert answer.status_code == 422
    assert (await api.post(f"/v1/recalls/{number}/consignees/999999/replies", statement(1))).status_code == 404


async def test_receivers_on_the_telephone_stand_beside_the_quantities(api: Callers, number: str) -> None:
    consignee = (await api.get(f"/v1/recalls/{number}/consignees")).json()["items"][0]
    url, lot_id = f"/v1/recalls/{number}/consignees/{consignee['id']}/replies", consignee["lots"][0]["lot_id"]
    to = {"name": "Clinic", "kind": "hospital", "lots": [{"lot_id": lot_id, "quantity": 1}]}
    alone = await api.post(url, {"passed_on": [to], "responder_name": "Grace"})
    assert alone.status_code == 422
    assert "beside the quantities" in alone.text
    unnamed = await api.post(url, statement(lot_id, used=17, passed_on=1))
    assert (unnamed.json()["consignee_state"], unnamed.json()["findings"][0]["kind"]) == (
        "acknowledged",
        "receiver_not_named",
    )
    whole = await api.post(url, statement(lot_id, used=17, passed_on=1) | {"passed_on": [to]})
    assert whole.json()["consignee_state"] == "answered", whole.text


async def test_the_audit_trail_is_read_by_page_and_verified(
    api: Callers, number: str, postgres: PostgresForTests
) -> None:
    (hold,) = (await api.get(f"/v1/recalls/{number}/holds")).json()["items"]
    await api.post(f"/v1/recalls/{number}/holds/{hold['id']}/confirm", {}, Role.WAREHOUSE)
    await api.post(f"/v1/recalls/{number}/holds/{hold['id']}/confirm", {}, Role.MEDICAL)
    seen = [event for page in await pages(api, f"/v1/recalls/{number}/audit", limit=1) for event in page]
    assert [event["action"] for event in seen] == ["hold.confirmed", "decision.refused"]
    verified = (await api.get(f"/v1/recalls/{number}/audit/verify", Role.AUDITOR)).json()
    assert (verified["intact"], verified["events"], verified["first_broken"]) == (True, 2, None)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE audit_event SET actor = 'Nobody' WHERE stream = %s AND seq = 1", [number])
    broken = (await api.get(f"/v1/recalls/{number}/audit/verify", Role.AUDITOR)).json()
    assert (broken["intact"], broken["first_broken"]) == (False, 1)
    assert (await api.get(f"/v1/recalls/{number}/audit", Role.WAREHOUSE)).status_code == 403
