"""Every request of Twilio is taken as it was signed or not at all, by either token of a rotation, and counts once."""

from collections.abc import AsyncIterator
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from api.security.twilio_signature import is_signed, parse_form
from db.engine import SessionFactory
from domain.links import (
    TWILIO_CALL_STATUS_PATH,
    TWILIO_KEY_PATH,
    TWILIO_SCRIPT_PATH,
    TWILIO_STATUS_PATH,
    signed_callback_url,
)
from tests.api.conftest import unreachable_client
from tests.campaign.world import Person, World, build
from tests.support.api import LINK_SECRET, TWILIO_TOKEN, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
HOST = "http://recall.test"
PREVIOUS = "the-token-before-this-one"
INBOUND = "/v1/webhooks/twilio/inbound"
PHONE = "+254700000001"
STEP = 7
"""Every seventh byte is flipped: all fields and separators are met, in a second."""
CALL, TEXT = f"CA{'1' * 32}", f"SM{'2' * 32}"
FORMS: dict[str, dict[str, str]] = {
    INBOUND: {"MessageSid": TEXT, "From": PHONE, "To": "+15005550006", "Body": "1 收到"},
    TWILIO_STATUS_PATH: {"MessageSid": TEXT, "MessageStatus": "delivered", "To": PHONE},
    TWILIO_SCRIPT_PATH: {"CallSid": CALL, "CallStatus": "in-progress", "AnsweredBy": "human", "To": PHONE},
    TWILIO_KEY_PATH: {"CallSid": CALL, "Digits": "1", "To": PHONE},
    TWILIO_CALL_STATUS_PATH: {"CallSid": CALL, "CallStatus": "completed", "To": PHONE},
}
COUNTED = ("reply", "inbound_message", "delivery_event", "complaint", "task")


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    world = build(clean_db.admin_url)
    world.run("UPDATE notice SET approved_at = now()")
    world.consignee("Mercy", Person(phone=PHONE, channels=("voice", "sms")))
    world.run("UPDATE consignee SET first_notified_at = now(), step = 1")
    return world


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API, in the middle of a rotation of the token."""
    settings = settings_for(postgres.app_url, tmp_path, twilio_auth_token_previous=SecretStr(PREVIOUS))
    async with serving(settings, await unreachable_client()) as client:
        yield client


def address(world: World, path: str) -> str:
    """The whole address of a webhook, with a delivery of its channel where it names one."""
    if path == INBOUND:
        return HOST + path
    channel = "sms" if path == TWILIO_STATUS_PATH else "voice"
    delivery = world.one(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
        " state, attempt, ambiguous, created_at) SELECT gen_random_uuid(), %s, consignee.id, contact.id, 0, 'initial',"
        " %s, 'en', 1, 'submitting', 1, false, now()"
        " FROM consignee JOIN contact ON contact.partner_id = consignee.partner_id"
        " RETURNING id",
        world.campaign_id,
        channel,
    )
    return signed_callback_url(LINK_SECRET, HOST, path, UUID(str(delivery)))


async def post(http: httpx.AsyncClient, url: str, body: bytes, signature: str) -> int:
    headers = {
        b"X-Twilio-Signature": signature.encode("latin-1"),
        b"Content-Type": b"application/x-www-form-urlencoded",
    }
    return (await http.post(url.removeprefix(HOST), content=body, headers=headers)).status_code


def counts(world: World) -> dict[str, Any]:
    """What a request could have changed."""
    counted = {table: world.one(f"SELECT count(*) FROM {table}") for table in COUNTED}  # noqa: S608 - constants
    counted["events of the recall"] = len(world.actions())
    return counted | {"states": world.rows("SELECT state FROM delivery UNION ALL SELECT state FROM consignee")}


def flipped(text: bytes, at: int) -> bytes:
    return text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]


@pytest.mark.parametrize("path", FORMS)
async def test_a_flipped_byte_anywhere_is_refused_and_changes_nothing(
    http: httpx.AsyncClient, world: World, path: str
) -> None:
    url, form = address(world, path), FORMS[path]
    body, before = urlencode(form).encode(), counts(world)
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
    for at in range(0, len(body), STEP):
        assert await post(http, url, flipped(body, at), signature) in (400, 403), (at, flipped(body, at))
    for at in range(0, len(signature), STEP):
        altered = flipped(signature.encode(), at).decode("latin-1")
        assert await post(http, url, body, altered) == 403, altered
    query = len(HOST) + len(path) + 1
    for at in range(query, len(url), STEP):
        altered = flipped(url.encode(), at).decode("latin-1")
        assert await post(http, altered, body, signature) in (400, 403), altered
    assert await post(http, url + ("&x=1" if "?" in url else "?x=1"), body, signature) == 403
    assert await post(http, url, body + b"&Extra=1", signature) == 403
    assert counts(world) == before


def test_every_flipped_bit_of_a_form_is_refused_unless_it_says_the_same() -> None:
    url = f"{HOST}{INBOUND}"
    for form in FORMS.values():
        body = urlencode(form).encode()
        signature = RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
        for at, bit in product(range(len(body)), range(8)):
            altered = body[:at] + bytes([body[at] ^ (1 << bit)]) + body[at + 1 :]
            try:
                read = parse_form(altered)
            except ValueError:
                continue
            same = dict(read) == form  # the case of a percent code says nothing
            assert is_signed([TWILIO_TOKEN], url, read, signature, None) is same, altered
        for at, bit in product(range(len(signature)), range(7)):
            other = flipped_bit(signature, at, bit)
            assert not is_signed([TWILIO_TOKEN], url, parse_form(body), other, None), other
        for other in (
            signature[:-1],
            signature[1:],
            signature.lower(),
            signature.upper(),
            signature + "=",
            signature * 2,
        ):
            assert not is_signed([TWILIO_TOKEN], url, parse_form(body), other, None), other


def flipped_bit(text: str, at: int, bit: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ (1 << bit)) + text[at + 1 :]


@pytest.mark.parametrize("public", ["https://recall.test", "https://recall.test:443", "https://recall.test:8443/r"])
def test_twilio_may_sign_with_or_without_the_usual_port_and_no_other_address(public: str) -> None:
    form = parse_form(b"Body=1")
    url = f"{public}{INBOUND}"
    plain = "https://recall.test" + url.partition("recall.test")[2].removeprefix(":443").removeprefix(":8443")
    signing = RequestValidator(TWILIO_TOKEN)
    assert is_signed([TWILIO_TOKEN], url, form, signing.compute_signature(url, form), None)
    assert is_signed([TWILIO_TOKEN], url, form, signing.compute_signature(plain, form), None)
    for other in (
        url.replace("https", "http"),
        url.replace("recall.test", "recall.test.evil.example"),
        url.replace("recall.test", "recall.test:9"),
        url + "/",
        url + "?x=1",
        url.replace("/inbound", "/Inbound"),
    ):
        assert not is_signed([TWILIO_TOKEN], url, form, signing.compute_signature(other, form), None), other


async def test_a_hash_of_the_body_in_the_address_is_that_of_the_body(http: httpx.AsyncClient, world: World) -> None:
    """What Twilio signed for one JSON body is no signature of an empty form, nor of any other body."""
    form = FORMS[INBOUND]
    body = urlencode(form).encode()
    named = {"right": sha256(body).hexdigest(), "of JSON": sha256(b'{"a":1}').hexdigest(), "none": ""}
    for kind, digest in named.items():
        url = f"{HOST}{INBOUND}?bodySHA256={digest}"
        of_form = RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
        of_json = RequestValidator(TWILIO_TOKEN).compute_signature(url, {})
        assert await post(http, url, b"", of_json) == 403
        assert await post(http, url, b'{"a":1}', of_json) == 403
        assert await post(http, url, body, of_form) == (200 if kind == "right" else 403)
    assert world.one("SELECT count(*) FROM inbound_message") == 1


async def test_two_signatures_are_none(http: httpx.AsyncClient, world: World) -> None:
    form, url = FORMS[INBOUND], HOST + INBOUND
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
    headers = [("X-Twilio-Signature", signature), ("X-Twilio-Signature", "x" * 28)]
    for order in (headers, headers[::-1], [headers[0]] * 2):
        assert (await http.post(INBOUND, data=form, headers=order)).status_code == 403
    assert world.one("SELECT count(*) FROM inbound_message") == 0


@pytest.mark.parametrize("path", FORMS)
async def test_both_tokens_of_a_rotation_sign_and_no_other_does(
    http: httpx.AsyncClient, world: World, path: str
) -> None:
    url, form = address(world, path), FORMS[path]
    body, before = urlencode(form).encode(), counts(world)
    for token in ("guessed", TWILIO_TOKEN.upper(), TWILIO_TOKEN + " ", LINK_SECRET):
        assert await post(http, url, body, RequestValidator(token).compute_signature(url, form)) == 403
    for signature in ("", "=", "AAAA", "\xe5"):
        assert await post(http, url, body, signature) == 403
    elsewhere = RequestValidator(TWILIO_TOKEN).compute_signature(url.replace(HOST, "https://other.test"), form)
    assert await post(http, url, body, elsewhere) == 403
    assert counts(world) == before
    for token in (TWILIO_TOKEN, PREVIOUS):
        fresh = (
            {**form, "CallSid": f"CA{uuid4().hex}"} if "CallSid" in form else {**form, "MessageSid": f"SM{uuid4().hex}"}
        )
        signature = RequestValidator(token).compute_signature(url, fresh)
        assert await post(http, url, urlencode(fresh).encode(), signature) in (200, 204)


@pytest.mark.parametrize("path", FORMS)
async def test_a_replayed_request_is_answered_and_changes_nothing(
    http: httpx.AsyncClient, world: World, path: str
) -> None:
    url, form = address(world, path), FORMS[path]
    body, signature = urlencode(form).encode(), RequestValidator(TWILIO_TOKEN).compute_signature(url, form)
    before = counts(world)
    assert await post(http, url, body, signature) in (200, 204)
    once = counts(world)
    assert once != before
    for _ in range(3):
        assert await post(http, url, body, signature) in (200, 204)
    assert counts(world) == once
