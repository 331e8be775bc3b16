"""Signatures of webhooks and addresses that outsiders name: vectors, flipped bytes, and what leads inside."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.web_addresses import WebAddressError, checked_endpoint, checked_url, may_be_called, parse_networks
from domain.webhook_signature import SignatureRefused, key_bytes, signed_headers, verify

pytestmark = pytest.mark.unit
DOCS = Path(__file__).parents[2] / "docs"
VECTORS = json.loads((DOCS / "webhook-vectors.json").read_text())
# The example of the Standard Webhooks specification and its libraries.
SECRET, MESSAGE = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1_614_265_330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEY = key_bytes(SECRET)


def check(**changes: object) -> None:
    given_now: dict[str, object] = {
        "keys": [KEY],
        "message_id": MESSAGE,
        "timestamp": "1614265330",
        "signature": SIGNATURE,
        "body": BODY,
        "now": AT,
    }
    asked = given_now | changes
    keys = asked.pop("keys")
    verify(keys, **asked)  # type: ignore[arg-type]


def reason(**changes: object) -> str:
    with pytest.raises(SignatureRefused) as caught:
        check(**changes)
    return caught.value.reason


def test_the_vector_of_the_specification_is_made_and_verified() -> None:
    assert signed_headers([KEY], MESSAGE, AT, BODY) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }
    check()
    check(signature=f"v1,AAAA v2,whatever {SIGNATURE}")
    check(keys=[b"the other key of the rotation", KEY])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_published_vectors_verify_or_do_not_here_and_by_the_ten_lines_of_the_document(
    vector: dict[str, Any],
) -> None:
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    names = {"message_id": "id", "timestamp": "timestamp", "signature": "signature"}
    asked: dict[str, Any] = {name: vector[there] for name, there in names.items()}
    asked |= {"keys": [key_bytes(vector["key"])], "body": vector["body"].encode(), "now": at}
    if vector["verifies"]:
        check(**asked)
    else:
        assert reason(**asked) == "signature"
    headers = {f"webhook-{name}": vector[name] for name in ("id", "timestamp", "signature")}
    told: dict[str, Any] = {}
    (lines,) = re.findall(r"```python\n(.*?)```", (DOCS / "channels.md").read_text(), re.DOTALL)
    exec(lines, told)  # noqa: S102 - our own document
    assert told["verified"](vector["key"], headers, vector["body"].encode(), at.timestamp()) is vector["verifies"]
    assert not told["verified"](vector["key"], headers, vector["body"].encode(), at.timestamp() + 301)


@given(st.integers(min_value=0, max_value=len(BODY) - 1), st.integers(min_value=0, max_value=7))
def test_every_flipped_bit_of_the_body_is_refused(place: int, bit: int) -> None:
    body = bytearray(BODY)
    body[place] ^= 1 << bit
    assert reason(body=bytes(body)) == "signature"


@given(st.integers(min_value=0, max_value=31), st.integers(min_value=0, max_value=7))
def test_every_flipped_bit_of_the_signature_is_refused(place: int, bit: int) -> None:
    raw = bytearray(base64.b64decode(SIGNATURE.removeprefix("v1,")))
    raw[place] ^= 1 << bit
    assert reason(signature="v1," + base64.b64encode(raw).decode()) == "signature"


def test_a_signed_message_has_one_reading() -> None:
    """With a full stop in an id, the end of the id could be the time, and the time the beginning of the body."""
    dotted, body = f"{MESSAGE}.1614265330", b'{"a":1}'
    later = AT + timedelta(days=900)
    signed = signed_headers([KEY], dotted, later, body)
    moved = f"{int(later.timestamp())}.".encode() + body
    told = {"signature": signed["webhook-signature"]}
    check(message_id=MESSAGE, timestamp="1614265330", body=moved, **told)
    at = signed["webhook-timestamp"]
    assert reason(message_id=dotted, timestamp=at, body=body, now=later, **told) == "malformed"


@pytest.mark.parametrize(
    "signature",
    [
        *(SIGNATURE.lower(), SIGNATURE.upper(), SIGNATURE[:-1], SIGNATURE[:-2], SIGNATURE + "=", SIGNATURE[:20]),
        *("v1," * 9, f"{'v1,x ' * 8}{SIGNATURE}", SIGNATURE.replace(",", ", "), SIGNATURE.replace("v1", "V1")),
    ],
)
def test_a_signature_in_another_spelling_is_none(signature: str) -> None:
    assert reason(signature=signature) == "signature"


def test_id_and_time_are_signed_and_the_time_is_near() -> None:
    assert reason(message_id="msg_p5jXN8AQM9LWM0D4loKWxJel") == "signature"
    assert reason(timestamp="1614265331") == "signature"
    assert reason(keys=[]) == "signature"
    assert reason(keys=[KEY + b"x"]) == "signature"
    for off in (timedelta(minutes=5), -timedelta(minutes=5)):
        check(now=AT + off)
        assert reason(now=AT + off * 1.01) == "timestamp"
    late = signed_headers([KEY], MESSAGE, AT, BODY)
    assert reason(now=AT + timedelta(days=1), signature=late["webhook-signature"]) == "timestamp"


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": ""},
        {"message_id": "short"},
        {"message_id": "a" * 101},
        {"message_id": "with space"},
        {"message_id": "with.a.full.stop"},
        {"message_id": "１２３４５６７８９"},
        {"timestamp": ""},
        {"timestamp": "-1614265330"},
        {"timestamp": "1614265330.0"},
        {"timestamp": "9" * 13},
        {"timestamp": "１６１４"},
        {"signature": ""},
    ],
)
def test_malformed_headers_are_called_so(changes: dict[str, object]) -> None:
    assert reason(**changes) == "malformed"


def test_a_hash_without_its_version_or_of_another_alphabet_is_no_signature() -> None:
    for each in (SIGNATURE.removeprefix("v1,"), SIGNATURE.replace("v1", "v2"), SIGNATURE.replace("+", "-"), "v1,", "é"):
        assert reason(signature=each) == "signature"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - refused
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "hospital.example",
        "",
    ],
)
def test_no_address_inside_may_be_called(address: str) -> None:
    assert not may_be_called(address, ())


def test_public_addresses_may_be_called_and_inner_ones_where_their_network_is_allowed() -> None:
    for address in ("8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert may_be_called(address, ())
    allowed = parse_networks(["10.20.0.0/16", "fd00::/8"])
    assert [may_be_called(each, allowed) for each in ("10.20.3.4", "::ffff:10.20.3.4", "fd12::1", "10.21.0.1")] == [
        True,
        True,
        True,
        False,
    ]
    with pytest.raises(ValueError, match=r"10\.20\.0\.0/16"):
        parse_networks(["10.20.0.1/16"])


@pytest.mark.parametrize(
    "url",
    [
        "https://hospital.example/hook",
        "https://hospital.example:8443/a/b?c=d",
        "http://127.0.0.1:9/x",
        "http://localhost/",
    ],
)
def test_these_addresses_are_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hospital.example/", "https://"),
        ("HTTP://hospital.example/", "https://"),
        ("gopher://hospital.example/", "https://"),
        ("https://u:p@hospital.example/", "credentials"),
        ("https://hospital.example/#x", "fragment"),
        ("https://hospital.example/#", "fragment"),
        ("https:///path", "host"),
        ("https://hospital.example:0/", "host"),
        ("https://hospital.example:99999/", "web address"),
        ("https://[::1/", "web address"),
        ("https://hospital.example/a b", "spaces"),
        ("https://hospital.example/\r\nX: y", "spaces"),
        ("https://höspital.example/", "non-ASCII"),
        ("https://hospital.example\\@evil.example/", "spaces"),
        ("https://hospital.example/" + "x" * 500, "500"),
    ],
)
def test_these_are_refused_by_what_was_expected(url: str, expected: str) -> None:
    with pytest.raises(WebAddressError, match=expected) as caught:
        checked_url(url)
    assert "hospital" not in str(caught.value)


def test_an_endpoint_of_a_browser_lies_in_no_private_network() -> None:
    assert checked_endpoint("https://push.example/abc", ()) == "https://push.example/abc"
    for url in (
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://127.1/x",
    ):
        with pytest.raises(WebAddressError, match="public"):
            checked_endpoint(url, ())
    assert checked_endpoint("http://127.0.0.1:5/x", parse_networks(["127.0.0.0/8"]))
