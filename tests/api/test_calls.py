"""Calls: what Twilio is told to read, what a key does, and what a call's reports make of the delivery."""

import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from db.engine import SessionFactory
from domain.links import TWILIO_CALL_STATUS_PATH, TWILIO_KEY_PATH, TWILIO_SCRIPT_PATH, signed_callback_url
from tests.api.conftest import unreachable_client
from tests.campaign.world import Person, World, build
from tests.support.api import LINK_SECRET, TWILIO_TOKEN, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
PHONE = "+254700000001"
HOST = "http://recall.test"


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall whose notice is approved, and a hospital that is being called."""
    world = build(clean_db.admin_url)
    world.run("UPDATE notice SET approved_at = now()")
    world.consignee("Mercy & <Sons>", Person(phone=PHONE, channels=("voice", "sms")))
    world.run("UPDATE consignee SET first_notified_at = now(), step = 1, campaign_sequence = 1")
    return world


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API, in the middle of a rotation of the Twilio token."""
    settings = settings_for(postgres.app_url, tmp_path, twilio_auth_token_previous=SecretStr("the-token-before"))
    async with serving(settings, await unreachable_client()) as client:
        yield client


def calling(world: World, *, state: str = "submitting", language: str = "en", kind: str = "initial") -> UUID:
    """A call that has been handed to Twilio; returns the delivery's id."""
    return UUID(
        str(
            world.one(
                "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language,"
                " priority, state, attempt, ambiguous, created_at)"
                " SELECT gen_random_uuid(), %s, consignee.id, contact.id, 0, %s, 'voice', %s, 1, %s, 1, false, now()"
                " FROM consignee JOIN contact ON contact.partner_id = consignee.partner_id RETURNING id",
                world.campaign_id,
                kind,
                language,
                state,
            )
        )
    )


async def post(
    http: httpx.AsyncClient, path: str, delivery: UUID, *, token: str = TWILIO_TOKEN, **form: str
) -> httpx.Response:
    """POST as Twilio would, to the address made for the delivery."""
    url = signed_callback_url(LINK_SECRET, HOST, path, delivery)
    signature = RequestValidator(token).compute_signature(url, form)
    return await http.post(url.removeprefix(HOST), data=form, headers={"X-Twilio-Signature": signature})


def sid() -> str:
    return f"CA{uuid4().hex}"


def parsed(document: str) -> ET.Element:
    return ET.fromstring(document)  # noqa: S314 - our own answer


def state_of(world: World) -> tuple[str, str | None, str | None]:
    row = world.one("SELECT state, error_kind, error_code FROM delivery WHERE channel = 'voice'")
    return row["state"], row["error_kind"], row["error_code"]


async def test_a_call_reads_the_approved_text_twice_and_asks_for_one_key(http: httpx.AsyncClient, world: World) -> None:
    delivery, call = calling(world), sid()
    answer = await post(http, TWILIO_SCRIPT_PATH, delivery, CallSid=call, CallStatus="in-progress", AnsweredBy="human")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml")
    document = parsed(answer.text)
    gather, goodbye, end = document
    (say,) = gather
    assert (gather.tag, gather.get("numDigits"), say.get("language"), say.get("loop")) == ("Gather", "1", "en-US", "2")
    text = say.text or ""
    for fact in ("Mercy & <Sons>", "RC-2026-000012", "A1 (10)", "Press 1 to confirm", "Press 9"):
        assert fact in text
    assert "http" not in text
    assert "⟦" not in text
    assert (goodbye.tag, end.tag) == ("Say", "Hangup")
    assert gather.get("action") == signed_callback_url(LINK_SECRET, HOST, TWILIO_KEY_PATH, delivery)
    # The fetch heals a call whose acceptance we never saw.
    assert state_of(world)[0] == "submitted"
    assert world.one("SELECT provider_id FROM delivery") == call


async def test_a_chinese_recipient_is_called_in_chinese(http: httpx.AsyncClient, world: World) -> None:
    answer = await post(http, TWILIO_SCRIPT_PATH, calling(world, language="zh-CN"), CallSid=sid())
    say = parsed(answer.text)[0][0]
    assert say.get("language") == "zh-CN"
    assert "请立即停用并隔离" in (say.text or "")


