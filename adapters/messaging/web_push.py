"""Notices to browsers that recipients subscribed: Web Push (RFC 8030), encrypted for the browser (RFC 8291).

The push service between us and the browser sees neither text nor link. A message that waits there is replaced by a
repeat of itself (its topic is the delivery), so a resend after a lost answer shows one notice, not two.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from py_vapid import Vapid02
from pywebpush import WebPusher

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.guarded_http import GuardedHttp, GuardedHttpConfig
from adapters.messaging.push_errors import GONE, classify_push
from adapters.messaging.targets import PushTarget, push_targets
from adapters.messaging.turns import TurnLapsed
from domain.channels import Channel

LARGEST: Final = 3993
"""Bytes of a message before encryption: what fits into the 4,096 that every push service takes (RFC 8030 §7.2)."""
_LONGEST_TTL: Final = timedelta(days=28)
_USUAL_TTL: Final = timedelta(days=3)
_VAPID_LIFE: Final = timedelta(hours=12)
_LINK: Final = re.compile(r"https?://\S+")
_LOG = logging.getLogger(__name__)

Gone = Callable[[Sequence[str]], Awaitable[None]]
"""Told the endpoints that the push service says do not exist any more."""


@dataclass(frozen=True, slots=True)
class PushConfig:
    """Who we are to push services (RFC 8292) and where calls may go."""

    private_key: str = field(repr=False)
    """32 bytes in base64url."""
    subject: str
    """`mailto:` or `https:` of whoever answers for the messages."""
    http: GuardedHttpConfig = field(default_factory=GuardedHttpConfig)


class WebPushAdapter:
    """`MessagingAdapter` of Web Push."""

    def __init__(self, config: PushConfig, *, gone: Gone | None = None) -> None:
        """`gone` keeps the record; without it dead subscriptions are tried again each time.

        Raises:
            ValueError: the key is none.
        """
        try:
            self._vapid = Vapid02.from_string(config.private_key)
        except Exception:  # noqa: BLE001 - whatever the library makes of it, it is no key
            raise ValueError("RECALL_VAPID_PRIVATE_KEY: expected a private key, 32 bytes in base64url") from None
        self._subject = config.subject
        self._http = GuardedHttp("push", config.http)
        self._gone = gone

    @property
    def channel(self) -> Channel:
        """Push."""
        return Channel.PUSH

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Hand the message to every browser of the contact; taken when one of the push services takes it.

        Raises:
            SendError: none took it; the error that leaves most hope is told.
        """
        targets = push_targets(message)
        payload = push_payload(message)
        # Together: a call ends with the slowest of them, not after all their waits.
        asked = (self._to_one(each, message, payload) for each in targets)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for fault in answers:
            if isinstance(fault, BaseException) and not isinstance(fault, TurnLapsed):
                raise fault
        errors = [each for each in answers if isinstance(each, tuple)]
        dead = [target.endpoint for target, error in errors if error.code in GONE]
        if dead and self._gone is not None:
            await self._gone(dead)
        if None not in answers and len(errors) < len(targets):
            raise TurnLapsed  # for some; no other browser took it
        if len(errors) == len(targets):
            raise min((error for _, error in errors), key=_hopeless)
        return SendResult(f"push:{message.delivery_id}")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """None: push services cannot be asked; a repeat replaces what waits and what is shown."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _to_one(
        self, target: PushTarget, message: OutgoingMessage, payload: bytes
    ) -> tuple[PushTarget, SendError] | None:
        try:
            body, headers = await asyncio.to_thread(self._sealed, target, message, payload)
        except Exception as error:  # noqa: BLE001 - keys that came from outside; only the type is told
            _LOG.warning("a push subscription cannot be encrypted for: %s", type(error).__name__)
            return target, SendError(ErrorKind.PERMANENT_CONTACT, "push:keys", "the browser's keys are not usable")
        try:
            async with self._http.turns.one(message.priority):
                answer = await self._http.post(target.endpoint, body, headers)
        except SendError as error:
            return target, error
        refused = classify_push(answer.status, answer.retry_after)
        return None if refused is None else (target, refused)

    def _sealed(self, target: PushTarget, message: OutgoingMessage, payload: bytes) -> tuple[bytes, dict[str, str]]:
        """Body and headers for one browser; blocking cryptography, so it runs in a thread."""
        parts, now = urlsplit(target.endpoint), datetime.now(UTC)
        keys = {"p256dh": target.p256dh, "auth": target.auth}
        body: bytes = WebPusher({"endpoint": target.endpoint, "keys": keys}).encode(payload)["body"]
        claims: dict[str, Any] = {
            "sub": self._subject,
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((now + _VAPID_LIFE).timestamp()),
        }
        return body, {
            **self._vapid.sign(claims),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(_ttl(message, now)),
            "Urgency": "high",
            "Topic": message.delivery_id.hex,
        }


def push_payload(message: OutgoingMessage) -> bytes:
    """What the service worker gets: title (first line), text, link, language and the delivery as its tag.

    Raises:
        SendError: larger than a push service takes; nothing is cut off what was approved.
    """
    title, _, rest = message.text.strip().partition("\n")
    links = _LINK.findall(rest)
    shown = {
        "title": title.strip(),
        "body": " ".join(_LINK.sub("", rest).split()),
        "url": links[-1] if links else None,
        "lang": message.language,
        "tag": message.delivery_id.hex,
    }
    payload = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    if len(payload) > LARGEST:
        raise SendError(ErrorKind.PERMANENT_CONTACT, "push:too-large", "the message is larger than push allows")
    return payload


def _ttl(message: OutgoingMessage, now: datetime) -> int:
    """Seconds the push service keeps the message: until the recipient is chased next."""
    life = message.valid_until - now if message.valid_until is not None else _USUAL_TTL
    return int(min(max(life, timedelta(minutes=1)), _LONGEST_TTL).total_seconds())


def _hopeless(error: SendError) -> int:
    order = (ErrorKind.TRANSIENT, ErrorKind.PERMANENT_CONTACT, ErrorKind.PERMANENT_CAMPAIGN)
    # What may have arrived must be told as such, else it would count as not sent.
    return -1 if error.maybe_sent else order.index(error.kind)


__all__ = ["LARGEST", "Gone", "PushConfig", "WebPushAdapter", "push_payload"]
