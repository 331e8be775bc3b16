"""The mailbox boundary: one Protocol over a folder of mail that comes back, and what may be wrong with it.

A message waits until it is marked done. Whoever reads may stop anywhere: what was not marked is listed again, so the
reader has to recognise what it has taken up already. Nothing is ever deleted here; read mail lies in a folder of its
own, where the firm's people can look at it and keep it as long as their rules say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

HEAD_BYTES: Final = 256 * 1024
"""What is read of a message that is larger than the limit."""


class MailboxUnavailable(Exception):  # noqa: N818 - what is wrong
    """The mailbox cannot be read now. One line without address or secret; the next look may find it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message as the mail system keeps it."""

    raw: bytes
    arrived_at: datetime
    """When the mail system took it in (its own clock), aware."""
    complete: bool = True
    """False: it is larger than the limit, and `raw` is only its beginning."""


class Mailbox(Protocol):
    """A folder of mail; one reader at a time."""

    async def list_new(self, limit: int) -> Sequence[str]:
        """Keys of up to `limit` messages that are not marked done, oldest first.

        Raises:
            MailboxUnavailable: it cannot be read now.
        """

    async def fetch(self, key: str, max_bytes: int) -> Fetched | None:
        """One message; None when it is not there any more. Fetching changes nothing.

        Raises:
            MailboxUnavailable: it cannot be read now.
        """

    async def mark_done(self, key: str) -> None:
        """Move a message to the folder of read mail; one that is not there any more is no error.

        Raises:
            MailboxUnavailable: it cannot be moved now; it is listed again.
        """

    async def close(self) -> None:
        """Give back the connection; the next call opens another."""


__all__ = ["HEAD_BYTES", "Fetched", "Mailbox", "MailboxUnavailable"]
