"""The time an activity writes into records: its workflow's clock, carried on by the real seconds since.

Due times come from `workflow.now()` (design §5), which in tests runs ahead of the wall clock. What an activity
records must lie on the same line, or a retry would be due before it was made.
"""

import time
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds() -> float:
    """Seconds on a clock that only goes forward, and goes on while the machine is suspended.

    The event loop's stands still then: a lease that others have taken long ago would still seem to hold afterwards.
    """
    return time.clock_gettime(_CLOCK)


class ActivityClock:
    """Counts on from the instant the workflow gave when it scheduled this activity."""

    def __init__(self, scheduled_at: datetime) -> None:
        info = activity.info()
        # Waiting for a worker and earlier attempts are part of the time that has passed.
        waited = max(info.started_time - info.scheduled_time, timedelta(0))
        self._begin = scheduled_at + waited
        self._origin = seconds()

    def now(self) -> datetime:
        """The workflow's time now."""
        return self._begin + timedelta(seconds=seconds() - self._origin)
