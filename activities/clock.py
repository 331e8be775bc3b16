"""The time an activity writes into records: its workflow's clock, carried on by the real seconds since.

Due times come from `workflow.now()` (design §5), which in tests runs ahead of the wall clock. What an activity
records must lie on the same line, or a retry would be due before it was made.
"""

import time
from datetime import datetime, timedelta

from temporalio import activity


class ActivityClock:
    """Counts on from the instant the workflow gave when it scheduled this activity."""

    def __init__(self, scheduled_at: datetime) -> None:
        info = activity.info()
        # Waiting for a worker and earlier attempts are part of the time that has passed.
        waited = max(info.started_time - info.scheduled_time, timedelta(0))
        self._begin = scheduled_at + waited
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """The workflow's time now."""
        return self._begin + timedelta(seconds=time.monotonic() - self._origin)
