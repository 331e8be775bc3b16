"""Messages of the workflow that runs the timers of quality's files, of the whole installation."""

from datetime import datetime

from models.message_base import Message


class QualityInput(Message):
    """Start or continuation."""

    rounds: int = 0
    """Rounds of all runs before this one."""


class TurnQuality(Message):
    """Look at what is due."""

    now: datetime


class WaitingMessages(Message):
    """A file with messages to send on a channel."""

    number: str
    channel: str


class QualityTurned(Message):
    """What a look found."""

    turned: int = 0
    """Tasks and requests that climbed."""
    next_at: datetime | None = None
    """The earliest instant at which something is due."""
    waiting: tuple[WaitingMessages, ...] = ()


__all__ = ["QualityInput", "QualityTurned", "TurnQuality", "WaitingMessages"]
