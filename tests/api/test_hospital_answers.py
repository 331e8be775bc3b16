"""Answers of recipients' systems: signed JSON and FHIR Tasks, read, recorded once, and refused by name."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from fhir.resources.R4B.task import Task

from db.engine import SessionFactory
from domain.webhook_signature import signed_headers
from tests.api.conftest import unreachable_client
from tests.api.test_hospital_reading import QUANTITIES, output, task_of
from tests.api.test_recipient_page_amended import amended
from tests.campaign.world import NUMBER, T0, Person, World, build
from tests.support.api import serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
NEW, OLD, OTHER = (f"{name}-key-of-at-least-24-bytes" for name in ("new", "old", "other"))
ANSWERED: dict[str, Any] = {
    "schema_version": "recall-answer/1.0",
    "acknowledged": True,
    "affected": True,
    "lots": [{"lot": "A1", "on_hand": "4", "held": "4", "used": 5, "passed_on": "1.000"}],
    "passed_on_to": [{"name": "St Elsewhere", "email": "stores@else.example", "lots": [{"lot": "A1", "quantity": 1}]}],
    "responder": {"name": "R. Singh", "role": "Materials"},
    "remark": "counted twice",
}


class Hospital:
    """A system that got a notice, and how it posts."""

    def __init__(self, http: httpx.AsyncClient, world: World, consignee: int, delivery: str) -> None:
        self.http, self.world, self.consignee, self.delivery = http, world, consignee, delivery

    async def post(
        self,
        answer: Any,
        *,
        key: str = NEW,
        message_id: str | None = None,
        at: datetime | None = None,
        kind: str = "application/json",
        delivery: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        if isinstance(answer, dict) and kind == "application/json":
            answer = {"delivery_id": self.delivery} | answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        signed = signed_headers([key.encode()], message_id or uuid4().hex, at or datetime.now(UTC), body)
        url = f"/v1/webhooks/hospital/{delivery or self.delivery}"
        return await self.http.post(url, content=body, headers=signed | {"Content-Type": kind} | headers)

    def replies(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT * FROM reply WHERE consignee_id = %s ORDER BY id", self.consignee)

    def state(self) -> str:
        return str(self.world.one("SELECT state FROM consignee WHERE id = %s", self.consignee))

    def refusals(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT kind, recall_number, detail FROM refused_access ORDER BY id")


def told_by_webhook(world: World, name: str, key: str = "mercy") -> tuple[int, str]:
    consignee = world.consignee(name, Person(email=f"{name}@x.example"), lots=("10",))
    world.run(
        "UPDATE contact SET webhook_url = 'https://h.example/', webhook_format = 'json', webhook_key = %s,"
        " channels = '{webhook}' WHERE name = %s",
        key,
        f"{name} 1",
    )
    delivery = str(uuid4())
    world.run(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
        " priority, state, attempt, ambiguous, created_at) SELECT %s, %s, %s, id, 0, 0, 'initial', 'webhook', 'en', 1,"
        " 'submitted', 1, false, %s FROM contact WHERE name = %s",
        delivery,
        world.campaign_id,
        consignee,
        T0,
        f"{name} 1",
    )
    world.run(
        "UPDATE consignee SET first_notified_at = now(), step = 1, campaign_sequence = 1 WHERE id = %s", consignee
    )
    return consignee, delivery


@pytest_asyncio.fixture
async def hospital(
    db: SessionFactory, clean_db: PostgresForTests, postgres: PostgresForTests, tmp_path: Path
) -> AsyncIterator[Hospital]:
    """The API in the middle of a rotation of the hospital's key."""
    world = build(clean_db.admin_url)
    consignee, delivery = told_by_webhook(world, "Mercy")
    settings = settings_for(postgres.app_url, tmp_path, webhook_keys={"mercy": [NEW, OLD], "north": OTHER})
    async with serving(settings, await unreachable_client()) as http:
        yield Hospital(http, world, consignee, delivery)


def pointers(answer: httpx.Response, status: int = 422) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


