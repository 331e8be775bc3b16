"""The error table of Web Push: HTTP statuses of push services (RFC 8030) to `ErrorKind`.

A browser's push service speaks of that browser's subscription only, so no row stops the campaign; 401 and 403 are
what a subscription made for another key of ours gets. What no row knows is transient.
"""

from datetime import timedelta
from typing import Final

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.http_errors import HttpTable

_CONTACT = ErrorKind.PERMANENT_CONTACT
_TRANSIENT = ErrorKind.TRANSIENT

_STATUSES: Final[dict[int, tuple[ErrorKind, str]]] = {
    400: (_CONTACT, "the push service cannot read the message"),
    401: (_CONTACT, "the push service does not accept our key"),
    403: (_CONTACT, "the subscription was made for another key"),
    404: (_CONTACT, "the subscription does not exist any more"),
    405: (_CONTACT, "the endpoint is no push service"),
    410: (_CONTACT, "the subscription does not exist any more"),
    413: (_CONTACT, "the message is larger than the push service takes"),
    408: (_TRANSIENT, "the push service got our request too slowly"),
    429: (_TRANSIENT, "the push service gets too many requests"),
    503: (_TRANSIENT, "the push service is not available now"),
}
GONE: Final = frozenset({"push:http-404", "push:http-410"})
"""Codes that say the subscription is dead."""
_TABLE: Final = HttpTable("push", "the push service", _STATUSES)


def classify_push(status: int, retry_after: timedelta | None) -> SendError | None:
    """What an answer means; None: the message was taken."""
    return _TABLE.classify(status, retry_after)


__all__ = ["GONE", "classify_push"]
