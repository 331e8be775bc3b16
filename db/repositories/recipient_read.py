"""What the recipient page needs of the record: the notice it was told by, and how far this consignee is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.return_authorization import RETURNING

_PAGE: Final = """
SELECT r.number, r.phase, r.drill, r.recall_class, c.id AS consignee_id, c.state,
       partner.name AS recipient_name, partner.language, partner.country, partner.kind,
       d.id AS delivery_id, d.contact_id, coalesce(d.leads OR d.carried_by IS NOT NULL, false) AS shared,
       (SELECT reply.id FROM reply WHERE reply.form_id = CAST(:form AS text)) AS form_reply_id,
       (SELECT max(reply.id) FROM reply WHERE reply.consignee_id = c.id AND reply.kind = 'statement') AS last_reply_id,
       told.notice_id, CAST(told.change ->> 'since' AS int) AS amended_since,
       told.change -> 'class' ->> 0 AS class_from, told.change -> 'class' ->> 1 AS class_to,
       draft.form_id AS draft_form_id, draft.step AS draft_step, draft.answers AS draft_answers,
       draft.updated_at AS draft_at,
       EXISTS (SELECT FROM disposition back WHERE back.recall_number = r.number AND back.consignee_id = c.id
               AND back.kind = ANY(CAST(:returning AS text[])) AND back.state = 'approved') AS returns_approved
FROM recall r
JOIN consignee c ON c.recall_number = r.number
JOIN partner ON partner.id = c.partner_id
LEFT JOIN delivery d ON d.id = :delivery AND d.consignee_id = c.id
LEFT JOIN reply_draft draft ON draft.consignee_id = c.id AND draft.contact_id IS NOT DISTINCT FROM d.contact_id
    AND draft.updated_at > CAST(:drafts_since AS timestamptz)
LEFT JOIN LATERAL (
    SELECT n.id AS notice_id, CASE n.kind WHEN 'amendment' THEN n.change END AS change
    FROM campaign k JOIN notice n ON n.id = k.notice_id
    WHERE k.recall_number = r.number AND n.kind <> 'closure' ORDER BY k.sequence DESC LIMIT 1
) told ON true
WHERE r.number = :number AND c.id = :consignee
"""


@dataclass(frozen=True, slots=True)
class RecipientRecord:
    """One consignee of one recall as its own page shows it."""

    number: str
    phase: str
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
    notice_id: int | None = None
    """The newest notice that was released and sent; its texts are the page's."""
    kind: str = "hospital"
    """The partner's kind: only a hospital is asked for patients."""
    contact_id: int | None = None
    """Whom the link was sent to."""
    shared: bool = False
    """The delivery is part of one message to that person for several sites."""
    form_reply_id: int | None = None
    """The reply that the posted form has carried already."""
    draft_form_id: str | None = None
    """Set when an answer was begun with this person's link; the other three go with it."""
    draft_step: str | None = None
    draft_answers: dict[str, str] | None = None
    draft_at: datetime | None = None
    amended_since: int | None = None
    """Scope version that the newest notice amends; lots of later versions are new to the recipient."""
    class_from: str | None = None
    class_to: str | None = None
    """Strictest class before and now, where the newest notice changed it."""
    returns_approved: bool = False
    """Something is to come back: there may be labels to print."""


async def find(
    session: AsyncSession,
    number: str,
    consignee_id: int,
    delivery_id: UUID | None = None,
    *,
    form_id: str | None = None,
    drafts_since: datetime | None = None,
) -> RecipientRecord | None:
    """The record behind a link, or None when the recall has no such consignee.

    Args:
        session: open session.
        number: recall.
        consignee_id: whose page it is.
        delivery_id: the delivery the link came with.
        form_id: the posted form, to be told whether it has carried a reply already.
        drafts_since: older drafts are not offered any more; None offers none.
    """
    values = {
        "number": number,
        "consignee": consignee_id,
        "delivery": delivery_id,
        "returning": sorted(kind.value for kind in RETURNING),
    }
    found = await run(session, _PAGE, values | {"form": form_id, "drafts_since": drafts_since})
    row = found.mappings().one_or_none()
    return None if row is None else RecipientRecord(**row)


_WORDS: Final = """
SELECT coalesce(reply.free_text, '') AS free_text, complaint.severity, complaint.description
FROM reply LEFT JOIN complaint ON complaint.reply_id = reply.id WHERE reply.id = :reply
"""


@dataclass(frozen=True, slots=True)
class RecordedWords:
    """What a reply says beside its figures."""

    free_text: str
    severity: str | None
    """Of the harm reported with it."""
    description: str | None

    def has(self, remark: str) -> bool:
        """Whether this remark is among what is kept, which may be cut short."""
        return remark[:500] in self.free_text


async def words_of(session: AsyncSession, reply_id: int) -> RecordedWords:
    """The words of a reply on record."""
    return RecordedWords(**(await run(session, _WORDS, {"reply": reply_id})).mappings().one())


async def contact_with_phone(session: AsyncSession, phone: str) -> int | None:
    """The first contact with this telephone (E.164), or None."""
    found = await run(session, "SELECT min(id) FROM contact WHERE phone = :phone", {"phone": phone})
    contact_id: int | None = found.scalar_one()
    return contact_id


__all__ = ["RecipientRecord", "RecordedWords", "contact_with_phone", "find", "words_of"]
