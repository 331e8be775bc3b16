"""E-mail through any SMTP server: one transaction per notice over pooled connections.

An SMTP server cannot be asked what it has accepted, so the protection against doubt is the Message-ID: every
attempt of a delivery carries the same one. The three commands are issued one by one because only the last one
(DATA) can leave it open whether the message was accepted.
"""

import email.policy
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from socket import gethostname

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.message_ids import mail_domain, message_id_for
from adapters.messaging.smtp_errors import classify_smtp
from adapters.messaging.smtp_pool import SmtpPool
from domain.channels import Channel

_IMPLICIT_TLS_PORT = 465
_POLICY = email.policy.SMTP.clone(max_line_length=76)


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """Where and as whom to send."""

    host: str
    port: int
    mail_from: str
    """From header; its address is also the envelope sender, so bounces come back to it."""
    username: str | None = None
    password: str | None = None
    starttls: bool = False
    """Require STARTTLS with a verified certificate; port 465 always means TLS from the first byte."""
    connections: int = 20
    timeout_seconds: float = 30.0
    tls_context: ssl.SSLContext | None = None


class SmtpEmailAdapter:
    """`MessagingAdapter` of e-mail."""

    def __init__(self, config: SmtpConfig) -> None:
        """Raises `ValueError` when the From header carries no usable address."""
        mail_domain(config.mail_from)
        self._config = config
        name, address = parseaddr(config.mail_from)
        self._sender = address
        self._from = Address(display_name=name, addr_spec=address)
        self._pool = SmtpPool(self._new_client, config.connections)

    @property
    def channel(self) -> Channel:
        """E-mail."""
        return Channel.EMAIL

    async def send(self, message: OutgoingMessage) -> SendResult:
        """One SMTP transaction; see `MessagingAdapter.send`."""
        built = self.build(message)
        recipient, body = built["To"].addresses[0].addr_spec, built.as_bytes()
        progress = _Progress()
        try:
            async with self._pool.connection() as client:
                await _transaction(client, self._sender, recipient, body, progress)
        except SMTPResponseException as error:
            raise classify_smtp(error.code, str(error.message), stage=progress.stage) from None
        except (SMTPException, OSError, TimeoutError) as error:
            raise _unreachable(error, progress.stage) from None
        return SendResult(str(built["Message-ID"]))

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """Always None: SMTP has no question for this. Resend; the Message-ID stays the same."""
        del message, since
        return None

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._pool.close()

    def build(self, message: OutgoingMessage) -> EmailMessage:
        """The RFC 5322 message: text first, HTML as alternative, headers a mail system can act upon.

        Raises:
            SendError: permanent for the contact, when the address cannot stand in a header.
        """
        mail = EmailMessage(policy=_POLICY)
        mail["From"] = self._from
        mail["To"] = _recipient(message.to)
        mail["Subject"] = " ".join((message.subject or "").split())
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = message.message_id or message_id_for(message.delivery_id, self._config.mail_from)
        # RFC 3834: no vacation notice in return; our own header lets bounces and copies be matched.
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Recall-Delivery"] = str(message.delivery_id)
        mail["Content-Language"] = message.language
        if message.priority == 1:
            mail["Importance"] = "high"
            mail["X-Priority"] = "1"
        mail.set_content(message.text, charset="utf-8", cte="base64" if _needs_base64(message.text) else None)
        if message.html is not None:
            cte = "base64" if _needs_base64(message.html) else "quoted-printable"
            mail.add_alternative(message.html, subtype="html", charset="utf-8", cte=cte)
        return mail

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


async def _transaction(client: aiosmtplib.SMTP, sender: str, recipient: str, body: bytes, progress: _Progress) -> None:
    options = [f"size={len(body)}"] if client.supports_extension("size") else []
    progress.stage = "sender"
    await client.mail(sender, options=options)
    progress.stage = "recipient"
    await client.rcpt(recipient)
    progress.stage = "data"
    await client.data(body)


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
    return SendError(ErrorKind.TRANSIENT, code, f"{detail} (at {stage})", maybe_sent=maybe)


def _recipient(to: str) -> Address:
    """The address for header and envelope, its domain in IDNA.

    Anything that could smuggle a second header or command is refused. A non-ASCII local part would need
    SMTPUTF8 on every hop; such a contact is reached by another channel.
    """
    local, _, domain = to.strip().rpartition("@")
    try:
        if not (local and domain and to.strip().isprintable()):
            raise ValueError("not an address")
        if not domain.isascii():
            domain = domain.encode("idna").decode("ascii")
        return Address(addr_spec=f"{local}@{domain}")
    except Exception:  # noqa: BLE001 - the standard parser leaks AttributeError and IndexError on bad input
        detail = "the e-mail address is malformed"
        raise SendError(ErrorKind.PERMANENT_CONTACT, "smtp:address", detail) from None


def _needs_base64(text: str) -> bool:
    """Quoted-printable triples every byte of Chinese; base64 is shorter once a sixth is not ASCII."""
    return sum(1 for c in text if ord(c) > 127) * 6 > len(text)
