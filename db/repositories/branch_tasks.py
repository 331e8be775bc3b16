"""What branches that began or ended do to tasks on record: open ones due earlier, needless extra ones cancelled.

A limit that begins to hold counts from the look that saw it, because nobody could keep it before; nothing open ever
becomes later.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, tasks
from domain.branch_state import FiredBranch
from domain.pace import policy_instant
from domain.policy import Policy
from domain.policy_tasks import HumanStep
from domain.task_times import Stage, TaskLimit, strictest_limit, task_times
from models.recall import Recall
from models.task import OPEN_STATES, Task

Owner = tuple[str, str]
"""(workflow id, task key): whose timers have to read the record again."""
_OF_THE_LAW: Final = frozenset({HumanStep.OBLIGATION})
"""Steps whose due times are deadlines of their own; no task rule moves them."""


async def pull(
    session: AsyncSession, recall: Recall, before: Sequence[Policy], after: Sequence[Policy], now: datetime
) -> list[Owner]:
    """Bring open tasks of the steps that got a shorter limit forward; returns whose tasks moved."""
    shorter = _shorter(before, after)
    if not shorter:
        return []
    query = (
        select(Task)
        .where(
            col(Task.recall_number) == recall.number,
            col(Task.state).in_(OPEN_STATES),
            col(Task.step).in_(list(shorter)),
            col(Task.stage) < Stage.HANDED_OVER.value,
        )
        .order_by(col(Task.id))
        .with_for_update()
    )
    moved: list[Owner] = []
    for task in (await session.exec(query)).all():
        rule = shorter[HumanStep(task.step)]
        times = task_times(now, rule.limit, rule.remind, recall.pace)
        if times.due_at is None or (task.due_at is not None and task.due_at <= times.due_at):
            continue
        task.due_at, task.escalate_at = times.due_at, times.escalate_at
        task.remind_at = min(each for each in (task.remind_at, times.remind_at) if each is not None)
        task.policy_due_at = policy_instant(times.due_at, recall.created_at, recall.pace)
        session.add(task)
        await _note(session, recall.number, "task.due_earlier", now, {"key": task.key, "due_at": task.due_at})
        if task.owner:
            moved.append((task.owner, task.key))
    return moved


def _shorter(before: Sequence[Policy], after: Sequence[Policy]) -> dict[HumanStep, TaskLimit]:
    found = {}
    for step in HumanStep:
        if step in _OF_THE_LAW:
            continue
        old = strictest_limit([policy.tasks[step] for policy in before])
        new = strictest_limit([policy.tasks[step] for policy in after])
        if new.limit < old.limit:
            found[step] = new
    return found


async def cancel_ended(
    session: AsyncSession, recall: Recall, wanted: frozenset[str], ended: Sequence[FiredBranch], now: datetime
) -> list[Owner]:
    """Cancel open extra tasks that nothing asks for any more, with the branch that ended as the reason."""
    query = (
        select(Task)
        .where(
            col(Task.recall_number) == recall.number,
            col(Task.state).in_(OPEN_STATES),
            col(Task.key).startswith("extra:"),
        )
        .order_by(col(Task.id))
    )
    titles = "; ".join(f"{each.title} ({each.policy})" for each in ended)
    why = f"no longer asked for: {titles} holds no more" if titles else "no longer asked for by the policies"
    gone: list[Owner] = []
    for task in (await session.exec(query)).all():
        if task.key in wanted:
            continue
        owner = task.owner
        await tasks.cancel(session, recall.number, task.key, outcome=why, done_by=audit.SYSTEM, now=now)
        await _note(session, recall.number, "task.cancelled", now, {"key": task.key, "outcome": why})
        if owner:
            gone.append((owner, task.key))
    return gone


async def owners(session: AsyncSession, number: str) -> list[Owner]:
    """One open task of each workflow that runs timers of the recall's tasks."""
    query = select(Task.owner, func.min(Task.key)).where(
        col(Task.recall_number) == number, col(Task.state).in_(OPEN_STATES), col(Task.owner).is_not(None)
    )
    return [(str(owner), key) for owner, key in (await session.exec(query.group_by(col(Task.owner)))).all()]


async def _note(session: AsyncSession, number: str, action: str, now: datetime, data: dict[str, object]) -> None:
    await audit.append(session, number, actor=audit.SYSTEM, role=audit.SYSTEM, action=action, at=now, data=data)


__all__ = ["Owner", "cancel_ended", "owners", "pull"]
