"""A CAPA's order: which state follows which, when its effect may be judged, and how.

The effect is judged by a number measured after a period against the target the approved plan named, never by a
feeling (21 CFR 820.100(a)(4), ISO 13485 8.5.2: verify that the action is effective). Quantities are `Decimal`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from domain.pace import policy_instant, real_due

MAX_VERIFY_DAYS: Final = 1095
"""Policy days after the last action; three years."""


class CapaState(StrEnum):
    """Where a CAPA stands; a failed verification or a reopening leads back to `investigation`."""

    investigation = "investigation"
    planning = "planning"
    """Cause recorded, plan being written or waiting for its approval."""
    implementation = "implementation"
    """Plan approved by another person than its author."""
    verification = "verification"
    """All actions done; the period runs in which the effect must show."""
    effective = "effective"
    """The criterion is met; another person has to sign off."""
    closed = "closed"
    merged = "merged"
    """Another CAPA answers for it; what that one has counts here."""


ENDED: Final = frozenset({CapaState.closed, CapaState.merged})
"""States in which no workflow runs."""


class CauseCategory(StrEnum):
    """Ishikawa's groups as device makers use them."""

    design = "design"
    material = "material"
    supplier = "supplier"
    process = "process"
    equipment = "equipment"
    people = "people"
    measurement = "measurement"
    environment = "environment"
    labelling = "labelling"
    software = "software"
    distribution = "distribution"


class ActionKind(StrEnum):
    """ISO 9000: correction removes the nonconformity, corrective its cause, preventive a potential cause."""

    correction = "correction"
    corrective = "corrective"
    preventive = "preventive"


class Comparison(StrEnum):
    """How what was measured must lie to the target."""

    at_most = "at_most"
    at_least = "at_least"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A measurable criterion of effect: `measured` at most or at least `target`, in one unit."""

    comparison: Comparison
    target: Decimal

    def met_by(self, measured: Decimal) -> bool:
        """Whether what was measured meets the target; equal is met.

        Raises:
            ValueError: for what is no finite number.
        """
        if not measured.is_finite() or not self.target.is_finite():
            raise ValueError(f"expected finite numbers, got {measured} against {self.target}")
        return measured <= self.target if self.comparison == Comparison.at_most else measured >= self.target


LONGEST_PLAN: Final = timedelta(days=3660)
"""Ten years: a timer of centuries is a typing error, and no server promises to wait for it."""


def plan_faults(kinds: Sequence[ActionKind], due_on: Sequence[date], today: date) -> list[tuple[int | None, str]]:
    """What a plan lacks, each with the index of its action: something against the cause, and dates ahead.

    `today` is the recall's policy date.
    """
    faults: list[tuple[int | None, str]] = []
    if not any(kind != ActionKind.correction for kind in kinds):
        faults.append((None, "expected at least one corrective or preventive action: a correction leaves the cause"))
    faults += [
        (index, f"expected {today.isoformat()} or later, got {day.isoformat()}")
        for index, day in enumerate(due_on)
        if day < today
    ]
    faults += [
        (index, f"expected a day within {LONGEST_PLAN.days} days, got {day.isoformat()}")
        for index, day in enumerate(due_on)
        if day - today > LONGEST_PLAN
    ]
    return faults


def policy_today(now: datetime, created_at: datetime, pace: float) -> date:
    """The recall's policy date, in UTC."""
    return policy_instant(now, created_at, pace).astimezone(UTC).date()


def action_due(due_on: date, created_at: datetime, pace: float) -> datetime:
    """The real instant at which the policy day `due_on` ends (UTC), at the recall's pace."""
    end = datetime.combine(due_on, time(23, 59, 59), tzinfo=UTC)
    return real_due(created_at, created_at, end, pace)


def verification_due(last_done_at: datetime, days: int, pace: float) -> datetime:
    """When the effect may be judged: `days` policy days after the last action was done.

    Raises:
        ValueError: for days outside 0 to `MAX_VERIFY_DAYS`.
    """
    if not 0 <= days <= MAX_VERIFY_DAYS:
        raise ValueError(f"expected 0 to {MAX_VERIFY_DAYS} days, got {days}")
    return last_done_at + timedelta(days=days) / pace


__all__ = [
    "ENDED",
    "MAX_VERIFY_DAYS",
    "ActionKind",
    "CapaState",
    "CauseCategory",
    "Comparison",
    "Criterion",
    "action_due",
    "plan_faults",
    "policy_today",
    "verification_due",
]
