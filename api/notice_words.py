"""Reason and hazard as the recipient page shows them: those of the notice that was released and sent.

A correction of the recall's texts after the release changes no page: it reaches recipients by an amended notice, which
has been checked and approved first. The texts of a released notice never change, so they are read once.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from db.engine import SessionFactory
from db.repositories.notice_texts import NoticeWords, approved_texts
from domain.notice_content import best_language

_KEPT: Final = 200
"""Notices whose texts are kept in memory."""


class ToldWords:
    """The texts of released notices by notice, the last used kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Mapping[str, NoticeWords]] = OrderedDict()

    async def of(self, sessions: SessionFactory, notice_id: int | None, language: str) -> NoticeWords | None:
        """The texts in a language, in another that the notice has; None where it has no texts."""
        if notice_id is None:
            return None
        if notice_id not in self._known:
            async with sessions() as session:
                self._known[notice_id] = await approved_texts(session, notice_id)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(notice_id)
        return in_language(self._known[notice_id], language)


def in_language(texts: Mapping[str, NoticeWords], language: str) -> NoticeWords | None:
    """The texts for a page in this language; of another where the notice has none in it; None where it has none."""
    return texts.get(best_language(language, texts)) or (texts[min(texts)] if texts else None)


__all__ = ["ToldWords", "in_language"]
