"""Harm reported on the page, by SMS or by staff: one complaint each, its own clock, and somebody paged."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.complaints import ComplaintActivities
from activities.policies import PolicyStore
from db.engine import SessionFactory
from domain.roles import Role
from models.messages import ComplaintFigures, RecallRef
from tests.api.conftest import unreachable_client
from tests.api.test_recipient_page import Recipient
from tests.api.test_webhooks import INBOUND, PHONE, send, sms
from tests.campaign.world import NUMBER, Person, World, build
from tests.quality.test_codes import SAMPLE, load
from tests.support.api import Callers, make_tokens, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
POLICIES = PolicyStore.load(Path(__file__).parents[2] / "policies")


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification; its lots are in scope, as the trace left them."""
    world = build(clean_db.admin_url)
    world.run(
        "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %s, 1, id, true, 0 FROM lot",
        NUMBER,
    )
    return world


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API without Temporal: a report of harm must not need it."""
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client


@pytest_asyncio.fixture
async def api(http: httpx.AsyncClient, db: SessionFactory) -> Callers:
    return Callers(http, await make_tokens(db))


def on_call(world: World, principal: str = "Hanna", **changes: Any) -> None:
    facts = {"on_call": True, "email": f"{principal}@firm.example", "phone": "+15005550001", "stand_in": None} | changes
    world.run(
        "INSERT INTO staff (principal, name, roles, email, phone, language, on_call, stand_in, absent_from)"
        " VALUES (%s,%s,'{qa}',%s,%s,'en',%s,%s,%s)",
        principal, principal, facts["email"], facts["phone"], facts["on_call"], facts["stand_in"],
        facts.get("absent_from"),
    )  # fmt: skip


def complaints(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT * FROM complaint ORDER BY id")


def pages(world: World) -> list[tuple[str, str, str]]:
    rows = world.rows("SELECT principal, channel, state FROM staff_message WHERE kind = 'page' ORDER BY id")
    return [(row["principal"], row["channel"], row["state"]) for row in rows]


@pytest.mark.parametrize(
    ("language", "question", "thanks"),
    [
        ("en", "Was anybody harmed?", "Thank you for telling us of the harm."),
        ("zh-CN", "是否有人受到伤害？", "感谢告知伤害情况。"),
    ],
)
async def test_the_page_asks_for_harm_and_a_report_is_a_complaint(
    http: httpx.AsyncClient, world: World, language: str, question: str, thanks: str
) -> None:
    on_call(world)
    consignee = world.consignee("Mercy", Person(email="a@m.example"), language=language, lots=("10", "10"))
    recipient = Recipient(http, consignee)
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    asked = await recipient.send("affected", affected="no")
    assert question in asked.text
    assert "<script" not in asked.text
    told = {"harm": "yes", "harm_severity": "serious", "harm_description": "Burn on one hand, lot A1"}
    done = await recipient.send("person", responder_name="Grace", responder_role="Nurse", **told)
    assert thanks in done.text
    (complaint,) = complaints(world)
    assert (complaint["severity"], complaint["source"], complaint["consignee_id"]) == ("serious", "page", consignee)
    assert (complaint["description"], complaint["paged"]) == ("Burn on one hand, lot A1", "Hanna")
    clock = world.one("SELECT at FROM clock_start WHERE name = 'harm_awareness:1'")
    assert clock == complaint["awareness_at"]
    assert pages(world) == [("Hanna", "email", "pending"), ("Hanna", "sms", "pending")]
    again = await recipient.send("person", responder_name="Grace", responder_role="Nurse", **told)
    assert again.status_code == 200
    assert len(complaints(world)) == 1, "the same form is one report"
    recorded = str(world.rows("SELECT data FROM audit_event"))
    assert "Burn" not in recorded


@pytest.mark.parametrize(
    ("told", "severity"),
    [
        ({"harm_severity": "death"}, "death"),
        ({"harm_description": "a patient fell ill"}, "unknown"),
        ({"remark": "One patient was injured last week"}, "unknown"),
        ({"harm": "yes", "harm_severity": "apocalypse"}, "unknown"),
    ],
)
async def test_any_sign_of_harm_is_a_report(
    http: httpx.AsyncClient, world: World, told: dict[str, str], severity: str
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    await recipient.send("person", responder_name="Grace", responder_role="Nurse", **told)
    assert [row["severity"] for row in complaints(world)] == [severity]


async def test_an_answer_without_harm_makes_no_complaint(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    told = {"harm_severity": "unknown", "remark": "No injuries. Thank you."}
    page = await recipient.send("person", responder_name="Grace", responder_role="Nurse", **told)
    assert "safety staff" not in page.text
    assert complaints(world) == []


@pytest.mark.parametrize("body", ["4", "HARM", "有人受伤", "1 but one patient died"])
async def test_a_text_message_of_harm_is_a_complaint_and_a_call_back(
    http: httpx.AsyncClient, world: World, body: str
) -> None:
    on_call(world)
    consignee = world.consignee("Mercy", Person(phone=PHONE))
    message = sms(body)
    answer = await send(http, INBOUND, message)
    assert "safety staff" in answer.text
    await send(http, INBOUND, message)
    (complaint,) = complaints(world)
    assert (complaint["source"], complaint["consignee_id"], complaint["description"]) == ("sms", consignee, body)
    assert world.one("SELECT state FROM consignee") == "open", "a report of harm acknowledges nothing"
    assert world.one("SELECT reason FROM consignee_case") == "help"
    assert world.one("SELECT count(*) FROM task WHERE key LIKE 'help:%%' AND %s", True) == 1
    assert len(pages(world)) == 2


async def test_harm_texted_after_the_campaign_has_ended_is_still_a_complaint(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(phone=PHONE))
    world.run("UPDATE campaign SET ended_at = now()")
    await send(http, INBOUND, sms("4"))
    assert [row["consignee_id"] for row in complaints(world)] == [consignee]
    await send(http, INBOUND, sms(f"{NUMBER} patient injured", sender="+8613800000000"))
    await send(http, INBOUND, sms("patient injured", sender="+8613800000000"))
    assert [row["consignee_id"] for row in complaints(world)] == [consignee, None]
    assert world.one("SELECT count(*) FROM audit_event WHERE action = 'harm.unassigned'") == 1


async def test_nobody_on_call_is_a_task_for_the_head_of_quality(api: Callers, world: World) -> None:
    on_call(world, on_call=False)
    answer = await api.post(f"/v1/recalls/{NUMBER}/complaints", report())
    assert (answer.status_code, answer.json()["sequence"], answer.json()["paged"]) == (201, 1, None)
    assert world.one("SELECT role FROM task WHERE key = 'on_call:1'") == "head_of_quality"
    assert "complaint.nobody_on_call" in world.actions()


async def test_who_is_away_is_paged_through_the_stand_in(api: Callers, world: World) -> None:
    on_call(world, "Hanna", stand_in="Ivo", absent_from=datetime(2026, 1, 1, tzinfo=UTC))
    on_call(world, "Ivo", on_call=False, phone=None)
    await api.post(f"/v1/recalls/{NUMBER}/complaints", report())
    assert pages(world) == [("Ivo", "email", "pending")]


async def test_a_drill_pages_nobody(api: Callers, world: World) -> None:
    on_call(world)
    world.run("UPDATE recall SET drill = true")
    await api.post(f"/v1/recalls/{NUMBER}/complaints", report())
    assert {state for _, _, state in pages(world)} == {"blocked"}


def report(**changes: Any) -> dict[str, Any]:
    body = {
        "awareness_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(),
        "severity": "serious",
        "description": "Burn on one hand",
        "patients": 1,
    }
    return body | changes


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"awareness_at": "2999-01-01T00:00:00+00:00"}, "#/awareness_at"),
        ({"awareness_at": "0001-01-01T00:00:00+00:00"}, "#/awareness_at"),
        ({"consignee_id": 99999}, "#/consignee_id"),
        ({"lot_id": 99999}, "#/lot_id"),
        ({"product_line": "Toasters"}, "#/product_line"),
        ({"evidence_ids": ["00000000-0000-4000-8000-000000000000"]}, "#/evidence_ids/0"),
        ({"patients": -1}, "#/patients"),
    ],
)
async def test_a_report_that_cannot_be_is_refused_and_pages_nobody(
    api: Callers, world: World, changes: dict[str, Any], pointer: str
) -> None:
    on_call(world)
    answer = await api.post(f"/v1/recalls/{NUMBER}/complaints", report(**changes))
    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])
    assert (complaints(world), pages(world)) == ([], [])


async def test_staff_enters_harm_once_and_lists_it(api: Callers, world: World) -> None:
    path = f"/v1/recalls/{NUMBER}/complaints"
    body = report(product_line="UNI-20", lot_id=world.lot_ids[0])
    first = await api.post(path, body, key="once")
    world.run("DELETE FROM idempotency_key WHERE %s", True)  # the process died before it had kept its answer
    assert (await api.post(path, body, key="once")).json() == first.json()
    second = await api.post(path, report(), Role.REGULATORY)
    assert second.json()["sequence"] == 2
    listed = (await api.get(path, limit=1)).json()
    assert [each["sequence"] for each in listed["items"]] == [1]
    following = (await api.get(path, cursor=listed["next_cursor"])).json()
    assert [each["sequence"] for each in following["items"]] == [2]
    assert (await api.post(path, report(), Role.WAREHOUSE)).status_code == 403


async def test_a_complaint_carries_codes_from_its_report_on_and_is_coded_anew_at_any_time(
    api: Callers, db: SessionFactory, world: World
) -> None:
    path = f"/v1/recalls/{NUMBER}/complaints"
    unknown = await api.post(path, report(codes=["A05"]))
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/codes/0"), "no list is loaded"
    await load(db, SAMPLE.read_text(), "2026", datetime(2026, 1, 1, tzinfo=UTC))
    assert complaints(world) == []
    first = (await api.post(path, report(codes=["A05", "E2311"]))).json()
    assert [(each["code"], each["term"]) for each in first["codes"]] == [("A05", "Leak"), ("E2311", "Fever")]
    wrong = await api.post(f"{path}/1/codes", {"codes": ["A05", "C06"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/codes/1")
    assert (await api.post(f"{path}/2/codes", {"codes": ["A05"]})).status_code == 404
    world.run("UPDATE recall SET phase = 'terminated' WHERE %s", True)
    world.run("UPDATE complaint SET state = 'closed' WHERE %s", True)
    for key in ("once", "again"):
        coded = await api.post(f"{path}/1/codes", {"codes": ["F08", "A05"]}, key=key)
        assert [each["code"] for each in coded.json()["codes"]] == ["A05", "F08"]
    listed = (await api.get(path)).json()["items"]
    assert [[each["code"] for each in row["codes"]] for row in listed] == [["A05", "F08"]]
    events = world.rows("SELECT data FROM audit_event WHERE action = 'complaint.coded' ORDER BY seq")
    assert [(each["data"]["from"], each["data"]["to"]) for each in events] == [
        ([], ["A05", "E2311"]),
        (["A05", "E2311"], ["A05", "F08"]),
    ]
    assert (await api.post(f"{path}/1/codes", {"codes": []}, Role.WAREHOUSE)).status_code == 403


async def take_up(db: SessionFactory, at: datetime) -> ComplaintFigures:
    return await ComplaintActivities(db, POLICIES).take_up_complaints(RecallRef(number=NUMBER, now=at))


async def test_the_recall_takes_a_complaint_up_once_and_it_is_closed_after_a_new_evaluation(
    api: Callers, db: SessionFactory, world: World
) -> None:
    on_call(world)
    path = f"/v1/recalls/{NUMBER}/complaints"
    await api.post(path, report())
    now = datetime.now(UTC)
    assert await take_up(db, now) == ComplaintFigures(lines=("UNI-20",), taken_up=1, open=1, channels=("email", "sms"))
    assert await take_up(db, now) == await take_up(db, now), "a repeat after a crash says the same"
    assert (await take_up(db, now + timedelta(minutes=1))).lines == ()
    assert world.one("SELECT role, owner FROM task WHERE key = 'complaint:1'")["owner"] == f"recall:{NUMBER}"
    closing = {"outcome": "Known effect, covered by the class."}
    early = await api.post(f"{path}/1/close", closing)
    assert (early.status_code, early.json()["type"]) == (409, "urn:recall:problem:complaint-not-open")
    world.run(
        "INSERT INTO hazard_evaluation (recall_number, product_line, body, assessor, recorded_at)"
        " VALUES (%s,'UNI-20','{}','mira',now() + interval '1 minute')",
        NUMBER,
    )
    assert (await api.post(f"{path}/1/close", closing, Role.REGULATORY)).status_code == 403
    world.run("UPDATE signing_session SET closed_at = now() WHERE principal = 'Quinn'")
    unsigned = await api.post(f"{path}/1/close", closing)
    assert (unsigned.status_code, unsigned.json()["type"]) == (401, "urn:recall:problem:signature-required")
    world.run("UPDATE signing_session SET closed_at = NULL WHERE principal = 'Quinn'")
    closed = await api.post(f"{path}/1/close", closing)
    assert (closed.status_code, closed.json()["state"], closed.json()["closed_by"]) == (200, "closed", "Quinn")
    signed_as_stated(world, closing["outcome"])
    assert world.one("SELECT state FROM task WHERE key = 'complaint:1'") == "done"
    assert (await take_up(db, now + timedelta(minutes=2))).open == 0
    assert (await api.post(f"{path}/9/close", closing)).status_code == 404


def signed_as_stated(world: World, outcome: str) -> None:
    """The act in the audit is bound to a signature over the complaint's number, its outcome and what was reported."""
    event = world.one("SELECT actor, role, data FROM audit_event WHERE action = 'complaint.closed'")
    signed = world.one("SELECT meaning, document FROM signature WHERE id = %s", event["data"]["signature"])
    document = signed["document"]
    assert (document["stated"]["complaint"], document["stated"]["outcome"]) == (1, outcome)
    assert signed["meaning"] == "I close this report of harm: its outcome is as stated"
    assert (document["signer"]["principal"], document["signer"]["role"]) == (event["actor"], event["role"])
    assert document["refers_to"]["complaint"]["severity"] == world.one("SELECT severity FROM complaint")


