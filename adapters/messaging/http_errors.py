"""How an HTTP answer (RFC 9110) of a receiver becomes a `SendError`: the part that webhooks and push have in common.

What no row knows is transient, with the caller's cap behind it; a redirect is never followed; a server's failure says
nothing about whether it took the message, hence `maybe_sent`, unless a row says that it did not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters.messaging.base import ErrorKind, SendError


@dataclass(frozen=True, slots=True)
class HttpTable:
    """The error table of one channel. No row of it may stop a campaign: it speaks of one receiver only."""

    channel: str
    who: str
    """The other side, as the details name it."""
    rows: Mapping[int, tuple[ErrorKind, str]]
    """Status -> what it means for the next step, and one line for people."""
    accepted: frozenset[int] = frozenset(range(200, 300))

    def classify(self, status: int, retry_after: timedelta | None) -> SendError | None:
        """What an answer means; None: the message was taken."""
        if status in self.accepted:
            return None
        code = f"{self.channel}:http-{status}"
        if 300 <= status < 400:
            detail = f"{self.who} points to another address, which is not followed"
            return SendError(ErrorKind.PERMANENT_CONTACT, code, detail)
        known = self.rows.get(status)
        if known is not None:
            kind, detail = known
            waits = retry_after if kind is ErrorKind.TRANSIENT else None
            return SendError(kind, code, detail, retry_after=waits)
        if 500 <= status < 600:
            detail = f"{self.who} failed"
            return SendError(ErrorKind.TRANSIENT, code, detail, maybe_sent=True, retry_after=retry_after)
        return SendError(ErrorKind.TRANSIENT, f"{self.channel}:unknown:{status}", "no rule for this answer")


__all__ = ["HttpTable"]
