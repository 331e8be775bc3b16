"""The adapter of drills: accepts every message and sends none (design §2, promise 10).

It holds no client, no address of a server and no credential, so it cannot reach a network whatever it is
asked to do. Its results are marked, so that a drill's record can never be read as a real delivery.
"""

from datetime import datetime

from adapters.messaging.base import OutgoingMessage, SendResult
from domain.channels import Channel

BLOCKED_PREFIX = "blocked:"
"""Every provider id of a drill starts with this."""


class BlockedAdapter:
    """`MessagingAdapter` of one channel that keeps the message inside."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def channel(self) -> Channel:
        """The channel a real run would have used."""
        return self._channel

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Marked acceptance; nothing leaves the process."""
        return self._result(message)

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """The same marked result: a drill's message is "sent" by definition and must not be chased."""
        return self._result(message)

    async def close(self) -> None:
        """Nothing to release."""

    def _result(self, message: OutgoingMessage) -> SendResult:
        return SendResult(f"{BLOCKED_PREFIX}{self._channel}:{message.delivery_id}")
