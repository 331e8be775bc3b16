"""Contracts of consignees' cases and of complaints: ids, reasons and instants; texts and names stay in Postgres."""

from pydantic import AwareDatetime

from models.message_base import Message
from models.messages_tasks import TaskClock


class CaseTurn(Message):
    """One look of a case workflow at its consignee."""

    number: str
    consignee_id: int
    now: AwareDatetime


class CaseLook(Message):
    """What is open for the consignee after the look; nothing open ends the workflow."""

    open: int
    reasons: tuple[str, ...] = ()
    """Reasons of the open cases, sorted."""
    tasks: tuple[TaskClock, ...] = ()
    """The open tasks whose timers this workflow runs, by their next instant."""
    next_due_at: AwareDatetime | None = None
    overdue: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the open tasks, sorted."""
        return tuple(sorted(task.key for task in self.tasks))


class ComplaintFigures(Message):
    """Answer of `take_up_complaints`: what is new since the last look, and what is open."""

    lines: tuple[str, ...] = ()
    """Product lines to be evaluated again because of complaints taken up now."""
    taken_up: int = 0
    """How many were taken up now."""
    open: int = 0
    """Complaints that are not closed."""
    channels: tuple[str, ...] = ()
    """Channels on which messages to staff (pages) wait to be sent: hand them to `TaskTimers.send`."""


__all__ = ["CaseLook", "CaseTurn", "ComplaintFigures"]
