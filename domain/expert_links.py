"""The signed link of an expert outside the firm: it names one request for a review and carries its own expiry.

It tells nothing about a recall: whoever reads the token learns a number that means nothing without our record. The
HMAC has a purpose of its own, so no other link of ours is accepted as this one. The record ends it after one answer.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from domain.links import LinkBadSignature, LinkMalformed, decode_token, encode_token, token_mac

EXPERT_PATH: Final = "/x/"
"""Path of the expert's page, followed by the token."""
_VERSION: Final = 1
_PURPOSE: Final = b"expert review"
_LENGTH: Final = 1 + 8 + 5
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ExpertClaims:
    """What a valid link says."""

    review_id: int
    expires_at: datetime


class ExpertLinkExpired(Exception):  # noqa: N818 - reads as what the link is
    """Once valid; `claims` tell which request it was."""

    kind = "expert_link_expired"

    def __init__(self, claims: ExpertClaims) -> None:
        super().__init__(f"the link expired at {claims.expires_at.isoformat()}")
        self.claims = claims


def make_expert_token(secret: str, *, review_id: int, expires_at: datetime) -> str:
    """Token of one request.

    Raises:
        ValueError: the secret is too short, the expiry naive, or the id not positive.
    """
    if expires_at.tzinfo is None:
        raise ValueError("expires_at: expected an aware instant")
    if review_id < 1:
        raise ValueError("review_id: expected a positive id")
    payload = bytes([_VERSION]) + review_id.to_bytes(8, "big") + int(expires_at.timestamp()).to_bytes(5, "big")
    return encode_token(payload + token_mac(secret, _PURPOSE, payload))


def read_expert_token(secret: str, token: str, now: datetime) -> ExpertClaims:
    """Claims of a valid token.

    Raises:
        LinkMalformed: not a token of ours.
        LinkBadSignature: altered, or signed with another secret or for another purpose.
        ExpertLinkExpired: `now` is at or after its expiry.
    """
    raw = decode_token(token)
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(payload) != _LENGTH or payload[0] != _VERSION:
        raise LinkMalformed("not a link of an expert review")
    if not hmac.compare_digest(mac, token_mac(secret, _PURPOSE, payload)):
        raise LinkBadSignature("the link is not signed by this installation")
    try:
        expires_at = datetime.fromtimestamp(int.from_bytes(payload[9:], "big"), UTC)
    except (ValueError, OverflowError, OSError):
        raise LinkMalformed("a signed link of another shape") from None
    claims = ExpertClaims(int.from_bytes(payload[1:9], "big"), expires_at)
    if now >= expires_at:
        raise ExpertLinkExpired(claims)
    return claims


def expert_url(public_url: str, token: str) -> str:
    """Address of the expert's page for a token."""
    return f"{public_url.rstrip('/')}{EXPERT_PATH}{token}"


__all__ = [
    "EXPERT_PATH",
    "ExpertClaims",
    "ExpertLinkExpired",
    "expert_url",
    "make_expert_token",
    "read_expert_token",
]
