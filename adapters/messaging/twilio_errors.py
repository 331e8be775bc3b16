"""The error table of SMS: Twilio's error codes and HTTP statuses to `ErrorKind` (engineering §4).

Twilio splits and refines its codes (changelog 2024-07-10) and asks not to build logic on them, so a code no
row knows falls back to the HTTP status, and then to transient: the caller's cap turns it into a case. The
same table reads the `ErrorCode` of a status callback.
"""

from collections.abc import Mapping

from adapters.messaging.base import ErrorKind, SendError

_CONTACT = ErrorKind.PERMANENT_CONTACT
_CAMPAIGN = ErrorKind.PERMANENT_CAMPAIGN
_TRANSIENT = ErrorKind.TRANSIENT

Row = tuple[ErrorKind, str]
"""What a code means, and one line for people."""

_CODES: dict[int, Row] = {
    # permanent for the contact
    21211: (_CONTACT, "the recipient's number is not valid"),
    21217: (_CONTACT, "the recipient's number is not valid"),
    21265: (_CONTACT, "the recipient's number cannot be a short code"),
    21408: (_CONTACT, "sending to the recipient's region is not enabled"),
    21610: (_CONTACT, "the recipient has opted out"),
    21612: (_CONTACT, "the recipient's number cannot be reached from our sender"),
    21614: (_CONTACT, "the recipient's number is not a mobile number"),
    30004: (_CONTACT, "the recipient's number blocks messages"),
    30005: (_CONTACT, "unknown handset"),
    30006: (_CONTACT, "landline or unreachable carrier"),
    30011: (_CONTACT, "the recipient's network does not support this kind of message"),
    # permanent for the campaign
    10001: (_CAMPAIGN, "the account is not active"),
    20003: (_CAMPAIGN, "Twilio rejects our credentials"),
    20005: (_CAMPAIGN, "the account is not active"),
    20404: (_CAMPAIGN, "the account or service does not exist"),
    21212: (_CAMPAIGN, "our sender is not valid"),
    21602: (_CAMPAIGN, "the message has no body"),
    21603: (_CAMPAIGN, "the message has no sender"),
    21606: (_CAMPAIGN, "our sender is not usable for SMS"),
    21609: (_CAMPAIGN, "the status callback URL is not valid"),
    21617: (_CAMPAIGN, "the message is longer than 1,600 characters"),
    21659: (_CAMPAIGN, "our sender is not a Twilio number of this country"),
    21660: (_CAMPAIGN, "our sender does not belong to the account"),
    21703: (_CAMPAIGN, "the messaging service has no sender"),
    30002: (_CAMPAIGN, "the account is suspended"),
    30007: (_CAMPAIGN, "a carrier filtered the message"),
    30034: (_CAMPAIGN, "our sender is not registered for this kind of traffic"),
    # transient
    20429: (_TRANSIENT, "too many requests"),
    21611: (_TRANSIENT, "the sender's queue is full"),
    30001: (_TRANSIENT, "the sender's queue overflowed"),
    30003: (_TRANSIENT, "the handset is unreachable"),
    30008: (_TRANSIENT, "unknown delivery failure"),
    30017: (_TRANSIENT, "a carrier's network is congested"),
}

_STATUSES: dict[int, Row] = {
    401: (_CAMPAIGN, "Twilio rejects our credentials"),
    403: (_CAMPAIGN, "Twilio forbids this account the request"),
    404: (_CAMPAIGN, "the account or service does not exist"),
    429: (_TRANSIENT, "too many requests"),
}


_TOO_FAST = frozenset({20429, 21611, 30001})
"""Too many requests, and queues that are full because of what we sent before."""
_TOO_MANY_REQUESTS = 429


def classify_twilio(code: int | None, status: int | None) -> SendError:
    """`SendError` for an error answer, or for the error code of a status callback (`status` None)."""
    return classify(_CODES, code, status)


def classify(codes: Mapping[int, Row], code: int | None, status: int | None) -> SendError:
    """The same by the table of a channel.

    A 5xx says nothing about whether the message was created, hence `maybe_sent`.
    """
    row = codes.get(code or 0)
    if row is not None:
        too_fast = code in _TOO_FAST or status == _TOO_MANY_REQUESTS
        return SendError(row[0], f"twilio:{code}", row[1], throttled=too_fast and row[0] is _TRANSIENT)
    if status is not None and status >= 500:
        return SendError(_TRANSIENT, f"twilio:http-{status}", "Twilio failed", maybe_sent=True)
    row = _STATUSES.get(status or 0)
    if row is not None:
        return SendError(row[0], f"twilio:http-{status}", row[1], throttled=status == _TOO_MANY_REQUESTS)
    shown = code if code is not None else f"http-{status}"
    return SendError(_TRANSIENT, f"twilio:unknown:{shown}", "no rule for this error")
