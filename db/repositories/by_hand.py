"""Limits that no calendar covers: a task each, owed until a person records the due instant or the table is loaded.

China's working days of a year are known when the State Council announces them. Until then nobody can compute a limit
that reaches it; the duty exists all the same, and counts as open wherever what is owed is counted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, tasks
from domain.policy_tasks import HumanStep
from domain.roles import Role
from domain.timeline_facts import Duty
from domain.workflow_ids import obligations_id
from models.recall import Recall
from models.task import OPEN_STATES, Task

KEY: Final = "deadline:"

OPEN: Final = """
SELECT task.id, split_part(task.key, ':', 2) AS jurisdiction,
       substr(task.key, length('deadline:' || split_part(task.key, ':', 2) || ':') + 1) AS name, task.opened_at
FROM task
WHERE task.recall_number = :number AND starts_with(task.key, 'deadline:') AND NOT EXISTS (
    SELECT FROM deadline d
    WHERE d.recall_number = task.recall_number AND 'deadline:' || d.jurisdiction || ':' || d.name = task.key)
ORDER BY task.id
"""
"""Duties whose due instant nobody has worked out, whatever became of the task."""


def key_of(jurisdiction: str, name: str) -> str:
    """Key of the task to work out a limit."""
    return f"{KEY}{jurisdiction}:{name}"[:120]


async def waiting(session: AsyncSession, number: str) -> Sequence[tuple[str, str]]:
    """(jurisdiction, name) of every duty whose due instant is not worked out."""
    rows = (await (await session.connection()).execute(text(OPEN), {"number": number})).mappings()
    return [(row["jurisdiction"], row["name"]) for row in rows]


async def offer(session: AsyncSession, recall: Recall, duty: Duty, now: datetime) -> bool:
    """A task for regulatory affairs, once; True when it is new."""
    opened = await tasks.offer(
        session,
        recall,
        key=key_of(duty.jurisdiction, duty.name),
        step=HumanStep.OBLIGATION,
        what=f"Work out by hand when {duty.name} is due under {duty.jurisdiction}: {duty.uncomputed}"[:300],
        owner=obligations_id(recall.number),
        role=Role.REGULATORY,
        now=now,
    )
    if opened:
        await audit.append(
            session,
            recall.number,
            actor=audit.SYSTEM,
            role=audit.SYSTEM,
            action="deadline.not_computed",
            at=now,
            reason=duty.uncomputed,
            data={
                "name": duty.name,
                "jurisdiction": duty.jurisdiction,
                "policy": f"{duty.policy.id}@{duty.policy.version}",
            },
        )
    return opened


async def open_keys(session: AsyncSession, number: str) -> set[str]:
    """Keys of the open tasks to work out a limit."""
    query = select(Task.key).where(
        col(Task.recall_number) == number, col(Task.key).startswith(KEY), col(Task.state).in_(OPEN_STATES)
    )
    return set((await session.exec(query)).all())


async def computed(session: AsyncSession, number: str, duty: Duty, now: datetime) -> None:
    """The table is there now: the task to work the limit out is done."""
    key = key_of(duty.jurisdiction, duty.name)
    await tasks.close(session, number, key, outcome="computed from the calendar", done_by=audit.SYSTEM, now=now)


__all__ = ["KEY", "OPEN", "computed", "key_of", "offer", "open_keys", "waiting"]
