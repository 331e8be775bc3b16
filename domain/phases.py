"""The phases a recall passes through and the moves allowed between them (design §2a).

The phase says which question the recall is answering now; it is owned by the recall's workflow.
Moves not listed in `TRANSITIONS` do not exist: nobody can notify before the gates, and a recall
that was rejected, cancelled or terminated stays so.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Phase(StrEnum):
    """Where a recall stands, in the order of its story."""

    INTAKE = "intake"
    ASSESSMENT = "assessment"
    STRATEGY = "strategy"
    GATES = "gates"
    NOTIFICATION = "notification"
    RESOLUTION = "resolution"
    COMPLETED = "completed"
    AWAITING_AUTHORITY = "awaiting_authority"
    TERMINATED = "terminated"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.INTAKE: frozenset({Phase.ASSESSMENT, Phase.CANCELLED}),
        Phase.ASSESSMENT: frozenset({Phase.STRATEGY, Phase.REJECTED, Phase.CANCELLED}),
        # New facts send a strategy or an open gate back to the assessment.
        Phase.STRATEGY: frozenset({Phase.GATES, Phase.ASSESSMENT, Phase.CANCELLED}),
        Phase.GATES: frozenset({Phase.NOTIFICATION, Phase.STRATEGY, Phase.ASSESSMENT, Phase.CANCELLED}),
        # A scope that grows into another jurisdiction opens that jurisdiction's gates again.
        Phase.NOTIFICATION: frozenset({Phase.RESOLUTION, Phase.GATES, Phase.CANCELLED}),
        Phase.RESOLUTION: frozenset({Phase.COMPLETED, Phase.NOTIFICATION, Phase.GATES, Phase.CANCELLED}),
        # Reopened: an authority orders more, or a closed question turns out to be open.
        Phase.COMPLETED: frozenset({Phase.AWAITING_AUTHORITY, Phase.RESOLUTION, Phase.STRATEGY}),
        Phase.AWAITING_AUTHORITY: frozenset({Phase.TERMINATED, Phase.RESOLUTION, Phase.STRATEGY}),
        Phase.TERMINATED: frozenset(),
        Phase.REJECTED: frozenset(),
        Phase.CANCELLED: frozenset(),
    }
)
"""Every allowed move; a phase never moves to itself."""

FINAL_PHASES: Final = frozenset(phase for phase, targets in TRANSITIONS.items() if not targets)
"""Phases a recall never leaves: its workflow ends."""


def can_move(current: Phase, target: Phase) -> bool:
    """Whether a recall in `current` may move to `target`."""
    return target in TRANSITIONS[current]


def allowed_moves(current: Phase) -> tuple[Phase, ...]:
    """The phases reachable from `current`, in the order of the story (stable for messages)."""
    return tuple(phase for phase in Phase if phase in TRANSITIONS[current])


def is_final(phase: Phase) -> bool:
    """Whether the recall has ended."""
    return phase in FINAL_PHASES
