"""What every page for recipients is made with: its words in each language, its templates, its style."""

import string
from collections.abc import Callable

from jinja2 import Environment

from api.page_templates import PAGES, css, environment_of, messages, speaker
from api.reply_fields import LANGUAGES


def catalogue(lang: str) -> dict[str, str]:
    """All messages of a language.

    Raises:
        ValueError: there is no such language.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"lang: expected one of {', '.join(LANGUAGES)}")
    return messages(PAGES, lang)


def placeholders(text: str) -> set[str]:
    """Names a message wants filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def words(lang: str) -> Callable[..., str]:
    """The messages of a language as a function of their key and values.

    Raises:
        ValueError: there is no such language.
    """
    return speaker(catalogue(lang))


def languages() -> list[tuple[str, str]]:
    """(tag, name in itself) of every language."""
    return [(lang, catalogue(lang)["language_name"]) for lang in LANGUAGES]


def environment() -> Environment:
    """Templates of the pages."""
    return environment_of(PAGES)


__all__ = ["PAGES", "catalogue", "css", "environment", "languages", "placeholders", "words"]