async def test_an_answer_is_recorded_as_one_of_the_page_would_be_and_once(hospital: Hospital) -> None:
    acknowledged = await hospital.post({"schema_version": "recall-answer/1.0", "acknowledged": True}, key=OLD)
    assert (acknowledged.status_code, acknowledged.json()["state"]) == (200, "acknowledged")
    answer = await hospital.post(ANSWERED, message_id="msg-00000001")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["recall"], told["repeated"], told["state"]) == (NUMBER, False, "answered")
    again = await hospital.post(ANSWERED, message_id="msg-00000001")
    assert again.json() == told | {"repeated": True}
    _, reply = hospital.replies()
    assert (reply["channel"], reply["kind"], reply["affected"]) == ("webhook", "statement", True)
    assert (reply["responder_name"], reply["responder_role"], reply["free_text"]) == (
        "R. Singh",
        "Materials",
        "counted twice",
    )
    assert str(reply["delivery_id"]) == hospital.delivery
    (line,) = hospital.world.rows("SELECT * FROM reply_line WHERE reply_id = %s", reply["id"])
    assert [int(line[name]) for name in ("on_hand", "held", "used", "passed_on")] == [4, 4, 5, 1]
    assert hospital.world.one("SELECT count(*) FROM passed_on") == 1
    kept = hospital.world.rows("SELECT webhook_key, message_id, body FROM webhook_answer ORDER BY id")
    assert [(row["webhook_key"], row["message_id"]) for row in kept][1] == ("mercy", "msg-00000001")
    assert json.loads(kept[1]["body"])["lots"] == ANSWERED["lots"]
    actions = hospital.world.actions()
    assert actions.count("reply.recorded") == 2
    audited = str(hospital.world.rows("SELECT data FROM audit_event"))
    assert "Singh" not in audited
    assert "else.example" not in audited


async def test_an_id_used_again_for_another_content_is_refused_and_a_refused_answer_can_be_corrected(
    hospital: Hospital,
) -> None:
    wrong = ANSWERED | {"lots": [ANSWERED["lots"][0] | {"lot": "A2"}]}
    found = pointers(await hospital.post(wrong, message_id="msg-00000001"))
    assert found == {"#/lots/0/lot": "expected a lot of the notice: A1"}
    assert (await hospital.post(ANSWERED, message_id="msg-00000001")).status_code == 200
    other = await hospital.post(ANSWERED | {"remark": "another"}, message_id="msg-00000001")
    assert (other.status_code, other.json()["type"]) == (422, "urn:recall:problem:idempotency-key-reused")
    assert len(hospital.replies()) == 1


async def test_what_is_not_signed_for_this_recipient_is_refused_and_kept(hospital: Hospital) -> None:
    foreign, north = told_by_webhook(hospital.world, "North", "north")
    body = json.dumps({"delivery_id": hospital.delivery} | ANSWERED).encode()
    signed = signed_headers([NEW.encode()], uuid4().hex, datetime.now(UTC), body)
    flipped = bytes([body[0] ^ 1]) + body[1:]
    url = f"/v1/webhooks/hospital/{hospital.delivery}"
    plain = {"Content-Type": "application/json"}
    tried = [
        (await hospital.http.post(url, content=flipped, headers=signed | plain), "signature"),
        (
            await hospital.http.post(url, content=body, headers=signed | plain | {"webhook-id": "another-id"}),
            "signature",
        ),
        (await hospital.http.post(url, content=body, headers=plain), "malformed"),
        (await hospital.post(ANSWERED, key=OTHER), "signature"),
        (await hospital.post(ANSWERED, delivery=north), "signature"),
        (await hospital.post(ANSWERED, delivery=str(uuid4())), "signature"),
        (await hospital.post(ANSWERED, at=datetime.now(UTC) - timedelta(minutes=6)), "timestamp"),
        (await hospital.post(ANSWERED, at=datetime.now(UTC) + timedelta(minutes=6)), "timestamp"),
    ]
    for answer, _ in tried:
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:recall:problem:signature-invalid")
    kept = hospital.refusals()
    assert [row["detail"]["reason"] for row in kept] == [reason for _, reason in tried]
    assert {row["kind"] for row in kept} == {"hospital_signature"}
    assert [row["detail"]["consignee"] for row in kept] == [hospital.consignee] * 4 + [foreign, None] + [
        hospital.consignee
    ] * 2
    assert hospital.replies() == []
    # A message captured at one recipient is good for no other, even under one key.
    _, sister = told_by_webhook(hospital.world, "Sister")
    moved = await hospital.http.post(f"/v1/webhooks/hospital/{sister}", content=body, headers=signed | plain)
    assert pointers(moved) == {"#/delivery_id": "expected the id of the delivery in the address"}


