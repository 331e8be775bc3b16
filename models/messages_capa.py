"""Decisions on a CAPA: the arguments of its workflow's updates, their receipt, and what its activities exchange.

What people write (investigation, cause, plan, results) is not in here: the API stores it as a `capa_entry` and the
decision names the entry's id.
"""

from typing import Any

from pydantic import AwareDatetime, Field

from models.message_base import Message
from models.messages_decisions import Decision


class CapaStatement(Decision):
    """A decision about something written: `entry` is the id of the `capa_entry`."""

    entry: str = Field(min_length=36, max_length=36)
    evidence_ids: tuple[str, ...] = Field(default=(), max_length=100)


class RecordInvestigation(CapaStatement):
    """What was looked into and found; may be written again until the cause is recorded."""


class RecordCause(CapaStatement):
    """The cause with its chain of whys and its category."""


class WritePlan(CapaStatement):
    """Actions with owners and due dates, and the criterion their effect is verified by."""


class ApprovePlan(Decision):
    """Approve the plan as read."""

    plan_version: int


class CompleteAction(CapaStatement):
    """An action is done, with its result and the evidence for it."""

    action: int


class RecordVerification(CapaStatement):
    """What was measured after the period, with the evidence for it."""


class SignOffCapa(Decision):
    """Close a CAPA whose effect is verified."""


class ReopenCapa(Decision):
    """Back to investigation; the reason is mandatory."""


class CapaReceipt(Message):
    """Answer to an accepted decision on a CAPA."""

    number: str
    sequence: int
    state: str
    accepted_at: AwareDatetime
    detail: str
    waiting_for: str | None = None


class CapaRef(Message):
    """Which CAPA, at which instant of its workflow's clock."""

    number: str
    sequence: int
    now: AwareDatetime


class MergeCapa(Decision):
    """Another CAPA answers for this one; the reason is mandatory."""

    into_id: int = Field(ge=1)


class OpenCapa(CapaRef):
    """Create the record unless it exists."""

    title: str


class RecordCapa(CapaRef):
    """A decision handed to its activity."""

    operation: str
    decision: dict[str, Any]
    """The update's argument as JSON."""


class CapaActionFigures(Message):
    """One action of the plan that is in force."""

    sequence: int
    owner: str
    done: bool


class CapaFigures(Message):
    """A CAPA as its workflow knows it: who did what so far, no text."""

    state: str
    investigated: bool = False
    cause_recorded: bool = False
    plan_version: int = 0
    plan_by: str | None = None
    plan_written: bool = False
    """A plan of this pass waits for its approval, or is approved."""
    plan_approved: bool = False
    actions: tuple[CapaActionFigures, ...] = ()
    verify_due_at: AwareDatetime | None = None
    verified_by: str | None = None
    effective: bool | None = None
    reopened: int = 0
    next_due_at: AwareDatetime | None = None
    """Earliest due time of what is open, or the end of the verification period."""


__all__ = [
    "ApprovePlan",
    "CapaActionFigures",
    "CapaFigures",
    "CapaReceipt",
    "CapaRef",
    "CapaStatement",
    "CompleteAction",
    "MergeCapa",
    "OpenCapa",
    "RecordCapa",
    "RecordCause",
    "RecordInvestigation",
    "RecordVerification",
    "ReopenCapa",
    "SignOffCapa",
    "WritePlan",
]
