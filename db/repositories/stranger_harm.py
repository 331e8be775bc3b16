"""Harm in a message of which nobody knows to which recall it belongs: somebody is paged at once all the same.

A complaint needs a recall, and so does a task. The newest recall that runs lends its workflow, its policies' time for a
complaint and its people; where the report belongs, the person paged finds out and records it there. Anybody can write
to us: of a flood every message is a task, but only the first few of it page.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls, staff, staff_messages, tasks
from db.repositories.cases import By
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id

_MESSAGE: Final = "SELECT id FROM inbound_message WHERE provider = :provider AND provider_id = :message"
_HOST: Final = """
SELECT number FROM recall WHERE NOT drill AND phase NOT IN ('terminated', 'rejected', 'cancelled')
ORDER BY created_at DESC, number DESC LIMIT 1
"""
_OPEN: Final = "SELECT recall_number FROM task WHERE key = :key AND state IN ('offered', 'accepted', 'sent_back')"
_FLOOD: Final = timedelta(minutes=10)
_PAGES: Final = 5
"""Pages in that time."""
_JUST_NOW: Final = """
SELECT count(*) FROM task
WHERE starts_with(key, 'on_call:message:') AND state IN ('offered', 'accepted', 'sent_back') AND opened_at > :since
"""


@dataclass(frozen=True, slots=True)
class Paged:
    """The task about such a message, for telling the workflow that runs its timers (`task_moved`)."""

    owner: str
    key: str


async def take_up(
    session: AsyncSession, *, provider: str, provider_id: str, aware_at: datetime, now: datetime
) -> Paged | None:
    """Page whoever is on call about a message that is kept already, and open a task; both in its transaction.

    Args:
        aware_at: when it reached us: the time to act runs from then.

    Returns:
        None where no recall runs: the message waits for a reader, and the system's chain says so.
    """
    message = (await run(session, _MESSAGE, {"provider": provider, "message": provider_id})).scalar_one()
    host = (await run(session, _HOST)).scalar_one_or_none()
    paged, people = (None, []) if host is None else await _page(session, str(host), int(message), aware_at, now)
    await audit.append(
        session,
        audit.SYSTEM,
        actor="unknown sender",
        role="recipient",
        action="harm.unassigned",
        at=now,
        data={"message": f"{provider}:{provider_id}", "task_of": host, "paged": people},
    )
    return paged


async def _page(
    session: AsyncSession, host: str, message: int, aware_at: datetime, now: datetime
) -> tuple[Paged, list[str]]:
    recall = await recalls.get(session, host)
    times = tasks.times_for(await recalls.pinned(session, host), recall, HumanStep.COMPLAINT, aware_at)
    paged = Paged(recall_id(host), _key(message))
    before = (await run(session, _JUST_NOW, {"since": now - _FLOOD})).scalar_one()
    await tasks.offer(
        session,
        recall,
        key=paged.key,
        step=HumanStep.COMPLAINT,
        what=f"Harm was reported by somebody unknown who names no recall (message {message}): read it among the"
        " unplaced messages, call back, and record it as a complaint where it belongs",
        owner=paged.owner,
        now=now,
        role=None if await staff.on_call(session, now) else Role.HEAD_OF_QUALITY,
        due_at=times.times.due_at,
    )
    task = await tasks.open_task_of(session, host, paged.key)
    assert task is not None  # noqa: S101 - opened in this transaction
    return paged, await staff_messages.page_task(session, recall, task, now) if before < _PAGES else []


async def settled(session: AsyncSession, message: int, by: By) -> Paged | None:
    """A person has said what became of the message: its task, where one is open, is done."""
    key = _key(message)
    host = (await run(session, _OPEN, {"key": key})).scalar_one_or_none()
    if host is None or not await tasks.close(
        session, str(host), key, outcome="the message was settled", done_by=by.actor, now=by.at
    ):
        return None
    await audit.append(
        session, str(host), actor=by.actor, role=by.role, action="task.closed", at=by.at, data={"key": key}
    )
    return Paged(recall_id(str(host)), key)


def _key(message: int) -> str:
    return f"on_call:message:{message}"


__all__ = ["Paged", "settled", "take_up"]