@pytest.mark.parametrize(
    ("notice", "kind"),
    [
        ({"schema_version": "recall-notice/1.0", "recall": NUMBER, "text": "URGENT"}, "application/json"),
        ({"resourceType": "Bundle", "type": "message", "entry": []}, "application/fhir+json"),
        ({"resourceType": "Communication", "status": "completed"}, "application/fhir+json"),
    ],
)
async def test_our_own_notice_sent_back_to_us_is_no_answer(
    hospital: Hospital, notice: dict[str, Any], kind: str
) -> None:
    """It is signed with the key that signs answers, so whoever sees one could send it back."""
    own = json.dumps(notice | {"delivery_id": hospital.delivery}).encode()
    answer = await hospital.post(own, message_id=hospital.delivery, kind=kind)
    assert answer.status_code == 422, answer.text
    assert (hospital.replies(), hospital.state()) == ([], "open")


async def test_a_mail_or_a_contact_without_a_key_cannot_be_answered_here(hospital: Hospital) -> None:
    hospital.world.run("UPDATE delivery SET channel = 'email'")
    assert (await hospital.post(ANSWERED)).status_code == 403
    hospital.world.run("UPDATE delivery SET channel = 'webhook'")
    hospital.world.run("UPDATE contact SET webhook_key = 'nobody'")
    assert (await hospital.post(ANSWERED)).status_code == 403


async def test_not_affected_is_zero_of_every_lot_and_asked_back_where_that_cannot_be(hospital: Hospital) -> None:
    hospital.world.run("UPDATE movement SET occurred_at = now() - interval '3 days'")
    answer = await hospital.post({"schema_version": "recall-answer/1.0", "affected": False})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["state"] == "acknowledged"  # shipped three days ago and nothing accounted for: a person asks
    assert [finding["kind"] for finding in told["findings"]] == ["zero_after_shipment"]
    (reply,) = hospital.replies()
    assert (reply["kind"], reply["affected"]) == ("statement", False)


def second_lot(hospital: Hospital) -> None:
    """It got another lot, on record since scope version 2."""
    hospital.world.run(
        "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated, scope_version)"
        " VALUES (%s, %s, 5, 0, false, 2)",
        *(hospital.consignee, hospital.world.lot_ids[1]),
    )


async def test_not_affected_is_zero_also_of_a_lot_that_was_on_record_only_after_others_were_taken_out(
    hospital: Hospital,
) -> None:
    hospital.world.run(
        "INSERT INTO scope_version (recall_number, version, change, criteria, decided_by, decided_at)"
        " VALUES (%s, 2, 'reduce', '{\"parts\": []}', 'ada', %s)",
        *(NUMBER, T0),
    )
    second_lot(hospital)
    answer = await hospital.post({"schema_version": "recall-answer/1.0", "affected": False})
    assert answer.status_code == 200, answer.text
    stated = {row["lot_id"] for row in hospital.world.rows("SELECT lot_id FROM reply_line")}
    assert stated == set(hospital.world.lot_ids), "the first notice named both"


async def test_not_affected_says_nothing_of_a_lot_that_its_notice_did_not_name(hospital: Hospital) -> None:
    world = hospital.world
    amended(world, hospital.consignee)
    second_lot(hospital)
    answer = await hospital.post({"schema_version": "recall-answer/1.0", "affected": False})
    assert answer.status_code == 200, answer.text
    assert [row["lot_id"] for row in world.rows("SELECT lot_id FROM reply_line")] == [world.lot_ids[0]]
    assert answer.json()["state"] == "acknowledged", "the lot that came in is still asked for"


async def test_units_whose_receiver_is_not_named_or_was_not_passed_on_are_asked_back(hospital: Hospital) -> None:
    for passed_on, named, kind in (("1", [], "receiver_not_named"), ("0", None, "more_named_than_passed_on")):
        lot = ANSWERED["lots"][0] | {"passed_on": passed_on}
        told = ANSWERED | {"lots": [lot]} | ({} if named is None else {"passed_on_to": named})
        answer = (await hospital.post(told)).json()
        assert answer["state"] == "acknowledged"
        assert kind in [finding["kind"] for finding in answer["findings"]]


async def test_receivers_of_more_than_the_record_can_hold_are_asked_back_about(hospital: Hospital) -> None:
    most = "9" * 12
    lot = ANSWERED["lots"][0] | {"passed_on": most}
    to = [
        {"name": name, "email": f"{name}@else.example", "lots": [{"lot": "A1", "quantity": most}]}
        for name in ("North", "South")
    ]
    answer = await hospital.post(ANSWERED | {"lots": [lot], "passed_on_to": to})
    assert answer.status_code == 200, answer.text
    kinds = {finding["kind"] for finding in answer.json()["findings"]}
    assert kinds >= {"more_named_than_passed_on", "more_than_shipped"}


