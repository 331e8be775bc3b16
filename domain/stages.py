"""The stages of a consignee's answer: open, acknowledged, quantities stated, action done.

Acknowledged is not done: each stage has its own deadline and its own chase, and whoever has reached a stage is asked
only for the next one. The stage follows from two facts of the record, the consignee's state and when what the notice
asks for was seen to be done; `db.repositories.stages_sql.STAGE` says the same in SQL.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol


class Owed(StrEnum):
    """What a consignee that has acknowledged still owes, in the order in which it is asked for."""

    QUANTITIES = "quantities"
    ACTION = "action"
    """That every unit on hand is out of use, as the notice asks: set aside, gone, or said to be dealt with."""


class Stage(StrEnum):
    """How far a consignee has come; the order of the members is the order of an answer."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    QUANTITIES = "quantities_stated"
    ACTION = "action_done"
    DOCUMENTED = "documented"
    """Closed by a person's signed account, without an answer of its own."""


OWES: Final = {Stage.ACKNOWLEDGED: Owed.QUANTITIES, Stage.QUANTITIES: Owed.ACTION}
"""What is asked for next, by the stage reached; an open consignee owes the acknowledgement itself."""
LANE: Final = 100
"""`delivery.step` and `consignee.step` of a stage's ladder begin here: 100 for the quantities, 200 for the action."""
BASE: Final = {Owed.QUANTITIES: LANE, Owed.ACTION: 2 * LANE}


class Stated(Protocol):
    """Units of one lot as a consignee states them."""

    @property
    def on_hand(self) -> Decimal: ...
    @property
    def held(self) -> Decimal: ...


def stage_of(state: str, action_done: bool) -> Stage | None:
    """The stage of a consignee in `state`; None for one that is in the recall no more (withdrawn)."""
    if state == "answered":
        return Stage.ACTION if action_done else Stage.QUANTITIES
    return None if state == "withdrawn" else Stage(state)


def units_left(lines: Iterable[Stated]) -> Decimal:
    """Units that a statement says are on hand and not set aside: the notice asks to take them out of use at once.

    What becomes of units set aside is decided later, lot by lot, and chased as disposition.
    """
    return sum((max(line.on_hand - line.held, Decimal(0)) for line in lines), Decimal(0))


__all__ = ["BASE", "LANE", "OWES", "Owed", "Stage", "Stated", "stage_of", "units_left"]
