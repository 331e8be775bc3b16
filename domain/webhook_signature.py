"""How we and a recipient's system sign what they post to each other: HMAC-SHA256 as the Standard Webhooks do it.

Signed is `<id>.<timestamp>.<body>`, so neither a body, nor its time, nor its identity can be changed or used for
another message. The same key signs both ways. While a key is being rotated a message carries a signature by each of
the two, and either is accepted.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

ID_HEADER: Final = "webhook-id"
"""Identity of the message: the delivery's id from us, an id of its own choice from a recipient."""
TIMESTAMP_HEADER: Final = "webhook-timestamp"
"""Whole seconds since 1970-01-01 UTC at which the message was signed."""
SIGNATURE_HEADER: Final = "webhook-signature"
"""`v1,<base64>`, several separated by spaces."""
TOLERANCE: Final = timedelta(minutes=5)
"""How far the clock of the sender may be off, and how long a captured message could be tried again."""
MIN_KEY: Final = 24
"""Fewest bytes of a key."""
MAX_KEYS: Final = 2
"""The current key and, during a rotation, the other one."""
_ENCODED: Final = "whsec_"
_ID: Final = re.compile(r"[A-Za-z0-9_:-]{8,100}", re.ASCII)
"""Without a full stop, as the Standard Webhooks say: with one, identity and time of a signed message could be read as
another identity, time and body."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_SIGNATURES: Final = 8


class SignatureRefused(Exception):  # noqa: N818 - what it is
    """A message that is not taken; `reason` is one word for the record of refused access."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def key_bytes(secret: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`, else the text itself in UTF-8.

    Raises:
        ValueError: shorter than `MIN_KEY` bytes, or not base64 after `whsec_`; the secret is not in the message.
    """
    if secret.startswith(_ENCODED):
        try:
            key = base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"expected base64 after {_ENCODED}") from None
    else:
        key = secret.encode()
    if len(key) < MIN_KEY:
        raise ValueError(f"expected a key of at least {MIN_KEY} bytes")
    return key


def signed_headers(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a message signed at `at` (an aware instant) with each of the keys."""
    timestamp = str(int(at.timestamp()))
    signatures = " ".join(_signature(key, message_id, timestamp, body) for key in keys)
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signatures}


def verify(
    keys: Sequence[bytes], *, message_id: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> None:
    """Accept a message that one of the keys signed within `TOLERANCE` of `now`.

    Raises:
        SignatureRefused: `malformed` (a header is missing or no id, time or signature), `timestamp` (too old or from
            the future) or `signature` (no key of ours made it for this content).
    """
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp) or not signature:
        raise SignatureRefused("malformed", f"expected the headers {ID_HEADER}, {TIMESTAMP_HEADER}, {SIGNATURE_HEADER}")
    # Time last: whoever cannot sign learns nothing, and a time that was changed is a wrong signature.
    given = [each.encode() for each in signature.split(" ")[:_MOST_SIGNATURES] if each.startswith("v1,")]
    made = [_signature(key, message_id, timestamp, body).encode() for key in keys]
    if not any(hmac.compare_digest(one, other) for one in made for other in given):
        raise SignatureRefused("signature", "no signature of this content by the key of this recipient")
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
    except (OverflowError, OSError, ValueError):
        raise SignatureRefused("timestamp", f"{TIMESTAMP_HEADER}: not an instant") from None
    if abs(now - signed_at) > TOLERANCE:
        minutes = int(TOLERANCE.total_seconds() // 60)
        raise SignatureRefused("timestamp", f"{TIMESTAMP_HEADER}: more than {minutes} minutes from our clock")


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    mac = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode("ascii")


__all__ = [
    "ID_HEADER",
    "MAX_KEYS",
    "MIN_KEY",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "TOLERANCE",
    "SignatureRefused",
    "key_bytes",
    "signed_headers",
    "verify",
]