async def test_a_text_that_was_changed_after_approval_is_never_read(http: httpx.AsyncClient, world: World) -> None:
    world.run("UPDATE notice_body SET body = jsonb_set(body, '{text}', '\"All is well.\"') WHERE channel = 'voice'")
    answer = await post(http, TWILIO_SCRIPT_PATH, calling(world), CallSid=sid())
    assert "All is well" not in answer.text
    assert "<Gather" not in answer.text


@pytest.mark.parametrize("change", ["UPDATE recall SET drill = true", "UPDATE recall SET phase = 'cancelled'"])
async def test_a_drill_or_a_recall_that_was_taken_back_reads_nothing_and_records_nothing(
    http: httpx.AsyncClient, world: World, change: str
) -> None:
    delivery = calling(world)
    world.run(change)
    read = await post(http, TWILIO_SCRIPT_PATH, delivery, CallSid=sid())
    pressed = await post(http, TWILIO_KEY_PATH, delivery, CallSid=sid(), Digits="1")
    for answer in (read, pressed):
        assert "no longer in force" in answer.text
    assert world.one("SELECT count(*) FROM reply") == 0


async def test_key_1_acknowledges_once_however_often_the_request_comes(http: httpx.AsyncClient, world: World) -> None:
    delivery, call = calling(world), sid()
    for _ in range(2):
        answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="1")
        assert "confirmation is recorded" in answer.text
    reply = world.one("SELECT channel, kind, affected, delivery_id FROM reply")
    assert (reply["channel"], reply["kind"], reply["affected"]) == ("voice", "acknowledgement", None)
    assert reply["delivery_id"] == delivery
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert state_of(world)[0] == "delivered"
    assert world.actions().count("reply.recorded") == 1


async def test_key_2_reads_the_notice_again_and_an_odd_key_says_so(http: httpx.AsyncClient, world: World) -> None:
    delivery, call = calling(world), sid()
    again = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="2")
    odd = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="7")
    assert parsed(again.text)[0].tag == "Gather"
    assert (parsed(odd.text)[0].text or "").startswith("This key has no meaning")
    assert world.one("SELECT count(*) FROM reply") == 0
    assert state_of(world)[0] == "delivered"


async def test_key_3_makes_a_task_to_call_back_and_acknowledges_nothing(http: httpx.AsyncClient, world: World) -> None:
    answer = await post(http, TWILIO_KEY_PATH, calling(world), CallSid=sid(), Digits="3")
    assert "call you back" in answer.text
    assert world.one("SELECT kind FROM reply") == "needs_contact"
    assert world.one("SELECT state FROM consignee") == "open"
    assert world.one("SELECT count(*) FROM task WHERE key LIKE 'help:%%'") == 1


async def test_key_4_opens_a_complaint_of_harm(http: httpx.AsyncClient, world: World) -> None:
    answer = await post(http, TWILIO_KEY_PATH, calling(world), CallSid=sid(), Digits="4")
    assert "safety staff" in answer.text
    complaint = world.one("SELECT source, consignee_id IS NOT NULL AS known FROM complaint")
    assert (complaint["source"], complaint["known"]) == ("voice", True)
    assert world.one("SELECT state FROM consignee") == "open"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("UPDATE recall SET phase = 'cancelled'", "no_open_recall"),
        ("UPDATE contact SET email = 'a@b.example', phone = NULL", "unknown_sender"),
    ],
)
async def test_key_4_is_never_dropped_though_the_call_answers_nothing_any_more(
    http: httpx.AsyncClient, world: World, change: str, outcome: str
) -> None:
    delivery, call = calling(world), sid()
    world.run(change)
    for _ in range(2):
        answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="4")
        assert "safety staff" in answer.text
    (message,) = world.rows("SELECT outcome, body FROM inbound_message")
    assert (message["outcome"], message["body"]) == (outcome, "harm (key 4)"), "a person finds it"
    assert world.one("SELECT count(*) FROM audit_event WHERE action = 'harm.unassigned'") == 1
    assert world.one("SELECT count(*) FROM complaint") == 0


