"""Calls: the real Twilio client against the local stand-in, which fetches the text and lets a person press keys."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from twilio.request_validator import RequestValidator

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_voice import TwilioVoiceAdapter
from adapters.messaging.twilio_voice_errors import classify_call
from tests.messaging.builders import DELIVERY, SMS
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, Webhooks, free_port

CALLER = "+12025550100"
TO = "+12025550123"
DATA = Path(__file__).parents[3] / "shared" / "data" / "twilio"
SCRIPT = (
    '<Response><Gather numDigits="1" action="{action}"><Say language="en-US" loop="2">Stop using lot A1.</Say></Gather>'
    "<Say>Goodbye</Say><Hangup/></Response>"
)


@asynccontextmanager
async def adapter_to(url: str, *, token: str = AUTH_TOKEN, caller: str = CALLER) -> AsyncIterator[TwilioVoiceAdapter]:
    adapter = TwilioVoiceAdapter(TwilioConfig(ACCOUNT_SID, token, caller, base_url=url, timeout_seconds=2))
    try:
        yield adapter
    finally:
        await adapter.close()


def call(webhooks: Webhooks, to: str = TO, delivery: UUID = DELIVERY) -> OutgoingMessage:
    """A call whose text is fetched from the test's webhooks."""
    named = f"?n={delivery.hex}&s=abc"
    return replace(
        SMS,
        to=to,
        delivery_id=delivery,
        call_script=f"{webhooks.url}/call{named}",
        status_callback=f"{webhooks.url}/status{named}",
    )


async def until_ended(standin: Standin, count: int = 1) -> list[dict[str, str]]:
    """The stand-in's calls once `count` of them have ended."""
    async with asyncio.timeout(10):
        while True:
            found: list[dict[str, str]] = (await standin.http.get("/calls")).json()
            if len([one for one in found if one["ended_at"]]) >= count:
                return found
            await asyncio.sleep(0.02)


async def press(standin: Standin, key: str) -> httpx.Response:
    """Press a key as soon as the call waits for one."""
    async with asyncio.timeout(10):
        while True:
            answer = await standin.http.post("/simulate/key", json={"to": TO, "key": key})
            if answer.status_code != 409:
                return answer
            await asyncio.sleep(0.02)


async def test_a_call_is_placed_read_and_answered_by_a_key(standin: Standin, webhooks: Webhooks) -> None:
    webhooks.answer = SCRIPT.format(action=f"{webhooks.url}/key?n=1")
    async with adapter_to(standin.url) as adapter:
        placed = await adapter.send(call(webhooks))
        assert placed.provider_id.startswith("CA")
        await webhooks.wait_for(4)
        webhooks.answer = "<Response><Say>Thank you</Say><Hangup/></Response>"
        assert (await press(standin, "1")).json() == {"sid": placed.provider_id, "key": "1"}
        (kept,) = await until_ended(standin)
        await webhooks.wait_for(6)
    assert (kept["status"], kept["keys"], kept["answered_by"]) == ("completed", "1", "human")
    assert kept["said"].splitlines() == ["Stop using lot A1.", "Thank you"]
    validator = RequestValidator(AUTH_TOKEN)
    told = []
    for url, form, signature in webhooks.received:
        assert validator.validate(url, form, signature)
        assert not validator.validate(url, {**form, "CallStatus": "busy"}, signature)
        assert form["CallSid"] == placed.provider_id
        told.append((url.removeprefix(webhooks.url).partition("?")[0], form["CallStatus"], form.get("Digits")))
    assert told == [
        ("/status", "initiated", None),
        ("/status", "ringing", None),
        ("/status", "in-progress", None),
        ("/call", "in-progress", None),
        ("/key", "in-progress", "1"),
        ("/status", "completed", None),
    ]


@pytest.mark.parametrize(
    ("to", "status", "answered_by"),
    [
        ("+15005557001", "no-answer", None),
        ("+15005558001", "busy", None),
        ("+15005556001", "completed", "machine_end_beep"),
    ],
)
async def test_nobody_a_busy_line_and_a_mailbox_are_told_apart(
    standin: Standin, webhooks: Webhooks, to: str, status: str, answered_by: str | None
) -> None:
    webhooks.answer = SCRIPT.format(action=f"{webhooks.url}/key")
    async with adapter_to(standin.url) as adapter:
        await adapter.send(call(webhooks, to))
        (kept,) = await until_ended(standin)
    assert (kept["status"], kept["answered_by"], kept["keys"]) == (status, answered_by, "")
    assert ("Stop using" in kept["said"]) == (answered_by is not None)


