"""Signed links and callback addresses: what lets a recipient in without an account.

A link names one consignee of one recall (and the delivery it was sent with) and carries its own expiry; the
HMAC over all of it makes it good for nothing else. Tokens stay short because a text message has 160
characters: a binary payload, its first 128 bits of HMAC-SHA256, base64url without padding. Each use has its
own key derived from the one secret, so that a token of one kind is never accepted as another.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from domain.recall_number import RecallNumber, RecallNumberError

_VERSION: Final = 1
_HAS_DELIVERY, _IS_DRILL, _ALL_SITES = 0b001, 0b010, 0b100
_MAC_BYTES: Final = 16
_EXPIRY_BYTES: Final = 5
_LONGEST: Final = 120
_MIN_SECRET: Final = 16
TWILIO_STATUS_PATH: Final = "/v1/webhooks/twilio/status"
"""Path of Twilio's delivery reports; `n` is the delivery id, `s` its HMAC."""
TWILIO_CALL_STATUS_PATH: Final = "/v1/webhooks/twilio/call-status"
"""Path of Twilio's reports of calls."""
TWILIO_SCRIPT_PATH: Final = "/v1/webhooks/twilio/call"
"""Path from which Twilio fetches what a call says."""
TWILIO_KEY_PATH: Final = "/v1/webhooks/twilio/call-key"
"""Path to which Twilio sends the key that was pressed."""
HOSPITAL_PATH: Final = "/v1/webhooks/hospital"
"""Below it, followed by the delivery's id, a recipient's system posts its answer."""
RECIPIENT_PATH: Final = "/r/"
"""Path of the recipient page, followed by the token."""
SITES_PATH: Final = "/sites"
"""After the token: the page of a person that answers for several sites."""


class LinkError(Exception):
    """A link that lets nobody in. `kind` is what goes into the record of refused access."""

    kind = "link_refused"


class LinkMalformed(LinkError):  # noqa: N818 - reads as what the link is
    """Not a token of ours: cut, mistyped or made up."""

    kind = "link_malformed"


class LinkBadSignature(LinkError):  # noqa: N818
    """The right shape, but not signed by us for this content."""

    kind = "link_signature"


class LinkExpired(LinkError):  # noqa: N818
    """Once valid; `claims` tell whose it was, so that the right contact can be shown."""

    kind = "link_expired"

    def __init__(self, claims: "LinkClaims") -> None:
        super().__init__(f"the link expired at {claims.expires_at.isoformat()}")
        self.claims = claims


class CallbackRefused(Exception):  # noqa: N818
    """A delivery report whose address we did not hand out."""

    kind = "callback_signature"


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """What a valid link says."""

    recall_no: str
    consignee_id: int
    delivery_id: UUID | None
    """The delivery that carried the link; None for one handed out by staff."""
    expires_at: datetime
    all_sites: bool = False
    """Good for every site of the message that carried it; a link to one of them is handed on to people there."""


def make_link_token(
    secret: str,
    *,
    recall_no: str,
    consignee_id: int,
    delivery_id: UUID | None,
    expires_at: datetime,
    all_sites: bool = False,
) -> str:
    """Token of at most 62 characters for a recall of our own numbering.

    Args:
        expires_at: aware instant, kept to the second.
        all_sites: the link of a message for several sites, which its reader answers for.

    Raises:
        ValueError: the secret is shorter than 16 characters, the expiry is naive or out of range, the
            consignee id is not positive, the number is no recall number, or `all_sites` comes without a delivery.
    """
    number = _number(recall_no)
    if expires_at.tzinfo is None:
        raise ValueError("expires_at: expected an aware instant")
    if consignee_id < 1:
        raise ValueError("consignee_id: expected a positive id")
    if all_sites and delivery_id is None:
        raise ValueError("all_sites: expected the delivery whose sites are meant")
    flags = (_HAS_DELIVERY if delivery_id else 0) | (_IS_DRILL if number.drill else 0)
    flags |= _ALL_SITES if all_sites else 0
    payload = bytes([_VERSION, flags])
    payload += _varint(number.year) + _varint(number.sequence) + _varint(consignee_id)
    payload += int(expires_at.timestamp()).to_bytes(_EXPIRY_BYTES, "big")
    payload += delivery_id.bytes if delivery_id else b""
    return encode_token(payload + token_mac(secret, b"recipient link", payload))


_number = lru_cache(maxsize=256)(RecallNumber.parse)


