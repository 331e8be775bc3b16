"""Tasks: whatever a person must do, with role, due time and the evidence it needs (design §2a)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class TaskState(StrEnum):
    """offered -> accepted -> done | cancelled; sent_back waits to be offered anew; overdue is a fact of `due_at`."""

    offered = "offered"
    accepted = "accepted"
    sent_back = "sent_back"
    done = "done"
    cancelled = "cancelled"


OPEN_STATES = (TaskState.offered.value, TaskState.accepted.value, TaskState.sent_back.value)
"""States in which somebody still has to do something."""


class Task(SQLModel, table=True):
    """One thing one person (or the first of a role) must do for a recall or a file of quality."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("recall_number", "key"),
        UniqueConstraint("file_number", "key"),
        CheckConstraint("num_nonnulls(recall_number, file_number) = 1", name="of_one_file"),
        one_of("state", TaskState),
        CheckConstraint("stage BETWEEN 0 AND 3", name="stage_known"),
        Index("ix_task_open", "role", "due_at", postgresql_where=sql("state IN ('offered','accepted','sent_back')")),
        Index("ix_task_consignee", "consignee_id", postgresql_where=sql("consignee_id IS NOT NULL")),
    )

    id: int | None = identity()
    recall_number: str | None = Field(default=None, foreign_key="recall.number")
    file_number: str | None = Field(default=None, foreign_key="quality_file.number")
    """The nonconformity, CAPA or supplier request it belongs to, where it belongs to no recall."""
    key: str = text(120)
    """Natural key: `assessment`, `gate:us-fda:fda_informed`, `call:{consignee}`; opening twice changes nothing."""
    step: str = text(24)
    what: str = text(300)
    role: str = text(24)
    """Function it is offered to now; a stand-in's or the head's after it was handed over."""
    first_role: str | None = text(24, nullable=True)
    """Function it was offered to at first."""
    stand_in: str | None = text(24, nullable=True)
    """Function it goes to when its due time passes."""
    owner: str | None = text(200, nullable=True)
    """Id of the workflow that runs its timers."""
    assignee: str | None = text(120, nullable=True)
    consignee_id: int | None = ref("consignee.id", nullable=True)
    due_at: datetime | None = instant(nullable=True)
    policy_due_at: datetime | None = instant(nullable=True)
    remind_at: datetime | None = instant(nullable=True)
    escalate_at: datetime | None = instant(nullable=True)
    """When it goes from the stand-in to the head of the function."""
    stage: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """0 offered, 1 reminded, 2 handed over to the stand-in, 3 with the head of the function."""
    evidence_required: bool = Field(default=False, nullable=False)
    state: str = text(12)
    opened_at: datetime = instant()
    reminded_at: datetime | None = instant(nullable=True)
    handed_over_at: datetime | None = instant(nullable=True)
    escalated_at: datetime | None = instant(nullable=True)
    sent_back_by: str | None = text(120, nullable=True)
    sent_back_reason: str | None = text(2000, nullable=True)
    done_at: datetime | None = instant(nullable=True)
    done_by: str | None = text(120, nullable=True)
    outcome: str | None = text(300, nullable=True)

    @property
    def file(self) -> str:
        """Number of the recall or of the file of quality it belongs to."""
        return self.recall_number or self.file_number or ""


__all__ = ["OPEN_STATES", "Task", "TaskState"]
