"""The address a notice comes back to: it names the delivery and proves that we wrote it (VERP).

Every notice goes out with an envelope sender of its own, so that a bounce is attributed without reading what some mail
system wrote about it. A second address of the same form stands in Reply-To. The two are keyed apart: whoever has a
notice in hand can answer it, but can not report it as undeliverable. Mail systems may change the case of an address, so
the token is written in base32.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.links import token_mac

_MAC_BYTES: Final = 10
"""80 bits: a guess can only be tried by sending us a mail, and each wrong one is recorded."""
_TOKEN_LENGTH: Final = 42
_LOCAL_LIMIT: Final = 64
"""RFC 5321 4.5.3.1.1."""
_LONGEST_LOCAL: Final = _LOCAL_LIMIT - _TOKEN_LENGTH - 1
_ADDRESS: Final = re.compile(r"([A-Za-z0-9!#$%&'*/=?^_`{|}~.-]+)@((?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+)")
_TOKEN: Final = re.compile(rf"[a-z2-7]{{{_TOKEN_LENGTH}}}")


class ReturnKind(StrEnum):
    """What an address is for; each has its own key."""

    BOUNCE = "bounce"
    """Envelope sender: mail systems report to it."""
    ANSWER = "answer"
    """Reply-To: people answer to it."""


class ReturnAddressError(ValueError):
    """The configured address cannot carry a token."""


class TokenRefused(Exception):  # noqa: N818 - what became of it
    """An address of our form whose token we did not make."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Whose mail came back, by its address alone."""

    delivery_id: UUID
    kind: ReturnKind


class ReturnPath:
    """Makes and reads the addresses of one installation: `bounces+<token>@firm.example`."""

    def __init__(self, secret: str, address: str) -> None:
        """`address` is the mailbox without a token; its mail system must deliver `name+anything@` to it.

        Raises:
            ReturnAddressError: it is no plain address, or its name is too long to carry a token.
            ValueError: the secret is shorter than 16 characters.
        """
        match = _ADDRESS.fullmatch(address.strip())
        if match is None:
            raise ReturnAddressError("RECALL_BOUNCE_ADDRESS: expected an address such as bounces@firm.example")
        self._local, self._domain = match.group(1).lower(), match.group(2).lower()
        if len(self._local) > _LONGEST_LOCAL:
            raise ReturnAddressError(
                f"RECALL_BOUNCE_ADDRESS: expected at most {_LONGEST_LOCAL} characters before the @, because"
                f" +<token> of {_TOKEN_LENGTH} characters is added to them"
            )
        self._secret = secret
        token_mac(secret, _purpose(ReturnKind.BOUNCE), b"")

    def address(self, delivery_id: UUID, kind: ReturnKind) -> str:
        """The address of one delivery, at most 64 characters before the @."""
        raw = delivery_id.bytes + self._mac(delivery_id, kind)
        token = base64.b32encode(raw).rstrip(b"=").decode("ascii").lower()
        return f"{self._local}+{token}@{self._domain}"

    def is_ours(self, address: str) -> bool:
        """Whether mail to this address is for our mailbox, with or without a token."""
        local, _, domain = address.strip().lower().rpartition("@")
        return domain == self._domain and local.partition("+")[0] == self._local

    def read(self, address: str) -> Returned | None:
        """Whose mail an address speaks of; None when it carries no token (or is none of ours).

        Raises:
            TokenRefused: it carries something in the place of a token that we did not make.
        """
        if not self.is_ours(address):
            return None
        _, plus, token = address.strip().lower().rpartition("@")[0].partition("+")
        if not plus:
            return None
        if _TOKEN.fullmatch(token) is None:
            raise TokenRefused("not a token of ours")
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except binascii.Error:
            raise TokenRefused("not a token of ours") from None
        if base64.b32encode(raw).rstrip(b"=").decode("ascii").lower() != token:
            # The last letter has two bits that nothing decodes: one spelling is ours.
            raise TokenRefused("not a token of ours")
        delivery_id, mac = UUID(bytes=raw[:16]), raw[16:]
        for kind in ReturnKind:
            if hmac.compare_digest(mac, self._mac(delivery_id, kind)):
                return Returned(delivery_id, kind)
        raise TokenRefused("a token that we did not make")

    def _mac(self, delivery_id: UUID, kind: ReturnKind) -> bytes:
        return token_mac(self._secret, _purpose(kind), delivery_id.bytes)[:_MAC_BYTES]


def _purpose(kind: ReturnKind) -> bytes:
    return b"mail " + kind.value.encode("ascii")


__all__ = ["ReturnAddressError", "ReturnKind", "ReturnPath", "Returned", "TokenRefused"]
