"""Signed links that name one numbered request and carry their own expiry; the purpose keeps kinds of links apart."""

import hmac
from datetime import UTC, datetime
from typing import Final

from domain.links import LinkBadSignature, LinkMalformed, decode_token, encode_token, token_mac

_VERSION: Final = 1
_LENGTH: Final = 1 + 8 + 5
_MAC_BYTES: Final = 16


def make_numbered_token(secret: str, purpose: bytes, number: int, expires_at: datetime) -> str:
    """Token of one request.

    Raises:
        ValueError: the secret is too short, the expiry naive, or the number not positive.
    """
    if expires_at.tzinfo is None:
        raise ValueError("expires_at: expected an aware instant")
    if number < 1:
        raise ValueError("number: expected a positive one")
    payload = bytes([_VERSION]) + number.to_bytes(8, "big") + int(expires_at.timestamp()).to_bytes(5, "big")
    return encode_token(payload + token_mac(secret, purpose, payload))


def read_numbered_token(secret: str, purpose: bytes, token: str) -> tuple[int, datetime]:
    """Number and expiry of a token of this purpose, expired or not.

    Raises:
        LinkMalformed: not a token of ours.
        LinkBadSignature: altered, or signed with another secret or for another purpose.
    """
    raw = decode_token(token)
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(payload) != _LENGTH or payload[0] != _VERSION:
        raise LinkMalformed("not a link of this kind")
    if not hmac.compare_digest(mac, token_mac(secret, purpose, payload)):
        raise LinkBadSignature("the link is not signed by this installation")
    try:
        expires_at = datetime.fromtimestamp(int.from_bytes(payload[9:], "big"), UTC)
    except (ValueError, OverflowError, OSError):
        raise LinkMalformed("a signed link of another shape") from None
    return int.from_bytes(payload[1:9], "big"), expires_at


__all__ = ["make_numbered_token", "read_numbered_token"]
