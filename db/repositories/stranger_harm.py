"""Harm in a message of which nobody knows to which recall it belongs: somebody is paged at once all the same.

A complaint needs a recall, and so does a task. The newest recall that runs lends its workflow, its policies' time for a
complaint and its people; where the report belongs, the person paged finds out and records it there. Where none runs,
there is no task: the message itself pages, again and again until it is settled (`harm_pages`), and so it does when the
recall that had the task ends. Anybody can write to us: only the first few of a flood page.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, harm_pages, recalls, staff, staff_messages, tasks
from db.repositories.cases import By
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import RETURNS_ID, recall_id

_MESSAGE: Final = "SELECT id FROM inbound_message WHERE provider = :provider AND provider_id = :message"
_AWARE: Final = "UPDATE inbound_message SET harm_aware_at = :aware WHERE id = :id"
# Whoever ends it waits, or is waited for: a task must not be opened under a recall that has just ended.
_HOST: Final = """
SELECT number FROM recall WHERE NOT drill AND phase NOT IN ('terminated', 'rejected', 'cancelled')
ORDER BY created_at DESC, number DESC LIMIT 1
FOR KEY SHARE
"""
_OPEN: Final = "SELECT recall_number FROM task WHERE key = :key AND state IN ('offered', 'accepted', 'sent_back')"
_FLOOD: Final = timedelta(minutes=10)
_JUST_NOW: Final = """
SELECT count(*) FROM task
WHERE starts_with(key, 'on_call:message:') AND state IN ('offered', 'accepted', 'sent_back') AND opened_at > :since
"""


@dataclass(frozen=True, slots=True)
class Paged:
    """Which workflow to tell of it.

    `task_moved` where it runs the timers of a task, `look` where it is the one that reads the mailbox and sends pages.
    """

    owner: str
    key: str


async def take_up(
    session: AsyncSession, *, provider: str, provider_id: str, aware_at: datetime, now: datetime
) -> Paged:
    """Page whoever is on call about a message that is kept already, with a task where a recall runs; one transaction.

    Args:
        aware_at: when it reached us: the time to act runs from then.
    """
    message = int((await run(session, _MESSAGE, {"provider": provider, "message": provider_id})).scalar_one())
    await run(session, _AWARE, {"id": message, "aware": aware_at})
    host: str | None = (await run(session, _HOST)).scalar_one_or_none()
    paged = Paged(RETURNS_ID if host is None else recall_id(host), _key(message))
    people = await (
        _page_alone(session, message, now) if host is None else _page(session, host, message, paged, aware_at, now)
    )
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


async def _page_alone(session: AsyncSession, message: int, now: datetime) -> list[str]:
    before = await harm_pages.just_paged(session, now - _FLOOD)
    return await harm_pages.page(session, message, 1, now) if before < harm_pages.PAGES else []


async def _page(
    session: AsyncSession, host: str, message: int, paged: Paged, aware_at: datetime, now: datetime
) -> list[str]:
    recall = await recalls.get(session, host)
    times = tasks.times_for(await recalls.pinned(session, host), recall, HumanStep.COMPLAINT, aware_at)
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
    return await staff_messages.page_task(session, recall, task, now) if before < harm_pages.PAGES else []


async def share_host(session: AsyncSession, message: int, also: str | None) -> None:
    """Keep the recall that has the task, and `also`, from being locked before the message, the task and the chain are.

    Whoever has a recall goes on to these (`recalls.share`).
    """
    host = (await run(session, _OPEN, {"key": _key(message)})).scalar_one_or_none()
    await recalls.share(session, {number for number in (host, also) if number is not None})


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


__all__ = ["Paged", "settled", "share_host", "take_up"]
