"""Cases over HTTP: what is entered is checked, written once, and ends or opens what it should."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import yaml

from domain.policy import parse_policy, policy_hash
from domain.roles import Role
from tests.domain.factories import policy_text
from tests.support.api import Callers, write_consignee
from tests.support.servers import PostgresForTests

pytestmark = [pytest.mark.db, pytest.mark.workflow]
NOW = datetime.now(UTC)


class Office:
    """One consignee of a started recall, ten days after its first notice."""

    def __init__(self, api: Callers, url: str, number: str) -> None:
        self.api, self.url, self.number = api, url, number
        self.consignee = write_consignee(url, number)
        self.run("UPDATE consignee SET first_notified_at = now() - interval '10 days' WHERE id = %s", self.consignee)
        self.path = f"/v1/recalls/{number}/consignees/{self.consignee}"

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as db:
            return list(db.execute(query, values or None))

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(statement, values or None)

    def state(self) -> str:
        found: str = self.rows("SELECT state FROM consignee WHERE id = %s", self.consignee)[0][0]
        return found

    def lot(self) -> int:
        return int(self.rows("SELECT lot_id FROM consignee_lot WHERE consignee_id = %s", self.consignee)[0][0])

    async def attempt(self, hours: float, **changes: Any) -> Any:
        body = {
            "channel": "phone",
            "at": (NOW - timedelta(hours=hours)).isoformat(),
            "outcome": "not_reached",
            "person": "head of stores",
            "number": "+254700000001",
        } | changes
        return await self.api.post(f"{self.path}/attempts", body)

    async def stated(self, on_hand: int, role: Role = Role.QA) -> Any:
        lot = {"lot_id": self.lot(), "on_hand": on_hand, "used": 0, "held": on_hand, "passed_on": 0}
        body = {"affected": True, "statements": [lot], "responder_name": "Ann Other"}
        return await self.api.post(f"{self.path}/replies", body, role)


@pytest.fixture
def office(api: Callers, postgres: PostgresForTests, recall: str) -> Office:
    return Office(api, postgres.owner_url, recall)


async def test_three_attempts_two_channels_one_live_and_the_consignee_is_documented(office: Office) -> None:
    office.run(
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, state, opened_at)"
        " VALUES (%s,%s,'silence','open',now())",
        office.number, office.consignee,
    )  # fmt: skip
    account = {"kind": "no_response", "account": "No answer by telephone or letter.", "authority_informed": "RES-1"}
    refused = await office.api.post(f"{office.path}/document", account)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:recall:problem:not-documentable"
    assert refused.json()["open"][0] == "3 attempts, 0 made"
    assert (await office.attempt(30)).status_code == 201
    assert (await office.attempt(20)).status_code == 201
    tried = (await office.api.get(f"{office.path}/attempts")).json()
    assert (tried["attempts"], tried["live"], len(tried["missing"])) == (2, 2, 2)
    letter = await office.attempt(10, channel="letter", person=None, number=None)
    assert letter.json()["live"] is False
    done = await office.api.post(f"{office.path}/document", account, Role.REGULATORY)
    assert (done.status_code, done.json()["consignee_state"]) == (201, "documented")
    assert office.state() == "documented"
    cases = (await office.api.get(f"/v1/recalls/{office.number}/cases")).json()["items"]
    assert [(case["reason"], case["state"]) for case in cases] == [("silence", "closed")]
    again = await office.api.post(f"{office.path}/document", account)
    assert (again.status_code, again.json()["detail"]) == (409, "The consignee is documented.")
    signed = office.rows("SELECT attempts, signed_by FROM consignee_documented")[0]
    assert (signed[0]["attempts"], signed[0]["channels"], signed[1]) == (3, ["letter", "phone"], "Rafael")


async def test_a_policy_that_asks_for_more_attempts_is_heard(office: Office) -> None:
    data = yaml.safe_load(policy_text("us-fda"))
    data["closing"] |= {"attempts": 5, "live": 4}
    strict = parse_policy(json.dumps(data, default=str))
    office.run("DELETE FROM pinned_policy WHERE recall_number = %s", office.number)
    office.run(
        "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
        " VALUES (%s, 'us-fda', '2', %s, %s, now())",
        office.number, policy_hash(strict), json.dumps(strict.pinned()),
    )  # fmt: skip
    for hours in (30, 20, 10):
        assert (await office.attempt(hours)).status_code == 201
    assert (await office.attempt(5, channel="letter", person=None, number=None)).status_code == 201
    lacking = ["5 attempts, 4 made", "4 live attempts by telephone or visit"]
    assert (await office.api.get(f"{office.path}/attempts")).json()["missing"] == lacking
    account = {"kind": "no_response", "account": "No answer by telephone or letter.", "authority_informed": "RES-1"}
    refused = await office.api.post(f"{office.path}/document", account, Role.REGULATORY)
    assert (refused.status_code, refused.json()["open"]) == (409, lacking)


async def test_what_brought_an_earlier_answer_is_no_attempt_to_get_the_next_one(office: Office) -> None:
    await office.attempt(30)
    await office.attempt(20)
    await office.attempt(10, channel="letter", person=None, number=None)
    assert (await office.stated(30)).json()["consignee_state"] == "answered"
    # An amendment or a failed check asks it again.
    office.run("UPDATE consignee SET state = 'open', step = 0, answered_at = NULL WHERE id = %s", office.consignee)
    tried = (await office.api.get(f"{office.path}/attempts")).json()
    assert (tried["attempts"], tried["live"], len(tried["items"])) == (0, 0, 3)
    account = {"kind": "no_response", "account": "No answer this time.", "authority_informed": "RES-2"}
    assert (await office.api.post(f"{office.path}/document", account)).status_code == 409


async def test_a_documented_consignee_that_answers_after_all_has_answered(office: Office) -> None:
    office.run("UPDATE consignee SET state = 'documented' WHERE id = %s", office.consignee)
    answered = await office.stated(30)
    assert (answered.status_code, answered.json()["consignee_state"]) == (201, "answered")


@pytest.mark.parametrize(
    ("hours", "changes", "fields"),
    [
        (-1, {}, ["#/at"]),
        (24 * 11, {}, ["#/at"]),
        (5, {"person": None, "number": None}, ["#/person", "#/number"]),
        (5, {"task_id": 99999}, ["#/task_id"]),
    ],
)
async def test_an_attempt_that_nobody_can_check_is_refused(
    office: Office, hours: float, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await office.attempt(hours, **changes)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == fields
    assert office.rows("SELECT count(*) FROM contact_attempt") == [(0,)]


async def test_before_any_notice_there_is_no_attempt(office: Office) -> None:
    office.run("UPDATE consignee SET first_notified_at = NULL")
    answer = await office.attempt(1)
    assert "has not been sent yet" in answer.json()["errors"][0]["detail"]


async def test_the_same_key_is_one_attempt_and_the_same_instant_cannot_be_entered_twice(office: Office) -> None:
    at = (NOW - timedelta(hours=3)).isoformat()
    body = {"channel": "phone", "at": at, "outcome": "reached", "person": "Ann", "number": "+254700000001"}
    first = await office.api.post(f"{office.path}/attempts", body, key="once")
    again = await office.api.post(f"{office.path}/attempts", body, key="once")
    assert first.json() == again.json()
    other = await office.api.post(f"{office.path}/attempts", body)
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "#/at")
    office.run("DELETE FROM idempotency_key")  # the process died before it had kept its answer
    assert (await office.api.post(f"{office.path}/attempts", body, key="once")).json()["id"] == first.json()["id"]
    assert office.rows("SELECT count(*) FROM contact_attempt") == [(1,)]


async def test_a_refusal_and_a_closed_firm_open_cases_of_their_own(office: Office) -> None:
    await office.attempt(5, outcome="refused")
    await office.attempt(4, outcome="out_of_business", channel="visit", number="1 Main Street")
    reasons = office.rows("SELECT reason, state FROM consignee_case ORDER BY id")
    assert reasons == [("refusal", "open"), ("out_of_business", "open")]
    gone = {"kind": "out_of_business", "account": "The building is empty."}
    lacking = await office.api.post(f"{office.path}/document", gone)
    assert lacking.json()["open"] == [
        "a file that proves it is out of business (register entry, returned letter, photo)"
    ]
    strange = "00000000-0000-4000-8000-000000000000"
    unknown = await office.api.post(f"{office.path}/document", gone | {"evidence_ids": [strange]})
    assert unknown.json()["errors"] == [{"pointer": "#/evidence_ids/0", "detail": "no evidence has this id"}]
    assert office.state() == "open", "nothing is written when a file cannot be cited"
    refused = {"kind": "refused", "account": "They refuse to look."}
    assert (await office.api.post(f"{office.path}/document", refused)).status_code == 201
    assert {row[0] for row in office.rows("SELECT state FROM consignee_case")} == {"closed"}


async def test_a_query_stays_until_a_consistent_statement_or_a_signed_reason(office: Office) -> None:
    asked = await office.stated(99)
    assert asked.json()["consignee_state"] == "acknowledged"
    reply = asked.json()["reply_id"]
    blocked = await office.api.post(f"{office.path}/document", {"kind": "no_response", "account": "x"})
    assert blocked.json()["open"] == [f"settle the query about reply:{reply}"]
    settle = f"{office.path}/queries/{reply}/settle"
    own = await office.api.post(settle, {"reason": "A second delivery was booked late."})
    assert own.json()["type"] == "urn:recall:problem:four-eyes"
    done = await office.api.post(settle, {"reason": "A second delivery was booked late."}, Role.REGULATORY)
    assert (done.status_code, done.json()["kind"], done.json()["reply_id"]) == (201, "settled", reply)
    assert office.state() == "answered"
    assert office.rows("SELECT state FROM task WHERE key = %s", f"query:{reply}") == [("done",)]
    gone = await office.api.post(settle, {"reason": "again"}, Role.REGULATORY)
    assert gone.json()["type"] == "urn:recall:problem:query-not-open"


async def test_a_later_statement_supersedes_the_question_about_the_earlier_one(office: Office) -> None:
    first, second = await office.stated(99), await office.stated(98)
    states = office.rows("SELECT subject, state, outcome FROM consignee_case ORDER BY id")
    assert states == [
        (f"reply:{first.json()['reply_id']}", "closed", "superseded by a later statement"),
        (f"reply:{second.json()['reply_id']}", "open", None),
    ]
    await office.stated(30)
    assert office.rows("SELECT count(*) FROM consignee_case WHERE state = 'open'") == [(0,)]


async def test_a_hospital_counts_its_patients_until_the_counts_are_final(office: Office) -> None:
    office.run("UPDATE recall SET recall_class = 'I'")
    lot = {"lot_id": office.lot(), "on_hand": 10, "used": 20, "held": 10, "passed_on": 0}
    body = {"affected": True, "statements": [lot], "responder_name": "Ann Other"}
    await office.api.post(f"{office.path}/replies", body)
    assert office.rows("SELECT reason, state FROM consignee_case") == [("patients", "open")]
    assert office.rows("SELECT key, state FROM task WHERE consignee_id = %s", office.consignee) == [
        (f"patients:{office.consignee}", "offered")
    ]
    counts = {"exposed": 20, "contacted": 5, "monitored": 2, "replaced": 0, "final": False, "stated_by": "Dr Who"}
    impossible = await office.api.post(f"{office.path}/patients", counts | {"contacted": 21})
    assert impossible.json()["errors"][0]["detail"] == "contacted: expected at most the 20 patients exposed"
    assert (await office.api.post(f"{office.path}/patients", counts)).status_code == 201
    assert office.rows("SELECT state FROM consignee_case") == [("open",)]
    final = counts | {"contacted": 20, "monitored": 20, "final": True}
    assert (await office.api.post(f"{office.path}/patients", final)).status_code == 201
    assert office.rows("SELECT state FROM consignee_case") == [("closed",)]
    listed = (await office.api.get(f"{office.path}/patients")).json()["items"]
    assert [(each["contacted"], each["final"]) for each in listed] == [(5, False), (20, True)]
    audit = office.rows("SELECT data FROM audit_event WHERE action = 'patients.counted'")
    assert "Dr Who" not in str(audit)


async def test_a_distributor_has_no_patients(office: Office) -> None:
    office.run("UPDATE partner SET kind = 'distributor' WHERE kind = 'hospital'")
    counts = {"exposed": 1, "contacted": 0, "monitored": 0, "replaced": 0, "final": True}
    answer = await office.api.post(f"{office.path}/patients", counts)
    assert answer.json()["detail"] == "The consignee is a distributor: patients are counted by hospitals."


@pytest.mark.parametrize("part", ["attempts", "document", "patients", "queries/1/settle"])
async def test_entries_need_the_permission_and_a_recall_that_has_not_ended(office: Office, part: str) -> None:
    bodies: dict[str, Any] = {
        "attempts": {"channel": "letter", "at": NOW.isoformat(), "outcome": "not_reached"},
        "document": {"kind": "no_response", "account": "x"},
        "patients": {"exposed": 0, "contacted": 0, "monitored": 0, "replaced": 0, "final": True},
        "queries/1/settle": {"reason": "x"},
    }
    refused = await office.api.post(f"{office.path}/{part}", bodies[part], Role.WAREHOUSE)
    assert refused.status_code == 403
    stranger = f"/v1/recalls/{office.number}/consignees/999999/{part}"
    assert (await office.api.post(stranger, bodies[part])).status_code == 404
    office.run("UPDATE recall SET phase = 'terminated'")
    closed = await office.api.post(f"{office.path}/{part}", bodies[part])
    assert closed.json()["type"] == "urn:recall:problem:recall-closed"
