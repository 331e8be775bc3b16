"""The signed link of an expert outside the firm: it names one request for a review and carries its own expiry.

It tells nothing about a recall: whoever reads the token learns a number that means nothing without our record. The
HMAC has a purpose of its own, so no other link of ours is accepted as this one. The record ends it after one answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.numbered_links import make_numbered_token, read_numbered_token

EXPERT_PATH: Final = "/x/"
"""Path of the expert's page, followed by the token."""
_PURPOSE: Final = b"expert review"


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
    return make_numbered_token(secret, _PURPOSE, review_id, expires_at)


def read_expert_token(secret: str, token: str, now: datetime) -> ExpertClaims:
    """Claims of a valid token.

    Raises:
        LinkMalformed: not a token of ours.
        LinkBadSignature: altered, or signed with another secret or for another purpose.
        ExpertLinkExpired: `now` is at or after its expiry.
    """
    claims = ExpertClaims(*read_numbered_token(secret, _PURPOSE, token))
    if now >= claims.expires_at:
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