async def test_key_4_about_a_recall_that_was_taken_back_opens_a_complaint_under_the_running_one(
    http: httpx.AsyncClient, world: World
) -> None:
    delivery, call = calling(world), sid()
    world.run('INSERT INTO recall SELECT (jsonb_populate_record(r, \'{"number": "RC-2026-000013"}\')).* FROM recall r')
    world.run(
        "INSERT INTO consignee (recall_number, partner_id, tier, state, step, campaign_sequence, added_at)"
        " SELECT 'RC-2026-000013', partner_id, 1, 'open', 1, 1, added_at FROM consignee"
    )
    world.run("UPDATE recall SET phase = 'cancelled' WHERE number <> 'RC-2026-000013'")
    for _ in range(2):
        await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="4")
    complaint = world.one("SELECT recall_number, source FROM complaint")
    assert (complaint["recall_number"], complaint["source"]) == ("RC-2026-000013", "voice")


async def test_key_9_counts_though_the_recall_was_taken_back(http: httpx.AsyncClient, world: World) -> None:
    delivery = calling(world)
    world.run("UPDATE recall SET phase = 'cancelled'")
    answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=sid(), Digits="9")
    assert "will not be called again" in answer.text
    assert world.one("SELECT count(*) FROM contact WHERE voice_opted_out_at IS NOT NULL") == 1


async def test_key_9_ends_calls_to_the_number_at_once_and_leaves_the_texts(
    http: httpx.AsyncClient, world: World
) -> None:
    delivery, call = calling(world), sid()
    world.consignee("Annex", Person(phone=PHONE, channels=("voice",)))
    waiting = world.one(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
        " state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), campaign_id, c.id, contact.id, 0, kind,"
        " channel, language, 1, 'pending', 0, false, now() FROM delivery, consignee c"
        " JOIN contact ON contact.partner_id = c.partner_id AND contact.name = 'Annex 1' RETURNING id"
    )
    answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="9")
    assert "will not be called again" in answer.text
    told = world.rows("SELECT voice_opted_out_at IS NOT NULL AS calls, sms_opted_out_at IS NULL AS texts FROM contact")
    assert told == [{"calls": True, "texts": True}] * 2
    dropped = world.one("SELECT state, error_code FROM delivery WHERE id = %s", waiting)
    assert (dropped["state"], dropped["error_code"]) == ("failed", "voice:opt_out")
    assert "contact.voice_opted_out" in world.actions()
    world.run("UPDATE contact SET voice_opted_out_at = NULL")
    await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="9")
    assert world.one("SELECT count(*) FROM contact WHERE voice_opted_out_at IS NOT NULL") == 0, "a replay"


@pytest.mark.parametrize(
    ("reports", "state", "kind", "code"),
    [
        ([("ringing", ""), ("in-progress", "human"), ("completed", "human")], "delivered", None, None),
        ([("completed", ""), ("ringing", ""), ("initiated", "")], "delivered", None, None),
        ([("completed", "human"), ("completed", "human"), ("no-answer", "")], "delivered", None, None),
        ([("ringing", "")], "submitted", None, None),
        ([("busy", ""), ("ringing", "")], "failed", "transient", "twilio:busy"),
        ([("no-answer", "")], "failed", "transient", "twilio:no-answer"),
        ([("failed", "")], "failed", "undelivered", "twilio:failed"),
        ([("canceled", "")], "failed", "undelivered", "twilio:canceled"),
        ([("completed", "machine_end_beep")], "failed", "transient", "twilio:answered_by_machine"),
        ([("completed", "fax")], "failed", "transient", "twilio:answered_by_machine"),
        ([("in-progress", "machine_start"), ("completed", "")], "failed", "transient", "twilio:answered_by_machine"),
    ],
)
async def test_reports_raise_the_delivery_and_a_mailbox_is_not_reached(
    http: httpx.AsyncClient,
    world: World,
    reports: list[tuple[str, str]],
    state: str,
    kind: str | None,
    code: str | None,
) -> None:
    delivery, call = calling(world), sid()
    for status, answered_by in reports:
        form = {"CallSid": call, "CallStatus": status} | ({"AnsweredBy": answered_by} if answered_by else {})
        assert (await post(http, TWILIO_CALL_STATUS_PATH, delivery, **form)).status_code == 204
    assert state_of(world) == (state, kind, code)
    assert world.one("SELECT state FROM consignee") == "open"