async def test_many_reports_at_once_are_numbered_one_by_one(http: httpx.AsyncClient, world: World) -> None:
    phones = [f"+25470000001{digit}" for digit in range(8)]
    for phone in phones:
        world.consignee(f"C{phone[-1]}", Person(phone=phone))
    await asyncio.gather(*(send(http, INBOUND, sms("4", sender=phone)) for phone in phones))
    assert [row["sequence"] for row in complaints(world)] == list(range(1, 9))
    assert re.fullmatch(r"consignee:\d+", complaints(world)[0]["recorded_by"])


@pytest.mark.parametrize(
    ("language", "button", "thanks"),
    [("en", "Report harm now", "Thank you for telling us"), ("zh-CN", "立即报告伤害", "感谢告知伤害情况")],
)
async def test_harm_can_be_reported_at_once_from_every_step_and_loses_no_answer(
    http: httpx.AsyncClient, world: World, language: str, button: str, thanks: str
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), language=language))
    assert button in (await recipient.open()).text
    harm = {"report_harm": "yes", "now_severity": "serious", "now_description": "Burn"}
    told = await http.post(recipient.url, data=recipient.fields | {"step": "acknowledge"} | harm)
    assert told.status_code == 200
    assert thanks in told.text
    assert 'name="acknowledged"' in told.text, "the same step is shown again"
    assert world.one("SELECT state FROM consignee") == "open", "a report of harm acknowledges nothing"
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    counted = {"step": "lots", f"on_hand-{world.lot_ids[0]}": "7"}
    again = await http.post(recipient.url, data=recipient.fields | counted | harm | {"now_description": "Another"})
    assert 'value="7"' in again.text
    assert button in again.text
    await http.post(recipient.url, data=recipient.fields | counted | harm | {"now_description": "Another"})
    assert [row["description"] for row in complaints(world)] == ["Burn", "Another"]
    assert {row["key"].split(":")[0] for row in world.rows("SELECT key FROM task")} == {"help", "on_call"}


