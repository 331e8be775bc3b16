"""Marking a filled body as a test: nobody who sees it, or a copy of it, may take it for the notice.

The mark stands before everything else in subject, text and HTML; the link of a test leads to a page that says so and
answers for nobody.
"""

import html
import re
from typing import Final

from domain.notice_body import Rendered

TEST_PATH: Final = "/t/"
"""Path of the page a test's link leads to."""
_DEAD: Final = "TEST-NO-ANSWER-"
_MARKS: Final = {
    "en": ("TEST", "TEST MESSAGE – sent to a member of staff only. No recipient was told. Nothing can be answered."),
    "zh-CN": ("测试", "测试消息——仅发送给本公司员工，未发送给任何收件方，无法回复。"),
    "es": (
        "PRUEBA",
        "MENSAJE DE PRUEBA – enviado solo a personal propio. Nadie más lo ha recibido; no se puede responder.",
    ),
}
_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_BANNER: Final = '<p style="border:3px solid #b00020;padding:8px;font-weight:bold">{}</p>'


def link_for_test(public_url: str, length: int) -> str:
    """A link that answers for nobody, as long as a real one, so that a text message takes as many segments.

    Args:
        length: characters of a real link's token.
    """
    return f"{public_url.rstrip('/')}{TEST_PATH}{_DEAD.ljust(length, '0')}"


def mark_of(language: str) -> tuple[str, str]:
    """The word and the sentence of the mark in a language; English where there is none."""
    return _MARKS.get(language, _MARKS["en"])


def marked_as_test(rendered: Rendered, language: str) -> Rendered:
    """The body with the mark, in its language (English where there is none)."""
    word, said = mark_of(language)
    subject = f"[{word}] {rendered.subject}" if rendered.subject is not None else None
    if rendered.html is None:
        # A text message has no room for a sentence, and is its own first line.
        short = rendered.subject is None
        return Rendered(subject, f"[{word}] {rendered.text}" if short else f"{said}\n\n{rendered.text}", None)
    banner = _BANNER.format(html.escape(said))
    titled = rendered.html.replace("<title>", f"<title>[{word}] ", 1)
    page, found = _BODY.subn(lambda match: match.group() + banner, titled, count=1)
    return Rendered(subject, f"{said}\n\n{rendered.text}", page if found else banner + titled)


__all__ = ["TEST_PATH", "link_for_test", "mark_of", "marked_as_test"]
