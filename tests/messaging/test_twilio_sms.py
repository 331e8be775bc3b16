"""SMS: the real Twilio client against the local stand-in, and the stand-in's webhooks against Twilio's validator."""

import asyncio
import gzip
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.datastructures import FormData
from twilio.request_validator import RequestValidator

from adapters.messaging.base import ErrorKind, SendError, SendResult
from adapters.messaging.twilio_errors import classify_twilio
from adapters.messaging.twilio_sms import TwilioConfig, TwilioSmsAdapter
from tests.messaging.builders import DELIVERY, sms
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, Webhooks, free_port

SENDER = "+12025550100"
DATA = Path(__file__).parents[3] / "shared" / "data" / "twilio"


@asynccontextmanager
async def adapter_to(
    url: str, *, token: str = AUTH_TOKEN, sender: str = SENDER, timeout_seconds: float = 2
) -> AsyncIterator[TwilioSmsAdapter]:
    adapter = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, token, sender, base_url=url, timeout_seconds=timeout_seconds))
    try:
        yield adapter
    finally:
        await adapter.close()


async def test_a_text_is_accepted_and_its_callbacks_carry_twilios_signature(
    standin: Standin, webhooks: Webhooks
) -> None:
    callback = f"{webhooks.url}/v1/webhooks/twilio/status?n={DELIVERY}&s=abc"
    async with adapter_to(standin.url) as adapter:
        result = await adapter.send(sms(status_callback=callback))
    assert result.provider_id.startswith("SM")
    assert len(result.provider_id) == 34
    await webhooks.wait_for(2)
    validator = RequestValidator(AUTH_TOKEN)
    for url, form, signature in webhooks.received:
        assert url == callback
        assert form["MessageSid"] == result.provider_id
        assert validator.validate(url, form, signature)
        assert not validator.validate(url + "x", form, signature)
        assert not validator.validate(url, {**form, "MessageStatus": "failed"}, signature)
    assert [form["MessageStatus"] for _, form, _ in webhooks.received] == ["sent", "delivered"]
    (kept,) = (await standin.http.get("/messages", params={"to": "+12025550123"})).json()
    assert (kept["body"], kept["sid"]) == (sms().text, result.provider_id)


async def test_an_undeliverable_number_is_reported_by_callback(standin: Standin, webhooks: Webhooks) -> None:
    async with adapter_to(standin.url) as adapter:
        await adapter.send(sms(to="+15005559001", status_callback=webhooks.url + "/status"))
    await webhooks.wait_for(2)
    _, last, _ = webhooks.received[-1]
    assert (last["MessageStatus"], last["ErrorCode"]) == ("undelivered", "30005")
    assert classify_twilio(int(last["ErrorCode"]), None).kind is ErrorKind.PERMANENT_CONTACT


async def test_a_lost_answer_is_found_again_by_number_and_body(standin: Standin) -> None:
    since = datetime.now(UTC)
    async with adapter_to(standin.url) as adapter:
        for number in range(60):
            await adapter.send(sms(text=f"another notice {number}"))
        sent = await adapter.send(sms())
        await adapter.send(sms(to="+12025550199"))
        assert await adapter.find_sent(sms(), since) == sent
        assert await adapter.find_sent(sms(text="Altered: http://127.0.0.1:8080/r/abc now"), since) == sent
        assert await adapter.find_sent(sms(text="Other: http://127.0.0.1:8080/r/ab now"), since) is None
        assert await adapter.find_sent(sms(text="never sent"), since) is None
        assert await adapter.find_sent(sms(to="+12025550177"), since) is None
        assert await adapter.find_sent(sms(text="another notice 0"), since) is not None
        assert await adapter.find_sent(sms(), since + timedelta(hours=1)) is None


