"""Every request our code makes to Twilio, and every answer of the stand-in, as Twilio's own description wants them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from adapters.messaging.twilio_voice import TwilioVoiceAdapter
from tests.contract.conftest import Prism, described
from tests.messaging.builders import DELIVERY, SMS
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, Webhooks

ADAPTERS = Path(__file__).parents[2] / "adapters" / "messaging"
CALLER = "+12025550100"
DRIVEN = {
    "messages.create_async",
    "messages.list_async",
    "messages.stream_async",
    "messages(provider_id).fetch_async",
    "calls.create_async",
    "calls.list_async",
    "calls(provider_id).fetch_async",
    "calls(call.sid).events.list_async",
}
"""The calls of the client that the tests below drive."""


@asynccontextmanager
async def texts(url: str, sender: str = CALLER) -> AsyncIterator[TwilioSmsAdapter]:
    config = TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, sender, base_url=url, validity_seconds=3600)
    adapter = TwilioSmsAdapter(config)
    try:
        yield adapter
    finally:
        await adapter.close()


@asynccontextmanager
async def calls(url: str) -> AsyncIterator[TwilioVoiceAdapter]:
    adapter = TwilioVoiceAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, CALLER, base_url=url))
    try:
        yield adapter
    finally:
        await adapter.close()


def test_no_request_to_twilio_is_made_that_these_tests_do_not_drive() -> None:
    made: set[str] = set()
    for source in ADAPTERS.glob("twilio*.py"):
        made |= set(re.findall(r"client\(\)\.([\w.()]+?_async)\(", source.read_text()))
    assert made == DRIVEN


async def test_texts_are_created_listed_and_fetched_as_twilio_describes(prism: Prism, standin: Standin) -> None:
    message = replace(SMS, status_callback="https://recall.firm.example/v1/webhooks/twilio/status?n=1&s=2")
    since = datetime.now(UTC)
    async with texts(prism.url) as adapter:
        sent = await adapter.send(message)
        assert await adapter.find_sent(message, since) == sent
        status = await adapter.status_of(sent.provider_id)
        assert status is not None
    async with texts(prism.url, "MG" + "a" * 32) as adapter:
        await adapter.send(message)
    assert (await standin.http.get("/stats")).json()["outbound"] == 2
    assert len(prism.sent) == 4
    assert not violations(prism)
    assert not undescribed(prism)


async def test_texts_to_us_are_listed_as_twilio_describes(prism: Prism, standin: Standin) -> None:
    answered = {"from": "+12025550123", "to": CALLER, "body": "1"}
    assert (await standin.http.post("/simulate/reply", json=answered)).status_code < 400
    async with texts(prism.url) as adapter:
        since = datetime.now(UTC) - timedelta(minutes=15)
        found = [each async for each in adapter.received(CALLER, since)]
    assert [(each.sender, each.body) for each in found] == [("+12025550123", "1")]
    assert [sent.names for sent in prism.sent] == [frozenset({"To", "DateSent>", "PageSize"})]
    assert not violations(prism)
    assert not undescribed(prism)


async def test_calls_are_created_listed_logged_and_fetched_as_twilio_describes(
    prism: Prism, standin: Standin, webhooks: Webhooks
) -> None:
    webhooks.answer = "<Response><Hangup/></Response>"
    named = f"?n={DELIVERY.hex}&s=2"
    message = replace(SMS, call_script=f"{webhooks.url}/call{named}", status_callback=f"{webhooks.url}/status{named}")
    since = datetime.now(UTC)
    async with calls(prism.url) as adapter:
        placed = await adapter.send(message)
        await webhooks.wait_for(5)
        async with asyncio.timeout(10):
            while (await standin.http.get("/calls")).json()[0]["ended_at"] is None:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        assert await adapter.find_sent(message, since) == placed
        status = await adapter.status_of(placed.provider_id)
        assert status is not None
        assert status.status == "completed"
    assert len(prism.sent) == 4
    assert not violations(prism)
    assert not undescribed(prism)


async def test_what_became_of_a_call_nobody_answered_is_asked_as_twilio_describes(
    prism: Prism, standin: Standin
) -> None:
    message = replace(SMS, to="+15005557001", call_script="https://recall.firm.example/call?n=1")
    async with calls(prism.url) as adapter:
        placed = await adapter.send(message)
        async with asyncio.timeout(10):
            while (await standin.http.get("/calls")).json()[0]["ended_at"] is None:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        status = await adapter.status_of(placed.provider_id)
    assert status is not None
    assert (status.status, status.error_code) == ("no-answer", None)
    assert len(prism.sent) == 2
    assert not violations(prism)
    assert not undescribed(prism)


async def test_an_unknown_id_is_a_no_and_not_a_fault(prism: Prism) -> None:
    # Twilio describes no error answers: Prism only warns of them, and passes them on.
    async with texts(prism.url) as text, calls(prism.url) as call:
        assert await text.status_of("SM" + "0" * 32) is None
        assert await call.status_of("CA" + "0" * 32) is None
    assert not undescribed(prism)


async def test_refusals_pass_the_proxy_and_keep_their_meaning(prism: Prism) -> None:
    async with texts(prism.url) as adapter:
        for to, code in (("+15005550001", "twilio:21211"), ("+15005550429", "twilio:20429")):
            with pytest.raises(SendError) as refused:
                await adapter.send(replace(SMS, to=to))
            assert refused.value.code == code
    wrong = TwilioSmsAdapter(TwilioConfig(ACCOUNT_SID, "wrong", CALLER, base_url=prism.url))
    with pytest.raises(SendError) as stopped:
        await wrong.send(SMS)
    await wrong.close()
    assert stopped.value.kind is ErrorKind.PERMANENT_CAMPAIGN


async def test_prism_refuses_what_twilio_does_not_describe(prism: Prism, standin: Standin) -> None:
    """The proof that the tests above can fail."""
    base, auth = f"{prism.url}/2010-04-01/Accounts/{ACCOUNT_SID}", (ACCOUNT_SID, AUTH_TOKEN)
    good = {"To": "+12025550123", "From": CALLER, "Url": "https://recall.firm.example/x"}
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        for wrong in ({"To": good["To"]}, good | {"Timeout": "soon"}):
            answer = await client.post(f"{base}/Calls.json", data=wrong)
            assert answer.status_code == 422, (wrong, answer.text)
        await client.post(f"{base}/Messages.json", data={"To": good["To"], "Text": "misspelt"})
        assert undescribed(prism) == {"POST /Messages.json: Text"}
        for path in ("/Calls/SM1.json", "/Messages.json?PageSize=0", "/Letters.json"):
            assert (await client.get(base + path)).status_code >= 400, path
    async with httpx.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.post(f"{base}/Calls.json", data=good)).status_code == 401
    assert (await standin.http.get("/calls")).json() == []


def violations(prism: Prism) -> list[str]:
    """What Prism found wrong in requests and answers."""
    return [line for line in prism.log if "violation" in line.lower() or "UNPROCESSABLE" in line]


def undescribed(prism: Prism) -> set[str]:
    """Parameters that we sent and Twilio's description does not name."""
    paths = described()["paths"]
    found = set()
    for sent in prism.sent:
        short = sent.path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT_SID}")
        template = re.sub(r"(?<=/)(SM|CA)[0-9a-f]{32}(?=/)", "{CallSid}", short)
        template = re.sub(r"(?<=/)(SM|CA)[0-9a-f]{32}(?=\.json)", "{Sid}", template)
        operation = paths["/2010-04-01/Accounts/{AccountSid}" + template][sent.method.lower()]
        forms = operation.get("requestBody", {}).get("content", {}).values()
        names = {name for form in forms for name in form["schema"]["properties"]}
        names |= {parameter["name"] for parameter in operation.get("parameters", ())}
        found |= {f"{sent.method} {template}: {name}" for name in sent.names - names}
    return found
