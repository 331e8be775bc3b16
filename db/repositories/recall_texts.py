"""Correcting what people wrote into a recall: reason, hazard and their translations, with what they were before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from models.recall import Recall


@dataclass(frozen=True, slots=True)
class Texts:
    """The whole set, in the original's language and in others."""

    reason: str
    hazard: str
    translations: dict[str, Any]


async def correct(
    session: AsyncSession, recall: Recall, given: Texts, *, why: str, by: str, role: str, now: datetime
) -> None:
    """Replace the texts; audited with both sets. The recall's row is locked by the caller."""
    before = {"reason": recall.reason, "hazard": recall.hazard, "translations": recall.translations}
    after = {"reason": given.reason, "hazard": given.hazard, "translations": given.translations}
    recall.reason, recall.hazard, recall.translations = given.reason, given.hazard, given.translations
    if recall.version:
        # At 0 its workflow has written nothing yet; that is for the workflow to change.
        recall.version += 1
    session.add(recall)
    await audit.append(
        session,
        recall.number,
        actor=by,
        role=role,
        action="recall.texts_corrected",
        at=now,
        reason=why,
        data={"before": before, "after": after},
    )


__all__ = ["Texts", "correct"]