def read_link_token(secret: str, token: str, now: datetime) -> LinkClaims:
    """Claims of a valid token.

    Raises:
        LinkMalformed: not a token of ours.
        LinkBadSignature: altered, or signed with another secret.
        LinkExpired: `now` is at or after its expiry.
    """
    raw = decode_token(token)
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(raw) <= _MAC_BYTES or payload[0] != _VERSION:
        raise LinkMalformed("not a recipient link")
    if not hmac.compare_digest(mac, token_mac(secret, b"recipient link", payload)):
        raise LinkBadSignature("the link is not signed by this installation")
    claims = _parse(payload)
    if now >= claims.expires_at:
        raise LinkExpired(claims)
    return claims


def recipient_url(public_url: str, token: str) -> str:
    """Address of the recipient page for a token."""
    return f"{public_url.rstrip('/')}{RECIPIENT_PATH}{token}"


def status_callback_url(secret: str, public_url: str, delivery_id: UUID) -> str:
    """Address Twilio reports a text message to; the first report heals a send whose answer was lost."""
    return signed_callback_url(secret, public_url, TWILIO_STATUS_PATH, delivery_id)


def signed_callback_url(secret: str, public_url: str, path: str, delivery_id: UUID) -> str:
    """Address of ours that a provider may call about one delivery; good for this path and this delivery only."""
    signature = encode_token(token_mac(secret, _purpose(path), delivery_id.bytes))
    return f"{public_url.rstrip('/')}{path}?n={delivery_id.hex}&s={signature}"


def read_status_callback(secret: str, n: str, s: str, path: str = TWILIO_STATUS_PATH) -> UUID:
    """The delivery a callback address below `path` was made for.

    Raises:
        CallbackRefused: the id is malformed or the signature is not ours.
    """
    try:
        delivery_id = UUID(hex=n)
    except ValueError:
        raise CallbackRefused("n: expected a delivery id") from None
    expected = encode_token(token_mac(secret, _purpose(path), delivery_id.bytes))
    if n != delivery_id.hex or not hmac.compare_digest(s.encode(), expected.encode()):
        raise CallbackRefused("the callback address is not signed by this installation")
    return delivery_id


def _purpose(path: str) -> bytes:
    return b"status callback" if path == TWILIO_STATUS_PATH else f"callback {path}".encode()


def _parse(payload: bytes) -> LinkClaims:
    try:
        flags, rest = payload[1], payload[2:]
        year, rest = _read_varint(rest)
        sequence, rest = _read_varint(rest)
        consignee, rest = _read_varint(rest)
        expiry, rest = rest[:_EXPIRY_BYTES], rest[_EXPIRY_BYTES:]
        number = str(RecallNumber(year, sequence, drill=bool(flags & _IS_DRILL)))
        delivery = UUID(bytes=rest) if flags & _HAS_DELIVERY else None
        expires_at = datetime.fromtimestamp(int.from_bytes(expiry, "big"), UTC)
        if len(expiry) != _EXPIRY_BYTES or (delivery is None and rest):
            raise ValueError("wrong length")
    except (IndexError, ValueError, OverflowError, OSError, RecallNumberError):
        raise LinkMalformed("a signed link of another shape") from None
    return LinkClaims(number, consignee, delivery, expires_at, all_sites=bool(flags & _ALL_SITES))


def token_mac(secret: str, purpose: bytes, payload: bytes) -> bytes:
    """First 128 bits of the HMAC of `payload` under the key of one `purpose`.

    Raises:
        ValueError: the secret is shorter than 16 characters.
    """
    if len(secret) < _MIN_SECRET:
        raise ValueError(f"RECALL_LINK_SECRET: expected at least {_MIN_SECRET} characters")
    key = _key(secret, purpose)
    return hmac.digest(key, payload, hashlib.sha256)[:_MAC_BYTES]


@lru_cache(maxsize=64)
def _key(secret: str, purpose: bytes) -> bytes:
    return hmac.digest(secret.encode(), purpose, hashlib.sha256)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes) -> tuple[int, bytes]:
    value = shift = 0
    for index, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, data[index + 1 :]
    raise ValueError("number without end")


def encode_token(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode_token(text: str) -> bytes:
    """Strict: one spelling per token, so that a token can be recognised wherever it is recorded."""
    if not text or len(text) > _LONGEST or not text.isascii():
        raise LinkMalformed("not a recipient link")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkMalformed("not a recipient link") from None
    if encode_token(raw) != text:
        raise LinkMalformed("not a recipient link")
    return raw