async def test_a_refusal_and_harm_alone_call_a_person_and_leave_the_chase_going(hospital: Hospital) -> None:
    refused = {"schema_version": "recall-answer/1.0", "refused": True, "remark": "not our product"}
    harm = {"schema_version": "recall-answer/1.0", "harm": {"severity": "serious", "description": "a patient fell"}}
    assert (await hospital.post(refused)).json()["state"] == "open"
    assert (await hospital.post(harm)).json()["state"] == "open"
    assert [row["kind"] for row in hospital.replies()] == ["needs_contact", "needs_contact"]
    assert hospital.world.one("SELECT source FROM complaint") == "webhook"


async def test_after_its_lots_or_the_recall_are_gone_nothing_is_taken_but_harm(hospital: Hospital) -> None:
    hospital.world.run("UPDATE consignee SET state = 'withdrawn'")
    gone = await hospital.post(ANSWERED)
    assert (gone.status_code, gone.json()["type"]) == (409, "urn:recall:problem:wrong-state")
    harm = {"schema_version": "recall-answer/1.0", "harm": {"description": "a patient fell"}}
    assert (await hospital.post(harm)).status_code == 200
    hospital.world.run("UPDATE recall SET phase = 'terminated'")
    assert (await hospital.post(harm)).json()["type"] == "urn:recall:problem:recall-closed"


async def test_two_products_with_the_same_lot_number_are_told_apart(hospital: Hospital) -> None:
    world = hospital.world
    world.run(
        "INSERT INTO product (code, name, gtin, unit_of_use, implantable, life_supporting, sterile)"
        " VALUES ('P2','Pump','00614141999989','piece',false,false,false)"
    )
    world.run("INSERT INTO lot (product_id, number) SELECT id, 'A1' FROM product WHERE code = 'P2'")
    world.run(
        "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) SELECT %s, lot.id, 3, 0, false"
        " FROM lot JOIN product ON product.id = lot.product_id WHERE product.code = 'P2'",
        hospital.consignee,
    )
    row = {"lot": "A1", "on_hand": 0, "held": 0, "used": 3, "passed_on": 0}
    asked = {"schema_version": "recall-answer/1.0", "affected": True}
    found = pointers(await hospital.post(asked | {"lots": [row]}))
    assert found == {"#/lots/0/lot": "two products have this lot: expected gtin or product with it"}
    pump = row | {"gtin": "00614141999989"}
    twice = pointers(await hospital.post(asked | {"lots": [pump, pump]}))
    assert twice == {"#/lots/1/lot": "expected each lot once"}
    kit = row | {"product": "HIV kit", "used": 10}
    answer = await hospital.post(asked | {"lots": [pump, kit]})
    assert (answer.status_code, answer.json()["state"]) == (200, "answered")


async def test_a_task_is_accepted_and_completed_with_quantities(hospital: Hospital) -> None:
    accepted = await hospital.post(task_of(hospital.delivery, "accepted"), kind="application/fhir+json")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "acknowledged"), accepted.text
    receiver = output(
        "receiver",
        {"valueReference": {"reference": "#site"}},
        "A1",
        {"url": "urn:recall:fhir:quantity", "valueQuantity": {"value": 0.5}},
    )
    site = {"resourceType": "Organization", "id": "site", "name": "St Elsewhere"}
    done = task_of(hospital.delivery, "completed", *QUANTITIES, receiver, output("responder-name", "R. Singh"))
    done["contained"] = [*done["contained"], site]
    Task.model_validate(done)
    answer = await hospital.post(done, kind="application/fhir+json; charset=utf-8")
    assert (answer.status_code, answer.json()["state"]) == (200, "answered"), answer.text
    _, reply = hospital.replies()
    assert (reply["channel"], reply["responder_name"]) == ("webhook", "R. Singh")
    (line,) = hospital.world.rows("SELECT * FROM reply_line")
    assert [float(line[name]) for name in ("on_hand", "held", "used", "passed_on")] == [4, 4, 5.5, 0.5]
    assert float(hospital.world.one("SELECT quantity FROM passed_on")) == 0.5
    reason = {"text": "wrong hospital"}
    refused = task_of(hospital.delivery, "rejected", statusReason=reason)
    assert (await hospital.post(refused, kind="application/fhir+json")).status_code == 200
    last = hospital.replies()[-1]
    assert (last["kind"], last["free_text"]) == ("needs_contact", "wrong hospital")
