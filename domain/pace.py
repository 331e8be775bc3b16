"""Pace: how many seconds of policy time pass in one real second (design §5, Time).

Deadlines are computed in policy time and waited for in real time. Both run from one common instant;
at pace 1 they are the same. The demo and drills use a faster pace of the same code, and whatever
shows a time shows both.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Pace = Annotated[float, Field(ge=1, le=10_000_000, allow_inf_nan=False)]
"""Policy seconds per real second: 1 is real time, 86400 lets a day pass in a second."""


def _checked(pace: float, *instants: datetime) -> float:
    if not 1 <= pace <= 10_000_000:  # NaN fails this too
        raise ValueError(f"pace: expected a number from 1 to 10000000, got {pace}")
    for instant in instants:
        if instant.tzinfo is None:
            raise ValueError(f"expected an instant with a time zone, got {instant.isoformat()}")
    return pace


def real_due(start_real: datetime, policy_start: datetime, policy_due: datetime, pace: float) -> datetime:
    """The real instant at which the policy clock, started at `start_real`, reaches `policy_due`.

    A due time before `policy_start` gives an instant before `start_real`: it is overdue.
    """
    speed = _checked(pace, start_real, policy_start, policy_due)
    return start_real + (policy_due - policy_start) / speed


def policy_instant(real: datetime, start: datetime, pace: float, policy_start: datetime | None = None) -> datetime:
    """The policy time that the real instant `real` stands for, the clock having started at `start`.

    Raises:
        ValueError: when the policy time would leave the calendar (year 9999).
    """
    origin = start if policy_start is None else policy_start
    speed = _checked(pace, real, start, origin)
    try:
        return origin + (real - start) * speed
    except OverflowError as error:
        raise ValueError(f"policy time leaves the calendar at pace {pace} since {start}") from error


class PolicyClock(BaseModel):
    """One recall's clock: where both times meet and how fast policy time runs from there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_real: AwareDatetime
    policy_start: AwareDatetime
    pace: Pace = 1.0

    @classmethod
    def starting(cls, instant: datetime, pace: float = 1.0) -> "PolicyClock":
        """A clock whose real and policy time meet at `instant`."""
        return cls(start_real=instant, policy_start=instant, pace=pace)

    def to_real(self, policy: datetime) -> datetime:
        """The real instant of the policy time `policy`."""
        return real_due(self.start_real, self.policy_start, policy, self.pace)

    def to_policy(self, real: datetime) -> datetime:
        """The policy time of the real instant `real`."""
        return policy_instant(real, self.start_real, self.pace, self.policy_start)