async def test_harm_can_be_reported_after_the_answer_was_given(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@m.example"), lots=("10", "10")))
    await recipient.answer(world.lot_ids)
    thanks = await recipient.open()
    assert "Report harm now" in thanks.text
    told = await http.post(recipient.url, data=recipient.fields | {"step": "done", "report_harm": "yes"})
    assert "safety staff have been alerted" in told.text
    assert f"{NUMBER}/" in told.text, "the reference is shown again"
    assert [row["severity"] for row in complaints(world)] == ["unknown"]
    assert world.one("SELECT state FROM consignee") == "answered"


async def test_reports_of_one_consignee_from_all_sides_at_once_wait_for_each_other(api: Callers, world: World) -> None:
    consignee = world.consignee("Mercy", Person(phone=PHONE))
    path = f"/v1/recalls/{NUMBER}/complaints"
    answers = await asyncio.gather(
        *(send(api.client, INBOUND, sms("4")) for _ in range(6)),
        *(api.post(path, report(consignee_id=consignee)) for _ in range(6)),
    )
    assert {answer.status_code for answer in answers} == {200, 201}
    assert [row["sequence"] for row in complaints(world)] == list(range(1, 13))


async def test_a_report_of_harm_is_closed_although_its_recall_was_cancelled(
    api: Callers, db: SessionFactory, world: World
) -> None:
    on_call(world)
    path = f"/v1/recalls/{NUMBER}/complaints"
    await api.post(path, report())
    await take_up(db, datetime.now(UTC))
    world.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", NUMBER)
    assert (await api.post(path, report())).status_code == 409, "new entries belong to a recall that runs"
    closed = await api.post(f"{path}/1/close", {"outcome": "The device was another one."})
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert world.one("SELECT state FROM task WHERE key = 'complaint:1'") == "done"
