"""Reads what mail systems report of a notice: failed, delayed, delivered (RFC 3464, RFC 3463), and what it means.

Three things are told apart. *Dead*: the address will never work, so the contact is not written to again. *Not
delivered*: this message did not arrive, but the address may be good (mailbox full, given up after days of trying,
refused for its content), so another contact or channel is used and the address stays. *Delayed*: the mail system goes
on trying, nothing has happened yet. Of systems that write no RFC 3464 report the status codes of their text are read,
and where there are none, nothing is concluded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.mail_message import DELIVERY_STATUS, Mail


class Fate(StrEnum):
    """What a report says became of the message."""

    DEAD = "dead"
    NOT_DELIVERED = "not_delivered"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    HANDED_ON = "handed_on"
    """Relayed to a system that sends no reports, or expanded to several addresses: it is on its way."""
    UNREAD = "unread"
    """A report that says nothing we can read: it is kept, and nothing is concluded from it."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report about one message of ours."""

    fate: Fate
    status: str | None = None
    """Enhanced status code (RFC 3463), as `5.1.1`."""
    recipients: tuple[str, ...] = ()
    """The addresses the report names, in lower case: the one we wrote to, and where it was passed on to."""

    @property
    def code(self) -> str:
        """Code for the record: `dsn:5.1.1`."""
        return f"dsn:{self.status or self.fate.value}"


_DEAD_DETAILS: Final = frozenset({"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "4.4"})
"""Of the permanent codes (5.x.y) those that speak of the address itself: no such mailbox or domain, mailbox disabled,
moved without forwarding, no mail accepted, no route. 5.2.2 (mailbox full) and 5.7.x (policy) speak of this message."""
_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_NO_MAILBOX: Final = re.compile(
    r"user unknown|unknown user|no such (?:user|mailbox|recipient|address)"
    r"|mailbox (?:unavailable|not found|does not exist)|recipient (?:not found|unknown)"
    r"|address (?:rejected|does not exist|not found)|invalid (?:recipient|mailbox)"
    r"|收件人不存在|用户不存在|地址不存在|邮箱不存在",
    re.IGNORECASE,
)
_BASIC: Final = re.compile(r"(?<![\d.])(55[0134]|45[0-2]|421)(?![\d.])[ -]")
_GIVEN_UP: Final = re.compile(
    r"permanent error|i've given up|permanent fatal errors|could not be delivered", re.IGNORECASE
)
_STILL_TRYING: Final = re.compile(
    r"will (?:continue|keep) (?:to )?try|still trying|delivery (?:has been |is )?delayed"
    r"|warning message|don't need to resend",
    re.IGNORECASE,
)
_ORIGINAL_BEGINS: Final = re.compile(
    r"^(?:-{2,} ?(?:below this line|original message|this is a copy|the header|forwarded)|return-path:|received:)",
    re.IGNORECASE | re.MULTILINE,
)
_READ: Final = 8_000
_RANK: Final = (Fate.DEAD, Fate.NOT_DELIVERED, Fate.DELAYED, Fate.HANDED_ON, Fate.DELIVERED, Fate.UNREAD)


def read_report(mail: Mail) -> Report:
    """What a report says; of several recipients (an alias of theirs that was expanded) the worst."""
    status = next((part.text for part in mail.parts if part.content_type == DELIVERY_STATUS), None)
    if status is not None:
        found = [_of_fields(fields) for fields in _blocks(status) if fields.keys() & {"action", "status"}]
        if found:
            return min(found, key=lambda each: _RANK.index(each.fate))
    return _of_text(mail)


def _blocks(text: str) -> Iterator[dict[str, str]]:
    """The groups of fields of a delivery status, names in lower case."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon and " " not in name.strip():
                fields.setdefault(name.strip().lower(), value.strip())
        yield fields


def _of_fields(fields: dict[str, str]) -> Report:
    action = fields.get("action", "").split("(")[0].strip().lower()
    match = _STATUS.search(fields.get("status", "")) or _STATUS.search(fields.get("diagnostic-code", ""))
    status = match.group() if match else None
    named = (_address(fields.get(name, "")) for name in ("original-recipient", "final-recipient"))
    recipients = tuple(dict.fromkeys(address for address in named if address))
    fate = {
        "delayed": Fate.DELAYED,
        "delivered": Fate.DELIVERED,
        "relayed": Fate.HANDED_ON,
        "expanded": Fate.HANDED_ON,
        "failed": Fate.NOT_DELIVERED,
    }.get(action)
    if fate is None and status is not None:
        fate = {"2": Fate.HANDED_ON, "4": Fate.DELAYED, "5": Fate.NOT_DELIVERED}[status[0]]
    if fate is Fate.NOT_DELIVERED and _speaks_of_the_address(status, fields.get("diagnostic-code", "")):
        fate = Fate.DEAD
    return Report(fate or Fate.UNREAD, status, recipients)


def _speaks_of_the_address(status: str | None, diagnostic: str) -> bool:
    if status is None or status == "5.0.0":
        # Nothing said in the code: the reply of the server in words is all there is.
        exact = _STATUS.search(diagnostic)
        return bool(_NO_MAILBOX.search(diagnostic)) and (exact is None or exact.group(1) == "5")
    return status[0] == "5" and status[2:] in _DEAD_DETAILS


def _address(field: str) -> str:
    """`rfc822; Stores@Hospital.example` without its type."""
    kind, semicolon, address = field.partition(";")
    plain = (address if semicolon else kind).strip().strip("<>").lower()
    return plain if "@" in plain and " " not in plain and len(plain) <= 320 else ""


def _of_text(mail: Mail) -> Report:
    """A report in prose, as qmail and old appliances write it: only its own words, never the returned message."""
    text = next((part.text for part in mail.parts if part.content_type.startswith("text/")), "")[:_READ]
    begins = _ORIGINAL_BEGINS.search(text)
    own = text[: begins.start()] if begins else text
    own = f"{mail.first('subject')}\n{own}"
    match = _STATUS.search(own)
    status = match.group() if match else None
    basic = _BASIC.search(own)
    permanent = status[0] == "5" if status else bool(basic and basic.group(1).startswith("55"))
    transient = status[0] == "4" if status else bool(basic and basic.group(1).startswith("4"))
    if _STILL_TRYING.search(own) and not permanent:
        return Report(Fate.DELAYED, status)
    if permanent or _GIVEN_UP.search(own):
        dead = _speaks_of_the_address(status, own) and not transient
        return Report(Fate.DEAD if dead else Fate.NOT_DELIVERED, status)
    return Report(Fate.DELAYED if transient else Fate.UNREAD, status)


__all__ = ["Fate", "Report", "read_report"]
