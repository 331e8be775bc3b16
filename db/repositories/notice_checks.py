"""The content checks of notices, the reviews of their passages, and what a check needs besides the notice's facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.rows import insert_new, uuid_of
from domain.notice_check import Check
from domain.roles import violates_four_eyes
from models.audit import AuditEvent
from models.notice import Notice
from models.notice_check import NoticeCheck, NoticeTextReview, ReviewVerdict
from models.recall import Recall

_OTHER_LOTS: Final = """
WITH affected AS (
    SELECT lot.product_id, lot.number
    FROM consignee c
    JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    JOIN lot ON lot.id = cl.lot_id
    WHERE c.recall_number = :number
    UNION
    SELECT lot.product_id, lot.number
    FROM recall
    JOIN scope_lot s ON s.recall_number = recall.number AND s.scope_version = recall.scope_version
    JOIN lot ON lot.id = s.lot_id
    WHERE recall.number = :number
)
SELECT DISTINCT lot.number
FROM lot
WHERE lot.product_id IN (SELECT product_id FROM affected)
  AND lot.number NOT IN (SELECT number FROM affected)
  AND length(lot.number) >= 4 AND lot.number ~ '[0-9]'
LIMIT :most
"""
_MOST: Final = 50_000
"""Lots looked for: beyond it a stranger is still found in a list of lots and after the word for a lot."""

WRITING: Final = ("recall.opened", "recall.texts_corrected")
"""Audit actions by which people write what a notice prints."""


class NotFlagged(ValueError):  # noqa: N818 - a term of the API
    """The passage named is none that this notice's check put to a reviewer."""


class OwnText(ValueError):  # noqa: N818 - a term of the API
    """Who wrote the texts cannot confirm them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A draft's check with the reviews so far."""

    notice: Notice
    check: NoticeCheck | None
    reviews: tuple[NoticeTextReview, ...]
    writers: tuple[str, ...]
    """Who wrote the texts; they cannot review them."""

    @property
    def covers(self) -> bool:
        """Whether the check is of exactly the bodies behind the notice's hash."""
        return self.check is not None and self.check.sha256 == self.notice.sha256

    def latest(self, passage_id: str) -> NoticeTextReview | None:
        """The last word on a passage."""
        return next((row for row in reversed(self.reviews) if row.passage_id == passage_id), None)

    @property
    def unconfirmed(self) -> list[dict[str, Any]]:
        """Passages nobody has confirmed, or that were rejected since."""
        passages = self.check.passages if self.check else []
        return [each for each in passages if not self._confirmed(each["id"])]

    def _confirmed(self, passage_id: str) -> bool:
        last = self.latest(passage_id)
        return last is not None and last.verdict == ReviewVerdict.confirmed

    @property
    def releasable(self) -> bool:
        """Whether the notice may be released as far as its content goes."""
        return self.check is not None and self.covers and not self.check.refusals and not self.unconfirmed


async def other_lots(session: AsyncSession, number: str) -> frozenset[str]:
    """Lots on record of the affected products that are not under recall."""
    rows = await run(session, _OTHER_LOTS, {"number": number, "most": _MOST})
    return frozenset(rows.scalars())


async def store(session: AsyncSession, notice: Notice, check: Check, now: datetime) -> None:
    """Keep the outcome of a draft's check; audited with the names of what was refused, never with texts."""
    notice_id = notice.id or 0
    row = {
        "notice_id": notice_id,
        "sha256": notice.sha256,
        "rules_sha256": check.rules_sha256,
        "refusals": [each.as_json() for each in check.refusals],
        "passages": [each.as_json() for each in check.passages],
        "checked_at": now,
    }
    if await insert_new(session, NoticeCheck, row):
        await audit.append(
            session,
            notice.recall_number,
            actor="system",
            role="system",
            action="notice.checked",
            at=now,
            data={
                "notice": notice_id,
                "sha256": notice.sha256,
                "rules": check.rules_sha256,
                "refused": sorted({f"{each.element} {each.body}" for each in check.refusals})[:100],
                "passages": [each.id for each in check.passages],
            },
        )


async def standing(session: AsyncSession, number: str, notice_id: int) -> Standing | None:
    """A notice of the recall with its check and reviews; None when it has no such notice."""
    notice = await session.get(Notice, notice_id, populate_existing=True)
    if notice is None or notice.recall_number != number:
        return None
    reviews = select(NoticeTextReview).where(col(NoticeTextReview.notice_id) == notice_id)
    rows = (await session.exec(reviews.order_by(col(NoticeTextReview.id)))).all()
    check = await session.get(NoticeCheck, notice_id)
    return Standing(notice, check, tuple(rows), await writers(session, number))


async def writers(session: AsyncSession, number: str) -> tuple[str, ...]:
    """Who wrote the texts that a notice of this recall prints."""
    query = select(AuditEvent.actor).where(col(AuditEvent.stream) == number, col(AuditEvent.action).in_(WRITING))
    recall = await session.get(Recall, number)
    started = [recall.started_by] if recall else []
    return tuple(sorted({*(await session.exec(query.distinct())).all(), *started}))


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer says of passages."""

    passages: Sequence[str]
    verdict: ReviewVerdict
    note: str | None
    reviewer: str
    role: str
    signature: str | None
    at: datetime


def _review_row(notice_id: int, passage: str, given: Review) -> NoticeTextReview:
    return NoticeTextReview(
        notice_id=notice_id,
        passage_id=passage,
        verdict=given.verdict.value,
        note=given.note,
        reviewer=given.reviewer,
        role=given.role,
        signature_id=uuid_of(given.signature),
        reviewed_at=given.at,
    )


async def record_review(session: AsyncSession, found: Standing, given: Review) -> None:
    """Record a reviewer's word on flagged passages, each with its audit event in one.

    Raises:
        OwnText: the reviewer wrote the texts.
        NotFlagged: a passage is none of this check.
    """
    if any(violates_four_eyes(name, given.reviewer) for name in (*found.writers, found.notice.drafted_by)):
        raise OwnText("who wrote the texts cannot review them")
    known = {each["id"] for each in (found.check.passages if found.check else [])}
    if strange := [each for each in given.passages if each not in known]:
        raise NotFlagged(", ".join(strange))
    notice_id = found.notice.id or 0
    session.add_all(_review_row(notice_id, passage, given) for passage in given.passages)
    await audit.append(
        session,
        found.notice.recall_number,
        actor=given.reviewer,
        role=given.role,
        action="notice.text_reviewed",
        at=given.at,
        reason=given.note,
        data={
            "notice": notice_id,
            "sha256": found.notice.sha256,
            "passages": list(given.passages),
            "verdict": given.verdict.value,
        },
        signature=given.signature,
    )


__all__ = [
    "WRITING",
    "NotFlagged",
    "OwnText",
    "Review",
    "Standing",
    "other_lots",
    "record_review",
    "standing",
    "store",
    "writers",
]
