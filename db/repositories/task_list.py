"""Reading tasks: somebody's whole day, with what has come to them from people who are away; one recall's list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, false, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import files
from models.quality import QualityFile
from models.recall import Recall
from models.task import OPEN_STATES, Task


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose list: the person and the absent people stood in for, with the functions of both."""

    principals: Sequence[str]
    roles: Sequence[str]


class TaskNotOpen(Exception):  # noqa: N818 - a term of the API
    """The task is done, cancelled, or accepted by somebody else."""


async def list_tasks(
    session: AsyncSession,
    *,
    number: str | None,
    mine: Whose | None,
    role: str | None,
    state: str | None,
    overdue: bool | None,
    after: int | None,
    limit: int,
    now: datetime,
    only_open: bool = False,
) -> Sequence[tuple[Task, files.File]]:
    """Tasks with their recall or file of quality, by id.

    `mine`: assigned to one of the people, or offered to one of the functions.
    """
    query = _with_file()
    if number is not None:
        query = query.where(files.of_file(Task, number))
    if mine is not None:
        offered = and_(col(Task.assignee).is_(None), col(Task.role).in_(mine.roles)) if mine.roles else false()
        query = query.where(or_(col(Task.assignee).in_(mine.principals), offered))
    if only_open or (mine is not None and state is None):
        query = query.where(col(Task.state).in_(OPEN_STATES))
    if role is not None:
        query = query.where(col(Task.role) == role)
    if state is not None:
        query = query.where(col(Task.state) == state)
    if overdue is not None:
        late = and_(col(Task.state).in_(OPEN_STATES), col(Task.due_at).is_not(None), col(Task.due_at) < now)
        query = query.where(late if overdue else ~late)
    if after is not None:
        query = query.where(col(Task.id) > after)
    rows = (await session.exec(query.order_by(col(Task.id)).limit(limit))).all()
    return [(task, recall or file) for task, recall, file in rows]


def _with_file() -> Any:
    return (
        select(Task, Recall, QualityFile)
        .join(Recall, col(Recall.number) == col(Task.recall_number), isouter=True)
        .join(QualityFile, col(QualityFile.number) == col(Task.file_number), isouter=True)
    )


async def list_open(
    session: AsyncSession,
    *,
    number: str | None,
    mine: Whose | None,
    role: str | None,
    overdue: bool,
    limit: int,
    now: datetime,
) -> list[Task]:
    """Open tasks of every recall or of one, by id; `overdue`: late ones only."""
    rows = await list_tasks(
        session,
        number=number,
        mine=mine,
        role=role,
        state=None,
        overdue=True if overdue else None,
        after=None,
        limit=limit,
        now=now,
        only_open=True,
    )
    return [task for task, _ in rows]


def is_late(task: Task, now: datetime) -> bool:
    """Whether an open task's due time has passed."""
    return task.state in OPEN_STATES and task.due_at is not None and task.due_at < now


async def find(session: AsyncSession, task_id: int) -> tuple[Task, files.File] | None:
    """A task and its recall or file of quality."""
    found = (await session.exec(_with_file().where(col(Task.id) == task_id))).first()
    return (found[0], found[1] or found[2]) if found else None


DECIDED = (
    "evaluation:",
    "assessment",
    "strategy:",
    "gate:",
    "notice",
    "call:",
    "settle_query:",
    "holds:",
    "query:",
    "check:",
    "unaccounted",
    "disposition:",
    "disposition_approval:",
    "execution:",
    "allocation:",
    "replacement:",
    "visit:",
    "authority:",
    "account:",
    "patients:",
    "complaint:",
    "completion:",
    "obligation:",
    "deadline:",
    "reclassify:",
    "justify:",
    "review:",
    "expert:",
    "logistics:",
    "capa:",
    "nc:",
    "scar:",
)
"""Keys of tasks that end with the decision, answer or confirmation they ask for, never by a tick."""


__all__ = ["DECIDED", "TaskNotOpen", "find", "is_late", "list_open", "list_tasks"]
