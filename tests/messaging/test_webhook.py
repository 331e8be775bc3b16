"""Notices to recipients' systems: what arrives at a real receiver, what its answers mean, where is never called."""

import asyncio
import base64
import hashlib
import hmac
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError
from adapters.messaging.fhir_notice import notice_bundle
from adapters.messaging.guarded_http import ANSWER_LIMIT, GuardedHttpConfig
from adapters.messaging.webhook import WebhookAdapter
from adapters.messaging.webhook_errors import classify_webhook
from domain.notice_machine import MachineNotice
from domain.web_addresses import parse_networks
from domain.webhook_keys import parse_webhook_keys
from tests.messaging.builders import DELIVERY
from tests.messaging.machine import hooked, machine
from tests.messaging.receiver import Receiver, certificates, receiving

KEY, OLD_KEY = "a-key-of-at-least-24-bytes", "the-key-before-this-one-was"
KEYS = parse_webhook_keys({"mercy": [KEY], "rotating": [KEY, OLD_KEY]})
HERE = parse_networks(["127.0.0.0/8"])
ANSWERS = "https://recall.firm.example/v1/webhooks/hospital"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def adapter_of(**config: Any) -> WebhookAdapter:
    given: dict[str, Any] = {"allowed": HERE, "timeout_seconds": 5.0} | config
    return WebhookAdapter(KEYS, GuardedHttpConfig(**given), answer_url=ANSWERS, now=lambda: NOW)


@pytest.fixture
async def adapter() -> AsyncIterator[WebhookAdapter]:
    made = adapter_of()
    yield made
    await made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def refused(adapter: WebhookAdapter, message: OutgoingMessage) -> SendError:
    with pytest.raises(SendError) as caught:
        await adapter.send(message)
    return caught.value


async def test_the_notice_arrives_signed_as_the_document_says(adapter: WebhookAdapter, receiver: Receiver) -> None:
    sent = await adapter.send(hooked(receiver.url + "/recalls?site=7"))
    assert sent.provider_id == f"webhook:{DELIVERY}"
    (got,) = receiver.got
    assert (got.path, got.headers["content-type"]) == ("/recalls?site=7", "application/json")
    assert MachineNotice.model_validate_json(got.body) == machine()
    # By hand, as docs/channels.md tells a recipient to do it.
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert (got.headers["webhook-id"], got.headers["webhook-timestamp"]) == (str(DELIVERY), "1795341600")
    assert not {"cookie", "authorization"} & set(got.headers)


async def test_during_a_rotation_a_message_carries_a_signature_by_each_key(
    adapter: WebhookAdapter, receiver: Receiver
) -> None:
    await adapter.send(hooked(receiver.url, key="rotating"))
    (got,) = receiver.got
    given = got.headers["webhook-signature"].split(" ")
    signed = f"{DELIVERY}.{got.headers['webhook-timestamp']}.".encode() + got.body
    wanted = [base64.b64encode(hmac.digest(key.encode(), signed, "sha256")).decode() for key in (KEY, OLD_KEY)]
    assert given == [f"v1,{each}" for each in wanted]


async def test_a_repeat_after_a_lost_answer_has_the_same_id_and_the_same_bytes(
    adapter: WebhookAdapter, receiver: Receiver
) -> None:
    receiver.silent = True
    lost = await refused(adapter, hooked(receiver.url, form="fhir"))
    assert (lost.kind, lost.code, lost.maybe_sent) == (ErrorKind.TRANSIENT, "webhook:connection", True)
    assert await adapter.find_sent(hooked(receiver.url), NOW) is None
    receiver.silent = False
    await adapter.send(hooked(receiver.url, form="fhir"))
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


@pytest.mark.parametrize(
    ("status", "kind", "maybe"),
    [
        (200, None, False),
        (201, None, False),
        (204, None, False),
        (409, None, False),
        (301, ErrorKind.PERMANENT_CONTACT, False),
        (307, ErrorKind.PERMANENT_CONTACT, False),
        (400, ErrorKind.PERMANENT_CONTACT, False),
        (401, ErrorKind.PERMANENT_CONTACT, False),
        (403, ErrorKind.PERMANENT_CONTACT, False),
        (404, ErrorKind.PERMANENT_CONTACT, False),
        (410, ErrorKind.PERMANENT_CONTACT, False),
        (413, ErrorKind.PERMANENT_CONTACT, False),
        (422, ErrorKind.PERMANENT_CONTACT, False),
        (418, ErrorKind.TRANSIENT, False),
        (429, ErrorKind.TRANSIENT, False),
        (503, ErrorKind.TRANSIENT, False),
        (500, ErrorKind.TRANSIENT, True),
        (502, ErrorKind.TRANSIENT, True),
    ],
)
async def test_each_answer_means_what_the_table_says(
    adapter: WebhookAdapter, receiver: Receiver, status: int, kind: ErrorKind | None, maybe: bool
) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": "120", "Location": receiver.url + "/elsewhere"}
    if kind is None:
        await adapter.send(hooked(receiver.url))
    else:
        error = await refused(adapter, hooked(receiver.url))
        assert (error.kind, error.maybe_sent) == (kind, maybe)
        assert error.code == (f"webhook:unknown:{status}" if status == 418 else f"webhook:http-{status}")
        waits = kind is ErrorKind.TRANSIENT and status != 418
        assert error.retry_after == (timedelta(seconds=120) if waits else None)
    assert len(receiver.got) == 1  # no redirect was followed


def test_no_answer_of_one_receiver_stops_the_campaign() -> None:
    for status in range(200, 600):
        error = classify_webhook(status, None)
        assert error is None or error.kind is not ErrorKind.PERMANENT_CAMPAIGN


