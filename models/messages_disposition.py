"""Contracts of disposition: a look at what is still to be disposed of, with counts and the tasks that follow."""

from pydantic import AwareDatetime

from models.message_base import Message
from models.messages_tasks import TaskClock


class DispositionTurn(Message):
    """One look at the positions, dispositions and shortages of a recall."""

    number: str
    now: AwareDatetime
    ending: bool = False
    """The recall has ended: close the tasks, open none."""


class DispositionLook(Message):
    """Where the disposition of a recall stands after the look."""

    open_positions: int
    """Places with units held, or on hand at consignees, that are not disposed of."""
    unplanned: int = 0
    """Of these, the ones nobody has proposed anything for yet."""
    proposed: int = 0
    approved: int = 0
    """Approved and not carried out to the last unit."""
    sites_short: int = 0
    """Sites with a shortage that is neither supplied nor decided about."""
    allocations_proposed: int = 0
    allocations_approved: int = 0
    """Approved and not shipped yet."""
    tasks: tuple[TaskClock, ...] = ()
    """Open tasks whose timers the workflow runs, those whose time comes first."""


__all__ = ["DispositionLook", "DispositionTurn"]
