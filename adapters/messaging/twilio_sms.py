"""SMS through Twilio with its own client; the local stand-in is only another base URL.

Twilio's create call has no idempotency key. Two things make up for it: the status callback URL carries our
delivery id, so the first callback heals a lost answer; and the body of every SMS is unique to its delivery
(it contains the delivery's own link), so `find_sent` recognises it in Twilio's list of messages.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from adapters.messaging.base import OutgoingMessage, SendError, SendResult
from adapters.messaging.status import MessageStatus
from adapters.messaging.text_inbox import ReceivedText
from adapters.messaging.twilio_connection import (
    FAILURES,
    TwilioConfig,
    TwilioConnection,
    classified,
    dated_before,
    earliest,
    found_or_none,
    sid_of,
)
from adapters.messaging.twilio_errors import classify_twilio
from domain.channels import Channel

_LINK = re.compile(r"https?://\S+")
_SID = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
_SEARCH_LIMIT = 200
"""Messages to one number looked at in a search; a contact gets a handful per recall."""
_PAGE = 1000
"""Most messages in one answer of Twilio."""


class TwilioSmsAdapter:
    """`MessagingAdapter` of SMS."""

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config
        self._connection = TwilioConnection(config)

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
            async with self._connection.turns.one(message.priority):
                created = await self._connection.client().messages.create_async(**arguments)
        except FAILURES as error:
            raise _error(error) from None
        return SendResult(sid_of(created))

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """The outbound message to this number with this delivery's link, sent or queued since then."""
        bound = earliest(since)
        try:
            # No DateSent filter: a message still queued has no such date and would be missed.
            listed = await self._connection.client().messages.list_async(to=message.to, limit=_SEARCH_LIMIT)
        except FAILURES as error:
            raise _error(error) from None
        for found in listed:
            if dated_before(found.date_created, bound):
                continue
            if _is_same(str(found.body), message.text) and str(found.direction).startswith("outbound"):
                return SendResult(str(found.sid))
        return None

    @property
    def provider(self) -> str:
        """Name under which Twilio's reports are kept."""
        return "twilio"

    async def status_of(self, provider_id: str) -> MessageStatus | None:
        """Fetch one message; see `StatusSource`."""
        if _SID.fullmatch(provider_id) is None:
            return None
        found = await found_or_none(self._connection.client().messages(provider_id).fetch_async(), classify_twilio)
        if found is None:
            return None
        code = found.error_code
        return MessageStatus(str(found.status), f"twilio:{int(code)}" if code else None)

    async def received(self, number: str, since: datetime) -> AsyncIterator[ReceivedText]:
        """List what came in to this number, page by page; see `TextInbox`.

        Twilio's filter knows days (and takes instants), so the instant is tested here as well.
        """
        bound = since.astimezone(UTC)
        listing = self._connection.client().messages.stream_async(to=number, date_sent_after=bound, page_size=_PAGE)
        try:
            async for found in await listing:
                sent_at = found.date_sent or found.date_created
                if found.direction != "inbound" or dated_before(sent_at, bound):
                    continue
                at = sent_at.replace(tzinfo=sent_at.tzinfo or UTC) if sent_at else bound
                yield ReceivedText(str(found.sid), str(found.from_), str(found.body or ""), at)
        except FAILURES as error:
            raise _error(error) from None

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._connection.close()


def _is_same(body: str, text: str) -> bool:
    """Whether a listed body is this delivery's: the same text, or a text with the same personal link.

    The link alone is enough because its token names the delivery; the rest may have been altered on the way
    (characters replaced by the provider) or rendered anew.
    """
    link = _LINK.search(text)
    return body == text or (link is not None and link.group() in body.split())


def _error(error: Exception) -> SendError:
    return classified(error, classify_twilio)


__all__ = ["TwilioConfig", "TwilioSmsAdapter"]
