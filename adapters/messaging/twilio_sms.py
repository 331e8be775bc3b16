"""SMS through Twilio with its own client; the local stand-in is only another base URL.

Twilio's create call has no idempotency key. Two things make up for it: the status callback URL carries our
delivery id, so the first callback heals a lost answer; and the body of every SMS is unique to its delivery
(it contains the delivery's own link), so `find_sent` recognises it in Twilio's list of messages.
"""

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.twilio_auth import BasicCredentials
from adapters.messaging.twilio_errors import classify_twilio
from domain.channels import Channel

_QUIET = logging.getLogger("adapters.messaging.twilio_client")
# The client logs each request with its parameters at INFO: telephone numbers, in our case.
_QUIET.setLevel(logging.WARNING)

_FAILURES = (TwilioException, aiohttp.ClientError, TimeoutError, OSError, json.JSONDecodeError)
"""All the client raises for an error answer, no answer, or an answer it cannot read."""
_LINK = re.compile(r"https?://\S+")
_SEARCH_LIMIT = 200
"""Messages to one number looked at in a search; a contact gets a handful per recall."""
_CLOCK_SLACK = timedelta(minutes=5)
"""Twilio's clock and ours may differ."""


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
    validity_seconds: int | None = None
    """How long Twilio may keep a message queued (1 to 36,000 s); the length of a round."""


class TwilioSmsAdapter:
    """`MessagingAdapter` of SMS."""

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config
        self._http: AsyncTwilioHttpClient | None = None
        self._client: Any = None

    @property
    def channel(self) -> Channel:
        """SMS."""
        return Channel.SMS

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Create the message at Twilio; see `MessagingAdapter.send`. Never retried inside the client."""
        arguments: dict[str, Any] = {"to": message.to, "body": message.text}
        key = "messaging_service_sid" if self._config.sender.startswith("MG") else "from_"
        arguments[key] = self._config.sender
        if message.status_callback:
            arguments["status_callback"] = message.status_callback
        if self._config.validity_seconds is not None:
            arguments["validity_period"] = self._config.validity_seconds
        try:
            created = await self._connected().messages.create_async(**arguments)
        except _FAILURES as error:
            raise _classified(error) from None
        return SendResult(str(created.sid))

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """The outbound message to this number with this delivery's link, sent or queued since then."""
        if since.tzinfo is None:
            raise ValueError("since: expected an aware instant")
        earliest = since.astimezone(UTC) - _CLOCK_SLACK
        try:
            # No DateSent filter: a message still queued has no such date and would be missed.
            listed = await self._connected().messages.list_async(to=message.to, limit=_SEARCH_LIMIT)
        except _FAILURES as error:
            raise _classified(error) from None
        for found in listed:
            created = found.date_created
            if created is not None and created.replace(tzinfo=created.tzinfo or UTC) < earliest:
                continue
            if _is_same(str(found.body), message.text) and str(found.direction).startswith("outbound"):
                return SendResult(str(found.sid))
        return None

    async def close(self) -> None:
        """Close the HTTP session."""
        if self._http is not None:
            await self._http.close()
            self._http = self._client = None

    def _connected(self) -> Any:
        """The client, made at first use because its HTTP session belongs to the running loop."""
        if self._client is None:
            config = self._config
            self._http = AsyncTwilioHttpClient(timeout=config.timeout_seconds, logger=_QUIET)
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


def _is_same(body: str, text: str) -> bool:
    """Whether a listed body is this delivery's: the same text, or a text with the same personal link.

    The link alone is enough because its token names the delivery; the rest may have been altered on the way
    (characters replaced by the provider) or rendered anew.
    """
    link = _LINK.search(text)
    return body == text or (link is not None and link.group() in body.split())


def _classified(error: Exception) -> SendError:
    """One `SendError` for each of `_FAILURES`."""
    if isinstance(error, TwilioRestException):
        return classify_twilio(error.code, error.status)
    if isinstance(error, aiohttp.ClientConnectorError):
        return SendError(ErrorKind.TRANSIENT, "twilio:connection", "Twilio could not be reached")
    if isinstance(error, TimeoutError):
        code, detail = "twilio:timeout", "no answer in time"
    elif isinstance(error, aiohttp.ClientError | OSError):
        code, detail = "twilio:connection", "the connection broke before an answer"
    else:
        code, detail = "twilio:unknown:answer", "an answer that cannot be read"
    return SendError(ErrorKind.TRANSIENT, code, detail, maybe_sent=True)
