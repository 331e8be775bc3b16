"""Waiting for observable facts: polled until they are there or the time is over, never by a fixed pause."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.2


class DemoError(Exception):
    """The demonstration cannot go on; the message says what was expected and what was seen."""


class Deadline:
    """The hard limit of the whole run, shared by everything that waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    @property
    def left(self) -> float:
        """Seconds until the end, never negative."""
        return max(0.0, self._end - time.monotonic())

    def wait_for(self, what: str, look: Callable[[], T | None], within_s: float | None = None) -> T:
        """The first true value `look` returns.

        Raises:
            DemoError: it did not come within `within_s`, or before the end of the whole run.
        """
        end = min(self._end, time.monotonic() + within_s) if within_s is not None else self._end
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() >= end:
                limit = self.seconds if within_s is None else within_s
                raise DemoError(f"waited in vain (up to {limit:.0f} s) for {what}")
            time.sleep(POLL_S)
