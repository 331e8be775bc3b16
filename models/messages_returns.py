"""Contracts of the workflow that looks after what comes back: counts only, never an address or a text."""

from pydantic import AwareDatetime, Field

from models.message_base import Message


class ReturnsInput(Message):
    """Start of the one workflow that collects mail and asks about silent deliveries."""

    pause_seconds: float = Field(default=60.0, gt=0)
    """Real time between two rounds; each round brings the worker's current setting."""
    failures: int = 0
    """Rounds in a row that found the mailbox or the database away, carried over continue-as-new."""
    texts_until: AwareDatetime | None = None
    """Up to when texts to our numbers were looked for, carried over continue-as-new; None: not yet."""


class CollectMail(Message):
    """Take in what lies in the mailbox."""

    now: AwareDatetime


class MailCollected(Message):
    """What one look into the mailbox found."""

    taken: int
    """Mails taken in, repeats included."""
    more: bool = False
    """Mail is left: look again at once."""
    configured: bool = True
    every_seconds: float = 60.0
    """How often this installation looks."""


class AskAboutStuck(Message):
    """Ask providers for messages they accepted and never reported on."""

    now: AwareDatetime


class StuckAsked(Message):
    """What one round of questions found."""

    asked: int
    settled: int
    """Deliveries that have an end now."""
    more: bool = False


class CollectTexts(Message):
    """Take in texts to our numbers that no webhook brought."""

    now: AwareDatetime
    since: AwareDatetime | None = None
    """Up to when the last look that succeeded has seen; None: there was none."""


class TextsCollected(Message):
    """What one look into the provider's list found."""

    taken: int
    until: AwareDatetime
    """Up to when this look has seen."""
    configured: bool = True


__all__ = [
    "AskAboutStuck",
    "CollectMail",
    "CollectTexts",
    "MailCollected",
    "ReturnsInput",
    "StuckAsked",
    "TextsCollected",
]
