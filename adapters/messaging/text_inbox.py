"""Reading what was texted to us from the provider's own list: for when its webhook did not reach us."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ReceivedText:
    """A text message that somebody sent to a number of ours."""

    provider_id: str
    sender: str
    """As the provider gives it; a number in E.164 for a telephone."""
    body: str
    sent_at: datetime
    """When the provider had it, aware."""


class TextInbox(Protocol):
    """A provider that keeps what came in and can be asked for it."""

    def received(self, number: str, since: datetime) -> AsyncIterator[ReceivedText]:
        """What came in to a number of ours at `since` or later, usually newest first.

        Raises:
            adapters.messaging.base.SendError: it could not be asked now; what was told before stays true.
        """


__all__ = ["ReceivedText", "TextInbox"]
