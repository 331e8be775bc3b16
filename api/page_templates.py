"""Pages for people outside: a folder of templates with the messages of each language beside them, and the one style."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

PAGES: Final = Path(__file__).parents[1] / "templates" / "pages"
"""The recipient's pages; their style serves the others too."""


@lru_cache(maxsize=32)
def messages(folder: Path, lang: str) -> dict[str, str]:
    """All messages of a language that the folder speaks; the same keys in every language (tested)."""
    read = yaml.safe_load((folder / f"messages.{lang}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


def speaker(known: Mapping[str, str]) -> Callable[..., str]:
    """Messages as a function of their key and values."""

    def message(key: str, **values: object) -> str:
        # Values are only ever arguments: braces inside them are not read again.
        return known[key].format_map(values)

    return message


@lru_cache(maxsize=8)
def environment_of(folder: Path) -> Environment:
    """Templates of a folder: escaped by default, an unknown name is a fault."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def css() -> Markup:
    """The one style sheet, put into each page under its nonce."""
    return Markup((PAGES / "reply.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


__all__ = ["PAGES", "css", "environment_of", "messages", "speaker"]
