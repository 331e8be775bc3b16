"""Telephone calls through Twilio with its own client: the call fetches its text from us and reads it aloud.

Twilio's create call has no idempotency key, and its list of calls shows neither text nor addresses. What tells one call
from another is the log of requests behind each of them (Call Events): there the address with our delivery id stands.
Twilio opens that log some minutes after the call's end only, so until then `find_sent` says that it cannot know,
and the delivery is asked about again instead of ringing somebody twice. Usually the first report or the fetching of
the text, which carry the delivery id, too, have settled it long before.
"""

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.status import MessageStatus
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
from adapters.messaging.twilio_voice_errors import classify_call
from domain.channels import Channel
from domain.voice import report_of

_SID: Final = re.compile(r"CA[0-9a-f]{32}")
_EVENTS: Final = ["initiated", "ringing", "answered", "completed"]
_RING_SECONDS: Final = 40
_LONGEST_CALL_SECONDS: Final = 900
_SEARCH_LIMIT: Final = 50
"""Calls to one number looked at in a search."""
_LOG_LIMIT: Final = 50
"""Requests of one call looked at."""


class TwilioVoiceAdapter:
    """`MessagingAdapter` of calls."""

    def __init__(self, config: TwilioConfig) -> None:
        """Raises `ValueError` when the sender is no telephone number: a call needs a caller id."""
        if not config.sender.startswith("+"):
            raise ValueError("TWILIO_VOICE_FROM: expected a telephone number (E.164) that calls are made from")
        self._config = config
        self._connection = TwilioConnection(config)

    @property
    def channel(self) -> Channel:
        """Voice."""
        return Channel.VOICE

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Place the call; see `MessagingAdapter.send`. Never retried inside the client.

        Raises:
            SendError: also when the message has no address to fetch its text from (`voice:no-script`).
        """
        if not message.call_script:
            raise SendError(
                ErrorKind.PERMANENT_CAMPAIGN, "voice:no-script", "a call has nowhere to fetch its text from"
            )
        arguments: dict[str, Any] = {
            "to": message.to,
            "from_": self._config.sender,
            "url": message.call_script,
            "method": "POST",
            "timeout": _RING_SECONDS,
            "time_limit": _LONGEST_CALL_SECONDS,
            # A mailbox gets the text after its beep; who answered decides what the call counts as.
            "machine_detection": "DetectMessageEnd",
        }
        if message.status_callback:
            arguments |= {
                "status_callback": message.status_callback,
                "status_callback_event": _EVENTS,
                "status_callback_method": "POST",
            }
        try:
            async with self._connection.turns.one(message.priority):
                created = await self._connection.client().calls.create_async(**arguments)
        except FAILURES as error:
            raise _error(error) from None
        return SendResult(sid_of(created))

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """The call to this number whose log names this delivery; see `MessagingAdapter.find_sent`.

        Raises:
            SendError: Twilio could not be asked, or a call is too young to have a log (`twilio:call-log`).
        """
        bound, unread = earliest(since), 0
        try:
            listed = await self._connection.client().calls.list_async(
                to=message.to, from_=self._config.sender, limit=_SEARCH_LIMIT
            )
            for call in listed:
                if dated_before(call.date_created, bound) or not str(call.direction).startswith("outbound"):
                    continue
                log = await self._connection.client().calls(call.sid).events.list_async(limit=_LOG_LIMIT)
                if any(_names(entry.request, message) for entry in log):
                    return SendResult(str(call.sid))
                unread += not log
        except FAILURES as error:
            raise _error(error) from None
        if unread:
            detail = "calls to this number have no log yet"
            raise SendError(ErrorKind.TRANSIENT, "twilio:call-log", detail, maybe_sent=True)
        return None

    @property
    def provider(self) -> str:
        """Name under which Twilio's reports are kept."""
        return "twilio"

    async def status_of(self, provider_id: str) -> MessageStatus | None:
        """Fetch one call; see `StatusSource`. A call that a machine answered is told as such."""
        if _SID.fullmatch(provider_id) is None:
            return None
        found = await found_or_none(self._connection.client().calls(provider_id).fetch_async(), classify_call)
        if found is None:
            return None
        return MessageStatus(report_of(str(found.status), found.answered_by or "", machine_known=False))

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._connection.close()


def _names(request: dict[str, Any] | None, message: OutgoingMessage) -> bool:
    """Whether a request in a call's log, or the one that placed the call, names our delivery."""
    parameters = (request or {}).get("parameters")
    told = [(request or {}).get("url"), *(parameters.values() if isinstance(parameters, dict) else ())]
    return any(message.delivery_id.hex in parse_qs(urlsplit(str(each)).query).get("n", ()) for each in told)


def _error(error: Exception) -> SendError:
    return classified(error, classify_call)


__all__ = ["TwilioVoiceAdapter"]
