"""What a reader sees of a notice body: the subject, the text, and the HTML without what a mail program hides.

Also how a recorded value is found in it: with the same characters, in any run of white space, and never as a piece of
a longer word or number.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from html.parser import HTMLParser
from typing import Final

MASK: Final = "\u25a1"
"""Stands where a value was taken out."""
_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_UNSEEN: Final = frozenset(("head", "title", "style", "script", "template", "noscript"))
_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_LINES: Final = frozenset(
    ("p", "br", "div", "li", "ul", "ol", "table", "tr", "caption", "hr", "blockquote", "section", "body", *_HEADINGS)
)
_HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.IGNORECASE
)


class _Reader(HTMLParser):
    """Collects the visible text, a line per block, and the targets of links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.links: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._titles: list[str] = []
        """Of the columns of the table that is being read."""
        self._column = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _LINES:
            self.out.append("\n")
        self._cell(tag)
        if tag == "img" and not self._unseen():
            self.out.append(f" {given.get('alt') or ''} ")
        if tag == "a" and not self._unseen():
            self.links.append(given.get("href") or "")
        if tag not in _VOID:
            hidden = tag in _UNSEEN or "hidden" in given or bool(_HIDDEN.search(given.get("style") or ""))
            self._open.append((tag, hidden or self._unseen()))

    def _cell(self, tag: str) -> None:
        """A cell is read with the title of its column before it, as a screen reader does."""
        if tag == "table":
            self._titles = []
        elif tag == "tr":
            self._column = 0
        elif tag == "th":
            self._titles.append("")
            self.out.append(" ")
        elif tag == "td":
            title = self._titles[self._column] if self._column < len(self._titles) else ""
            self.out.append(f" {title} ")
            self._column += 1

    def handle_endtag(self, tag: str) -> None:
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == tag:
                del self._open[index:]
                break
        if tag in _LINES:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen():
            self.out.append(data)
            if self._titles and self._open and self._open[-1][0] == "th":
                self._titles[-1] += data

    def _unseen(self) -> bool:
        return bool(self._open) and self._open[-1][1]


def visible_html(source: str) -> tuple[str, tuple[str, ...]]:
    """The text a reader of the page sees, and where its links lead."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return "".join(reader.out), tuple(reader.links)


def title_of(source: str) -> str:
    """What a program shows as the name of the page."""
    found = re.search(r"<title[^>]*>(.*?)</title", source, re.IGNORECASE | re.DOTALL)
    return html.unescape(found.group(1)) if found else ""


@lru_cache(maxsize=4096)
def finder(value: str, *, after: str = "", whole_line: bool = False) -> re.Pattern[str]:
    """Pattern of a value as recorded; white space in it stands for any.

    Args:
        after: what stands directly before it (a label).
        whole_line: nothing follows it on its line.
    """
    first, *more = [re.escape(word) for word in value.split()] or [""]
    if after:
        first = rf"{re.escape(after)}\s*{first}"
    elif _joins(value[:1]):
        # Looked back at from behind the word: a search leaps from word to word then, and tries no place between.
        first += f"(?<![A-Za-z0-9]{first})"
    right = r"[^\S\n]*(?:\n|$)" if whole_line else "(?![A-Za-z0-9])" if _joins(value[-1:]) else ""
    return re.compile(r"\s+".join((first, *more)) + right)


def _joins(character: str) -> bool:
    return character.isascii() and character.isalnum()


def holds(text: str, value: str) -> bool:
    """Whether the text has the value, as a value of its own."""
    return finder(value).search(text) is not None


def masked(text: str, values: Iterable[str]) -> str:
    """The text with every value taken out, the longest first; what is left is the notice's own words."""
    for value in sorted({each for each in values if each.strip()}, key=len, reverse=True):
        text = finder(value).sub(f" {MASK} ", text)
    return text


def without_starts(text: str, name: str, least: int = 8) -> str:
    """The text without any start of a name of at least `least` characters: names are cut to fit a text message.

    A shorter name is never cut, and where it stands whole it is taken out as any value (`masked`).
    """
    head = name[:least] if len(name) >= least else ""
    out, at = [], 0
    while head and (found := text.find(head, at)) >= 0:
        end = found + len(head)
        while end < len(text) and end - found < len(name) and text[end] == name[end - found]:
            end += 1
        out += [text[at:found], f" {MASK} "]
        at = end
    return "".join(out) + text[at:]


def folded(text: str) -> str:
    """The text with letters that are only another form (full width, ligatures) as their plain ones, and none hidden."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    hidden = {ord(each): None for each in set(plain) if unicodedata.category(each) == "Cf"}
    return plain.translate(hidden) if hidden else plain


def named(text: str, words: Iterable[str]) -> list[str]:
    """The words of a list that the text holds, whatever their case, form and joiners."""
    said = _compared(text)
    return [word for word in words if finder(_listed(word)).search(said)]


def _compared(text: str) -> str:
    return " ".join(folded(text).split()).casefold()


@lru_cache(maxsize=4096)
def _listed(word: str) -> str:
    """A word of a list as it is compared: the lists are short, and every part of every body is read with them."""
    return _compared(word)


__all__ = ["finder", "folded", "holds", "masked", "named", "title_of", "visible_html", "without_starts"]
