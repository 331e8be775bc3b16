"""What the runs of a benchmark took: rates, and the processor time of everybody who had a part in them.

On a busy machine the time by the clock says little; what a notice costs in processor time says nearly as much as on an
idle one.
"""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field

import psutil


@dataclass
class Runs:
    """What the runs of one kind took."""

    rates: list[float] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)
    """Processor time of each run by who spent it, in milliseconds a notice."""

    def cost(self) -> str:
        """The medians of the costs."""
        names = self.costs[0]
        return ", ".join(f"{name} {statistics.median(each[name] for each in self.costs):.2f}" for name in names)


def spent() -> dict[str, float]:
    """Processor seconds of this process, the database, and sinks with the API, so far."""
    seconds = {"sender": time.process_time(), "PostgreSQL": 0.0, "sinks": 0.0}
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            seconds["PostgreSQL" if "postgres" in child.name() else "sinks"] += times.user + times.system
    return seconds


__all__ = ["Runs", "spent"]