async def test_a_silent_provider_can_be_asked_what_became_of_a_call(standin: Standin, webhooks: Webhooks) -> None:
    webhooks.answer = "<Response><Hangup/></Response>"
    async with adapter_to(standin.url) as adapter:
        told = {}
        for to in ("+15005557001", "+15005556001", TO):
            placed = await adapter.send(call(webhooks, to))
            told[to] = placed.provider_id
        await until_ended(standin, 3)
        statuses = {to: await adapter.status_of(sid) for to, sid in told.items()}
        assert [status and status.status for status in statuses.values()] == [
            "no-answer",
            "answered_by_machine",
            "completed",
        ]
        assert await adapter.status_of("CA" + "0" * 32) is None
        assert await adapter.status_of("not a call") is None


async def test_a_person_who_presses_nothing_hangs_up_after_a_while(standin: Standin, webhooks: Webhooks) -> None:
    webhooks.answer = SCRIPT.format(action=f"{webhooks.url}/key")
    async with adapter_to(standin.url) as adapter:
        await adapter.send(call(webhooks))
        (kept,) = await until_ended(standin)
    assert (kept["status"], kept["keys"]) == ("completed", "")
    late = await standin.http.post("/simulate/key", json={"to": TO, "key": "1"})
    assert late.status_code == 409


async def test_a_lost_answer_is_found_again_in_the_log_of_the_call(standin: Standin, webhooks: Webhooks) -> None:
    webhooks.answer = "<Response><Hangup/></Response>"
    since, mine = datetime.now(UTC), call(webhooks)
    async with adapter_to(standin.url) as adapter:
        assert await adapter.find_sent(mine, since) is None
        await adapter.send(call(webhooks, delivery=uuid4()))
        placed = await adapter.send(mine)
        await adapter.send(call(webhooks, delivery=uuid4()))
        await until_ended(standin, 3)
        assert await adapter.find_sent(mine, since) == placed
        assert await adapter.find_sent(call(webhooks, delivery=uuid4()), since) is None
        assert await adapter.find_sent(call(webhooks, to="+12025550177"), since) is None
        assert await adapter.find_sent(mine, since + timedelta(hours=1)) is None


async def test_a_call_that_still_runs_leaves_it_open_whose_it_is(standin: Standin, webhooks: Webhooks) -> None:
    webhooks.answer = SCRIPT.format(action=f"{webhooks.url}/key")
    async with adapter_to(standin.url) as adapter:
        await adapter.send(call(webhooks, delivery=uuid4()))
        with pytest.raises(SendError) as caught:
            await adapter.find_sent(call(webhooks), datetime.now(UTC))
        assert (caught.value.code, caught.value.maybe_sent) == ("twilio:call-log", True)
        assert caught.value.kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("to", "kind", "code"),
    [
        ("+15005550001", ErrorKind.PERMANENT_CONTACT, "twilio:21217"),
        ("2025550123", ErrorKind.PERMANENT_CONTACT, "twilio:21211"),
        ("+15005550003", ErrorKind.PERMANENT_CONTACT, "twilio:21215"),
        ("+15005550429", ErrorKind.TRANSIENT, "twilio:20429"),
    ],
)
async def test_refused_calls_are_classified(
    standin: Standin, webhooks: Webhooks, to: str, kind: ErrorKind, code: str
) -> None:
    async with adapter_to(standin.url) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(call(webhooks, to))
    assert (caught.value.kind, caught.value.code, caught.value.maybe_sent) == (kind, code, False)
    assert to not in str(caught.value)
    assert (await standin.http.get("/calls")).json() == []


async def test_a_wrong_token_or_caller_stops_the_campaign(standin: Standin, webhooks: Webhooks) -> None:
    for given, code in (({"token": "wrong"}, "twilio:20003"), ({"caller": "+15005550001"}, "twilio:21212")):
        async with adapter_to(standin.url, **given) as adapter:
            with pytest.raises(SendError) as caught:
                await adapter.send(call(webhooks))
        assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, code)