async def test_an_endless_answer_is_not_read_to_its_end(adapter: WebhookAdapter, receiver: Receiver) -> None:
    receiver.body = b"x" * (20 * ANSWER_LIMIT)
    await adapter.send(hooked(receiver.url))
    await adapter.send(hooked(receiver.url))
    assert len(receiver.got) == 2


async def test_whoever_waits_for_a_connection_has_not_failed_and_class_one_goes_first(receiver: Receiver) -> None:
    receiver.seconds = 0.3
    adapter = adapter_of(connections=1, timeout_seconds=1.0)
    usual = [replace(hooked(f"{receiver.url}/usual"), priority=5) for _ in range(5)]
    urgent = replace(hooked(f"{receiver.url}/urgent"), priority=1)
    await asyncio.gather(*(adapter.send(each) for each in (*usual, urgent)))
    await adapter.close()
    assert [got.path for got in receiver.got] == ["/usual", "/urgent", *["/usual"] * 4]


async def test_names_whose_servers_are_silent_hold_up_nothing_else(
    adapter: WebhookAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, asked, silent = asyncio.get_running_loop(), [asyncio.Event() for _ in range(6)], threading.Event()
    left = iter(asked)

    def lookup(*_given: Any, **_named: Any) -> Any:
        if (told := next(left, None)) is not None:
            loop.call_soon_threadsafe(told.set)
        silent.wait(20)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    sends = [asyncio.create_task(adapter.send(hooked(f"https://s{each}.hospital.example/"))) for each in range(40)]
    try:
        async with asyncio.timeout(5):
            await asyncio.gather(*(each.wait() for each in asked))
            # What the process shares: names of our own servers are looked up and letters drawn in these threads.
            assert await asyncio.to_thread(lambda: "done") == "done"
    finally:
        silent.set()
    ended = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(each) for each in ended} == {SendError}


@pytest.mark.parametrize(
    "url",
    [
        "http://hospital.example/recalls",
        "https://user:secret@hospital.example/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.8/hook",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.8]/hook",
        "https://[64:ff9b::a00:8]/hook",
        "https://0x7f000001/hook",
        "https://2130706433/hook",
        "https://127.1/hook",
        "https://localhost/hook",
        "ftp://hospital.example/",
        "file:///etc/passwd",
        "https://",
        "not an address",
    ],
)
async def test_addresses_that_lead_inside_are_never_called(url: str) -> None:
    made = adapter_of(allowed=())
    try:
        error = await refused(made, hooked(url))
    finally:
        await made.close()
    assert (error.kind, error.code, error.maybe_sent) == (
        ErrorKind.PERMANENT_CONTACT,
        "webhook:address-refused",
        False,
    )
    assert "hospital.example" not in str(error)


async def test_a_receiver_in_a_private_network_is_called_only_where_the_network_is_allowed(receiver: Receiver) -> None:
    elsewhere = adapter_of(allowed=parse_networks(["10.20.0.0/16"]))
    try:
        error = await refused(elsewhere, hooked(receiver.url))
        named = await refused(elsewhere, hooked(receiver.url.replace("127.0.0.1", "localhost")))
    finally:
        await elsewhere.close()
    assert error.code == named.code == "webhook:address-refused"
    assert receiver.got == []


async def test_only_a_trusted_certificate_is_told_anything(tmp_path: Path) -> None:
    pem, server = certificates(tmp_path)
    async with receiving(server) as receiver:
        trusting, usual = adapter_of(ca_file=pem), adapter_of()
        try:
            await trusting.send(hooked(receiver.url))
            error = await refused(usual, hooked(receiver.url))
        finally:
            await trusting.close()
            await usual.close()
    assert (error.kind, error.code) == (ErrorKind.PERMANENT_CONTACT, "webhook:tls")
    assert len(receiver.got) == 1


async def test_a_closed_port_is_tried_again_later(adapter: WebhookAdapter) -> None:
    async with receiving() as gone:
        pass
    error = await refused(adapter, hooked(gone.url))
    assert (error.kind, error.code, error.maybe_sent) == (ErrorKind.TRANSIENT, "webhook:connection", False)


@pytest.mark.parametrize(
    ("changes", "code", "kind"),
    [
        ({"key": "nobody"}, "webhook:no-key", ErrorKind.PERMANENT_CONTACT),
        ({"to": None}, "webhook:no-address", ErrorKind.PERMANENT_CONTACT),
        ({"to": "https://hospital.example"}, "webhook:no-address", ErrorKind.PERMANENT_CONTACT),
        ({"machine": None}, "webhook:no-document", ErrorKind.PERMANENT_CAMPAIGN),
    ],
)
async def test_what_is_missing_is_named(
    adapter: WebhookAdapter, receiver: Receiver, changes: dict[str, Any], code: str, kind: ErrorKind
) -> None:
    error = await refused(adapter, hooked(receiver.url, **changes))
    assert (error.code, error.kind) == (code, kind)
    assert receiver.got == []


def test_keys_are_not_shown_and_bad_ones_are_named_without_being_told() -> None:
    assert KEY not in repr(KEYS)
    for secrets in (["short"], ["whsec_!!!"], [], [KEY, KEY, KEY]):
        with pytest.raises(ValueError, match="RECALL_WEBHOOK_KEYS: mercy: expected") as caught:
            parse_webhook_keys({"mercy": secrets})
        assert "short" not in str(caught.value)


async def test_a_recipient_that_takes_fhir_gets_the_bundle(adapter: WebhookAdapter, receiver: Receiver) -> None:
    receiver.status = 201
    await adapter.send(hooked(receiver.url + "/fhir", form="fhir"))
    (got,) = receiver.got
    assert got.headers["content-type"] == "application/fhir+json"
    assert got.body == notice_bundle(machine(), answer_url=f"{ANSWERS}/{DELIVERY}")
