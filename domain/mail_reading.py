"""One mail that came back, read once: what kind it is, which notice it names and how surely, and what it says."""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from domain.mail_answers import MailAnswer, in_doubt, machine_speaks_of_harm, read_answer
from domain.mail_bounces import Report, read_report
from domain.mail_kinds import MailKind, authentication_failed, kind_of, may_be_automatic
from domain.mail_message import Mail, MailUnreadable, body_of, read_head, read_mail
from domain.return_path import Returned, ReturnKind, ReturnPath, TokenRefused

_TO: Final = ("delivered-to", "x-original-to", "x-envelope-to", "envelope-to", "to", "cc", "resent-to")
"""Where a mail system writes whom a mail was for."""
_MOST_ADDRESSES: Final = 50


@dataclass(frozen=True, slots=True)
class ReadMail:
    """What there is to know of a mail before the record is asked."""

    key: str
    """Identity: the same mail delivered twice has one, another mail under a stolen Message-ID has its own."""
    message_id: str | None
    kind: MailKind
    sender: str = ""
    """Address of its From header, in lower case; a claim."""
    token: Returned | None = None
    """The delivery proven by an address that only we can make."""
    token_refused: bool = False
    """It was sent to an address with a token that we did not make."""
    answered_id: UUID | None = None
    """The delivery whose Message-ID it answers or returns: known only to who has the notice, but no proof."""
    forged_sender: bool = False
    report: Report | None = None
    answer: MailAnswer | None = None
    fault: str | None = None
    """Why it cannot be read."""
    also: tuple["ReadMail", ...] = ()
    """The same mail once more for each further notice whose reply address it was sent to."""

    @property
    def delivery_id(self) -> UUID | None:
        """The notice it speaks of."""
        return self.token.delivery_id if self.token else self.answered_id

    @property
    def proven_report(self) -> bool:
        """Whether the address it was sent to is the envelope sender of the notice."""
        return self.token is not None and self.token.kind is ReturnKind.BOUNCE


def read_returned(
    raw: bytes, path: ReturnPath | None, mail_domain: str, authserv_id: str | None, *, whole: bool = True
) -> ReadMail:
    """Read a mail; whatever it is made of, something comes back.

    Args:
        path: reads the addresses of notices; None where notices carry none.
        mail_domain: domain of our Message-IDs.
        authserv_id: name of our mail system in Authentication-Results.
        whole: False when `raw` is only the beginning of a larger mail: what it says is then not taken as an answer.
    """
    try:
        mail, refusal = _mail(raw)
        headers = _of_headers(mail, raw, path, mail_domain, authserv_id)
    except Exception as error:  # noqa: BLE001 - a mail nobody can read must not hold up those behind it
        return ReadMail(_digest(b"unreadable", raw), None, MailKind.UNREADABLE, fault=_fault(error))
    if refusal is not None:
        return replace(headers, fault=refusal)
    try:
        read = _with_content(headers, mail, whole=whole)
    except Exception as error:  # noqa: BLE001 - what its headers prove stays known: a person reads it under its notice
        read = replace(headers, fault=_fault(error))
    if read.kind not in {MailKind.PERSON, MailKind.UNREADABLE}:
        return read
    body = body_of(raw)
    further = _further(mail, path, read.token)
    return replace(read, also=tuple(replace(read, key=_key(mail, body, each), token=each) for each in further))


def _mail(raw: bytes) -> tuple[Mail, str | None]:
    """The mail; of one that is not read on purpose its headers, which may prove whose it is, and why."""
    try:
        return read_mail(raw), None
    except MailUnreadable as error:
        return read_head(raw), str(error)


def _of_headers(mail: Mail, raw: bytes, path: ReturnPath | None, mail_domain: str, authserv_id: str | None) -> ReadMail:
    """What the headers say, of a mail whose content was not read yet."""
    token, refused = _token(mail, path)
    return ReadMail(
        key=_key(mail, body_of(raw), token),
        message_id=mail.first("message-id")[:300] or None,
        kind=MailKind.UNREADABLE,
        sender=mail.sender[:320],
        token=token,
        token_refused=refused,
        answered_id=_answered(mail, kind_of(mail), mail_domain),
        forged_sender=authentication_failed(mail, authserv_id),
    )


def _with_content(headers: ReadMail, mail: Mail, *, whole: bool) -> ReadMail:
    kind = kind_of(mail)
    answer = None
    if kind is MailKind.PERSON and whole:
        answer = read_answer(mail)
        answer = in_doubt(answer) if may_be_automatic(mail) else answer
    elif kind is MailKind.AUTOMATIC:
        answer = machine_speaks_of_harm(mail)
        kind = kind if answer is None else MailKind.PERSON  # in doubt it is read as a person's
    return replace(
        headers,
        kind=kind,
        report=read_report(mail) if kind is MailKind.REPORT else None,
        answer=answer,
        fault=None if whole else "larger than the limit",
    )


def _fault(error: Exception) -> str:
    """In words for the record; only our own refusals speak, any other error may quote the mail."""
    return str(error) if isinstance(error, MailUnreadable) else f"the mail cannot be read ({type(error).__name__})"


def _key(mail: Mail, body: bytes, token: Returned | None) -> str:
    """One mail to two notices counts for each; two people who answer "1" to two notices wrote two mails.

    Two copies that came on two ways differ only in fields that are not counted here. A mail without a Message-ID is
    told from the next one by what else its writer's program put on it.
    """
    about = f"{token.kind.value}:{token.delivery_id}" if token else mail.first("in-reply-to")
    message_id = mail.first("message-id")
    instead = [] if message_id else [mail.first("date"), mail.first("subject")]
    return _digest(*(part.encode("utf-8", "replace") for part in (message_id, about, mail.sender, *instead)), body)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # Each with its length: no text can be moved from one part into the next.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:40]


def _further(mail: Mail, path: ReturnPath | None, first: Returned | None) -> list[Returned]:
    """The other notices whose reply addresses a person wrote to; many mail systems deliver such a mail once only."""
    if first is None or first.kind is not ReturnKind.ANSWER:
        return []
    found: dict[Returned, None] = {}
    for address in mail.addresses(*_TO)[:_MOST_ADDRESSES] if path else ():
        try:
            token = path.read(address) if path else None
        except TokenRefused:
            continue
        if token is not None and token != first and token.kind is ReturnKind.ANSWER:
            found[token] = None
    return list(found)


def _token(mail: Mail, path: ReturnPath | None) -> tuple[Returned | None, bool]:
    refused = False
    for address in mail.addresses(*_TO)[:_MOST_ADDRESSES] if path else ():
        try:
            found = path.read(address) if path else None
        except TokenRefused:
            refused = True
            continue
        if found is not None:
            return found, False
    return None, refused


def _answered(mail: Mail, kind: MailKind, mail_domain: str) -> UUID | None:
    """The newest of our Message-IDs that it refers to; of a report, the one of the message it returns."""
    if kind in {MailKind.REPORT, MailKind.RECEIPT}:
        texts = [value for name, value in mail.original if name == "message-id"]
    else:
        texts = [*mail.all("in-reply-to"), *reversed(mail.all("references"))]
    ours = re.compile(
        rf"<([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})@{re.escape(mail_domain)}>", re.IGNORECASE
    )
    found = [match for text in texts for match in reversed(ours.findall(text))]
    return UUID(found[0]) if found else None


__all__ = ["ReadMail", "read_returned"]
