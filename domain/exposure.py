"""Unit-hours of exposure: the area under the units not confirmed safe, from the firm's awareness until now or the end.

A unit of the recall's scope counts from the clock start `awareness` (from its dispatch, where it left later; from the
instant it appeared, where our stock is found late) until the instant that makes it safe:

* our own and logistics stock: its hold is confirmed, or it is disposed of before that; goods still on our shelves and
  shipped after awareness count there until they leave, and at the consignee from then on;
* at a consignee, by count or proof: the return is counted at our dock (sent back and not arrived is not safe), it
  reached the maker, or its destruction, correction, release or exchange is recorded as carried out;
* at a consignee, by words: set aside (`held`), from the reply's instant; everything it has on hand, from the instant it
  confirms its action. Returned or destroyed by words alone is not safe before the count or the proof;
* used or implanted, by the reply or a feed: no longer at risk of use. It is not safe either, so it is shown apart.

What is unaccounted for stays at risk. Only statements that can be, or that quality has settled, count. Passing on moves
the units to the next consignee. The area is exact over every instant of the record; only the shown curve is thinned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """From this instant on, so many units are not confirmed safe."""

    at: datetime
    at_risk: Decimal


def area(steps: Sequence[Step], until: datetime) -> Decimal:
    """Unit-hours under a step curve that ends at `until`; steps after it count for nothing.

    Raises:
        ValueError: the steps are not in order of time.
    """
    found = Decimal(0)
    for place, step in enumerate(steps):
        following = steps[place + 1].at if place + 1 < len(steps) else until
        if following < step.at and place + 1 < len(steps):
            raise ValueError("expected steps in order of time")
        found += step.at_risk * hours(step.at, min(following, until))
    return found


def hours(start: datetime, end: datetime) -> Decimal:
    """Hours between two instants, exact; 0 where the end comes first."""
    micro = (end - start) // timedelta(microseconds=1)
    return Decimal(max(micro, 0)) / Decimal(3_600_000_000)


def set_aside(held: Decimal, said_gone: Decimal, gone_then: Decimal, gone: Decimal) -> Decimal:
    """What of the units a consignee set aside is still there.

    Args:
        held: set aside, as it said.
        said_gone: returned or destroyed, as it said, in all.
        gone_then: counted as gone when it said so.
        gone: counted as gone by now; what it had said was gone is counted off first.
    """
    announced = max(said_gone - gone_then, Decimal(0))
    return max(held - max(gone - gone_then - announced, Decimal(0)), Decimal(0))


__all__ = ["Step", "area", "hours", "set_aside"]
