"""What the recipient page needs of the record: the recall in the notice's words, and how far this consignee is."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_PAGE: Final = """
SELECT r.number, r.phase, r.reason, r.hazard, r.drill, r.recall_class, c.id AS consignee_id, c.state,
       partner.name AS recipient_name, partner.language, partner.country,
       (SELECT d.id FROM delivery d WHERE d.id = :delivery AND d.consignee_id = c.id) AS delivery_id,
       (SELECT max(reply.id) FROM reply WHERE reply.consignee_id = c.id AND reply.kind = 'statement') AS last_reply_id,
       amended.since AS amended_since, amended.class_from, amended.class_to
FROM recall r
JOIN consignee c ON c.recall_number = r.number
JOIN partner ON partner.id = c.partner_id
LEFT JOIN LATERAL (
    SELECT n.kind, CAST(n.change ->> 'since' AS int) AS since, n.change -> 'class' ->> 0 AS class_from,
           n.change -> 'class' ->> 1 AS class_to
    FROM campaign k JOIN notice n ON n.id = k.notice_id
    WHERE k.recall_number = r.number ORDER BY k.sequence DESC LIMIT 1
) amended ON amended.kind = 'amendment'
WHERE r.number = :number AND c.id = :consignee
"""


@dataclass(frozen=True, slots=True)
class RecipientRecord:
    """One consignee of one recall as its own page shows it."""

    number: str
    phase: str
    reason: str
    hazard: str
    drill: bool
    recall_class: str | None
    consignee_id: int
    state: str
    recipient_name: str
    language: str
    country: str | None
    delivery_id: UUID | None
    """The delivery the link came with, if it is one of this consignee's."""
    last_reply_id: int | None
    """The newest statement of quantities."""
    amended_since: int | None = None
    """Scope version that the newest notice amends; lots of later versions are new to the recipient."""
    class_from: str | None = None
    class_to: str | None = None
    """Strictest class before and now, where the newest notice changed it."""


async def find(
    session: AsyncSession, number: str, consignee_id: int, delivery_id: UUID | None = None
) -> RecipientRecord | None:
    """The record behind a link, or None when the recall has no such consignee."""
    found = await run(session, _PAGE, {"number": number, "consignee": consignee_id, "delivery": delivery_id})
    row = found.mappings().one_or_none()
    return None if row is None else RecipientRecord(**row)


async def reply_of_form(session: AsyncSession, form_id: str) -> int | None:
    """The reply a form has carried already, or None."""
    found = await run(session, "SELECT id FROM reply WHERE form_id = :form", {"form": form_id})
    reply_id: int | None = found.scalar_one_or_none()
    return reply_id


async def contact_with_phone(session: AsyncSession, phone: str) -> int | None:
    """The first contact with this telephone (E.164), or None."""
    found = await run(session, "SELECT min(id) FROM contact WHERE phone = :phone", {"phone": phone})
    contact_id: int | None = found.scalar_one()
    return contact_id


__all__ = ["RecipientRecord", "contact_with_phone", "find", "reply_of_form"]
