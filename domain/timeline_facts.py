"""What the engine for time takes and gives: levels in force, clocks, harm, gates; and duties with their due instant.

Every instant is policy time. `domain.timeline` computes the one from the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.deadlines import Due
from domain.levels import MarketAction
from domain.limits import Limit
from domain.obligations import RunningClock
from domain.policy import Policy
from domain.policy_figures import DueFigure
from domain.policy_parts import Obligation


@dataclass(frozen=True, slots=True)
class Standing:
    """A level in force for one product line under one law, from a decision until the next one on that line."""

    policy: Policy
    level: str
    line: str = ""
    action: MarketAction | None = None
    since: datetime | None = None
    """When the decision took effect; None: from the beginning."""
    until: datetime | None = None
    """When another level took its place; None: it is in force."""
    decision: RunningClock | None = None
    """The decision that raised the severity; None for a first decision, which the clock `decision` names."""
    new_facts: RunningClock | None = None
    """Awareness of the facts that raised the severity."""


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """How an authority gate was settled: passed meets its obligations, waived makes them due at once."""

    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record; every instant in policy time."""

    levels: tuple[Standing, ...]
    clocks: tuple[RunningClock, ...]
    harm: Mapping[int, str] = field(default_factory=dict)
    """Complaint number -> severity; `harm_awareness:{number}` is its clock."""
    gates: Mapping[tuple[str, str], GateOutcome | None] = field(default_factory=dict)
    """(jurisdiction, obligation) -> how its gate was settled."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing owed once: the notice of a scope, or one report. `due` is None where no calendar covers the limit."""

    name: str
    policy: Policy
    figure: DueFigure
    clock: RunningClock
    limit: Limit
    due: Due | None
    level: str
    line: str = ""
    complaint: int | None = None
    """Number of the complaint that made it owed."""
    uncomputed: str | None = None
    """Why the instant (or one of several on this duty) cannot be computed and is to be worked out by hand."""
    later: tuple["Duty", ...] = ()
    """The same duty by another level or clock, due later: the earliest wins."""

    @property
    def jurisdiction(self) -> str:
        """Id of the policy that asks for it."""
        return self.policy.id

    @property
    def obligation(self) -> Obligation | None:
        """The rule, where the duty is a report and not the notice limit."""
        return self.figure if isinstance(self.figure, Obligation) else None

    @property
    def due_at(self) -> datetime | None:
        """The policy's due instant, UTC."""
        return self.due.due if self.due else None

    @property
    def why(self) -> str:
        """The counting in one sentence: limit, clock, level, source."""
        source = self.figure.source or "house rule"
        line = f" of {self.line}" if self.line else ""
        text = (
            f"{replace(self.limit, after=None)} from {self.clock.name} ({self.clock.at.isoformat()}) "
            f"at level {self.level}{line}: {self.figure.basis.value}, {source}"
        )
        if self.later:
            text += f"; earliest of {len(self.later) + 1} clocks"
        return text if self.uncomputed is None else f"{text}; to be worked out by hand: {self.uncomputed}"


__all__ = ["Duty", "Facts", "GateOutcome", "Standing"]
