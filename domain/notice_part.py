"""One part of a body (subject, text, HTML) as the tests of the content check see it, and what a test finds in it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from domain.channels import Channel
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_rules import Words


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body as a reader sees it."""

    name: str
    kind: NoticeKind
    channel: Channel
    language: str
    bare: str
    """Filled for a recipient with nothing but its link."""
    full: str
    """Filled with a value in every slot."""
    context: NoticeContext
    words: Words
    said: str
    """`bare` without the texts of people: only the notice itself can say what has to be said."""
    own: str
    """`full` without the record's values and the recipient's: the notice's own words, as they are compared."""
    other_lots: frozenset[str]
    """Lots on record of the same products that are not in the scope."""
    links: tuple[str, ...] = ()
    """Where the links of an HTML part lead."""
    written: str = ""
    """The notice's own words letter by letter, where `own` has look-alikes folded."""
    markup: str = ""
    """Source of an HTML part."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in two languages."""

    text: str
    text_zh: str
    element: str | None = None
    """The element it is a fault of, where that is another than the one tested."""


Rule = Callable[[Part], Iterable[Fault]]

__all__ = ["Fault", "Part", "Rule"]
