"""HTTP contracts of chasing: progress in groups, the call list with its scripts, a consignee's word to have acted."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from domain.attempts import Outcome
from models.case import ActionHow, AttemptChannel
from models.schemas_common import In, Line, Out, Reason
from models.schemas_exposure import ExposureFiguresOut


class GroupOut(Out):
    """One group of consignees, by the stage of the answer they have reached."""

    name: str | None
    """None: those that have no region, group or account manager on record."""
    consignees: int
    open: int
    acknowledged: int
    quantities_stated: int
    action_done: int
    documented: int
    with_case: int
    """Looked after by people."""
    percent_done: int
    """Has done what the notice asks, or is documented; rounded down."""
    units_outstanding: Decimal
    """Units of use not accounted for, or stated and not set aside."""
    oldest_silence_at: datetime | None
    """Since when whoever owes its present stage longest owes it."""
    next_deadline_at: datetime | None
    """The next ladder step, or task, about one of them."""


class ProgressOut(Out):
    """Where the consignees of a recall stand; withdrawn ones are in no group."""

    by: str
    at: datetime
    total: GroupOut | None
    """All groups together; None while the recall has no consignee."""
    groups: list[GroupOut]
    exposure: ExposureFiguresOut | None = None
    """Unit-hours so far; only where asked for, because they are counted over every movement of the scope."""


class CallContactOut(Out):
    """Somebody to ask for; in the order in which they are tried."""

    id: int
    position: int
    name: str
    role: str
    phone: str | None
    email: str | None
    status: str


class CallAttemptOut(Out):
    """What was tried last."""

    at: datetime
    channel: AttemptChannel
    outcome: Outcome
    person: str | None
    number: str | None
    note: str | None


class ScriptOut(Out):
    """What to say, in the consignee's language where there is a script in it."""

    language: str
    opening: str
    owed: str
    asks: list[str]
    closing: str


class CallOut(Out):
    """One call to make."""

    task_id: int
    kind: Literal["call", "manager", "help", "check"]
    """call: silence, bounce or failed check; manager: by its account manager; help: it asked; check: effectiveness."""
    consignee_id: int
    consignee_code: str
    consignee: str
    country: str | None
    region: str | None
    time_zone: str
    stage: str
    owed_since: datetime | None
    reason: str | None
    units: Decimal
    """Units of use this call is about."""
    score: Decimal
    """Units x weight of their class x hours since the notice; the list is ordered by it, highest first."""
    due_at: datetime | None
    assignee: str | None
    script: ScriptOut
    contacts: list[CallContactOut]
    attempts: list[CallAttemptOut]


class ClaimIn(In):
    """Which kinds of calls to take."""

    kinds: list[Literal["call", "manager", "help", "check"]] = Field(
        default=["call", "help"], min_length=1, max_length=4
    )


class ActionIn(In):
    """A consignee's word that nothing of the product is in use any more."""

    how: ActionHow
    channel: Literal["phone", "visit", "letter", "email", "sms", "fax"] = "phone"
    at: AwareDatetime = Field(examples=["2026-11-21T14:05:00+08:00"])
    """When it was said; not in the future."""
    stated_by: Line | None = Field(default=None, examples=["Ms Ann Other, head of stores"])
    note: Reason | None = None
    """What was done, where `how` is other."""

    @model_validator(mode="after")
    def _is_explained(self) -> "ActionIn":
        if self.how is ActionHow.other and not self.note:
            raise ValueError("note: expected what was done, because how is other")
        return self


class ActionOut(Out):
    """A consignee's word on record."""

    id: int
    consignee_id: int
    how: ActionHow
    channel: str
    stated_by: str | None
    note: str | None
    at: datetime
    entered_by: str
    recorded_at: datetime


__all__ = [
    "ActionIn",
    "ActionOut",
    "CallAttemptOut",
    "CallContactOut",
    "CallOut",
    "ClaimIn",
    "GroupOut",
    "ProgressOut",
    "ScriptOut",
]
