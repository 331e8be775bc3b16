"""What may be done with a lot, from the recalls it is in and the holds on it: the strictest finding counts."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from domain.phases import FINAL_PHASES, Phase


class LotStatus(StrEnum):
    """The status of a lot, strictest first."""

    recalled = "recalled"
    """In the scope of a running recall whose class is decided."""
    quarantined = "quarantined"
    """In the scope of a recall that is not decided yet, or held by one."""
    blocked = "blocked"
    """No recall runs on it; units are left under a nonconformity hold until quality decides."""
    rejected = "rejected"
    """Nothing of it is left with us: all of it was destroyed or given back under a recall."""
    released = "released"
    """Nobody holds any of it."""


UNDECIDED: Final = frozenset({Phase.INTAKE, Phase.ASSESSMENT})


@dataclass(frozen=True, slots=True)
class LotFacts:
    """What the record says of a lot."""

    phases: tuple[str, ...]
    """Phases of the recalls that have it in their newest scope or hold units of it."""
    held: Decimal
    """Units under any open hold, nonconformity included."""
    on_hand: Decimal
    """Units in our own and logistics custody."""
    removed: Decimal
    """Units destroyed or given back by dispositions."""


def lot_status(facts: LotFacts) -> LotStatus:
    """The strictest status that the facts give."""
    running = [Phase(each) for each in facts.phases if Phase(each) not in FINAL_PHASES]
    if any(phase not in UNDECIDED for phase in running):
        return LotStatus.recalled
    if running:
        return LotStatus.quarantined
    if facts.held > 0:
        return LotStatus.blocked
    if facts.removed > 0 and facts.on_hand <= 0:
        return LotStatus.rejected
    return LotStatus.released


__all__ = ["LotFacts", "LotStatus", "lot_status"]
