"""What the mail catcher does with mail for ourselves: it lies in a Maildir, as a mail system would deliver it.

Two things come back: what somebody writes to the address of a notice, and what a mail system would report. The catcher
plays that system for four kinds of addresses, by how they begin:

    undeliverable*   accepted, then reported failed for good: no such user (5.1.1)
    mailbox-full*    accepted, then reported failed: mailbox full (5.2.2)
    delayed*         accepted, then reported delayed (4.4.1); nothing else comes
    out-of-office*   delivered, and a responder answers
"""

import asyncio
import mailbox
import re
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Final
from uuid import uuid4

_HOST: Final = "mail.catcher.invalid"
_FATES: Final = {
    "undeliverable": ("failed", "5.1.1", "550 5.1.1 User unknown"),
    "mailbox-full": ("failed", "5.2.2", "552 5.2.2 Mailbox full"),
    "delayed": ("delayed", "4.4.1", "connect to the next host: Connection timed out"),
}
_AWAY: Final = "out-of-office"
_ONE_LINE: Final = re.compile(r"[\r\n]+\s*")


class Postman:
    """Delivers to the Maildir of returned mail."""

    def __init__(self, maildir: Path, own_address: str) -> None:
        """`own_address`: address that notices come back to, as a setting gives it (a name before it is left out)."""
        self._maildir = maildir
        local, _, domain = parseaddr(own_address)[1].lower().rpartition("@")
        self._local, self._domain = local, domain

    def is_ours(self, address: str) -> bool:
        """Whether mail to this address is for us: our address, with or without a token behind a plus."""
        local, _, domain = address.lower().rpartition("@")
        return bool(self._local) and domain == self._domain and local.partition("+")[0] == self._local

    async def take(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Deliver what is for ourselves, and answer as the recipients' mail systems would.

        Raises:
            OSError: it cannot be written.
        """
        for recipient in recipients:
            if self.is_ours(recipient):
                await self._deliver(sender, recipient, raw)
            elif self.is_ours(sender) and (answer := _answer(sender, recipient, raw)) is not None:
                await self._deliver("", sender, answer)

    async def _deliver(self, sender: str, to: str, raw: bytes) -> None:
        trace = f"Return-Path: <{sender}>\r\nDelivered-To: {to}\r\n".encode("ascii", "replace")
        await asyncio.to_thread(self._write, trace + raw)

    def _write(self, raw: bytes) -> None:
        self._maildir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mailbox.Maildir(self._maildir, factory=None, create=True).add(raw)


def _answer(sender: str, recipient: str, raw: bytes) -> bytes | None:
    local = recipient.lower().partition("@")[0]
    headers = BytesHeaderParser(policy=compat32).parsebytes(raw)
    message_id = _ONE_LINE.sub(" ", str(headers.get("Message-ID", "")))
    if local.startswith(_AWAY):
        return _away(sender, recipient, message_id)
    for kind, fate in _FATES.items():
        if local.startswith(kind):
            return _report(sender, recipient, message_id, *fate)
    return None


def _report(to: str, recipient: str, message_id: str, action: str, status: str, diagnostic: str) -> bytes:
    """A delivery status notification (RFC 3464) with the returned headers."""
    boundary = f"=_{uuid4().hex}"
    return "\r\n".join(
        (
            f"From: Mail Delivery System <MAILER-DAEMON@{_HOST}>",
            f"To: {to}",
            f"Date: {formatdate()}",
            f"Subject: {'Delayed Mail (still being retried)' if action == 'delayed' else 'Undelivered Mail'}",
            f"Message-ID: <{uuid4()}@{_HOST}>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
            "",
            f"--{boundary}",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            f"This is the local mail catcher, playing a mail system. {diagnostic}",
            f"--{boundary}",
            "Content-Type: message/delivery-status",
            "",
            f"Reporting-MTA: dns; {_HOST}",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            f"Action: {action}",
            f"Status: {status}",
            f"Diagnostic-Code: smtp; {diagnostic}",
            "",
            f"--{boundary}",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {message_id}",
            "",
            f"--{boundary}--",
            "",
        )
    ).encode("utf-8")


def _away(to: str, recipient: str, message_id: str) -> bytes:
    """A responder's answer (RFC 3834)."""
    return "\r\n".join(
        (
            f"From: {recipient}",
            f"To: {to}",
            f"Date: {formatdate()}",
            "Subject: Automatic reply: out of office",
            f"Message-ID: <{uuid4()}@{_HOST}>",
            f"In-Reply-To: {message_id}",
            "Auto-Submitted: auto-replied",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            "I am out of the office.",
            "",
        )
    ).encode("utf-8")


__all__ = ["Postman"]
