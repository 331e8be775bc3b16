"""Web Push: a push service and browsers of the test decrypt what arrives, and its answers are read by the table."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError
from adapters.messaging.guarded_http import GuardedHttpConfig
from adapters.messaging.push_errors import classify_push
from adapters.messaging.turns import STILL_WANTED, TurnLapsed
from adapters.messaging.web_push import LARGEST, PushConfig, WebPushAdapter, push_payload
from api.push_key import public_push_key
from domain.web_addresses import parse_networks
from settings import Settings
from stack.secret_store import StackSecrets
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.receiver import Receiver, Request, receiving

PRIVATE = StackSecrets().vapid_private_key
SUBJECT = "mailto:recall@firm.example"
TEXT = "URGENT: RECALL RC-2026-000012\nPump. Your lots: A1 (12). STOP USE.\nhttps://recall.firm.example/r/abc"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """What a browser makes when its user subscribes, and how it reads what comes."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"0123456789abcdef"

    @property
    def p256dh(self) -> str:
        return encoded(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def target(self, endpoint: str) -> dict[str, str]:
        return {"endpoint": endpoint, "p256dh": self.p256dh, "auth": encoded(self.auth)}

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        found: dict[str, Any] = json.loads(plain)
        return found


def push(*targets: dict[str, str], **changes: Any) -> OutgoingMessage:
    return mail(**({"to": json.dumps(targets), "text": TEXT, "subject": None, "html": None} | changes))


@dataclass
class Dead:
    told: list[str] = field(default_factory=list)

    async def gone(self, endpoints: Sequence[str]) -> None:
        self.told.extend(endpoints)


@pytest.fixture
def dead() -> Dead:
    return Dead()


@pytest.fixture
async def adapter(dead: Dead) -> AsyncIterator[WebPushAdapter]:
    http = GuardedHttpConfig(allowed=parse_networks(["127.0.0.0/8"]), timeout_seconds=5)
    made = WebPushAdapter(PushConfig(PRIVATE, SUBJECT, http), gone=dead.gone)
    yield made
    await made.close()


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        found.status = 201
        yield found


async def refused(adapter: WebPushAdapter, message: OutgoingMessage) -> SendError:
    with pytest.raises(SendError) as caught:
        await adapter.send(message)
    return caught.value


def check_identity(got: Request, audience: str) -> None:
    """RFC 8292 by hand: the token is signed by the key that the page shows to browsers."""
    token, key = (part.split("=", 1)[1] for part in got.headers["authorization"].removeprefix("vapid ").split(","))
    public = public_push_key(Settings(vapid_private_key=SecretStr(PRIVATE)))
    assert key == public
    head, claims, signature = token.split(".")
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(key))
    point.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    told = json.loads(decoded(claims))
    assert (told["aud"], told["sub"]) == (audience, SUBJECT)
    left = told["exp"] - datetime.now(UTC).timestamp()
    assert 0 < left <= timedelta(hours=24).total_seconds()


async def test_only_the_browser_can_read_the_notice(adapter: WebPushAdapter, service: Receiver) -> None:
    browser = Browser()
    sent = await adapter.send(push(browser.target(service.url + "/push/abc")))
    assert sent.provider_id == f"push:{DELIVERY}"
    (got,) = service.got
    assert browser.read(got.body) == {
        "title": "URGENT: RECALL RC-2026-000012",
        "body": "Pump. Your lots: A1 (12). STOP USE.",
        "url": "https://recall.firm.example/r/abc",
        "lang": "en",
        "tag": DELIVERY.hex,
    }
    assert b"RECALL" not in got.body
    assert b"recall.firm" not in got.body
    with pytest.raises(http_ece.ECEException):
        Browser().read(got.body)
    assert got.headers["content-encoding"] == "aes128gcm"
    assert (got.headers["urgency"], got.headers["topic"]) == ("high", DELIVERY.hex)
    check_identity(got, service.url)


async def test_the_push_service_keeps_the_notice_until_the_recipient_is_chased_next(
    adapter: WebPushAdapter, service: Receiver
) -> None:
    target = Browser().target(service.url)
    for life, ttl in ((timedelta(hours=48), 172_800), (timedelta(hours=-1), 60), (timedelta(days=90), 2_419_200)):
        await adapter.send(push(target, valid_until=datetime.now(UTC) + life))
        assert abs(int(service.got[-1].headers["ttl"]) - ttl) <= 2
    await adapter.send(push(target))
    assert service.got[-1].headers["ttl"] == str(3 * 86_400)


@pytest.mark.parametrize(
    ("status", "kind", "maybe"),
    [
        (302, ErrorKind.PERMANENT_CONTACT, False),
        (400, ErrorKind.PERMANENT_CONTACT, False),
        (401, ErrorKind.PERMANENT_CONTACT, False),
        (403, ErrorKind.PERMANENT_CONTACT, False),
        (404, ErrorKind.PERMANENT_CONTACT, False),
        (410, ErrorKind.PERMANENT_CONTACT, False),
        (413, ErrorKind.PERMANENT_CONTACT, False),
        (418, ErrorKind.TRANSIENT, False),
        (429, ErrorKind.TRANSIENT, False),
        (503, ErrorKind.TRANSIENT, False),
        (500, ErrorKind.TRANSIENT, True),
    ],
)
async def test_each_answer_means_what_the_table_says(
    adapter: WebPushAdapter, service: Receiver, dead: Dead, status: int, kind: ErrorKind, maybe: bool
) -> None:
    service.status, service.headers = status, {"Retry-After": "30", "Location": "/elsewhere"}
    endpoint = service.url + "/push/abc"
    error = await refused(adapter, push(Browser().target(endpoint)))
    assert (error.kind, error.maybe_sent) == (kind, maybe)
    assert "abc" not in str(error)
    if status in {429, 503}:
        assert error.retry_after == timedelta(seconds=30)
    assert dead.told == ([endpoint] if status in {404, 410} else [])
    assert len(service.got) == 1


