"""An IMAP mailbox (RFC 3501/9051), read with the standard library's client in a thread.

Read mail is moved to a folder of its own (MOVE, or COPY and a UID-limited EXPUNGE), so that nothing depends on flags
that other readers of the mailbox set. UIDs are only good under one UIDVALIDITY, so a key carries both: after a mailbox
was rebuilt, an old key names nothing instead of another message.
"""

import asyncio
import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from adapters.mailbox.base import HEAD_BYTES, Fetched, MailboxUnavailable

_Answer = TypeVar("_Answer")
_IMPLICIT_TLS_PORT: Final = 993
_FAILURES: Final = (imaplib.IMAP4.error, OSError, ValueError, IndexError, TypeError)
"""All the client raises for a refusal, a broken connection, or an answer it cannot read."""
_PARTS: Final = 3
"""So many times the longest wait for a part is the longest one for the whole; below the heartbeat of a look."""
_PAGE: Final = 500
"""Messages looked at in one command: a search over a mailbox after a storm of bounces would exceed the longest line
that the client reads."""


@dataclass(frozen=True, slots=True)
class ImapConfig:
    """Which mailbox, as whom."""

    host: str
    port: int
    username: str
    password: str
    folder: str = "INBOX"
    done_folder: str = "Processed"
    tls: bool = True
    """Require TLS with a verified certificate: from the first byte on port 993, by STARTTLS on any other."""
    timeout_seconds: float = 30.0
    """Longest wait for each part of an answer; a whole step may take three times as long."""
    tls_context: ssl.SSLContext | None = None


class _Told:
    """Of a client of the standard library: tells of its socket before it waits for the server's greeting."""

    def __init__(self, opened: Callable[[socket.socket], None], *given: Any, **named: Any) -> None:
        self._told = opened
        super().__init__(*given, **named)

    def open(self, *given: Any, **named: Any) -> None:
        super().open(*given, **named)  # type: ignore[misc]
        self._told(self.sock)  # type: ignore[attr-defined]


class _Plain(_Told, imaplib.IMAP4):
    pass


class _OverTls(_Told, imaplib.IMAP4_SSL):
    pass


