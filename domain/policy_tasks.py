"""What people are asked to do: the steps of a recall that wait for a person, and further tasks a policy adds."""

from datetime import timedelta
from enum import StrEnum

from pydantic import model_validator

from domain.limits import ElapsedText, Limit
from domain.policy_figures import Name, Part, Sourced, Text
from domain.roles import HEADS, Role


class HumanStep(StrEnum):
    """Steps of a recall that wait for a person; every policy gives each a task rule."""

    EVALUATION = "evaluation"
    ASSESSMENT = "assessment"
    APPROVAL = "approval"
    STRATEGY = "strategy"
    GATE = "gate"
    NOTICE_APPROVAL = "notice_approval"
    HOLD_CONFIRMATION = "hold_confirmation"
    PHONE_CALL = "phone_call"
    QUERY = "query"
    ACCOUNT_MANAGER = "account_manager"
    VISIT = "visit"
    SETTLE_QUERY = "settle_query"
    EFFECTIVENESS_CHECK = "effectiveness_check"
    INVESTIGATION = "investigation"
    CAUSE = "cause"
    CAPA_PLAN = "capa_plan"
    PLAN_APPROVAL = "plan_approval"
    ACTION = "action"
    VERIFICATION = "verification"
    CAPA_SIGN_OFF = "capa_sign_off"
    DISPOSITION = "disposition"
    DISPOSITION_APPROVAL = "disposition_approval"
    EXECUTION = "execution"
    ALLOCATION = "allocation"
    REPLACEMENT = "replacement"
    PATIENTS = "patients"
    COMPLAINT = "complaint"
    COMPLETION = "completion"
    OBLIGATION = "obligation"
    AUTHORITY_ANSWER = "authority_answer"
    UNACCOUNTED = "unaccounted"


def check_worker(role: Role) -> Role:
    """`role`, if people in it can be given a task.

    Raises:
        ValueError: for the auditor and the administrator, who work on no recall.
    """
    if role not in HEADS:
        raise ValueError(f"{role} works on no recall; expected one of {', '.join(HEADS)}")
    return role


def check_reminder(remind: Limit, due: Limit) -> None:
    """Refuse a reminder that comes at or after the due time.

    Raises:
        ValueError: when it does.
    """
    if not timedelta(0) < remind.as_timedelta() < due.as_timedelta():
        raise ValueError(f"remind {remind} must lie before due {due}")


class TaskRule(Sourced):
    """How long a person has for a step, counted from the moment it is offered."""

    due: ElapsedText
    remind: ElapsedText
    """When the assignee is reminded, counted from the offer; before `due`."""
    role: Role
    stand_in: Role
    """Who gets the task when it is overdue. A task of this step that is offered to another function than `role` goes to
    that function's head, and so does one whose stand-in is the head."""

    @model_validator(mode="after")
    def _can_be_done(self) -> "TaskRule":
        check_reminder(self.remind, self.due)
        check_worker(self.role)
        check_worker(self.stand_in)
        return self


class TaskPhase(StrEnum):
    """When an extra task is offered: at the start of this phase, or when its branch fires later."""

    ASSESSMENT = "assessment"
    STRATEGY = "strategy"
    GATES = "gates"
    NOTIFICATION = "notification"
    RESOLUTION = "resolution"


class ExtraTask(Part):
    """A task beside the fixed steps, which a policy or one of its branches adds; done by confirming it."""

    id: Name
    title: Text
    title_zh: Text
    role: Role
    stand_in: Role
    due: ElapsedText
    remind: ElapsedText
    phase: TaskPhase
    evidence_required: bool = False
    """Whether it is done only with a file."""

    @model_validator(mode="after")
    def _can_be_done(self) -> "ExtraTask":
        check_reminder(self.remind, self.due)
        check_worker(self.role)
        check_worker(self.stand_in)
        return self


class BranchTask(Part):
    """What a branch changes of a step: a shorter limit, an earlier reminder, other people."""

    due: ElapsedText | None = None
    remind: ElapsedText | None = None
    role: Role | None = None
    stand_in: Role | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "BranchTask":
        if not self.model_fields_set - {name for name in self.model_fields_set if getattr(self, name) is None}:
            raise ValueError("expected at least one of due, remind, role, stand_in")
        for role in (self.role, self.stand_in):
            if role is not None:
                check_worker(role)
        return self
