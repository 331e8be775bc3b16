"""Token buckets per client for the routes that need no account: recipient page and webhooks.

In-process on purpose: it blunts a single abusive client; limits over several API processes belong to
the proxy in front.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MAX_CLIENTS = 20_000


class RateLimiter:
    """Each key may spend `capacity` requests at once and gains `per_second` back."""

    def __init__(self, capacity: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_needed(self, key: str) -> int:
        """Take one request; 0 when it may go on, else the seconds to wait (at least 1)."""
        now = self._clock()
        left, since = self._buckets.pop(key, (self._capacity, now))
        left = min(self._capacity, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) / self._per_second))


__all__ = ["RateLimiter"]
