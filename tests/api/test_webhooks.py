"""Twilio's webhooks: signatures as Twilio makes them, messages kept once, answers recorded."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from api.security.twilio_signature import is_signed, parse_form
from db.engine import SessionFactory
from domain.links import status_callback_url
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER, Person, World, build
from tests.support.api import LINK_SECRET, TWILIO_TOKEN, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "twilio" / "signature_vectors.json"
INBOUND = "/v1/webhooks/twilio/inbound"
PHONE = "+254700000001"


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification with one hospital that has a telephone."""
    world = build(clean_db.admin_url)
    consignee = world.consignee("Mercy", Person(phone=PHONE))
    world.run("UPDATE consignee SET first_notified_at = now(), step = 1 WHERE id = %s", consignee)
    return world


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API, in the middle of a rotation of the Twilio token."""
    settings = settings_for(
        postgres.app_url, tmp_path, twilio_auth_token_previous=SecretStr("the-token-before-this-one")
    )
    async with serving(settings, await unreachable_client()) as client:
        yield client


async def send(
    http: httpx.AsyncClient, url: str, form: dict[str, str], *, token: str = TWILIO_TOKEN, **headers: str
) -> httpx.Response:
    """POST as Twilio would: signed over the public address and the form."""
    signature = RequestValidator(token).compute_signature(f"http://recall.test{url}", form)
    return await http.post(url, data=form, headers={"X-Twilio-Signature": signature} | headers)


def sms(body: str, sender: str = PHONE, sid: str | None = None, **more: str) -> dict[str, str]:
    """An inbound message."""
    return {"MessageSid": sid or f"SM{uuid4().hex}", "From": sender, "To": "+15005550006", "Body": body} | more


@pytest.mark.skipif(not VECTORS.exists(), reason="Twilio's signature vectors are not beside the checkout")
def test_signatures_of_twilios_own_test_vectors_verify() -> None:
    data = json.loads(VECTORS.read_text())
    checked = 0
    for vector in data["vectors"]:
        params = vector.get("params", data["params"])
        pairs = list(params.items()) if isinstance(params, dict) else [tuple(pair) for pair in params]
        body = httpx.QueryParams(pairs)
        form = parse_form(str(body).encode())
        uri = vector.get("uri", data["uri"])
        assert is_signed(["wrong", data["auth_token"]], uri, form, vector["expect"], None), vector["name"]
        assert not is_signed(["wrong"], uri, form, vector["expect"], None), vector["name"]
        assert not is_signed([data["auth_token"]], uri + "&x=1", form, vector["expect"], None), vector["name"]
        checked += 1
    assert checked == len(data["vectors"])


def test_a_shared_key_signature_is_read_with_its_algorithm() -> None:
    form = parse_form(b"Body=1")
    signature = RequestValidator("key").compute_signature("https://x.test/a", form, "HMAC_SHA256")
    header = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    assert is_signed(["key"], "https://x.test/a", form, signature, header)
    assert not is_signed(["key"], "https://x.test/a", form, signature, None)


def _drill_beside(world: World) -> None:
    """A drill whose running campaign lists the same partners."""
    drill = "RD-2026-000001"
    world.run(
        "INSERT INTO recall SELECT (jsonb_populate_record(r, jsonb_build_object('number', %s::text, 'drill', true))).*"
        " FROM recall r WHERE number = %s",
        drill,
        NUMBER,
    )
    world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT %s, sequence, notice_id, started_at FROM campaign",
        drill,
    )
    world.run(
        "INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)"
        " SELECT %s, partner_id, tier, 'open', 0, added_at FROM consignee",
        drill,
    )


@pytest.mark.parametrize(
    ("body", "outcome", "state", "text"),
    [
        ("1", "reply", "acknowledged", "receipt recorded"),
        ("2", "reply", "acknowledged", "none left"),
        ("3", "reply", "open", "we will call you"),
        ("what?", "unclear", "open", "could not read"),
        (f"1 {NUMBER}", "reply", "acknowledged", "receipt recorded"),
        ("1 RC-2020-000001", "no_open_recall", "open", None),
    ],
)
async def test_an_answer_by_sms_is_read_and_recorded(
    http: httpx.AsyncClient, world: World, body: str, outcome: str, state: str, text: str | None
) -> None:
    answer = await send(http, INBOUND, sms(body))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert (text in answer.text) if text else ("<Message>" not in answer.text)
    assert world.one("SELECT outcome FROM inbound_message") == outcome
    assert world.one("SELECT state FROM consignee") == state
    assert world.one("SELECT count(*) FROM reply") == (0 if outcome == "no_open_recall" else 1)


async def test_the_same_message_twice_is_one_reply(http: httpx.AsyncClient, world: World) -> None:
    form = sms("1")
    first, second = await send(http, INBOUND, form), await send(http, INBOUND, form)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "<Message>" not in second.text
    assert world.one("SELECT count(*) FROM inbound_message") == 1
    assert world.one("SELECT count(*) FROM reply") == 1


async def test_an_unknown_telephone_is_kept_and_not_answered(http: httpx.AsyncClient, world: World) -> None:
    answer = await send(http, INBOUND, sms("1", sender="+254799999999"))
    assert "<Message>" not in answer.text
    assert world.one("SELECT outcome FROM inbound_message") == "unknown_sender"
    assert world.one("SELECT count(*) FROM reply") == 0


async def test_stop_opts_the_telephone_out_and_start_back_in(http: httpx.AsyncClient, world: World) -> None:
    await send(http, INBOUND, sms("STOP", OptOutType="STOP"))
    assert world.one("SELECT sms_opted_out_at IS NOT NULL FROM contact") is True
    assert world.one("SELECT outcome FROM inbound_message") == "opt_out"
    assert "contact.sms_opted_out" in world.actions()
    await send(http, INBOUND, sms("START", OptOutType="START"))
    assert world.one("SELECT sms_opted_out_at FROM contact") is None


@pytest.mark.parametrize(
    ("stop", "stopped", "start", "started"),
    [
        ("退订", "已停止向此号码发送短信", "恢复订阅", "已恢复"),
        ("Baja", "No enviaremos mas SMS", "reanudar", "Se vuelven a enviar SMS"),
        ("TD", "No more text messages", "Alta", "Se vuelven a enviar SMS"),
        ("stop", None, "start", None),
    ],
)
async def test_stop_and_start_count_in_every_language_and_are_confirmed_in_it(
    http: httpx.AsyncClient, world: World, stop: str, stopped: str | None, start: str, started: str | None
) -> None:
    for word, confirmed, out in ((stop, stopped, True), (start, started, False), (stop, stopped, True)):
        answer = await send(http, INBOUND, sms(word))
        assert (confirmed in answer.text) if confirmed else ("<Message>" not in answer.text), word
        assert world.one("SELECT sms_opted_out_at IS NOT NULL FROM contact") is out
    assert world.one("SELECT state FROM consignee") == "open", "neither is an answer to the notice"


async def test_yes_is_an_answer_also_where_the_provider_takes_it_for_start(
    http: httpx.AsyncClient, world: World
) -> None:
    await send(http, INBOUND, sms("STOP", OptOutType="STOP"))
    answer = await send(http, INBOUND, sms("YES", OptOutType="START"))
    assert "receipt recorded" in answer.text
    assert world.one("SELECT sms_opted_out_at FROM contact") is None
    assert world.one("SELECT state FROM consignee") == "acknowledged"


async def test_one_telephone_for_two_sites_is_not_guessed(http: httpx.AsyncClient, world: World) -> None:
    world.consignee("Annex", Person(phone=PHONE))
    answer = await send(http, INBOUND, sms("1"))
    assert "could not read" in answer.text
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}
    assert world.one("SELECT count(*) FROM task WHERE key LIKE 'help:%%'") == 1


async def test_the_answer_is_in_the_recipients_language(http: httpx.AsyncClient, world: World) -> None:
    world.run("UPDATE partner SET language = 'zh-CN'")
    answer = await send(http, INBOUND, sms("１"))
    assert "已登记收到" in answer.text


async def test_a_drill_is_never_answered(http: httpx.AsyncClient, world: World) -> None:
    world.run("UPDATE recall SET drill = true")
    answer = await send(http, INBOUND, sms("1"))
    assert "<Message>" not in answer.text
    assert world.one("SELECT outcome FROM inbound_message") == "no_open_recall"
    assert world.one("SELECT count(*) FROM reply") == 0


async def test_a_drill_does_not_swallow_the_answer_to_a_recall_in_earnest(
    http: httpx.AsyncClient, world: World
) -> None:
    _drill_beside(world)
    answer = await send(http, INBOUND, sms("1"))
    assert "receipt recorded" in answer.text
    assert world.one("SELECT state FROM consignee WHERE recall_number = %s", NUMBER) == "acknowledged"
    assert world.one("SELECT count(*) FROM reply WHERE recall_number <> %s", NUMBER) == 0


@pytest.mark.parametrize("phase", ["cancelled", "terminated"])
@pytest.mark.parametrize("body", ["1", "3", "4"])
async def test_a_recall_that_has_ended_takes_no_text_though_its_campaign_is_still_being_stopped(
    http: httpx.AsyncClient, world: World, phase: str, body: str
) -> None:
    world.run("UPDATE recall SET phase = %s", phase)
    await send(http, INBOUND, sms(body))
    assert world.one("SELECT outcome FROM inbound_message") == "no_open_recall", "a person reads it"
    assert [world.one(f"SELECT count(*) FROM {table}") for table in ("reply", "task", "complaint")] == [0, 0, 0]  # noqa: S608
    paged = world.one("SELECT count(*) FROM audit_event WHERE action = 'harm.unassigned'")
    assert paged == (1 if body == "4" else 0)


async def test_a_token_being_rotated_out_still_verifies(http: httpx.AsyncClient, world: World) -> None:
    answer = await send(http, INBOUND, sms("1"), token="the-token-before-this-one")
    assert answer.status_code == 200


async def test_a_webhook_with_a_bad_signature_is_refused_and_recorded(http: httpx.AsyncClient, world: World) -> None:
    forged = await send(http, INBOUND, sms("1"), token="guessed")
    unsigned = await http.post(INBOUND, data=sms("1"))
    odd = await http.post(INBOUND, data=sms("1"), headers={b"X-Twilio-Signature": b"\xe5\x8f\xac"})
    assert [answer.status_code for answer in (forged, unsigned, odd)] == [403, 403, 403]
    assert forged.headers["Content-Type"] == "application/problem+json"
    assert world.one("SELECT count(*) FROM refused_access WHERE kind = 'webhook_signature'") == 3
    assert world.one("SELECT count(*) FROM inbound_message") == 0
    assert PHONE not in str(world.rows("SELECT detail FROM refused_access"))


async def test_a_signed_form_changed_on_its_way_is_refused(http: httpx.AsyncClient, world: World) -> None:
    form = sms("1")
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(f"http://recall.test{INBOUND}", form)
    changed = await http.post(INBOUND, data=form | {"Body": "2"}, headers={"X-Twilio-Signature": signature})
    assert changed.status_code == 403


def delivery(world: World) -> str:
    """A delivery being sent to the hospital; returns its id."""
    return str(
        world.one(
            "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
            " state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), %s, consignee.id, contact.id, 0,"
            " 'initial', 'sms', 'en', 1, 'submitting', 1, false, now() FROM consignee, contact RETURNING id",
            world.campaign_id,
        )
    )


def report_path(delivery_id: Any) -> str:
    """Path and query of the delivery's callback address."""
    return status_callback_url(LINK_SECRET, "", delivery_id)


