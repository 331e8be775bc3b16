"""Contracts of the workflow that reads what changed at keepers of stock: counts only."""

from pydantic import AwareDatetime, Field

from models.message_base import Message


class KeeperFeedsInput(Message):
    """Start of the one workflow that reads the feeds."""

    pause_seconds: float = Field(default=60.0, gt=0)
    """Real time between two looks; each look brings the worker's current setting."""


class ReadKeeperFeeds(Message):
    """Read every feed on from where it was left."""

    now: AwareDatetime


class KeeperFeedsRead(Message):
    """What one look found."""

    keepers: int
    failed: int = 0
    """Keepers that could not be read."""
    changes: int = 0
    recalls: int = 0
    """Recalls that were woken."""
    more: bool = False
    """Changes are left: look again at once."""
    every_seconds: float = 60.0


__all__ = ["KeeperFeedsInput", "KeeperFeedsRead", "ReadKeeperFeeds"]