async def test_a_mailbox_is_known_from_the_fetch_and_a_key_proves_a_person(
    http: httpx.AsyncClient, world: World
) -> None:
    delivery, call = calling(world), sid()
    read = await post(http, TWILIO_SCRIPT_PATH, delivery, CallSid=call, AnsweredBy="machine_end_beep")
    assert "<Say" in read.text
    await post(http, TWILIO_CALL_STATUS_PATH, delivery, CallSid=call, CallStatus="completed")
    assert state_of(world) == ("failed", "transient", "twilio:answered_by_machine")
    await post(http, TWILIO_KEY_PATH, delivery, CallSid=call, Digits="1")
    assert state_of(world)[0] == "delivered"
    assert world.one("SELECT state FROM consignee") == "acknowledged"


async def test_twilios_reason_for_a_failed_call_is_kept(http: httpx.AsyncClient, world: World) -> None:
    await post(http, TWILIO_CALL_STATUS_PATH, calling(world), CallSid=sid(), CallStatus="failed", ErrorCode="13227")
    assert state_of(world) == ("failed", "undelivered", "twilio:13227")


@pytest.mark.parametrize("path", [TWILIO_SCRIPT_PATH, TWILIO_KEY_PATH, TWILIO_CALL_STATUS_PATH])
async def test_a_request_twilio_did_not_sign_for_this_address_is_refused(
    http: httpx.AsyncClient, world: World, path: str
) -> None:
    delivery, other = calling(world), uuid4()
    form = {"CallSid": sid(), "CallStatus": "completed", "Digits": "1"}
    assert (await post(http, path, delivery, token="guessed", **form)).status_code == 403
    url = signed_callback_url(LINK_SECRET, HOST, path, delivery)
    elsewhere = next(one for one in (TWILIO_SCRIPT_PATH, TWILIO_KEY_PATH) if one != path)
    foreign = [
        url.replace(delivery.hex, other.hex),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.replace(path, elsewhere),
        url.partition("?")[0],
    ]
    for address in foreign:
        signature = RequestValidator(TWILIO_TOKEN).compute_signature(address, form)
        answer = await http.post(address.removeprefix(HOST), data=form, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 403, address
    assert state_of(world)[0] == "submitting"
    assert world.one("SELECT count(*) FROM reply") == 0
    assert world.one("SELECT count(*) FROM refused_access") == 5
    assert (await post(http, path, delivery, token="the-token-before", **form)).status_code in (200, 204)


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        (TWILIO_SCRIPT_PATH, {"CallSid": "SM1"}, "CallSid"),
        (TWILIO_SCRIPT_PATH, {"CallSid": "CA" + "0" * 32, "AnsweredBy": "A Person!"}, "AnsweredBy"),
        (TWILIO_KEY_PATH, {"CallSid": "CA" + "0" * 32}, "Digits"),
        (TWILIO_KEY_PATH, {"CallSid": "CA" + "0" * 32, "Digits": "<x>"}, "Digits"),
        (TWILIO_CALL_STATUS_PATH, {"CallSid": "CA" + "0" * 32, "CallStatus": "?"}, "CallStatus"),
    ],
)
async def test_a_signed_request_that_cannot_be_read_names_its_field(
    http: httpx.AsyncClient, world: World, path: str, form: dict[str, str], field: str
) -> None:
    answer = await post(http, path, calling(world), **form)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{field}: expected")


async def test_a_call_to_a_contact_without_a_telephone_ends_politely(http: httpx.AsyncClient, world: World) -> None:
    delivery = calling(world)
    world.run("UPDATE contact SET email = 'a@b.example', phone = NULL")
    answer = await post(http, TWILIO_SCRIPT_PATH, delivery, CallSid=sid())
    assert "no longer in force" in answer.text
