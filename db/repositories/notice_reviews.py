"""The task of whoever reads the passages of a draft that rules cannot judge: one for each draft that has some.

Offered to regulatory affairs, never to who wrote the texts, and closed by the last confirmation or the first rejection.
A draft that is taken back, replaced or released needs no reader any more. The caller holds the recall's row lock.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, notice_checks, tasks
from db.repositories.notice_checks import Standing
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.notice import Notice
from models.notice_check import ReviewVerdict
from models.recall import Recall, SignOff
from models.task import OPEN_STATES, Task

KEY: Final = "notice_review:"
_RELEASE: Final = re.compile(r"notice(?::([0-9]+))?(?::sign:[0-9]+)?")
"""Key of a task to release a draft: its version, 1 where none is named."""
_LAST_WORDS: Final = ("retraction", "closure")
"""Notices of a recall that has ended."""


def key_of(version: int) -> str:
    """Key of the task to review the draft of this version."""
    return f"{KEY}{version}"


def version_of(release_key: str) -> int | None:
    """Version of the draft that a task with this key asks to release; None for every other task."""
    found = _RELEASE.fullmatch(release_key)
    return int(found[1] or 1) if found else None


async def ask(session: AsyncSession, recall: Recall, notice: Notice, passages: int, now: datetime) -> None:
    """Name a reader for the draft's passages, if it has any; who was asked about another draft is asked no more."""
    for key in await _keys(session, recall.number, only_open=True):
        if key != key_of(notice.version):
            await _cancel(session, recall.number, key, f"replaced: version {notice.version} is drafted", now)
    if not passages or (notice.kind not in _LAST_WORDS and await _cancelled(session, recall.number)):
        return
    many = "1 passage" if passages == 1 else f"{passages} passages"
    await tasks.offer(
        session,
        recall,
        key=key_of(notice.version),
        step=HumanStep.NOTICE_APPROVAL,
        what=f"Review {many} of notice {notice.version}, listed by GET /v1/recalls/{recall.number}"
        f"/notices/{notice.id}/check: confirm or reject each",
        owner=recall_id(recall.number),
        role=Role.REGULATORY,
        barred=await notice_checks.writers(session, recall.number),
        now=now,
    )


async def settle(session: AsyncSession, found: Standing, by: str, now: datetime) -> str | None:
    """Close the reader's task when every passage is confirmed or one is rejected; its key if it was closed now."""
    passages = [each["id"] for each in (found.check.passages if found.check else [])]
    words = [found.latest(each) for each in passages]
    rejected = sum(word is not None and word.verdict == ReviewVerdict.rejected for word in words)
    if rejected:
        outcome = f"rejected: {rejected} of {len(passages)} passages; the texts are to be corrected"
    elif found.unconfirmed:
        return None
    else:
        outcome = "confirmed"
    number, key = found.notice.recall_number, key_of(found.notice.version)
    closed = await tasks.close(session, number, key, outcome=outcome, done_by=by, now=now)
    return key if closed else None


async def drop(session: AsyncSession, number: str, version: int, outcome: str, now: datetime) -> None:
    """Nobody has to read this draft any more: it was released, or taken back."""
    await _cancel(session, number, key_of(version), outcome, now)


async def latest(session: AsyncSession, number: str) -> str | None:
    """Key of the newest of the recall's tasks to read a draft, open or not: its workflow is told of it again."""
    keys = await _keys(session, number)
    return keys[-1] if keys else None


async def _cancel(session: AsyncSession, number: str, key: str, outcome: str, now: datetime) -> None:
    if await tasks.cancel(session, number, key, outcome=outcome, done_by=audit.SYSTEM, now=now):
        data = {"key": key, "outcome": outcome[:300]}
        await audit.append(
            session, number, actor=audit.SYSTEM, role=audit.SYSTEM, action="task.cancelled", at=now, data=data
        )


async def _keys(session: AsyncSession, number: str, *, only_open: bool = False) -> Sequence[str]:
    query = select(Task.key).where(col(Task.recall_number) == number, col(Task.key).startswith(KEY, autoescape=True))
    if only_open:
        query = query.where(col(Task.state).in_(OPEN_STATES))
    return (await session.exec(query.order_by(col(Task.id)))).all()


async def _cancelled(session: AsyncSession, number: str) -> bool:
    """Whether the recall was cancelled while the draft was being written: its tasks have ended already."""
    query = select(SignOff.id).where(col(SignOff.recall_number) == number, col(SignOff.step) == "cancellation")
    return (await session.exec(query)).first() is not None


__all__ = ["KEY", "ask", "drop", "key_of", "latest", "settle", "version_of"]