def test_no_answer_of_one_push_service_stops_the_campaign() -> None:
    for status in range(200, 600):
        error = classify_push(status, None)
        assert error is None or error.kind is not ErrorKind.PERMANENT_CAMPAIGN


async def test_every_browser_of_a_person_is_tried_and_the_dead_ones_are_told(
    adapter: WebPushAdapter, service: Receiver, dead: Dead
) -> None:
    old, new = Browser(), Browser()
    service.by_path = {"/new": 201, "/old": 410}
    await adapter.send(push(new.target(service.url + "/new"), old.target(service.url + "/old")))
    first, second = sorted(service.got, key=lambda got: got.path)
    assert new.read(first.body)["tag"] == old.read(second.body)["tag"] == DELIVERY.hex
    assert dead.told == [service.url + "/old"]


async def test_ten_browsers_cost_the_time_of_one(adapter: WebPushAdapter, service: Receiver) -> None:
    service.together = asyncio.Barrier(10)
    service.by_path = {"/3": 410}
    await adapter.send(push(*(Browser().target(f"{service.url}/{number}") for number in range(10))))
    assert sorted(got.path for got in service.got) == [f"/{number}" for number in range(10)]


async def test_when_no_browser_takes_it_the_error_that_leaves_most_hope_is_told(
    adapter: WebPushAdapter, service: Receiver
) -> None:
    both = push(Browser().target(service.url + "/1"), Browser().target(service.url + "/2"))
    service.by_path = {"/1": 410, "/2": 503}
    assert (await refused(adapter, both)).code == "push:http-503"
    service.by_path = {"/1": 500, "/2": 503}
    doubtful = await refused(adapter, both)
    assert (doubtful.code, doubtful.maybe_sent) == ("push:http-500", True)


@pytest.mark.parametrize(("status", "taken"), [(201, True), (410, False)])
async def test_what_is_not_wanted_any_more_when_its_turn_comes_goes_back_unless_a_browser_has_it(
    adapter: WebPushAdapter, service: Receiver, status: int, taken: bool
) -> None:
    both = push(Browser().target(service.url), Browser().target(service.url))
    service.status, answers = status, iter([True, False])
    token = STILL_WANTED.set(lambda: next(answers))
    try:
        if taken:
            await adapter.send(both)
        else:
            with pytest.raises(TurnLapsed):
                await adapter.send(both)
    finally:
        STILL_WANTED.reset(token)
    assert len(service.got) == 1


async def test_keys_of_a_browser_that_are_none_cost_only_that_browser(
    adapter: WebPushAdapter, service: Receiver
) -> None:
    broken = {"endpoint": service.url, "p256dh": encoded(b"\x04" + b"\x00" * 64), "auth": encoded(b"0" * 16)}
    assert (await refused(adapter, push(broken))).code == "push:keys"
    assert service.got == []
    await adapter.send(push(broken, Browser().target(service.url)))
    assert len(service.got) == 1


@pytest.mark.parametrize(
    "to", [None, "", "[]", "null", "https://push.example/abc", '[{"endpoint":"https://x.example"}]']
)
async def test_whoever_has_no_browser_left_is_reached_otherwise(adapter: WebPushAdapter, to: str | None) -> None:
    error = await refused(adapter, push(to=to))
    assert (error.kind, error.code) == (ErrorKind.PERMANENT_CONTACT, "push:no-address")


async def test_a_message_too_large_for_push_is_refused_and_not_cut(adapter: WebPushAdapter, service: Receiver) -> None:
    target = Browser().target(service.url)
    fits = "x" * (LARGEST - len(push_payload(push(target, text="t\n"))))
    await adapter.send(push(target, text=f"t\n{fits}"))
    assert len(service.got[0].body) <= 4096
    error = await refused(adapter, push(target, text=f"t\n{fits}x"))
    assert (error.kind, error.code) == (ErrorKind.PERMANENT_CONTACT, "push:too-large")
    assert len(service.got) == 1


async def test_an_endpoint_inside_is_never_called(service: Receiver) -> None:
    made = WebPushAdapter(PushConfig(PRIVATE, SUBJECT))
    try:
        error = await refused(made, push(Browser().target(service.url)))
    finally:
        await made.close()
    assert (error.code, service.got) == ("push:address-refused", [])


@pytest.mark.parametrize("key", ["", "short", "!" * 43, "A" * 43])
def test_a_key_that_is_none_is_refused_by_the_name_of_its_variable(key: str) -> None:
    with pytest.raises(ValueError, match="RECALL_VAPID_PRIVATE_KEY"):
        WebPushAdapter(PushConfig(key, SUBJECT))
    with pytest.raises(ValueError, match="RECALL_VAPID_PRIVATE_KEY"):
        public_push_key(Settings(vapid_private_key=SecretStr(key)))
