"""Posting to addresses that outsiders gave us: no redirects, no proxies, no private networks, bounded answers.

The address is checked where the name is resolved, and the connection goes to exactly what was checked, so a name
that answers differently the second time (DNS rebinding) gains nothing. Errors come out as `SendError` under the
name of the channel; neither address nor body is ever in them.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from socket import AddressFamily
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.messaging.base import ErrorKind, SendError, read_retry_after
from adapters.messaging.turns import Turns
from domain.web_addresses import Network, WebAddressError, checked_url, may_be_called

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read; the rest is not waited for."""
_CONNECT_SECONDS: Final = 10.0
_LOOKUPS: Final = 8
"""Names of receivers looked up at a time."""


class _AddressRefused(OSError):  # noqa: N818 - what the resolver says
    """A name that leads to a network we do not call."""


@dataclass(frozen=True, slots=True)
class GuardedHttpConfig:
    """Where calls may go and how long they may take."""

    allowed: tuple[Network, ...] = ()
    """Private networks that may be called (a hospital's over a VPN, this machine in a test)."""
    ca_file: Path | None = None
    """Certificates of authorities trusted beside the usual ones (PEM)."""
    timeout_seconds: float = 20.0
    """Longest call, from when there is a connection for it."""
    connections: int = 50
    """Calls at a time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; at most `ANSWER_LIMIT` bytes of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> timedelta | None:
        """What the other side asks us to wait; None without a readable `Retry-After`."""
        return read_retry_after(self.headers.get("Retry-After"))


class _GuardedResolver(AbstractResolver):
    """Resolves in threads of its own: a name whose servers are silent holds one for many seconds, whoever still waits
    for it, and in the few that the process shares the names of our own providers would wait behind it."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="receivers-names")

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        asked = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        ]
        # One bad address among good ones is a trap, not a slip: all of them are refused.
        if not found or not all(may_be_called(each["host"], self._allowed) for each in found):
            raise _AddressRefused("the name leads to an address that is not called")
        return found

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedHttp:
    """One connection pool for one channel; made at first use because it belongs to the running loop."""

    def __init__(self, channel: str, config: GuardedHttpConfig) -> None:
        self._channel = channel
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self.turns = Turns(config.connections)
        """At calling: taken before what is posted is signed, because in the session's own queue the time of a call runs
        and knows no priority. A receiver that others had to wait for would count as one that cannot be reached."""
        # Read now: a missing file is a fault of the configuration, not of a recipient.
        self._tls = ssl.create_default_context()
        if config.ca_file is not None:
            self._tls.load_verify_locations(cafile=config.ca_file)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST once, within a turn.

        Raises:
            SendError: nobody was reached, the address is refused, or the answer was lost (`maybe_sent`).
        """
        self._check(url)
        try:
            async with self._connected().post(url, data=body, headers=dict(headers), allow_redirects=False) as answer:
                return Answer(answer.status, answer.headers.copy(), await _bounded(answer))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._classified(error) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check(self, url: str) -> None:
        try:
            host = urlsplit(checked_url(url, longest=1000)).hostname or ""
        except WebAddressError as error:
            raise self._refused(str(error)) from None
        # A literal address is never resolved, so it is checked here.
        literal = ":" in host or host.rpartition(".")[2].isdigit() or host.casefold().startswith("0x")
        if literal and not may_be_called(host, self._config.allowed):
            raise self._refused("the address lies in a network that is not called")

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_GuardedResolver(self._config.allowed), ssl=self._tls, limit=0, use_dns_cache=False
            )
            total = self._config.timeout_seconds
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=total, sock_connect=min(_CONNECT_SECONDS, total)),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    def _classified(self, error: Exception) -> SendError:
        if isinstance(error, aiohttp.InvalidURL):
            return self._refused("not a web address")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            if isinstance(error.os_error, _AddressRefused):
                return self._refused("the name leads to a network that is not called")
            return self._error("dns", "the name of the receiver cannot be resolved now")
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
            # Waiting repairs no certificate, and the notice must not be shown to whoever holds the address now.
            detail = "the receiver's certificate or encryption is not accepted"
            return SendError(ErrorKind.PERMANENT_CONTACT, f"{self._channel}:tls", detail)
        return self._no_answer(error)

    def _no_answer(self, error: Exception) -> SendError:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return self._error("connection", "the receiver cannot be reached")
        if isinstance(error, TimeoutError):
            return self._error("timeout", "no answer in time", maybe_sent=True)
        return self._error("connection", "the connection broke before an answer", maybe_sent=True)

    def _refused(self, detail: str) -> SendError:
        return SendError(ErrorKind.PERMANENT_CONTACT, f"{self._channel}:address-refused", detail)

    def _error(self, code: str, detail: str, *, maybe_sent: bool = False) -> SendError:
        return SendError(ErrorKind.TRANSIENT, f"{self._channel}:{code}", detail, maybe_sent=maybe_sent)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """At most `ANSWER_LIMIT` bytes; what breaks after the status line changes nothing about the status."""
    read = b""
    try:
        while len(read) < ANSWER_LIMIT and (chunk := await answer.content.read(ANSWER_LIMIT - len(read))):
            read += chunk
    except (aiohttp.ClientError, OSError):
        pass
    if not answer.content.at_eof():
        # The rest is not read, so the connection cannot be used again.
        answer.close()
    return read


__all__ = ["ANSWER_LIMIT", "Answer", "GuardedHttp", "GuardedHttpConfig"]
