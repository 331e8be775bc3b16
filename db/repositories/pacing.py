"""The token buckets of the channels in the record: leased in chunks by every worker process.

Unlike every other instant here these are the database's own clock: processes on several machines share no other, and
nothing of a recall is due by them. Each call is a short transaction of its own that holds the channel's row.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.plain_sql import run
from domain import token_bucket
from domain.token_bucket import Bucket, Lease

_NEW: Final = """
INSERT INTO pacing_bucket (channel, spent_until) VALUES (:channel, clock_timestamp() - interval '1 second')
ON CONFLICT DO NOTHING
"""
_LOCK: Final = """
SELECT spent_until, slow, reference, slow_at, paused_until, urgent, urgent_until
FROM pacing_bucket WHERE channel = :channel FOR UPDATE
"""
_WRITE: Final = """
UPDATE pacing_bucket SET spent_until = :spent_until, slow = CAST(:slow AS float), reference = CAST(:reference AS float),
    slow_at = CAST(:slow_at AS timestamptz), paused_until = CAST(:paused_until AS timestamptz),
    urgent = CAST(:urgent AS int), urgent_until = CAST(:urgent_until AS timestamptz)
WHERE channel = :channel
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """A lease with the database's time at which it was made."""

    lease: Lease
    now: datetime

    @property
    def wait(self) -> float:
        """Seconds until it may be used, or asked for again."""
        return max(0.0, (self.lease.start - self.now).total_seconds())


async def take(
    sessions: SessionFactory,
    channel: str,
    configured: float | None,
    *,
    wanted: float,
    span: timedelta,
    priority: int,
) -> Turn:
    """Lease units of a channel (`domain.token_bucket.lease`)."""
    async with sessions.begin() as session:
        bucket, now = await _locked(session, channel)
        after, lease = token_bucket.lease(bucket, configured, now, wanted=wanted, span=span, priority=priority)
        if after != bucket:
            await _write(session, channel, after)
    return Turn(lease, now)


async def slow_down(
    sessions: SessionFactory,
    channel: str,
    configured: float | None,
    *,
    observed: float,
    retry_after: timedelta | None = None,
) -> None:
    """The provider refused because of the rate: every process sends more slowly from now on."""

    def changed(bucket: Bucket, now: datetime) -> Bucket:
        return token_bucket.slowed(bucket, configured, now, observed=observed, retry_after=retry_after)

    await _change(sessions, channel, changed)


async def read(session: AsyncSession, channel: str) -> Bucket | None:
    """The channel's bucket as it stands; None when nothing was ever sent by it."""
    row = (await run(session, _LOCK.replace(" FOR UPDATE", ""), {"channel": channel})).mappings().one_or_none()
    return Bucket(**row) if row is not None else None


async def _change(sessions: SessionFactory, channel: str, change: Callable[[Bucket, datetime], Bucket]) -> None:
    async with sessions.begin() as session:
        bucket, now = await _locked(session, channel)
        await _write(session, channel, change(bucket, now))


async def _locked(session: AsyncSession, channel: str) -> tuple[Bucket, datetime]:
    while True:
        row = (await run(session, _LOCK, {"channel": channel})).mappings().one_or_none()
        if row is not None:
            break
        await run(session, _NEW, {"channel": channel})
    # Read after the lock was given: the time waited for it must not count as unspent capacity twice.
    now: datetime = (await run(session, "SELECT clock_timestamp()")).scalar_one()
    return Bucket(**row), now


async def _write(session: AsyncSession, channel: str, bucket: Bucket) -> None:
    await run(session, _WRITE, asdict(bucket) | {"channel": channel})


__all__ = ["Turn", "read", "slow_down", "take"]
