"""Channels by which a notice reaches a recipient, and which of a contact's facts carries the address of each.

Another provider of a channel is one file (`RECALL_MESSAGING_ADAPTERS`). What a channel of a new kind needs besides its
adapter is listed in docs/channels.md; task queues, ladder, strategy and drills follow from its member here.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """The value is what the database, the URLs and the template names carry."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    """A telephone call that reads the notice; a key acknowledges it."""
    WEBHOOK = "webhook"
    """A system of the recipient (hospital information system, ERP): signed JSON or FHIR R4."""
    PUSH = "push"
    """Web Push to a browser that the recipient subscribed on its page."""


USUAL: Final = (Channel.EMAIL, Channel.SMS)
"""Channels of a strategy that names none."""

KNOWN_SQL: Final = ",".join(f"'{channel}'" for channel in Channel)
"""The channels as a list of SQL literals, for constraints."""


def notify_queue(channel: str, *, urgent: bool = False) -> str:
    """Temporal task queue of a channel: a slow provider holds up no other channel.

    Args:
        urgent: of class I, whose workers no crowd of other recalls' batches can fill.

    Raises:
        ValueError: no such channel.
    """
    return f"notify-{Channel(channel)}{'-urgent' if urgent else ''}"


def urgent_left_out(queues: Collection[str]) -> list[str]:
    """Queues of class I that a worker leaves out although it serves the rest of their channel, in order."""
    pairs = [(notify_queue(channel), notify_queue(channel, urgent=True)) for channel in Channel]
    return [urgent for plain, urgent in pairs if plain in queues and urgent not in queues]