async def test_a_phones_own_text_is_never_taken_for_ours(standin: Standin, webhooks: Webhooks) -> None:
    reply = {"from": "+12025550123", "to": SENDER, "body": sms().text}
    await standin.http.post("/simulate/reply", json=reply)
    async with adapter_to(standin.url, sender="+12025550123") as adapter:
        assert await adapter.find_sent(sms(to=SENDER), datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("to", "kind", "code"),
    [
        ("+15005550001", ErrorKind.PERMANENT_CONTACT, "twilio:21211"),
        ("2025550123", ErrorKind.PERMANENT_CONTACT, "twilio:21211"),
        ("+15005550009", ErrorKind.PERMANENT_CONTACT, "twilio:21614"),
        ("+15005550004", ErrorKind.PERMANENT_CONTACT, "twilio:21610"),
        ("+15005550429", ErrorKind.TRANSIENT, "twilio:20429"),
    ],
)
async def test_refusals_are_classified(standin: Standin, to: str, kind: ErrorKind, code: str) -> None:
    async with adapter_to(standin.url) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms(to=to))
    assert (caught.value.kind, caught.value.code, caught.value.maybe_sent) == (kind, code, False)
    assert to not in str(caught.value)
    assert (await standin.http.get("/stats")).json()["outbound"] == 0


async def test_an_answer_that_never_comes_is_not_waited_for_beyond_the_timeout_and_leaves_a_doubt() -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(10), adapter_to(f"http://127.0.0.1:{port}", timeout_seconds=0.3) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
    assert asked.is_set()
    assert (caught.value.code, caught.value.maybe_sent) == ("twilio:timeout", True)


async def test_a_wrong_token_stops_the_campaign(standin: Standin) -> None:
    async with adapter_to(standin.url, token="wrong") as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
        with pytest.raises(SendError):
            await adapter.find_sent(sms(), datetime.now(UTC))
    assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, "twilio:20003")


async def test_a_bad_sender_stops_the_campaign(standin: Standin) -> None:
    async with adapter_to(standin.url, sender="+15005550007") as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
    assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, "twilio:21606")


async def test_a_messaging_service_may_stand_in_for_a_number(standin: Standin) -> None:
    service = "MG" + "a" * 32
    async with adapter_to(standin.url, sender=service) as adapter:
        await adapter.send(sms())
    (kept,) = (await standin.http.get("/messages")).json()
    assert kept["from"] == service


async def answering(raw: bytes | None) -> tuple[asyncio.Server, str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if raw is None:
            await asyncio.sleep(5)
        else:
            writer.write(raw)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "twilio:connection"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}", "twilio:http-503"),
        (b"HTTP/1.1 201 Ok\r\nContent-Length: 4\r\nContent-Type: text/html\r\n\r\n<ok>", "twilio:unknown:answer"),
    ],
)
async def test_a_lost_or_unreadable_answer_is_ambiguous(raw: bytes, code: str) -> None:
    server, url = await answering(raw)
    async with adapter_to(url) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
    server.close()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.TRANSIENT, code)
    assert caught.value.maybe_sent


async def test_nobody_listening_is_not_ambiguous() -> None:
    async with adapter_to(f"http://127.0.0.1:{free_port()}") as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
    assert (caught.value.code, caught.value.maybe_sent) == ("twilio:connection", False)


async def test_a_connection_that_is_not_made_in_time_is_an_outage_and_not_ambiguous() -> None:
    with ExitStack() as sockets:
        # A full backlog: the kernel answers no further connection.
        crowded = sockets.enter_context(socket.socket())
        crowded.bind(("127.0.0.1", 0))
        crowded.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(crowded.getsockname())
        async with adapter_to(f"http://127.0.0.1:{crowded.getsockname()[1]}", timeout_seconds=0.3) as adapter:
            for asking in (adapter.send(sms()), adapter.find_sent(sms(), datetime.now(UTC))):
                with pytest.raises(SendError) as caught:
                    await asking
                error = caught.value
                assert (error.code, error.maybe_sent, error.outage) == ("twilio:connection", False, True)


def test_what_the_table_does_not_know_is_transient_and_says_so() -> None:
    error = classify_twilio(99999, 400)
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "twilio:unknown:99999")
    assert classify_twilio(None, 401).kind is ErrorKind.PERMANENT_CAMPAIGN
    assert classify_twilio(None, 418).code == "twilio:unknown:http-418"


