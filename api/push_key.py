"""Our public key as browsers want it to subscribe (RFC 8292 §3.2), made from the private one in the settings."""

import base64
import binascii
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from settings import Settings

_BYTES: Final = 32


def public_push_key(settings: Settings) -> str | None:
    """The uncompressed point in base64url without padding; None where no key is configured.

    Raises:
        ValueError: the configured key is none; the message names the variable.
    """
    if settings.vapid_private_key is None:
        return None
    text = settings.vapid_private_key.get_secret_value()
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != _BYTES:
            raise ValueError("length")
        public = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1()).public_key()
    except (binascii.Error, ValueError):
        raise ValueError("RECALL_VAPID_PRIVATE_KEY: expected a private key, 32 bytes in base64url") from None
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode("ascii")


__all__ = ["public_push_key"]
