"""How fast a channel may send: a bucket that all worker processes share, as pure arithmetic.

What is kept is one instant, `spent_until`: up to there the channel's capacity is spent. A lease of some units moves it
on by units divided by rate and may be used once its start has come, so any number of processes together never exceed
the rate (generic cell rate algorithm). A provider that says "too fast" halves the rate; it then grows back steadily
(additive increase, multiplicative decrease). A more urgent class that waits keeps the others from leasing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

BURST: Final = timedelta(seconds=1)
"""Unspent capacity that is kept: after a pause this much goes out at once, never more."""
ONE_SLOWDOWN: Final = timedelta(seconds=1)
"""Refusals within this time are one: the calls that were under way together."""
DECREASE: Final = 0.5
GROWTH: Final = 0.02
"""Share of the reference rate that a slowed channel gains per second: from a half to the whole in 25 s."""
_LEAST_GROWTH: Final = 0.05
"""Units per second gained per second at the least, so that the slowest channel recovers, too."""
_UNKNOWN: Final = 2.0
"""Units per second taken for the rate where too little was sent to measure one."""
SLOWEST: Final = 0.2
"""Units per second below which a refusal does not slow a channel further; a lower configured rate stays as it is."""
URGENT_FOR: Final = timedelta(seconds=1)
"""How long the mark of a waiting urgent batch holds after its last lease; one that still waits renews it."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """State of one channel."""

    spent_until: datetime
    slow: float | None = None
    """Units per second allowed at `slow_at`, while slowed by the provider."""
    reference: float | None = None
    """Rate by which the growth is measured: the configured one, or what was sent when the provider complained."""
    slow_at: datetime | None = None
    paused_until: datetime | None = None
    """The provider named a time before which nothing is sent (Retry-After)."""
    urgent: int | None = None
    """Priority of the most urgent batch that waits (1 = class I)."""
    urgent_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """What a process may send: `units` (None: as many as it likes) from `start` on; nothing when `units` is 0."""

    units: float | None
    start: datetime
    """When it may be used; for a refused lease: when to ask again."""
    rate: float | None
    """Units per second that are allowed now; None: unlimited."""


def rate_at(bucket: Bucket, configured: float | None, now: datetime) -> float | None:
    """Units per second that are allowed at `now`; None: as many as the connections carry."""
    if bucket.slow is None or bucket.slow_at is None or bucket.reference is None:
        return configured
    gain = max(GROWTH * bucket.reference, _LEAST_GROWTH)
    grown = bucket.slow + gain * max(0.0, (now - bucket.slow_at).total_seconds())
    if configured is not None:
        return min(grown, configured)
    # Without a configured rate nobody knows the provider's: free again at twice what it complained about.
    return None if grown >= 2 * bucket.reference else grown


def lease(
    bucket: Bucket, configured: float | None, now: datetime, *, wanted: float, span: timedelta, priority: int
) -> tuple[Bucket, Lease]:
    """Take what may be sent in the next `span`, but at least `wanted` units (one message); the bucket after it.

    Args:
        configured: units per second by the installation's settings; None: unlimited.
        priority: 1 is the most urgent; refused while a more urgent one waits.
    """
    if bucket.paused_until is not None and bucket.paused_until > now:
        return bucket, Lease(0.0, bucket.paused_until, rate_at(bucket, configured, now) or configured or SLOWEST)
    others_first = bucket.urgent_until is not None and bucket.urgent_until > now and bucket.urgent is not None
    if others_first and priority > (bucket.urgent or 0):
        again = min(bucket.urgent_until or now, now + URGENT_FOR / 4)
        return bucket, Lease(0.0, again, rate_at(bucket, configured, now) or SLOWEST)
    rate = rate_at(bucket, configured, now)
    if rate is None:
        free = replace(bucket, spent_until=now, slow=None, reference=None, slow_at=None, paused_until=None)
        return free, Lease(None, now, None)
    units = max(wanted, rate * span.total_seconds())
    start = max(bucket.spent_until, now - BURST)
    spent = start + timedelta(seconds=units / rate)
    marked = replace(
        bucket, spent_until=spent, paused_until=None, urgent=priority, urgent_until=max(start, now) + URGENT_FOR
    )
    return _recovered(marked, configured, rate), Lease(units, max(start, now), rate)


def slowed(
    bucket: Bucket, configured: float | None, now: datetime, *, observed: float, retry_after: timedelta | None
) -> Bucket:
    """The bucket after the provider refused because of the rate.

    Args:
        observed: units per second that were being sent; the rate that is halved where none is configured.
        retry_after: the time the provider named, if it did.
    """
    paused = max(filter(None, (bucket.paused_until, now + retry_after if retry_after else None)), default=None)
    just_now = bucket.slow_at is not None and now - bucket.slow_at < ONE_SLOWDOWN
    if just_now:
        return replace(bucket, paused_until=paused)
    current = rate_at(bucket, configured, now)
    if current is None:
        current = max(observed, _UNKNOWN)
    floor = min(SLOWEST, configured) if configured else SLOWEST
    return replace(
        bucket,
        slow=max(floor, current * DECREASE),
        reference=configured or bucket.reference or current,
        slow_at=now,
        paused_until=paused,
    )


def _recovered(bucket: Bucket, configured: float | None, rate: float) -> Bucket:
    if configured is not None and rate >= configured:
        return replace(bucket, slow=None, reference=None, slow_at=None)
    return bucket


__all__ = ["BURST", "Bucket", "Lease", "lease", "rate_at", "slowed"]