async def test_no_number_reaches_the_log(standin: Standin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with adapter_to(standin.url) as adapter:
        await adapter.send(sms(to="+12025550188"))
        await adapter.find_sent(sms(to="+12025550188"), datetime.now(UTC))
    ours = [record for record in caplog.records if record.name.startswith(("adapters", "twilio"))]
    assert not any("2025550188" in record.getMessage() for record in ours)


async def test_a_phone_answers_over_a_signed_webhook_and_gets_the_answer_back(
    standin: Standin, webhooks: Webhooks
) -> None:
    webhooks.answer = "<Response><Message>Recorded &amp; thank you</Message></Response>"
    answer = await standin.http.post("/simulate/reply", json={"from": "+12025550123", "to": SENDER, "body": "1 收到"})
    assert answer.json() == {"webhook_status": 200, "answers": ["Recorded & thank you"]}
    ((url, form, signature),) = webhooks.received
    assert (form["Body"], form["From"], form["To"]) == ("1 收到", "+12025550123", SENDER)
    assert RequestValidator(AUTH_TOKEN).validate(url, form, signature)
    kept = (await standin.http.get("/messages")).json()
    assert [message["direction"] for message in kept] == ["inbound", "outbound-reply"]


async def test_stop_blocks_the_number_until_start(standin: Standin, webhooks: Webhooks) -> None:
    phone = {"from": "+12025550123", "to": SENDER}
    await standin.http.post("/simulate/reply", json={**phone, "body": " stop "})
    async with adapter_to(standin.url) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(sms())
        await standin.http.post("/simulate/reply", json={**phone, "body": "START"})
        await adapter.send(sms())
    assert caught.value.code == "twilio:21610"
    assert [form["OptOutType"] for _, form, _ in webhooks.received] == ["STOP", "START"]


async def test_the_standin_keeps_to_twilios_own_schema(standin: Standin) -> None:
    source = DATA / "twilio_api_v2010.json.gz"
    if not source.exists():
        pytest.skip(f"Twilio's OpenAPI description is not at {source}")
    spec = json.loads(gzip.decompress(source.read_bytes()))
    schemas = spec["components"]["schemas"]
    async with adapter_to(standin.url) as adapter:
        await adapter.send(sms())
    listed = (
        await standin.http.get(f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", auth=(ACCOUNT_SID, AUTH_TOKEN))
    ).json()
    (message,) = listed["messages"]
    properties = schemas["api.v2010.account.message"]["properties"]
    assert set(message) == set(properties)
    assert message["status"] in schemas["message_enum_status"]["enum"]
    assert message["direction"] in schemas["message_enum_direction"]["enum"]
    reply = spec["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["get"]["responses"]["200"]
    assert set(listed) == set(reply["content"]["application/json"]["schema"]["properties"])


def test_twilios_published_signature_vectors_hold() -> None:
    source = DATA / "signature_vectors.json"
    if not source.exists():
        pytest.skip(f"Twilio's signature vectors are not at {source}")
    given = json.loads(source.read_text())
    validator = RequestValidator(given["auth_token"])
    for vector in given["vectors"]:
        url = vector.get("uri", given["uri"])
        params = vector.get("params", given["params"])
        form = FormData([(name, value) for name, value in params] if isinstance(params, list) else params)
        assert validator.validate(url, form, vector["expect"]), vector["name"]
        assert not validator.validate(url, form, vector["expect"].swapcase()), vector["name"]
    assert len(given["vectors"]) == 3


async def test_two_results_of_one_message_are_told_as_a_repeat(standin: Standin) -> None:
    async with adapter_to(standin.url) as adapter:
        results: list[SendResult] = [await adapter.send(sms()) for _ in range(2)]
        await adapter.send(sms(text=str(uuid4())))
    assert results[0] != results[1]
    assert (await standin.http.get("/stats")).json() == {
        "outbound": 3,
        "replies": 0,
        "inbound": 0,
        "duplicates": 1,
    }