async def test_a_call_without_a_text_to_fetch_is_never_placed(standin: Standin) -> None:
    async with adapter_to(standin.url) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(SMS)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, "voice:no-script")


async def test_nobody_listening_is_not_ambiguous(webhooks: Webhooks) -> None:
    async with adapter_to(f"http://127.0.0.1:{free_port()}") as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(call(webhooks))
    assert (caught.value.code, caught.value.maybe_sent) == ("twilio:connection", False)


def test_calls_need_a_number_of_their_own() -> None:
    with pytest.raises(ValueError, match="TWILIO_VOICE_FROM"):
        TwilioVoiceAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "MG" + "a" * 32))


@pytest.mark.parametrize(
    ("code", "status", "kind", "maybe"),
    [
        *((code, 400, ErrorKind.PERMANENT_CONTACT, False) for code in (13223, 13224, 13225, 13226, 13227)),
        *((code, 400, ErrorKind.PERMANENT_CONTACT, False) for code in (21211, 21214, 21215, 21216, 21217)),
        (20003, 401, ErrorKind.PERMANENT_CAMPAIGN, False),
        (21210, 400, ErrorKind.PERMANENT_CAMPAIGN, False),
        (None, 429, ErrorKind.TRANSIENT, False),
        (20429, 429, ErrorKind.TRANSIENT, False),
        (None, 503, ErrorKind.TRANSIENT, True),
        (99999, 400, ErrorKind.TRANSIENT, False),
    ],
)
def test_the_table_of_calls(code: int | None, status: int, kind: ErrorKind, maybe: bool) -> None:
    error = classify_call(code, status)
    assert (error.kind, error.maybe_sent) == (kind, maybe)


async def test_no_number_reaches_the_log(
    standin: Standin, webhooks: Webhooks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    webhooks.answer = "<Response><Hangup/></Response>"
    async with adapter_to(standin.url) as adapter:
        await adapter.send(call(webhooks, "+12025550188"))
        await until_ended(standin)
        await adapter.find_sent(call(webhooks, "+12025550188"), datetime.now(UTC))
    ours = [record for record in caplog.records if record.name.startswith(("adapters", "twilio"))]
    assert not any("2025550188" in record.getMessage() for record in ours)


async def test_the_standin_keeps_to_twilios_own_schema_of_calls(standin: Standin, webhooks: Webhooks) -> None:
    source = DATA / "twilio_api_v2010.json.gz"
    if not source.exists():
        pytest.skip(f"Twilio's OpenAPI description is not at {source}")
    spec = json.loads(gzip.decompress(source.read_bytes()))
    schemas, paths = spec["components"]["schemas"], spec["paths"]
    webhooks.answer = "<Response><Hangup/></Response>"
    async with adapter_to(standin.url) as adapter:
        placed = await adapter.send(call(webhooks))
        await until_ended(standin)
    base = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls"
    auth = (ACCOUNT_SID, AUTH_TOKEN)
    listed = (await standin.http.get(f"{base}.json", auth=auth)).json()
    logged = (await standin.http.get(f"{base}/{placed.provider_id}/Events.json", auth=auth)).json()
    assert set(listed["calls"][0]) == set(schemas["api.v2010.account.call"]["properties"])
    assert listed["calls"][0]["status"] in schemas["call_enum_status"]["enum"]
    assert set(logged["events"][0]) == set(schemas["api.v2010.account.call.call_event"]["properties"])
    for shape, path in ((listed, "Calls.json"), (logged, "Calls/{CallSid}/Events.json")):
        reply = paths["/2010-04-01/Accounts/{AccountSid}/" + path]["get"]["responses"]["200"]
        assert set(shape) == set(reply["content"]["application/json"]["schema"]["properties"])
    assert (await standin.http.get(f"{base}/CA{'0' * 32}.json", auth=auth)).status_code == 404
    assert (await standin.http.get(f"{base}.json")).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"to": TO, "key": "11"}, 400, "key: expected"),
        ({"key": "1"}, 400, "to or sid: expected"),
        ({"to": TO, "key": "1"}, 409, "no such call"),
        ([], 400, "JSON object"),
    ],
)
async def test_a_key_that_cannot_be_pressed_is_refused_in_words(
    standin: Standin, body: object, status: int, told: str
) -> None:
    answer = await standin.http.post("/simulate/key", json=body)
    assert answer.status_code == status
    assert told in answer.text
