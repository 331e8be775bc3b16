"""The markup of an HTML notice: only what our templates use, and nothing that hides text from a reader.

There is no end of ways to hide text in HTML (size, colour, place, comments only one mail program shows), so what is
allowed is listed and everything else is refused. Text must stand out from what is behind it (WCAG 2.2, 1.4.3).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset(("br", "hr", "img", "meta"))
_TAGS: Final = _VOID | frozenset(
    (
        *("html", "head", "title", "body", "div", "p", "h1", "h2", "h3", "strong", "em", "a", "ul", "ol", "li"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    )
)
_ATTRIBUTES: Final = frozenset(
    (
        *("lang", "style", "charset", "name", "content", "border", "cellpadding", "scope", "href", "src", "alt"),
        *("width", "height"),
    )
)
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_LENGTHS: Final = re.compile(r"(?:0|auto|[0-9]{1,2}px)(?: (?:0|auto|[0-9]{1,2}px)){0,3}")
_STYLES: Final = {
    "font-family": re.compile(r"[\w ,'-]+"),
    "font-size": re.compile(r"(?:1[2-9]|[2-4][0-9])px"),
    "font-weight": re.compile(r"bold|normal"),
    "line-height": re.compile(r"1(?:\.[0-9])?|2"),
    "color": _COLOUR,
    "background": _COLOUR,
    "background-color": _COLOUR,
    "border-color": _COLOUR,
    "border-collapse": re.compile("collapse"),
    "max-width": re.compile(r"[2-9][0-9]em"),
    "margin": _LENGTHS,
    "padding": _LENGTHS,
    "text-align": re.compile("left|center"),
    "text-decoration": re.compile("none|underline"),
    "white-space": re.compile("pre-line|normal"),
}
"""Property -> what it may be."""
_PICTURE: Final = "cid:answer-code@recall"
_CONTRAST: Final = 4.5
_UNSEEN: Final = frozenset(("head", "title"))


class _Judge(HTMLParser):
    """Collects what is not allowed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._open: list[tuple[str, str, str]] = [("", "#000000", "#ffffff")]
        """Tag, colour of its text, colour behind it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES:
                self.faults.append(f"<{tag} {name}>")
            elif name == "src" and value != _PICTURE:
                self.faults.append(f"<{tag} src={(value or '')[:60]!r}>")
        styles = self._styles(dict(attrs).get("style") or "")
        _, colour, behind = self._open[-1]
        colour = styles.get("color", colour)
        behind = styles.get("background-color", styles.get("background", behind))
        if tag not in _VOID:
            self._open.append((tag, colour, behind))

    def _styles(self, source: str) -> dict[str, str]:
        found = {}
        for declaration in filter(None, (each.strip() for each in source.split(";"))):
            name, _, value = (each.strip() for each in declaration.casefold().partition(":"))
            allowed = _STYLES.get(name)
            if allowed is None or not allowed.fullmatch(value):
                self.faults.append(f"style {declaration[:60]!r}")
            else:
                found[name] = value
        return found

    def handle_endtag(self, tag: str) -> None:
        for index in range(len(self._open) - 1, 0, -1):
            if self._open[index][0] == tag:
                del self._open[index:]
                break

    def handle_data(self, data: str) -> None:
        tag, colour, behind = self._open[-1]
        if data.strip() and tag not in _UNSEEN and contrast(colour, behind) < _CONTRAST:
            self.faults.append(f"text of colour {colour} on {behind}")

    def handle_comment(self, data: str) -> None:
        self.faults.append("<!-- -->")

    def handle_pi(self, data: str) -> None:
        self.faults.append("<? >")

    def unknown_decl(self, data: str) -> None:
        self.faults.append("<![ ]>")

    def handle_decl(self, decl: str) -> None:
        if decl.casefold() != "doctype html":
            self.faults.append(f"<!{decl[:20]}>")


def _light(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=256)
def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours `#rrggbb`, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_light(one), _light(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def markup_faults(source: str) -> Iterator[str]:
    """What in a page is none of the markup a notice may have, each once."""
    judge = _Judge()
    try:
        judge.feed(source)
        judge.close()
    except AssertionError as error:  # the parser's own on some broken declarations
        judge.faults.append(f"broken markup: {error}")
    yield from dict.fromkeys(judge.faults)


__all__ = ["contrast", "markup_faults"]
