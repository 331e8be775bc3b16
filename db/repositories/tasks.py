"""Tasks: opened once per key, closed with who and how; the workflow that owns the due time marks them overdue."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from db.rows import insert_new
from domain.pace import policy_instant
from models.messages import OpenTask
from models.recall import Recall
from models.task import Task, TaskState

_OPEN = (TaskState.offered.value, TaskState.accepted.value)


async def open_task(session: AsyncSession, recall: Recall, task: OpenTask, *, consignee_id: int | None = None) -> bool:
    """Open a task unless its key exists; returns whether it was opened now."""
    due = task.due_at
    row = {
        "recall_number": task.number,
        "key": task.key,
        "step": task.step,
        "what": task.what,
        "role": task.role,
        "consignee_id": consignee_id,
        "due_at": due,
        "policy_due_at": policy_instant(due, recall.created_at, recall.pace) if due else None,
        "evidence_required": task.evidence_required,
        "state": TaskState.offered.value,
        "opened_at": task.now,
    }
    return await insert_new(session, Task, row) == 1


async def close(session: AsyncSession, number: str, key: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Mark an open task done; False when it was not open."""
    change = {"state": TaskState.done.value, "outcome": outcome, "done_by": done_by, "done_at": now}
    return await _finish(session, number, change, key=key)


async def cancel_open(session: AsyncSession, number: str, *, outcome: str, done_by: str, now: datetime) -> bool:
    """Cancel every open task of a recall that has ended."""
    change = {"state": TaskState.cancelled.value, "outcome": outcome, "done_by": done_by, "done_at": now}
    return await _finish(session, number, change)


async def _finish(session: AsyncSession, number: str, change: dict[str, Any], key: str | None = None) -> bool:
    statement = update(Task).where(col(Task.recall_number) == number, col(Task.state).in_(_OPEN)).values(change)
    if key is not None:
        statement = statement.where(col(Task.key) == key)
    return (await session.exec(statement)).rowcount > 0


async def mark_overdue(session: AsyncSession, number: str, key: str, now: datetime) -> bool:
    """Note the reminder of an open task whose due time passed; False when already noted or closed."""
    statement = (
        update(Task)
        .where(
            col(Task.recall_number) == number,
            col(Task.key) == key,
            col(Task.state).in_(_OPEN),
            col(Task.reminded_at).is_(None),
        )
        .values(reminded_at=now)
    )
    return (await session.exec(statement)).rowcount == 1