async def test_a_delivery_report_raises_the_state_and_never_lowers_it(http: httpx.AsyncClient, world: World) -> None:
    the_id = world.one("SELECT %s::uuid", delivery(world))
    sid = f"SM{uuid4().hex}"
    for status, expected in (("sent", "submitted"), ("delivered", "delivered"), ("sent", "delivered")):
        answer = await send(http, report_path(the_id), {"MessageSid": sid, "MessageStatus": status})
        assert answer.status_code == 204
        assert world.one("SELECT state FROM delivery") == expected
    assert world.one("SELECT provider_id FROM delivery") == sid
    assert world.one("SELECT count(*) FROM delivery_event") == 2, "the repeated report is one event"


async def test_a_failed_delivery_keeps_the_providers_code(http: httpx.AsyncClient, world: World) -> None:
    the_id = world.one("SELECT %s::uuid", delivery(world))
    form = {"MessageSid": f"SM{uuid4().hex}", "MessageStatus": "undelivered", "ErrorCode": "30005"}
    assert (await send(http, report_path(the_id), form)).status_code == 204
    assert world.one("SELECT state FROM delivery") == "failed"
    assert world.one("SELECT error_code FROM delivery_event") == "twilio:30005"


async def test_a_report_to_an_address_we_did_not_hand_out_is_refused(http: httpx.AsyncClient, world: World) -> None:
    the_id = world.one("SELECT %s::uuid", delivery(world))
    form = {"MessageSid": f"SM{uuid4().hex}", "MessageStatus": "delivered"}
    path = report_path(the_id)
    for wrong in (path[:-3], path.split("&s=", maxsplit=1)[0], path.split("?", maxsplit=1)[0], path + "x"):
        assert (await send(http, wrong, form)).status_code == 403
    assert world.one("SELECT state FROM delivery") == "submitting"
    assert world.one("SELECT count(*) FROM refused_access WHERE kind = 'callback_signature'") == 4
