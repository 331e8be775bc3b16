"""What becomes of a task whose time has come: reminder, stand-in, head of the function. Decided from the row alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, files, staff_messages
from domain.roles import HEADS, Role
from domain.supplier_request import RequestState
from domain.task_times import Stage, TaskTimes, due_stage, next_instant
from models.assessment import ExpertReview, ExpertState
from models.messages import TaskClock, TaskClocks, TasksTurned, TaskTurn
from models.quality import QualityFile
from models.recall import Recall
from models.staff import MessageKind
from models.supplier_request import SupplierRequest
from models.task import OPEN_STATES, Task, TaskState

_MOST = 500
"""Tasks a workflow is told of at once; the others follow when these have been turned."""
SUPPLIER = "scar:"
"""Start of the key of a task about a supplier request."""
EXPERT = "expert:"
"""Start of the key of a task that waits for an outside expert; the number of the request follows."""
_ACTIONS = {
    Stage.REMINDED: ("task.reminded", MessageKind.reminder),
    Stage.HANDED_OVER: ("task.handed_over", MessageKind.hand_over),
    Stage.WITH_HEAD: ("task.escalated", MessageKind.escalation),
}


async def clocks(session: AsyncSession, number: str, owner: str) -> TaskClocks:
    """Open tasks whose timers `owner` runs, those whose next instant comes first."""
    upcoming = case(
        (col(Task.stage) == Stage.OFFERED, func.coalesce(col(Task.remind_at), col(Task.due_at))),
        (col(Task.stage) == Stage.REMINDED, col(Task.due_at)),
        (col(Task.stage) == Stage.HANDED_OVER, col(Task.escalate_at)),
    )
    query = (
        select(Task)
        .where(files.of_file(Task, number), col(Task.owner) == owner, col(Task.state).in_(OPEN_STATES))
        .order_by(upcoming.asc().nulls_last(), col(Task.id))
        .limit(_MOST + 1)
    )
    rows = (await session.exec(query)).all()
    return TaskClocks(
        clocks=tuple(_clock(row) for row in rows[:_MOST]),
        more=len(rows) > _MOST,
        channels=await staff_messages.waiting_channels(session, number),
    )


def _clock(task: Task) -> TaskClock:
    return TaskClock(
        key=task.key,
        # The task's own text may name a consignee; the Web UI is shown the step and the key.
        what=f"{task.step.replace('_', ' ')} ({task.key})",
        remind_at=task.remind_at,
        due_at=task.due_at,
        escalate_at=task.escalate_at,
        stage=task.stage,
    )


async def turn(session: AsyncSession, recall: files.File, keys: Sequence[str], now: datetime) -> TasksTurned:
    """Take each task as far as `now` asks; repeating it changes nothing."""
    await files.share(session, [recall.number])
    query = (
        select(Task)
        .where(files.of_file(Task, recall.number), col(Task.key).in_(keys), col(Task.state).in_(OPEN_STATES))
        .order_by(col(Task.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = {task.key: task for task in (await session.exec(query)).all()}
    turns = []
    for key in keys:
        task = found.get(key)
        if task is None:
            turns.append(TaskTurn(key=key, open=False))
            continue
        await _climb(session, recall, task, now)
        turns.append(TaskTurn(key=key, open=True, next_at=next_instant(task.stage, _times(task)), stage=task.stage))
    return TasksTurned(turns=tuple(turns), channels=await staff_messages.waiting_channels(session, recall.number))


async def _climb(session: AsyncSession, recall: files.File, task: Task, now: datetime) -> None:
    stage = due_stage(task.stage, _times(task), now, stand_in=task.stand_in is not None)
    if stage == task.stage:
        return
    before = {"role": task.role, "assignee": task.assignee}
    _move(task, stage, now)
    session.add(task)
    action, kind = _ACTIONS[stage]
    told = await staff_messages.tell(session, recall, task, kind, now)
    if stage == Stage.REMINDED and task.key.startswith(EXPERT) and isinstance(recall, Recall):
        await _remind_expert(session, recall, task, now)
    if task.key.startswith(SUPPLIER) and isinstance(recall, QualityFile):
        await _remind_supplier(session, recall, now)
    facts: dict[str, Any] = {"key": task.key, "role": task.role, "told": told, "due_at": task.due_at}
    if stage > Stage.REMINDED:
        facts["from"] = before
    await audit.append(session, recall.number, actor="system", role="system", action=action, at=now, data=facts)


async def _remind_expert(session: AsyncSession, recall: Recall, task: Task, now: datetime) -> None:
    """Whoever has the task waits for somebody outside: that person is reminded too."""
    review = await session.get(ExpertReview, int(task.key.removeprefix(EXPERT)))
    if review is not None and review.state == ExpertState.asked.value:
        await staff_messages.tell_expert(session, recall, review, MessageKind.expert_reminder, now)


async def _remind_supplier(session: AsyncSession, file: QualityFile, now: datetime) -> None:
    """The supplier is reminded with whoever waits for the answer; once per stage and round."""
    request = await session.get(SupplierRequest, file.number)
    if request is not None and request.state == RequestState.ASKED.value:
        await staff_messages.tell_supplier(session, file, request, MessageKind.supplier_remind, now)


def _move(task: Task, stage: Stage, now: datetime) -> None:
    task.stage = stage.value
    if stage == Stage.REMINDED:
        task.reminded_at = now
        return
    first = task.first_role or task.role
    if stage == Stage.HANDED_OVER:
        task.handed_over_at = now
        task.role = task.stand_in or task.role
    else:
        task.escalated_at = now
        task.role = HEADS.get(Role(first), Role(first)).value
    task.assignee = None
    task.state = TaskState.offered.value


def _times(task: Task) -> TaskTimes:
    return TaskTimes(task.remind_at, task.due_at, task.escalate_at)


__all__ = ["clocks", "turn"]
