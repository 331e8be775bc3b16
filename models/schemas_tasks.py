"""HTTP contracts of tasks and of our own people."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from domain.roles import HEADS, Role
from models.schemas_common import Code, In, Line, Out, Reason
from models.schemas_recall import BothTimes

EvidenceIds = Annotated[list[UUID], Field(default_factory=list, max_length=50)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$", max_length=320)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]


class TaskCompletionIn(In):
    """What came of a task, and the files that prove it."""

    outcome: Annotated[Line, Field(max_length=300)]
    evidence_ids: EvidenceIds


class TaskReturnIn(In):
    """Why a task is sent back."""

    reason: Reason


class TaskReassignmentIn(In):
    """Whose a task is now: a person, another function, or somebody of another function."""

    role: Role | None = None
    """Function it is offered to; the present one when left out."""
    assignee: Code | None = None
    """Principal who gets it; anybody of the function when left out."""
    reason: Reason

    @model_validator(mode="after")
    def _names_somebody(self) -> "TaskReassignmentIn":
        if self.role is None and self.assignee is None:
            raise ValueError("role, assignee or both: expected who gets the task")
        if self.role is not None and self.role not in HEADS:
            raise ValueError(f"role: {self.role} gets no tasks; expected one of {', '.join(HEADS)}")
        return self


class TaskMoveIn(In):
    """Move everything an absent person has."""

    from_: Annotated[Code, Field(alias="from")]
    to: Code
    reason: Reason
    number: Annotated[str, StringConstraints(pattern=r"^R[CD]-[0-9]{4}-[0-9]{6}$")] | None = None
    """Of one recall only."""

    @model_validator(mode="after")
    def _are_two_people(self) -> "TaskMoveIn":
        if self.from_ == self.to:
            raise ValueError("from and to: expected two different people")
        return self


class TaskMoveOut(Out):
    """What became of the person's tasks."""

    assigned: list[int]
    """Tasks the other person has now."""
    offered: list[int]
    """Tasks of functions the other person does not hold: offered to everybody of the function again."""


class TaskOut(Out):
    """One thing a person must do."""

    id: int
    recall_number: str | None
    file_number: str | None = None
    """The nonconformity, CAPA or supplier request it belongs to, where it belongs to no recall."""
    key: str
    step: str
    what: str
    role: str
    first_role: str | None = None
    stand_in: str | None = None
    """Function that gets it when it is late; the head of the function where there is none."""
    assignee: str | None
    consignee_id: int | None
    due: BothTimes | None
    overdue: bool
    stage: int
    """0 offered, 1 reminded, 2 handed over to the stand-in, 3 with the head of the function."""
    remind_at: datetime | None
    escalate_at: datetime | None
    evidence_required: bool
    ends_by_decision: bool
    """Whether it ends with the decision, answer or confirmation it asks for; then it cannot be completed by hand."""
    state: str
    opened_at: datetime
    reminded_at: datetime | None
    handed_over_at: datetime | None
    escalated_at: datetime | None
    sent_back_by: str | None
    sent_back_reason: str | None
    done_at: datetime | None
    done_by: str | None
    outcome: str | None


class StaffIn(In):
    """A member of staff as far as a recall must reach them; a PUT replaces the whole record."""

    name: Line
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
    email: Address | None = None
    phone: Phone | None = None
    """E.164, for example +14155550123."""
    language: Literal["en", "zh-CN"] = "en"
    on_call: bool = False
    """Paged when harm is reported."""
    stand_in: Code | None = None
    """Principal who gets this person's tasks while absent."""
    absent_from: AwareDatetime | None = None
    absent_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_reachable_and_in_order(self) -> "StaffIn":
        if self.absent_until is not None and self.absent_from is None:
            raise ValueError("absent_from: expected the beginning of the absence")
        if self.absent_from and self.absent_until and self.absent_until <= self.absent_from:
            raise ValueError("absent_until: expected an instant after absent_from")
        if self.on_call and self.email is None and self.phone is None:
            raise ValueError("on_call: expected an e-mail address or a phone number to page")
        return self


class StaffOut(Out):
    """A member of staff."""

    principal: str
    name: str
    roles: list[str]
    email: str | None
    phone: str | None
    language: str
    on_call: bool
    stand_in: str | None
    absent_from: datetime | None
    absent_until: datetime | None
    absent: bool
    """Whether the absence covers this moment."""


__all__ = [
    "StaffIn",
    "StaffOut",
    "TaskCompletionIn",
    "TaskMoveIn",
    "TaskMoveOut",
    "TaskOut",
    "TaskReassignmentIn",
    "TaskReturnIn",
]
