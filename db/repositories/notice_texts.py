"""The free texts of a released notice, by language: what was approved and sent, never the recall's row of today."""

from typing import Final, NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.notice_body import ApprovedBody, BodyError
from domain.notice_enclosure import Enclosed, EnclosureError

_BODIES: Final = """
SELECT DISTINCT ON (b.language) b.language, b.body
FROM notice_body b JOIN notice n ON n.id = b.notice_id
WHERE b.notice_id = :notice AND n.approved_at IS NOT NULL AND b.body -> 'enclosed' -> 'facts' IS NOT NULL
ORDER BY b.language, b.body -> 'enclosed' -> 'letter' <> 'null', b.kind, b.channel
"""
"""One body of each language, rather one that holds no letter."""


class NoticeWords(NamedTuple):
    """Reason and hazard as one body of the notice prints them."""

    reason: str
    hazard: str
    language: str
    """What they are written in: the original's where no translation was approved."""


async def approved_texts(session: AsyncSession, notice_id: int) -> dict[str, NoticeWords]:
    """The texts of a released notice by the language of its bodies, each read from a body that still has its hash.

    Empty for a notice that is not released, and for one of an earlier release whose bodies hold no facts.
    """
    found: dict[str, NoticeWords] = {}
    for row in (await run(session, _BODIES, {"notice": notice_id})).mappings():
        try:
            body = ApprovedBody.from_json(row["body"])
            facts = Enclosed.from_json(body.enclosed or {}).facts
        except (BodyError, EnclosureError):
            continue  # it is no longer what was approved, so it is shown to nobody
        found[row["language"]] = NoticeWords(facts.reason, facts.hazard, facts.texts_language)
    return found


__all__ = ["NoticeWords", "approved_texts"]
