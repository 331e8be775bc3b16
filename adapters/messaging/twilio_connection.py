"""The connection to Twilio that texts and calls share: its account, its own client, and what its failures mean.

The local stand-in and the contract tests are only another base URL.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from adapters.messaging.base import ErrorKind, SendError, read_retry_after
from adapters.messaging.turns import Turns
from adapters.messaging.twilio_auth import BasicCredentials

_QUIET = logging.getLogger("adapters.messaging.twilio_client")
# The client logs each request with its parameters at INFO: telephone numbers, in our case.
_QUIET.setLevel(logging.WARNING)

FAILURES: Final = (
    *(TwilioException, aiohttp.ClientError, TimeoutError, OSError),
    *(ValueError, TypeError, AttributeError, LookupError),
)
"""All the client raises for an error answer, no answer, or an answer it cannot read: JSON may hold anything."""
LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes; a page of a thousand messages is a quarter of that."""
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_CLOCK_SLACK = timedelta(minutes=5)
"""Twilio's clock and ours may differ."""
CONNECTIONS: Final = 100
"""To Twilio at a time."""
Classify = Callable[[int | None, int | None], SendError]
"""The error table of a channel: Twilio's code and the HTTP status to an error."""


@dataclass(frozen=True, slots=True)
class TwilioConfig:
    """Account and sender."""

    account_sid: str
    auth_token: str
    sender: str
    """A number in E.164, an alphanumeric sender, or the sid of a messaging service (`MG...`)."""
    base_url: str | None = None
    """Other address of the API (stand-in, contract test); None means Twilio."""
    timeout_seconds: float = 10.0
    """Longest wait for a connection to be made, and for each part of an answer; the whole call may take three times as
    long."""
    validity_seconds: int | None = None
    """How long Twilio may keep a message queued (1 to 36,000 s); the length of a round."""


_retry_after: ContextVar[timedelta | None] = ContextVar("twilio_retry_after", default=None)
"""What the last answer of this task said; Twilio's exceptions leave the headers out."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Twilio's client reads of an answer."""

    status: int
    headers: Mapping[str, str]
    body: str

    async def text(self) -> str:
        """As `ClientResponse.text`."""
        return self.body


class _TimedSession:
    """An HTTP session whose every request ends in time, and with an answer of bounded size.

    Twilio's client forgets its own timeout on the way to aiohttp, and hands over the None that means "for ever" there.
    An answer that drips is in time with each of its parts: so the whole is limited as well. Whoever waits for a free
    connection hears sooner, and surely, that none was made: nothing can have been sent.
    """

    def __init__(self, seconds: float) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        self._timeout = aiohttp.ClientTimeout(3 * seconds, connect=2 * seconds, sock_connect=seconds, sock_read=seconds)

    async def request(self, **given: Any) -> _Answer:
        """As `ClientSession.request`, with the answer read.

        Raises:
            aiohttp.ClientError: among others, it is larger than any answer of Twilio.
        """
        async with self._session.request(**given | {"timeout": self._timeout}) as answer:
            parts, size = [], 0
            async for part in answer.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise aiohttp.ClientPayloadError("larger than any answer of Twilio")
            return _Answer(answer.status, answer.headers.copy(), b"".join(parts).decode(errors="replace"))

    async def close(self) -> None:
        """As `ClientSession.close`."""
        await self._session.close()


class _HttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]
    """Twilio's client with a session that keeps time, which also notes for how long we are asked to wait."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(pool_connections=False, logger=_QUIET)
        self.session = _TimedSession(timeout_seconds)

    async def request(self, *args: Any, **kwargs: Any) -> Any:
        response = await super().request(*args, **kwargs)
        _retry_after.set(read_retry_after((response.headers or {}).get("Retry-After")))
        return response


class TwilioConnection:
    """One HTTP session to Twilio."""

    def __init__(self, config: TwilioConfig) -> None:
        self.config = config
        self.turns = Turns(CONNECTIONS)
        """At creating something: taken before the call, because the session's own queue knows no priority."""
        self._http: AsyncTwilioHttpClient | None = None
        self._client: Any = None

    def client(self) -> Any:
        """The client, made at first use because its HTTP session belongs to the running loop."""
        if self._client is None:
            config = self.config
            self._http = _HttpClient(config.timeout_seconds)
            self._client = Client(
                config.account_sid,
                config.auth_token,
                http_client=self._http,
                credential_provider=BasicCredentials(config.account_sid, config.auth_token),
                # Not empty, else the client reads os.environ, where TWILIO_EDGE would rewrite the host.
                environment={"-": "-"},
            )
            if config.base_url:
                self._client.api.base_url = config.base_url.rstrip("/")
        return self._client

    async def close(self) -> None:
        """Close the HTTP session."""
        if self._http is not None:
            await self._http.close()
            self._http = self._client = None


def classified(error: Exception, classify: Classify) -> SendError:
    """One `SendError` for each of `FAILURES`."""
    if isinstance(error, TwilioRestException):
        # The code is whatever the document says; it reaches logs and the record.
        found = classify(error.code if type(error.code) is int else None, error.status)
        found.retry_after = _retry_after.get()
        return found
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        # No connection was made, so nothing was sent: an outage, however long it took to find out.
        return SendError(ErrorKind.TRANSIENT, "twilio:connection", "Twilio could not be reached", outage=True)
    if isinstance(error, TimeoutError):
        code, detail = "twilio:timeout", "no answer in time"
    elif isinstance(error, aiohttp.ClientError | OSError):
        code, detail = "twilio:connection", "the connection broke before an answer"
    else:
        code, detail = "twilio:unknown:answer", "an answer that cannot be read"
    return SendError(ErrorKind.TRANSIENT, code, detail, maybe_sent=True)


def sid_of(created: Any) -> str:
    """The id of what Twilio has created.

    Raises:
        SendError: it has none, so Twilio has not said that it took it; what stands before Twilio may have passed it on.
    """
    if isinstance(created.sid, str) and _SID.fullmatch(created.sid):
        return created.sid
    detail = "an answer without the id of what was created"
    raise SendError(ErrorKind.TRANSIENT, "twilio:unknown:answer", detail, maybe_sent=True)


async def found_or_none(request: Awaitable[Any], classify: Classify) -> Any:
    """What Twilio has under an id; None where it has nothing.

    Raises:
        SendError: it could not be asked.
    """
    try:
        return await request
    except FAILURES as error:
        if isinstance(error, TwilioRestException) and error.status == HTTPStatus.NOT_FOUND:
            return None
        raise classified(error, classify) from None


def earliest(since: datetime) -> datetime:
    """From when on a message that was sent at or after `since` may be dated.

    Raises:
        ValueError: `since` is naive.
    """
    if since.tzinfo is None:
        raise ValueError("since: expected an aware instant")
    return since.astimezone(UTC) - _CLOCK_SLACK


def dated_before(created: datetime | None, bound: datetime) -> bool:
    """Whether Twilio says that something was created before `bound`; what has no date was not."""
    return created is not None and created.replace(tzinfo=created.tzinfo or UTC) < bound


__all__ = [
    "CONNECTIONS",
    "FAILURES",
    "LARGEST_ANSWER",
    "TwilioConfig",
    "TwilioConnection",
    "classified",
    "dated_before",
    "earliest",
    "found_or_none",
    "sid_of",
]
