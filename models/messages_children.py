"""Contracts of the workflows beside a recall: how each is started and what it reports back by signal.

`carried` holds a workflow's own state over continue-as-new (and, for a CAPA that is reopened, over a closed run);
nobody but that workflow reads it. Reports carry counts and instants only.
"""

from typing import Any

from pydantic import AwareDatetime, Field

from models.message_base import Message


class CapaInput(Message):
    """Start of `recall:{number}:capa:{sequence}`."""

    number: str
    sequence: int = Field(ge=1)
    title: str
    """What the CAPA is about; the record keeps the first title."""
    pace: float = 1.0
    drill: bool = False
    created_at: AwareDatetime
    carried: dict[str, Any] | None = None


class DispositionInput(Message):
    """Start of `recall:{number}:disposition`."""

    number: str
    pace: float = 1.0
    drill: bool = False
    created_at: AwareDatetime
    carried: dict[str, Any] | None = None


class ObligationsInput(Message):
    """Start of `recall:{number}:obligations`."""

    number: str
    pace: float = 1.0
    drill: bool = False
    created_at: AwareDatetime
    carried: dict[str, Any] | None = None


class CaseInput(Message):
    """Start of `recall:{number}:case:{consignee_id}`."""

    number: str
    consignee_id: int
    pace: float = 1.0
    drill: bool = False
    created_at: AwareDatetime
    carried: dict[str, Any] | None = None


class CapaReport(Message):
    """Signal `capa_progress` to the recall; a recall that is gone loses nothing, the record has it all."""

    sequence: int
    state: str
    """`models.capa.CapaState` value."""
    cause_recorded: bool = False
    plan_approved: bool = False
    effective: bool | None = None
    closed: bool = False
    next_due_at: AwareDatetime | None = None


class DispositionReport(Message):
    """Signal `disposition_progress` to the recall."""

    open_positions: int
    """Positions held or on hand at consignees that are not disposed of."""
    proposed: int = 0
    approved: int = 0
    next_due_at: AwareDatetime | None = None


class ObligationsReport(Message):
    """Signal `obligations_progress` to the recall.

    Open = owed by a function, neither met nor stopped, and its clock runs.
    """

    open: int
    overdue: int = 0
    next_due_at: AwareDatetime | None = None


class ObligationsTurn(Message):
    """Look at what is owed at `now`: write deadlines whose clocks run, open and close their tasks."""

    number: str
    now: AwareDatetime
    ending: bool = False
    """The recall has ended: recurring reports whose time has not come are not owed any more."""


class ObligationsFigures(Message):
    """What a turn found."""

    open: int
    overdue: int
    next_due_at: AwareDatetime | None
    """Earliest due time still ahead."""
    next_name: str | None = None
    tasks_changed: bool = False
    """Tasks were opened, closed or moved: their timers read the record again."""
    facts_moved: bool = False
    """A branch of the policies would begin or end by the facts as they are now: the recall looks at them."""
    under_way: int = 0
    """Submissions a transport still has to carry, or to bring a receipt for."""

    def report(self) -> ObligationsReport:
        """The same as the recall hears it."""
        return ObligationsReport(open=self.open, overdue=self.overdue, next_due_at=self.next_due_at)


class SubmissionsCarried(Message):
    """What carrying the submissions of a recall came to."""

    under_way: int
    settled: int
    """Acknowledged or refused in this run: the record is looked at again."""


__all__ = [
    "CapaInput",
    "CapaReport",
    "CaseInput",
    "DispositionInput",
    "DispositionReport",
    "ObligationsFigures",
    "ObligationsInput",
    "ObligationsReport",
    "ObligationsTurn",
    "SubmissionsCarried",
]
