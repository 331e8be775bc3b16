"""Lots that a text names although they are not under recall: on record elsewhere, or behind the word for a lot."""

import re
from typing import Final

from domain.notice_facts import NUMERAL
from domain.notice_rules import Words

_TOKEN: Final = re.compile(r"[^\s,;:，；：、。()（）\"“”'<>]+")


def foreign_lots(text: str, words: Words, scope: frozenset[str], others: frozenset[str]) -> list[str]:
    """Lots named in running text that are not in scope.

    Args:
        scope: lots a notice may name.
        others: lots on record that are not in the scope. One called "1" is named only by the word for a lot before it:
            elsewhere that is the number of a heading, or of a key to press.
    """
    tokens = {token.rstrip(".") for token in _TOKEN.findall(text)} & others
    found = {token for token in tokens if not NUMERAL.fullmatch(token) or _introduced(token, text, words)}
    found |= {match.group(1).rstrip(".") for match in re.finditer(words.lot_pattern, text)}
    return sorted(found - scope)


def _introduced(token: str, text: str, words: Words) -> bool:
    labels = "|".join(re.escape(each) for each in words.phrases["lot_label"] if isinstance(each, str))
    return re.search(rf"(?:{labels})s?\s*[:：]?\s*{re.escape(token)}(?![A-Za-z0-9])", text, re.IGNORECASE) is not None


__all__ = ["foreign_lots"]
