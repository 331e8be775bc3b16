"""Contracts of the way to completion: effectiveness rounds and the completion checklist (design §7).

They carry counts and the checklist's own words (consignee codes, lots, task and hold ids), never addresses or names of
persons outside.
"""

from pydantic import AwareDatetime

from domain.checklist import ChecklistItem
from models.message_base import Message


class EffectivenessTurn(Message):
    """Look at the effectiveness checks: draw, judge or widen whatever is due at `now`; a repeat changes nothing."""

    number: str
    now: AwareDatetime


class EffectivenessFigures(Message):
    """Where the newest round stands. `sequence` 0: none is drawn yet, because consignees still have to answer."""

    sequence: int = 0
    level: str = ""
    """A-E of the newest round (21 CFR 7.42(b)(3))."""
    population: int = 0
    """Consignees at the strategy's depth."""
    sample_size: int = 0
    pending: int = 0
    """Checks of the newest round that nobody has recorded yet."""
    passed: bool | None = None
    """True: the level is met, nothing is left to check. False: the newest round passed, but consignees that joined or
    answered anew since have to be checked as well, once they have answered. None: checks are pending; a failed round
    is followed by a wider one at once."""
    reopened: int = 0
    """Consignees whose chase a failed check reopened and whose campaign has not taken them up yet: while it is not 0,
    the recall nudges the campaign."""
    next_due_at: AwareDatetime | None = None
    """Earliest due time among the pending checks' tasks."""


class ChecklistFigures(Message):
    """What stands in the way of completion; empty: the recall can be signed. Long lists are cut, `total` is not."""

    open: tuple[ChecklistItem, ...] = ()


__all__ = ["ChecklistFigures", "ChecklistItem", "EffectivenessFigures", "EffectivenessTurn"]
