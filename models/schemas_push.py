"""HTTP contract of a browser's push subscription, as `PushSubscription.toJSON()` writes it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from models.schemas_common import In, Out

_BASE64URL = r"^[A-Za-z0-9_-]+$"
Endpoint = Annotated[str, StringConstraints(min_length=10, max_length=1000)]


class PushKeysIn(In):
    """What a message is encrypted with for the browser (RFC 8291)."""

    p256dh: Annotated[str, StringConstraints(min_length=87, max_length=87, pattern=_BASE64URL)]
    """Public key, an uncompressed point on P-256 (65 bytes) in base64url."""
    auth: Annotated[str, StringConstraints(min_length=22, max_length=22, pattern=_BASE64URL)]
    """Authentication secret, 16 bytes in base64url."""


class PushSubscriptionIn(In):
    """A subscription to keep."""

    endpoint: Endpoint
    """Address at the browser's push service, https."""
    expiration_time: Annotated[float | None, Field(alias="expirationTime")] = None
    """Not used: the push service says when a subscription is dead."""
    keys: PushKeysIn


class PushEndIn(In):
    """A subscription to end."""

    endpoint: Endpoint


class PushState(Out):
    """Whether this browser gets notices now."""

    subscribed: bool


__all__ = ["PushEndIn", "PushKeysIn", "PushState", "PushSubscriptionIn"]
