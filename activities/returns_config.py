"""How an installation reads what comes back: whose addresses, which limits, how often."""

from dataclasses import dataclass
from datetime import timedelta

from domain.return_path import ReturnPath


@dataclass(frozen=True, slots=True)
class ReturnsConfig:
    """How what comes back is read."""

    path: ReturnPath | None
    mail_domain: str
    """Domain of our Message-IDs."""
    authserv_id: str | None = None
    max_bytes: int = 25 * 1024 * 1024
    every_seconds: float = 60.0
    stuck_after: timedelta = timedelta(minutes=30)
    mails_at_once: int = 200
    """Most mails of one look; the next one follows at once."""
    longest_look: timedelta = timedelta(seconds=20)
    """After this time a look ends, so that the workflows hear of what was found."""
    stuck_at_once: int = 200
    numbers: tuple[str, ...] = ()
    """Our own numbers that recipients text to."""


__all__ = ["ReturnsConfig"]
