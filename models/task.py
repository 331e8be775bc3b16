"""Tasks: whatever a person must do, with role, due time and the evidence it needs (design §2a)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text


class TaskState(StrEnum):
    """offered -> accepted -> done | cancelled; overdue is a fact of `due_at`, not a state."""

    offered = "offered"
    accepted = "accepted"
    done = "done"
    cancelled = "cancelled"


class Task(SQLModel, table=True):
    """One thing one person (or the first of a role) must do for a recall."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("recall_number", "key"),
        one_of("state", TaskState),
        Index("ix_task_open", "role", "due_at", postgresql_where=sql("state IN ('offered','accepted')")),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    key: str = text(120)
    """Natural key: `assessment`, `gate:us-fda:fda_informed`, `call:{consignee}`; opening twice changes nothing."""
    step: str = text(24)
    what: str = text(300)
    role: str = text(24)
    assignee: str | None = text(120, nullable=True)
    consignee_id: int | None = ref("consignee.id", nullable=True)
    due_at: datetime | None = instant(nullable=True)
    policy_due_at: datetime | None = instant(nullable=True)
    evidence_required: bool = Field(default=False, nullable=False)
    state: str = text(12)
    opened_at: datetime = instant()
    reminded_at: datetime | None = instant(nullable=True)
    done_at: datetime | None = instant(nullable=True)
    done_by: str | None = text(120, nullable=True)
    outcome: str | None = text(300, nullable=True)


__all__ = ["Task", "TaskState"]
