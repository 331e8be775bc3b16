"""Pages about harm that no recall looks after: written with what they speak of, sent by who reads the mailbox.

Messages to staff belong to a recall, and its workflow sends them. Where none runs, or the one that lent its people has
ended since, a page belongs to the message itself and is written anew until a person settles that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, staff
from db.rows import insert_new
from domain.channels import Channel
from domain.roles import Role
from models.harm_page import HarmPage
from models.notice import InboundMessage
from models.staff import Staff, StaffMessageState

AGAIN: Final = timedelta(hours=12)
"""Who was paged and has not settled the message is paged again after it: the shortest legal clock has two days."""
_SOON: Final = timedelta(hours=1)
"""The same where not one page went out."""
PAGES: Final = 5
"""Anybody can write to us: most messages that page at once, and that page anew within `AGAIN`."""
_JUST_PAGED: Final = """
SELECT count(*) FROM inbound_message m
WHERE m.harm_aware_at IS NOT NULL AND m.settled_at IS NULL
  AND EXISTS (SELECT FROM harm_page p WHERE p.message_id = m.id AND p.created_at > :since AND p.state <> 'failed')
"""
# The task of a recall that runs has its own timers and its own pages; one that is done had somebody who acted.
_DUE: Final = """
WITH own AS (
    SELECT t.key FROM task t JOIN recall r ON r.number = t.recall_number
    WHERE starts_with(t.key, 'on_call:message:') AND (t.state = 'done' OR
          t.state IN ('offered', 'accepted', 'sent_back') AND r.phase NOT IN ('terminated', 'rejected', 'cancelled'))
)
SELECT m.id, coalesce(last.occasion, 0) AS occasion
FROM inbound_message m
LEFT JOIN LATERAL (
    SELECT max(p.occasion) AS occasion, max(p.created_at) AS at, bool_and(p.state = 'failed') AS lost
    FROM harm_page p WHERE p.message_id = m.id
) last ON true
WHERE m.harm_aware_at IS NOT NULL AND m.settled_at IS NULL
  AND (last.at IS NULL OR last.at <= :again OR (last.lost AND last.at <= :soon))
  AND NOT EXISTS (SELECT FROM own WHERE own.key = 'on_call:message:' || m.id)
ORDER BY last.at NULLS FIRST, m.id LIMIT :most
FOR UPDATE OF m SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class PendingPage:
    """One page to send, with what its text needs; never leaves the process."""

    page: HarmPage
    person: Staff
    aware_at: datetime


async def page(session: AsyncSession, message: int, occasion: int, now: datetime) -> list[str]:
    """Page whoever is on call, else the head of quality, and both from the second time on; returns the principals."""
    people = await staff.on_call(session, now)
    if occasion > 1 or not people:
        people += await staff.holders(session, Role.HEAD_OF_QUALITY.value, now)
    rows = [
        {
            "message_id": message,
            "occasion": occasion,
            "principal": person.principal,
            "channel": channel.value,
            "state": StaffMessageState.pending.value,
            "created_at": now,
        }
        for person in _once(people)
        for channel, address in ((Channel.EMAIL, person.email), (Channel.SMS, person.phone))
        if address is not None
    ]
    await insert_new(session, HarmPage, rows)
    return list(dict.fromkeys(str(row["principal"]) for row in rows))


def _once(people: Iterable[Staff]) -> list[Staff]:
    return list({person.principal: person for person in people}.values())


async def just_paged(session: AsyncSession, since: datetime) -> int:
    """How many messages that wait have paged somebody after `since`."""
    return int((await run(session, _JUST_PAGED, {"since": since})).scalar_one())


async def page_again(session: AsyncSession, now: datetime) -> tuple[int, int]:
    """Page about what nobody has settled and no running recall looks after; audited.

    Returns:
        How many messages somebody was paged about, and for how many there is nobody to page.
    """
    most = PAGES - await just_paged(session, now - AGAIN)
    if most <= 0:
        return 0, 0
    binds: dict[str, Any] = {"again": now - AGAIN, "soon": now - _SOON, "most": most}
    found: Sequence[Any] = (await run(session, _DUE, binds)).all()
    paged = {message: await page(session, message, last + 1, now) for message, last in found}
    for message, people in paged.items():
        if people:
            data = {"message": message, "paged": people}
            await _note(session, "harm.paged", now, data)
    told = sum(1 for people in paged.values() if people)
    return told, len(paged) - told


async def claim_next(session: AsyncSession, after: int) -> PendingPage | None:
    """The next page to send, its row locked until the transaction ends; None when there is none."""
    query = (
        select(HarmPage)
        .where(col(HarmPage.state) == StaffMessageState.pending.value, col(HarmPage.id) > after)
        .order_by(col(HarmPage.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        return None
    person = await staff.find(session, row.principal)
    message = await session.get(InboundMessage, row.message_id)
    assert person is not None and message is not None  # noqa: S101, PT018 - neither goes before its page
    return PendingPage(row, person, message.harm_aware_at or message.received_at)


async def note_failed(session: AsyncSession, row: HarmPage, code: str, now: datetime) -> None:
    """A page that will never arrive; audited."""
    row.state, row.error = StaffMessageState.failed.value, code[:300]
    session.add(row)
    data = {"page": row.id, "message": row.message_id, "principal": row.principal, "code": code}
    await _note(session, "harm.page_failed", now, data)


async def _note(session: AsyncSession, action: str, at: datetime, data: dict[str, Any]) -> None:
    await audit.append(session, audit.SYSTEM, actor="system", role="system", action=action, at=at, data=data)


__all__ = ["AGAIN", "PAGES", "PendingPage", "claim_next", "just_paged", "note_failed", "page", "page_again"]
