"""The local mail catcher: an SMTP server that delivers to nobody and shows everything it took.

Every message is on disk before it is answered with 250. Addresses whose local part starts with `bounce` are
refused like an unknown mailbox; what `stack.returned_mail` tells comes back later by mail, and repeats of a
Message-ID are told as duplicates, so that demo and tests can see all three. The inbox is served by HTTP on the
loopback interface:

    GET /                   the inbox for people; GET /view/{id} one message with its links
    GET /messages           JSON; ?to= exact address, ?since= ISO instant, ?after= id, ?limit= (1000)
    GET /messages/{id}      JSON; /messages/{id}/raw is the message as received
    GET /stats              JSON: messages, duplicates, refused
    DELETE /messages        empty the inbox

Run with `python -m stack.mail_catcher`; ports and folder from RECALL_SMTP_PORT (1025), RECALL_INBOX_PORT
(8025) and RECALL_STATE_DIR (.recall, file `mail/mail.sqlite3`). With RECALL_MAILBOX_MAILDIR, mail to the address that
notices come back to (RECALL_BOUNCE_ADDRESS, else that of RECALL_MAIL_FROM) is delivered there.
"""

import asyncio
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from settings import Settings
from stack.inbox_app import inbox_app
from stack.mailbox import MailBox
from stack.returned_mail import Postman
from stack.small_server import LOOPBACK, HttpServer, bind, env_port, run_until_signal

_SIZE_LIMIT = 30 * 1024 * 1024
_BACKLOG = 512
OWN_ADDRESS = str(Settings.model_fields["mail_from"].default)
"""Sender of notices where the operator set none."""


class CatchAll:
    """aiosmtpd's handler: refuses `bounce*`, keeps the rest, and passes on what comes back to us."""

    def __init__(self, box: MailBox, postman: Postman | None = None) -> None:
        self._box = box
        self._postman = postman

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Accept a recipient unless its local part says bounce."""
        del server, session
        ours = self._postman is not None and self._postman.is_ours(address)
        if address.lower().startswith("bounce") and not ours:
            await self._box.refused(address.lower())
            return "550 5.1.1 No such mailbox here (the catcher refuses every bounce* address)"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the message; 250 only once it is on disk."""
        del server, session
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        recipients = [address.lower() for address in envelope.rcpt_tos]
        try:
            await self._box.add(envelope.mail_from or "", recipients, raw)
            if self._postman is not None:
                await self._postman.take(envelope.mail_from or "", recipients, raw)
        except (sqlite3.Error, OSError):
            return "451 4.3.0 The message could not be written"
        return "250 2.0.0 Kept"


async def serve(stop: asyncio.Event, environment: Mapping[str, str] = os.environ) -> None:
    """Run both servers until `stop`.

    Raises:
        StartError: a port is taken.
    """
    smtp_socket = bind(env_port("RECALL_SMTP_PORT", 1025, environment), "RECALL_SMTP_PORT (mail catcher)")
    http_socket = bind(env_port("RECALL_INBOX_PORT", 8025, environment), "RECALL_INBOX_PORT (inbox)")
    box = MailBox(Path(environment.get("RECALL_STATE_DIR", ".recall")) / "mail" / "mail.sqlite3")
    loop, handler = asyncio.get_running_loop(), CatchAll(box, _postman(environment))
    sessions: WeakSet[SMTP] = WeakSet()

    def session() -> SMTP:
        new = SMTP(handler, data_size_limit=_SIZE_LIMIT, enable_SMTPUTF8=True, hostname=LOOPBACK, loop=loop)
        sessions.add(new)
        return new

    smtp = await loop.create_server(session, sock=smtp_socket, backlog=_BACKLOG)
    try:
        await HttpServer(inbox_app(box)).run(http_socket, stop)
    finally:
        smtp.close()
        for open_session in list(sessions):
            if open_session.transport is not None:
                open_session.transport.close()
        await box.close()


def _postman(environment: Mapping[str, str]) -> Postman | None:
    maildir = environment.get("RECALL_MAILBOX_MAILDIR")
    own = environment.get("RECALL_BOUNCE_ADDRESS") or environment.get("RECALL_MAIL_FROM") or OWN_ADDRESS
    return Postman(Path(maildir), own) if maildir else None


if __name__ == "__main__":
    raise SystemExit(run_until_signal(serve))
