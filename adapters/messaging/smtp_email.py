"""E-mail through any SMTP server: one transaction per notice over pooled connections.

An SMTP server cannot be asked what it has accepted, so the protection against doubt is the Message-ID: every
attempt of a delivery carries the same one. The three commands are issued one by one because only the last one
(DATA) can leave it open whether the message was accepted.
"""

import re
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate, parseaddr
from socket import gethostname

import aiosmtplib
from aiosmtplib import SMTPException, SMTPHeloError, SMTPResponseException

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.message_ids import mail_domain, message_id_for
from adapters.messaging.mime import compose, header_text
from adapters.messaging.smtp_errors import classify_smtp
from adapters.messaging.smtp_pool import SmtpPool
from domain.channels import Channel
from domain.return_path import ReturnKind, ReturnPath

_IMPLICIT_TLS_PORT = 465
_ACCEPTING = 3
"""Servers that scan a message, or hand it on first, take their time with its acceptance (Exchange: up to 30 s as it is
installed; RFC 5321 §4.5.3.2.6: up to ten minutes). Whoever gives up before sends the recipient the same mail again."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_DOMAIN = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """Where and as whom to send."""

    host: str
    port: int
    mail_from: str
    """From header; its address is the envelope sender, too, where there is no `return_path`."""
    username: str | None = None
    password: str | None = None
    starttls: bool = False
    """Require STARTTLS with a verified certificate; port 465 always means TLS from the first byte."""
    connections: int = 20
    timeout_seconds: float = 30.0
    """Longest wait for each answer; for the one after the message three times that."""
    tls_context: ssl.SSLContext | None = None
    return_path: ReturnPath | None = None
    """Makes the envelope sender of each message, so that what comes back names its delivery."""
    answers_return: bool = False
    """Whether answers are read by us: then Reply-To names the delivery, too."""


class SmtpEmailAdapter:
    """`MessagingAdapter` of e-mail."""

    def __init__(self, config: SmtpConfig) -> None:
        """Raises `ValueError` when the From header carries no usable address."""
        mail_domain(config.mail_from)
        self._config = config
        name, address = parseaddr(config.mail_from)
        self._sender = address
        self._from = f"{header_text('From', name)} <{address}>" if name else address
        self._pool = SmtpPool(self._new_client, config.connections)

    @property
    def channel(self) -> Channel:
        """E-mail."""
        return Channel.EMAIL

    async def send(self, message: OutgoingMessage) -> SendResult:
        """One SMTP transaction; see `MessagingAdapter.send`."""
        recipient = _recipient(message.to)
        message_id = message.message_id or message_id_for(message.delivery_id, self._config.mail_from)
        body = self._build(message, recipient, message_id)
        path = self._config.return_path
        sender = path.address(message.delivery_id, ReturnKind.BOUNCE) if path else self._sender
        progress = _Progress()
        try:
            async with self._pool.connection(message.priority) as client:
                await _transaction(client, sender, recipient, body, progress, _ACCEPTING * self._config.timeout_seconds)
        except SMTPResponseException as error:
            raise classify_smtp(error.code, str(error.message), stage=progress.stage) from None
        except (SMTPException, OSError, TimeoutError) as error:
            raise _unreachable(error, progress.stage) from None
        return SendResult(message_id)

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """Always None: SMTP has no question for this. Resend; the Message-ID stays the same."""
        del message, since
        return None

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._pool.close()

    def build(self, message: OutgoingMessage) -> bytes:
        """The message as it goes over the wire.

        Raises:
            SendError: permanent for the contact, when the address is malformed.
        """
        message_id = message.message_id or message_id_for(message.delivery_id, self._config.mail_from)
        return self._build(message, _recipient(message.to), message_id)

    def _build(self, message: OutgoingMessage, recipient: str, message_id: str) -> bytes:
        headers = [
            ("From", self._from),
            ("To", recipient),
            ("Subject", header_text("Subject", message.subject or "")),
            ("Date", formatdate(localtime=False)),
            ("Message-ID", header_text("Message-ID", message_id)),
            # RFC 3834: no vacation notice in return; our own header lets bounces and copies be matched.
            ("Auto-Submitted", "auto-generated"),
            ("X-Recall-Delivery", str(message.delivery_id)),
            ("Content-Language", header_text("Content-Language", message.language)),
        ]
        path = self._config.return_path
        if path is not None and self._config.answers_return and message.answer_counts:
            headers.append(("Reply-To", path.address(message.delivery_id, ReturnKind.ANSWER)))
        if message.priority == 1:
            headers += [("Importance", "high"), ("X-Priority", "1")]
        return compose(headers, message.text, message.html, f"=_{message.delivery_id.hex}", message.attachments)

    def _new_client(self) -> aiosmtplib.SMTP:
        config = self._config
        implicit = config.port == _IMPLICIT_TLS_PORT
        return aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            username=config.username,
            password=config.password,
            local_hostname=gethostname() or "localhost",
            timeout=config.timeout_seconds,
            use_tls=implicit,
            start_tls=None if implicit else config.starttls,
            tls_context=config.tls_context,
        )


@dataclass(slots=True)
class _Progress:
    """How far a transaction came: the same reply means different things at different stages."""

    stage: str = "connect"


async def _transaction(
    client: aiosmtplib.SMTP, sender: str, recipient: str, body: bytes, progress: _Progress, accepting: float
) -> None:
    progress.stage = "sender"
    if client.is_ehlo_or_helo_needed:
        await _greet(client)
    # The addresses are ours or were looked at in `_recipient`; the library would parse each of them once more.
    size = [b"size=%d" % len(body)] if client.supports_extension("size") else []
    _expect(await client.execute_command(b"MAIL", b"FROM:<%s>" % sender.encode("ascii"), *size), 250)
    progress.stage = "recipient"
    _expect(await client.execute_command(b"RCPT", b"TO:<%s>" % recipient.encode("ascii")), 250, 251)
    progress.stage = "data"
    await _data(client, body, accepting)


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


async def _data(client: aiosmtplib.SMTP, body: bytes, accepting: float) -> None:
    """DATA and the message, its leading dots doubled (RFC 5321 §4.5.2).

    The library does the same line by line with patterns, which takes as long for a notice with its files as all other
    work of sending it; what is not clean lines is left to it.
    """
    breaks = body.count(b"\r\n")
    if client.protocol is None or not body.endswith(b"\r\n") or not breaks == body.count(b"\n") == body.count(b"\r"):
        await client.data(body, timeout=accepting)
        return
    _expect(await client.execute_command(b"DATA"), 354)
    dots = body.replace(b"\r\n.", b"\r\n..")
    # The final dot is a command of its own: nothing can be read between the two writes.
    client.protocol.write(b"." + dots if dots.startswith(b".") else dots)
    _expect(await client.execute_command(b".", timeout=accepting), 250)


def _expect(answer: aiosmtplib.SMTPResponse, *codes: int) -> None:
    if answer.code not in codes:
        raise SMTPResponseException(answer.code, answer.message)


def _unreachable(error: Exception, stage: str) -> SendError:
    # The library raises the bare base class where the server lacks STARTTLS or a login mechanism.
    lacking = type(error) is SMTPException and stage == "connect"
    if lacking or isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the server offers no acceptable TLS or login (at {stage})"
        return SendError(ErrorKind.PERMANENT_CAMPAIGN, "smtp:tls", detail)
    timed_out = isinstance(error, TimeoutError)
    code = "smtp:timeout" if timed_out else "smtp:connection"
    detail = "no answer in time" if timed_out else "the connection failed"
    # Only after DATA has begun can the server have taken the message without our hearing of it.
    maybe = stage == "data"
    down = stage == "connect"
    return SendError(ErrorKind.TRANSIENT, code, f"{detail} (at {stage})", maybe_sent=maybe, outage=down)


def _recipient(to: str) -> str:
    """The address for header and envelope, its domain in IDNA.

    Anything that could smuggle a second header or command is refused. A non-ASCII local part would need
    SMTPUTF8 on every hop; such a contact is reached by another channel.
    """
    local, _, domain = to.strip().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_domain = ""
    if len(local) <= 64 and _LOCAL.fullmatch(local) and len(ascii_domain) <= 253 and _DOMAIN.fullmatch(ascii_domain):
        return f"{local}@{ascii_domain}"
    raise SendError(ErrorKind.PERMANENT_CONTACT, "smtp:address", "the e-mail address is malformed")
