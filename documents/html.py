"""A draft as one HTML page without script or anything loaded from elsewhere; every value is escaped."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domain.documents.kinds import Draft
from domain.documents.layout import layout

TEMPLATES: Final = Path(__file__).parents[1] / "templates" / "documents"


@lru_cache(maxsize=1)
def _template() -> Template:
    # Templates are ours, values are data: they are escaped and never read as a template.
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("document.html.j2")


def as_html(draft: Draft, language: str | None = None) -> bytes:
    """UTF-8 HTML; the same bytes for the same draft and language."""
    return _template().render(page=layout(draft, language), number=draft.head.recall).encode()


__all__ = ["as_html"]
