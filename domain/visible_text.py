"""Visible text: lines and blocks without characters that make them read differently from what is stored.

Values of notices come from master data and from people; what cannot be seen must not decide what is read.
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

LONGEST_LINE: Final = 500
LONGEST_BLOCK: Final = 8000
_JOINERS: Final = "\u200c\u200d"  # zero-width (non-)joiner: spelling in several scripts


def without_hidden(text: str, keep: str = "") -> str:
    """Text without characters that make it read differently from what is stored.

    Controls and line separators become spaces; bidirectional overrides, zero-width and other format
    characters go. They come from master data and cannot be seen, so nobody could act on a refusal, and a
    recall must not wait for them.
    """
    if text.isprintable():
        return text  # nothing of those categories, as almost always
    out = []
    for character in text:
        category = unicodedata.category(character)
        if character in keep or character in _JOINERS or category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            out.append(character)
        elif category in {"Cc", "Zl", "Zp"}:
            out.append(" ")
    return "".join(out)


def visible(text: str, limit: int = LONGEST_LINE) -> str:
    """One visible line."""
    return _line(text, limit) if len(text) <= LONGEST_LINE else _line.__wrapped__(text, limit)


# A campaign says the same products and lots to everybody, a dozen times in each message.
@lru_cache(maxsize=8192)
def _line(text: str, limit: int) -> str:
    return " ".join(without_hidden(text).split())[:limit]


def _block(text: str) -> str:
    return without_hidden(text.replace("\r\n", "\n"), keep="\n\t").strip()


def _if_text(clean: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: clean(value) if isinstance(value, str) else value


Line = Annotated[str, BeforeValidator(_if_text(visible)), Field(min_length=1, max_length=LONGEST_LINE)]
"""One line of visible text."""
Block = Annotated[str, BeforeValidator(_if_text(_block)), Field(min_length=1, max_length=LONGEST_BLOCK)]
"""Visible text of one or more paragraphs."""
