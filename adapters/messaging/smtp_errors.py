"""The error table of e-mail: SMTP reply and enhanced status codes (RFC 5321 §4.2, RFC 3463) to `ErrorKind`.

The enhanced code is the more exact statement and is asked first; then the basic code; then its first digit.
What no row knows is transient, because for a safety notice a needless retry is better than a miss; the
caller's cap on attempts turns it into a case.
"""

import re

from adapters.messaging.base import ErrorKind, SendError

_CONTACT = ErrorKind.PERMANENT_CONTACT
_CAMPAIGN = ErrorKind.PERMANENT_CAMPAIGN
_TRANSIENT = ErrorKind.TRANSIENT

_ENHANCED: dict[str, tuple[ErrorKind, str]] = {
    "5.1.0": (_CONTACT, "the server rejects the recipient's address"),
    "5.1.1": (_CONTACT, "no such mailbox"),
    "5.1.2": (_CONTACT, "no such mail domain"),
    "5.1.3": (_CONTACT, "the recipient's address is malformed"),
    "5.1.6": (_CONTACT, "the mailbox has moved"),
    "5.1.7": (_CAMPAIGN, "the server rejects our sender address"),
    "5.1.8": (_CAMPAIGN, "the server rejects the domain of our sender address"),
    "5.1.10": (_CONTACT, "the recipient's domain accepts no mail"),
    "5.2.0": (_CONTACT, "the mailbox cannot be used"),
    "5.2.1": (_CONTACT, "the mailbox is disabled"),
    "5.2.2": (_CONTACT, "the mailbox is full"),
    "5.2.3": (_CONTACT, "the message is larger than the mailbox allows"),
    "5.3.4": (_CAMPAIGN, "the message is larger than the server allows"),
    "5.4.1": (_CONTACT, "the recipient's host refuses mail for this address"),
    "5.4.4": (_CONTACT, "no route to the recipient's domain"),
    "5.5.1": (_CAMPAIGN, "the server refuses the command sequence"),
    "5.6.7": (_CONTACT, "the server cannot handle a non-ASCII address"),
    "5.7.0": (_CAMPAIGN, "the server demands authentication or encryption"),
    # Said both of one strict mailbox and of a relay that knows us no more: neither burn the contact nor stop
    # everybody for it.
    "5.7.1": (_TRANSIENT, "the server refuses to deliver by policy"),
    "5.7.8": (_CAMPAIGN, "the server rejects our credentials"),
    "5.7.9": (_CAMPAIGN, "the server rejects our authentication mechanism"),
    "5.7.20": (_CAMPAIGN, "DKIM or DMARC check of our domain failed"),
    "5.7.23": (_CAMPAIGN, "SPF check of our domain failed"),
    "5.7.26": (_CAMPAIGN, "authentication checks of our domain failed"),
}

_BASIC: dict[int, tuple[ErrorKind, str]] = {
    421: (_TRANSIENT, "the server is closing the connection"),
    450: (_TRANSIENT, "the mailbox is busy"),
    451: (_TRANSIENT, "the server had a local error"),
    452: (_TRANSIENT, "the server is out of storage"),
    454: (_TRANSIENT, "temporary authentication failure"),
    501: (_CONTACT, "the server cannot parse the address"),
    502: (_CAMPAIGN, "the server does not implement a command we need"),
    503: (_CAMPAIGN, "the server refuses the command sequence"),
    521: (_CONTACT, "the recipient's host accepts no mail"),
    530: (_CAMPAIGN, "the server demands authentication or encryption"),
    534: (_CAMPAIGN, "the server rejects our authentication mechanism"),
    535: (_CAMPAIGN, "the server rejects our credentials"),
    538: (_CAMPAIGN, "the server demands encryption for authentication"),
    550: (_CONTACT, "the mailbox is unavailable"),
    551: (_CONTACT, "the user is not local"),
    552: (_CONTACT, "the mailbox is full"),
    553: (_CONTACT, "the mailbox name is not allowed"),
    555: (_CONTACT, "the server does not accept the address parameters"),
    556: (_CONTACT, "the recipient's domain accepts no mail"),
}

_TOO_FAST = frozenset({"4.3.2", "4.4.5", "4.5.3", "4.7.28"})
"""The server or its network is overloaded, or we send it too much (RFC 3463; 4.7.28 as large providers use it)."""
_IDLE = "4.4.2"
"""The server closed a connection that had rested: says nothing about our pace."""

_ENHANCED_CODE = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})\b")


def classify_smtp(code: int, reply: str, *, stage: str) -> SendError:
    """`SendError` for a negative reply.

    Args:
        code: three-digit reply code.
        reply: text of the reply; only its enhanced status code is used, the rest may quote the address.
        stage: `connect`, `sender`, `recipient` or `data`. A permanent refusal before the recipient
            is named cannot be the recipient's fault.
    """
    match = _ENHANCED_CODE.match(reply)
    enhanced = match.group(1) if match else None
    name = f"smtp:{code}/{enhanced}" if enhanced else f"smtp:{code}"
    if not 400 <= code < 600:
        # Neither yes nor no: garbage, or the answer to something else.
        maybe = stage == "data"
        return SendError(_TRANSIENT, "smtp:unknown:answer", f"no readable answer (at {stage})", maybe_sent=maybe)
    if code < 500:
        detail = _BASIC.get(code, (_TRANSIENT, "the server asks to try again later"))[1]
        too_fast = enhanced in _TOO_FAST or (code == 421 and enhanced != _IDLE)
        return SendError(_TRANSIENT, name, f"{detail} (at {stage})", throttled=too_fast)
    if stage in {"connect", "sender"}:
        detail = _known(enhanced, code) or "the server refuses us"
        return SendError(_CAMPAIGN, name, f"{detail} (at {stage})")
    row = _ENHANCED.get(enhanced or "") or _BASIC.get(code)
    if row is None:
        return SendError(_TRANSIENT, f"smtp:unknown:{code}", f"no rule for this reply (at {stage})")
    kind, detail = row
    if stage == "data" and kind is _CONTACT and enhanced is None:
        # The recipient was accepted already, so a bare 550 speaks of the message: not proof of a bad address.
        kind, detail = _TRANSIENT, "the server refuses the message"
    return SendError(kind, name, f"{detail} (at {stage})")


def _known(enhanced: str | None, code: int) -> str | None:
    row = _ENHANCED.get(enhanced or "") or _BASIC.get(code)
    return row[1] if row else None
