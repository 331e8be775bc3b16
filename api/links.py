"""The API's view of signed links; the rules live in `domain.links`, because activities make the links."""

from domain.links import (
    RECIPIENT_PATH,
    TWILIO_STATUS_PATH,
    CallbackRefused,
    LinkBadSignature,
    LinkClaims,
    LinkError,
    LinkExpired,
    LinkMalformed,
    make_link_token,
    read_link_token,
    read_status_callback,
    recipient_url,
    status_callback_url,
)

__all__ = [
    "RECIPIENT_PATH",
    "TWILIO_STATUS_PATH",
    "CallbackRefused",
    "LinkBadSignature",
    "LinkClaims",
    "LinkError",
    "LinkExpired",
    "LinkMalformed",
    "make_link_token",
    "read_link_token",
    "read_status_callback",
    "recipient_url",
    "status_callback_url",
]