class ImapMailbox:
    """`Mailbox` over IMAP; one connection, opened when it is needed and given up at the first fault."""

    def __init__(self, config: ImapConfig) -> None:
        self._config = config
        self._client: imaplib.IMAP4 | None = None
        self._validity = ""
        self._exists = 0
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    async def list_new(self, limit: int) -> Sequence[str]:
        """`validity/uid` of the oldest messages in the folder; see `Mailbox`."""
        return await self._with_server(lambda client: self._list(client, limit))

    async def fetch(self, key: str, max_bytes: int) -> Fetched | None:
        """One message by BODY.PEEK; see `Mailbox`."""
        return await self._with_server(lambda client: self._read(client, key, max_bytes))

    async def mark_done(self, key: str) -> None:
        """Move it to the folder of read mail; see `Mailbox`."""
        await self._with_server(lambda client: self._move(client, key))

    async def close(self) -> None:
        """Log out."""
        await asyncio.to_thread(self._drop, polite=True)

    async def _with_server(self, work: Callable[[imaplib.IMAP4], _Answer]) -> _Answer:
        """Do something at the server in a thread that surely ends.

        A server that drips ("still working on it") is in time with each part of its answer. A thread that waits for it
        for ever is lost to the process, and with the last of its few threads everything else that needs one stands
        still: names are resolved in them, and with that all sending.
        """

        def locked() -> _Answer:
            if not self._lock.acquire(timeout=self._config.timeout_seconds):
                raise MailboxUnavailable("an earlier look at the mailbox has not ended yet")
            try:
                return work(self._connected())
            except _FAILURES as error:
                self._drop(polite=False)
                raise MailboxUnavailable(_in_words(error)) from None
            finally:
                self._lock.release()

        try:
            async with asyncio.timeout(_PARTS * self._config.timeout_seconds):
                return await asyncio.to_thread(locked)
        except TimeoutError:
            self._cut()
            raise MailboxUnavailable("the mail server does not answer in time") from None
        except asyncio.CancelledError:
            self._cut()
            raise

    def _cut(self) -> None:
        """Wake the thread that waits for the server: it ends with a broken connection."""
        waiting, self._socket = self._socket, None
        if waiting is not None:
            with suppress(OSError):
                socket.socket.shutdown(waiting, socket.SHUT_RDWR)

    def _opened(self, connection: socket.socket) -> None:
        self._socket = connection

    def _connected(self) -> imaplib.IMAP4:
        if self._client is None:
            config = self._config
            context = config.tls_context or ssl.create_default_context()
            if config.tls and config.port == _IMPLICIT_TLS_PORT:
                client: imaplib.IMAP4 = _OverTls(
                    self._opened, config.host, config.port, ssl_context=context, timeout=config.timeout_seconds
                )
            else:
                client = _Plain(self._opened, config.host, config.port, timeout=config.timeout_seconds)
            self._client = client
            if config.tls and config.port != _IMPLICIT_TLS_PORT:
                client.starttls(context)
                self._opened(client.sock)  # the one before is part of it now
            client.login(config.username, config.password)
        # Selected anew for each call: other readers move messages, and the server tells of it here.
        self._exists = int(_must(self._client.select(_quoted(self._config.folder)))[0])
        self._validity = _number(self._client.response("UIDVALIDITY")[1])
        return self._client

    def _drop(self, *, polite: bool) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if polite:
                client.logout()
            else:
                client.shutdown()
        except _FAILURES:
            return

    def _list(self, client: imaplib.IMAP4, limit: int) -> list[str]:
        uids: list[int] = []
        for begin in range(1, self._exists + 1, _PAGE):
            end = min(begin + _PAGE - 1, self._exists)
            for line in _must(client.fetch(f"{begin}:{end}", "(UID FLAGS)")):
                uid = re.search(rb"\bUID (\d+)", line) if isinstance(line, bytes) else None
                if uid and rb"\Deleted" not in line:
                    uids.append(int(uid.group(1)))
            if len(uids) >= limit:
                break
        return [f"{self._validity}/{uid}" for uid in sorted(uids)[:limit]]

    def _uid(self, key: str) -> str | None:
        validity, _, uid = key.partition("/")
        return uid if validity == self._validity and uid.isascii() and uid.isdigit() else None

    def _read(self, client: imaplib.IMAP4, key: str, max_bytes: int) -> Fetched | None:
        uid = self._uid(key)
        if uid is None:
            return None
        facts = b" ".join(each for each in _must(client.uid("FETCH", uid, "(RFC822.SIZE INTERNALDATE)")) if each)
        size = re.search(rb"RFC822\.SIZE (\d+)", facts)
        if size is None:
            return None
        complete = int(size.group(1)) <= max_bytes
        wanted = "(BODY.PEEK[])" if complete else f"(BODY.PEEK[]<0.{HEAD_BYTES}>)"
        for answer in _must(client.uid("FETCH", uid, wanted)):
            if isinstance(answer, tuple):
                return Fetched(answer[1][: max(max_bytes, HEAD_BYTES)], _internal_date(facts), complete)
        return None

    def _move(self, client: imaplib.IMAP4, key: str) -> None:
        uid = self._uid(key)
        if uid is None:
            return
        done = _quoted(self._config.done_folder)
        # It exists already, or cannot be made, which the next command then says.
        client.create(done)
        if "MOVE" in client.capabilities:
            _must(client.uid("MOVE", uid, done))
            return
        _must(client.uid("COPY", uid, done))
        _must(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in client.capabilities:
            _must(client.uid("EXPUNGE", uid))
        # Without UIDPLUS an EXPUNGE would also remove what others have marked: ours stays, marked, and is not listed.


def _must(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error("refused")
    return data


def _number(values: Any) -> str:
    found = values[0] if values else None
    return found.decode("ascii") if isinstance(found, bytes) else "0"


def _quoted(folder: str) -> str:
    return f'"{folder}"'


def _internal_date(facts: bytes) -> datetime:
    found = re.search(rb'INTERNALDATE "([^"]{20,30})"', facts)
    if found is None:
        raise ValueError("no INTERNALDATE")
    return datetime.strptime(found.group(1).decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)


def _in_words(error: Exception) -> str:
    """What went wrong, without what the server said: that may hold an address."""
    if isinstance(error, ssl.SSLError):
        return "the mail server offers no acceptable TLS"
    if isinstance(error, TimeoutError):
        return "the mail server does not answer in time"
    if isinstance(error, imaplib.IMAP4.abort):
        return "the connection to the mail server broke"
    if isinstance(error, imaplib.IMAP4.error):
        return "the mail server refuses (login, folder or command)"
    if isinstance(error, OSError):
        return f"the mail server cannot be reached: {error.strerror or type(error).__name__}"
    return f"an answer of the mail server that cannot be read ({type(error).__name__})"


__all__ = ["ImapConfig", "ImapMailbox"]
