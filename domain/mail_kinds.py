"""What kind of mail came back: a report of a mail system, an automatic answer, or a person.

An automatic answer ("out of office") proves nothing about whether somebody read the notice; taking one for an
acknowledgement would end the chase of a hospital that knows nothing. So every sign of RFC 3834 counts, and those of the
systems that do not keep to it where people's mail cannot bear them; whatever is in doubt a person reads.
"""

import re
from enum import StrEnum
from typing import Final

from domain.mail_message import DELIVERY_STATUS, Mail


class MailKind(StrEnum):
    """Who wrote it."""

    REPORT = "report"
    """A mail system: delivery status."""
    RECEIPT = "receipt"
    """A disposition notification (RFC 8098): a mail program says that the mail was displayed, or deleted unread."""
    AUTOMATIC = "automatic"
    """A responder: out of office, ticket opened, list software."""
    PERSON = "person"
    """Somebody, as far as one can see."""
    UNREADABLE = "unreadable"
    """Not a mail that can be read; a person looks at the raw text."""


_DAEMON: Final = re.compile(r"^(?:mailer-daemon|postmaster|mail\.?daemon|mmdf|bounces?)(?:[+@-]|$)", re.IGNORECASE)
_AWAY: Final = re.compile(
    r"^\W*(?:(?:auto(?:matic)?[- ]?(?:reply|response|answer)"
    r"|out of (?:the )?office(?:[- ]?(?:auto-?)?(?:reply|response|message|notification|notice))?(?: re)?"
    r"|away from (?:my |the )?(?:office|desk)|(?:vacation|holiday) (?:reply|response)"
    r"|abwesenheit(?:snotiz|smeldung|sassistent|sinfo)?|automatische antwort|réponse automatique|absence du bureau"
    r"|respuesta automática|fuera de (?:la )?oficina"
    r"|自动(?:回复|答复)|自動(?:回覆|回復|答覆)|(?:我|本人)?(?:现在|目前)?(?:不在办公室|不在辦公室)|外出通知)\s*(?:[:：]|$)"
    r"|out of (?:the )?office (?:until|till|from|between)\b)",
    re.IGNORECASE,
)
"""A subject that responders write: the whole of it, or before a colon. "Automatic External Defibrillator: ..." and
"外出血 ..." are people's; so is "Re: Automatic reply: ...", which somebody wrote in answer to a responder."""
_PRECEDENCE: Final = frozenset({"auto_reply", "auto-reply"})
_PRECEDENCE_OF_MANY: Final = frozenset({"junk", "bulk", "list"})
"""Old responders write them, but lists and ticket systems put them on what people wrote, too."""
_AUTO_FIELDS: Final = ("x-autoreply", "x-autorespond", "x-auto-reply", "x-autoresponse", "x-autoreply-from")


def kind_of(mail: Mail) -> MailKind:
    """What wrote a mail, by its form and its own declarations."""
    if mail.report_type == "disposition-notification":
        return MailKind.RECEIPT
    has_status = any(part.content_type == DELIVERY_STATUS for part in mail.parts)
    if has_status or mail.report_type == "delivery-status" or mail.all("x-failed-recipients"):
        return MailKind.REPORT
    if declares_automatic(mail):
        # A responder that keeps to RFC 3834 also sends from the empty address, so its own word comes first.
        return MailKind.REPORT if _DAEMON.match(mail.sender) and not _says_replied(mail) else MailKind.AUTOMATIC
    if mail.first("return-path").strip() == "<>" or _DAEMON.match(mail.sender):
        return MailKind.REPORT
    return MailKind.PERSON


def declares_automatic(mail: Mail) -> bool:
    """Whether a mail says of itself that no person wrote it."""
    submitted = mail.first("auto-submitted").split(";")[0].split("(")[0].strip().lower()
    if submitted and submitted != "no":
        return True
    if mail.first("precedence").strip().lower() in _PRECEDENCE:
        return True
    if any(mail.all(field) for field in _AUTO_FIELDS):
        return True
    return bool(_AWAY.match(mail.first("subject")))


def may_be_automatic(mail: Mail) -> bool:
    """Whether a mail bears a sign that machines use, but people's mail too when it came through a list.

    Such a mail goes to a person: taking it for a machine's would lose an answer, taking it for an answer could end the
    chase of a hospital that knows nothing.
    """
    many = mail.first("precedence").strip().lower() in _PRECEDENCE_OF_MANY
    return many or bool(mail.all("list-id"))


def _says_replied(mail: Mail) -> bool:
    return mail.first("auto-submitted").strip().lower().startswith("auto-replied") or bool(
        _AWAY.match(mail.first("subject"))
    )


def authentication_failed(mail: Mail, authserv_id: str | None) -> bool:
    """Whether our own mail system says that the From domain did not send it (DMARC, RFC 8601).

    False when it says nothing. Only the topmost field counts: it is the one our system put on; anything below may come
    from the sender.
    """
    if not authserv_id:
        return False
    for value in mail.all("authentication-results")[:1]:
        server, _, results = value.partition(";")
        if server.split()[:1] == [authserv_id]:
            return bool(re.search(r"\bdmarc\s*=\s*fail\b", results, re.IGNORECASE))
    return False


__all__ = ["MailKind", "authentication_failed", "declares_automatic", "kind_of", "may_be_automatic"]
