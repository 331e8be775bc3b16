"""Reading tasks (somebody's whole day) and accepting one; opening and closing them belongs to the workflows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, false, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, tasks
from models.recall import Recall
from models.task import Task, TaskState

_OPEN = (TaskState.offered.value, TaskState.accepted.value)


class TaskNotOpen(Exception):  # noqa: N818 - a term of the API
    """The task is done, cancelled, or accepted by somebody else."""


async def list_tasks(
    session: AsyncSession,
    *,
    number: str | None,
    mine: tuple[str, Sequence[str]] | None,
    role: str | None,
    state: str | None,
    overdue: bool | None,
    after: int | None,
    limit: int,
    now: datetime,
) -> Sequence[tuple[Task, Recall]]:
    """Tasks with their recall, by id. `mine` is (principal, roles): assigned to them, or open to one of the roles."""
    query: Any = select(Task, Recall).join(Recall, col(Recall.number) == col(Task.recall_number))
    if number is not None:
        query = query.where(col(Task.recall_number) == number)
    if mine is not None:
        principal, roles = mine
        offered = and_(col(Task.assignee).is_(None), col(Task.role).in_(roles)) if roles else false()
        query = query.where(or_(col(Task.assignee) == principal, offered))
        if state is None:
            query = query.where(col(Task.state).in_(_OPEN))
    if role is not None:
        query = query.where(col(Task.role) == role)
    if state is not None:
        query = query.where(col(Task.state) == state)
    if overdue is not None:
        late = and_(col(Task.state).in_(_OPEN), col(Task.due_at).is_not(None), col(Task.due_at) < now)
        query = query.where(late if overdue else ~late)
    if after is not None:
        query = query.where(col(Task.id) > after)
    rows: Sequence[tuple[Task, Recall]] = (await session.exec(query.order_by(col(Task.id)).limit(limit))).all()
    return rows


async def find(session: AsyncSession, task_id: int) -> tuple[Task, Recall] | None:
    """A task and its recall."""
    query: Any = (
        select(Task, Recall).join(Recall, col(Recall.number) == col(Task.recall_number)).where(col(Task.id) == task_id)
    )
    found: tuple[Task, Recall] | None = (await session.exec(query)).first()
    return found


async def accept(session: AsyncSession, task_id: int, *, principal: str, role: str, now: datetime) -> None:
    """Take a task on; accepting one's own again changes nothing.

    Raises:
        TaskNotOpen: it is closed, or somebody else has it.
    """
    query = select(Task).where(col(Task.id) == task_id).with_for_update()
    task = (await session.exec(query)).one()
    if task.state not in _OPEN:
        raise TaskNotOpen(f"the task is {task.state}")
    if task.assignee is not None and task.assignee != principal:
        raise TaskNotOpen(f"{task.assignee} has accepted it")
    if task.state == TaskState.accepted.value and task.assignee == principal:
        return
    task.state, task.assignee = TaskState.accepted.value, principal
    session.add(task)
    await audit.append(
        session,
        task.recall_number,
        actor=principal,
        role=role,
        action="task.accepted",
        at=now,
        data={"task_id": task.id, "key": task.key},
    )


DECIDED = ("evaluation:", "assessment", "strategy:", "gate:", "notice", "call:", "holds:", "query:")
"""Keys of tasks that end with the decision, answer or confirmation they ask for, never by a tick."""


async def complete(
    session: AsyncSession, task: Task, *, principal: str, role: str, outcome: str, now: datetime
) -> None:
    """Close a task that only its doer can call done, with what came of it.

    Raises:
        TaskNotOpen: it is closed, somebody else has it, or it ends by a decision elsewhere.
    """
    if task.key.startswith(DECIDED):
        raise TaskNotOpen("this task ends with the decision, answer or confirmation it asks for")
    if task.assignee not in (None, principal):
        raise TaskNotOpen(f"{task.assignee} has accepted it")
    if not await tasks.close(session, task.recall_number, task.key, outcome=outcome[:300], done_by=principal, now=now):
        raise TaskNotOpen("the task is closed")
    await audit.append(
        session,
        task.recall_number,
        actor=principal,
        role=role,
        action="task.completed",
        at=now,
        reason=outcome,
        data={"task_id": task.id, "key": task.key},
    )


__all__ = ["DECIDED", "TaskNotOpen", "accept", "complete", "find", "list_tasks"]
