"""The error table of calls: Twilio's codes for a call that cannot be placed, and for one that failed later.

Read like the table of SMS: what no row knows falls back to the HTTP status, then to transient with a cap. A country
that our account may not call is permanent for the contact only: the same campaign reaches others by telephone, and this
recipient by another channel.
"""

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.twilio_errors import Row, classify

_CONTACT = ErrorKind.PERMANENT_CONTACT
_CAMPAIGN = ErrorKind.PERMANENT_CAMPAIGN
_TRANSIENT = ErrorKind.TRANSIENT

_CODES: dict[int, Row] = {
    # permanent for the contact
    13223: (_CONTACT, "the recipient's number is not written as a telephone number"),
    13224: (_CONTACT, "the recipient's number cannot be called"),
    13225: (_CONTACT, "the recipient's number is restricted"),
    13226: (_CONTACT, "the recipient's number lies in a country that Twilio cannot call"),
    13227: (_CONTACT, "calls to the recipient's region are not enabled"),
    21211: (_CONTACT, "the recipient's number is not valid"),
    21214: (_CONTACT, "the recipient's number cannot be called"),
    21215: (_CONTACT, "calls to the recipient's region are not enabled"),
    21216: (_CONTACT, "the account may not call the recipient's number"),
    21217: (_CONTACT, "the recipient's number is not valid"),
    21219: (_CONTACT, "a trial account may not call the recipient's number"),
    32205: (_CONTACT, "calls to the recipient's region are not enabled"),
    # permanent for the campaign
    10001: (_CAMPAIGN, "the account is not active"),
    20003: (_CAMPAIGN, "Twilio rejects our credentials"),
    20005: (_CAMPAIGN, "the account is not active"),
    20404: (_CAMPAIGN, "the account does not exist"),
    21205: (_CAMPAIGN, "the address that a call fetches its text from is not valid"),
    21210: (_CAMPAIGN, "our caller id is not verified"),
    21212: (_CAMPAIGN, "our caller id is not valid"),
    21213: (_CAMPAIGN, "the call has no caller id"),
    21609: (_CAMPAIGN, "the status callback URL is not valid"),
    # transient
    20429: (_TRANSIENT, "too many requests"),
    21220: (_TRANSIENT, "the call is not in a state in which this can be done"),
}


def classify_call(code: int | None, status: int | None) -> SendError:
    """`SendError` for the refusal of a call, or for the error code of a call's report (`status` None)."""
    return classify(_CODES, code, status)


__all__ = ["classify_call"]
