"""Contracts of tasks: how one is opened and closed, what became of those whose time came, and when the next is due.

Keys, functions, counts and instants only: whom a task speaks of stays in Postgres.
"""

from datetime import timedelta

from pydantic import AwareDatetime

from models.message_base import Message


class StepLimit(Message):
    """How long a person has for one human step."""

    step: str
    limit: timedelta
    """Policy time."""
    remind: timedelta | None = None
    """Policy time after which the person is reminded; before `limit`."""
    role: str | None = None
    stand_in: str | None = None
    """Function that gets the task of `role` when it is late; another function's task goes to that function's head."""


class OpenTask(Message):
    """Open a task unless its key exists (design §2a, Tasks)."""

    number: str
    key: str
    step: str
    what: str
    role: str
    due_at: AwareDatetime | None = None
    evidence_required: bool = False
    now: AwareDatetime
    remind_at: AwareDatetime | None = None
    escalate_at: AwareDatetime | None = None
    stand_in: str | None = None
    """Function the task goes to when `due_at` passes."""
    owner: str = ""
    """Id of the workflow that runs the task's timers; empty if none does."""
    consignee_id: int | None = None


class TaskOpened(Message):
    """What opening a task left to do."""

    channels: tuple[str, ...] = ()
    """Channels on which messages to staff wait: whoever is responsible is told."""


class CloseTask(Message):
    """Close the task with this key, if it is open."""

    number: str
    key: str
    outcome: str
    done_by: str
    now: AwareDatetime


class TaskClock(Message):
    """When an open task needs its workflow again."""

    key: str
    what: str
    """For the Web UI: the step and the key, never whom it concerns."""
    remind_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    escalate_at: AwareDatetime | None = None
    stage: int = 0
    """0 offered, 1 reminded, 2 handed over, 3 with the head of the function."""


class OwnTasks(Message):
    """Which open tasks a workflow runs the timers of."""

    number: str
    owner: str
    """Its workflow id."""
    now: AwareDatetime


class TaskClocks(Message):
    """Open tasks of one owner, those whose time comes first; `more` when there are others behind them."""

    clocks: tuple[TaskClock, ...] = ()
    more: bool = False
    channels: tuple[str, ...] = ()
    """Channels on which messages to staff wait: whoever moved a task has written them and cannot send."""


class TurnTasks(Message):
    """The time of these tasks has come: remind, hand over or escalate, as the record says."""

    number: str
    keys: tuple[str, ...]
    now: AwareDatetime


class TaskTurn(Message):
    """Where a task stands after its turn."""

    key: str
    open: bool
    next_at: AwareDatetime | None = None
    """When it needs a turn again; None when nobody is left to whom it could go."""
    stage: int = 0


class TasksTurned(Message):
    """The turns, and the channels on which messages to staff now wait to be sent."""

    turns: tuple[TaskTurn, ...] = ()
    channels: tuple[str, ...] = ()


class SendStaffMessages(Message):
    """Send what waits for our own people on one channel."""

    number: str
    channel: str
    now: AwareDatetime


class StaffSent(Message):
    """What became of the messages to staff."""

    sent: int = 0
    failed: int = 0
    blocked: int = 0
    """Of a drill; nothing left the house."""


__all__ = [
    "CloseTask",
    "OpenTask",
    "OwnTasks",
    "SendStaffMessages",
    "StaffSent",
    "StepLimit",
    "TaskClock",
    "TaskClocks",
    "TaskOpened",
    "TaskTurn",
    "TasksTurned",
    "TurnTasks",
]
