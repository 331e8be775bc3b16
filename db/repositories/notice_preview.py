"""What fills a notice's body for one recipient before anything is sent: for previews and test messages."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.consignee_lots import ConsigneeLotRow, every_lot_of
from db.repositories.notice_facts import distributors, serials_of
from domain.notice_content import NoticeKind, RecipientValues
from domain.pace import PolicyClock
from domain.recipient_values import recipient_values
from models.notice import Notice, NoticeBody
from models.recall import Recall

_RECIPIENT: Final = """
SELECT c.id, partner.name AS partner_name, partner.time_zone, c.first_notified_at, c.next_step_at,
       c.state = 'answered' AS answered,
       coalesce((SELECT contact.name FROM contact WHERE contact.partner_id = partner.id
                 ORDER BY contact.position LIMIT 1), '') AS contact_name
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number AND (CAST(:consignee AS bigint) IS NULL OR c.id = :consignee)
ORDER BY c.state = 'withdrawn', c.id
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _To:
    """`domain.recipient_values.Addressed` of a message nobody has made."""

    kind: str
    step: int
    answered: bool
    partner_name: str
    contact_name: str
    time_zone: str
    first_notified_at: datetime | None
    next_step_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A stored body and one recipient's values for it."""

    body: NoticeBody
    consignee_id: int
    recipient: str
    values: RecipientValues


async def body_of(
    session: AsyncSession, number: str, notice_id: int, kind: str, channel: str, language: str
) -> NoticeBody | None:
    """One body of a recall's notice; None where there is none."""
    query = (
        select(NoticeBody)
        .join(Notice, col(Notice.id) == col(NoticeBody.notice_id))
        .where(
            col(Notice.recall_number) == number,
            col(NoticeBody.notice_id) == notice_id,
            col(NoticeBody.kind) == kind,
            col(NoticeBody.channel) == channel,
            col(NoticeBody.language) == language,
        )
    )
    return (await session.exec(query)).one_or_none()


async def letter_owner(session: AsyncSession, body: NoticeBody) -> NoticeBody | None:
    """The other body whose letter goes out with this one; None where it has its own, or none."""
    of = ((body.body or {}).get("enclosed") or {}).get("letter_of")
    if of is None or of == body.kind:
        return None
    query = select(NoticeBody).where(
        col(NoticeBody.notice_id) == body.notice_id,
        col(NoticeBody.kind) == of,
        col(NoticeBody.channel) == body.channel,
        col(NoticeBody.language) == body.language,
    )
    return (await session.exec(query)).one_or_none()


async def sample(
    session: AsyncSession, number: str, body: NoticeBody, link: str, consignee: int | None
) -> Sample | None:
    """The body's values for a consignee, or for the recall's first one; None where there is no such consignee."""
    row = (await run(session, _RECIPIENT, {"number": number, "consignee": consignee})).mappings().one_or_none()
    notice = await session.get(Notice, body.notice_id)
    recall = await session.get(Recall, number)
    if row is None or notice is None or recall is None:
        return None
    found = row["id"]
    to = _To(
        kind=body.kind,
        # An amendment goes out beside the ladder.
        step=-1 if body.kind in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION) else 0,
        **{name: row[name] for name in ("answered", "partner_name", "contact_name", "time_zone")},
        first_notified_at=row["first_notified_at"] if body.kind != NoticeKind.INITIAL else None,
        next_step_at=row["next_step_at"],
    )
    lots: list[ConsigneeLotRow] = (await every_lot_of(session, [found]))[found]
    serials = (await serials_of(session, [found]))[found]
    selling = found in await distributors(session, [found])
    since = (notice.change or {}).get("since")
    clock = PolicyClock.starting(recall.created_at, recall.pace)
    # What this notice will make known is shown as told.
    told = [_told(lot, notice.scope_version) for lot in lots]
    values = recipient_values(to, told, link=link, since=since, clock=clock, serials=serials, distributor=selling)
    return Sample(body, found, row["partner_name"], values)


def _told(lot: ConsigneeLotRow, version: int) -> ConsigneeLotRow:
    asked = lot.asked or (lot.withdrawn_in is None and lot.scope_version <= version)
    return replace(lot, asked=asked)


__all__ = ["Sample", "body_of", "letter_owner", "sample"]
