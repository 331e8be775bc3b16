"""Asking a provider what became of a message it accepted: for when its report was lost on the way to us."""

from dataclasses import dataclass
from typing import Protocol

from domain.channels import Channel


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """What the provider says now, in the words of its delivery reports."""

    status: str
    """As in a report: `sent`, `delivered`, `undelivered`, ..."""
    error_code: str | None = None
    """`twilio:30005`, where the provider names one."""


class StatusSource(Protocol):
    """A provider that can be asked for one message."""

    @property
    def channel(self) -> Channel:
        """The channel it carries."""

    @property
    def provider(self) -> str:
        """Name under which its reports are kept."""

    async def status_of(self, provider_id: str) -> MessageStatus | None:
        """The status of a message; None when the provider does not know it (any more).

        Raises:
            adapters.messaging.base.SendError: it could not be asked now.
        """


__all__ = ["MessageStatus", "StatusSource"]
