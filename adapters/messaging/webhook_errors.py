"""The error table of recipients' systems: HTTP statuses (RFC 9110) to `ErrorKind`.

A refusal speaks of one receiver only, so no row stops the campaign: the contact's next channel takes over. What no
row knows is transient, with the caller's cap behind it.
"""

from datetime import timedelta
from typing import Final

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.http_errors import HttpTable

_CONTACT = ErrorKind.PERMANENT_CONTACT
_TRANSIENT = ErrorKind.TRANSIENT

_STATUSES: Final[dict[int, tuple[ErrorKind, str]]] = {
    400: (_CONTACT, "the receiver cannot read our notice"),
    401: (_CONTACT, "the receiver does not accept our signature"),
    403: (_CONTACT, "the receiver refuses us"),
    404: (_CONTACT, "the receiver's address does not exist"),
    405: (_CONTACT, "the receiver's address takes no POST"),
    406: (_CONTACT, "the receiver cannot answer in this format"),
    410: (_CONTACT, "the receiver has given this address up"),
    413: (_CONTACT, "the notice is larger than the receiver takes"),
    415: (_CONTACT, "the receiver does not take this format"),
    422: (_CONTACT, "the receiver refuses the content of our notice"),
    408: (_TRANSIENT, "the receiver got our request too slowly"),
    423: (_TRANSIENT, "the receiver is locked for now"),
    425: (_TRANSIENT, "the receiver asks to try again"),
    429: (_TRANSIENT, "the receiver gets too many requests"),
    503: (_TRANSIENT, "the receiver is not available now"),
}
# 409: the receiver has this delivery already.
_TABLE: Final = HttpTable("webhook", "the receiver", _STATUSES, frozenset({*range(200, 300), 409}))


def classify_webhook(status: int, retry_after: timedelta | None) -> SendError | None:
    """What an answer means; None: the message was taken."""
    return _TABLE.classify(status, retry_after)


__all__ = ["classify_webhook"]
