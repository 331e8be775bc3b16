"""Renders notice templates for approval: facts in, bodies with open recipient slots out.

Templates are ours, values are not: Jinja2 runs sandboxed, escapes HTML by itself and refuses undefined names.
Slots are written by the template as markers with a random word that no value can contain; after rendering
they are turned into the stored form and every look-alike in the values becomes plain text.
"""

import re
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activities.notice_body import (
    CLOSE,
    OPEN,
    ApprovedBody,
    BodyError,
    Rendered,
    combined_sha256,
    escape_markers,
    fill,
)
from domain.channels import Channel
from domain.notice_content import NoticeContext, NoticeKind, RecipientValues

TEMPLATES: Final = Path(__file__).parents[1] / "templates" / "notices"
MAX_LISTED_LOTS: Final = 500
"""A notice lists every affected lot up to this many; beyond it names the count (own lots are always listed)."""
_HTML: Final = ".html.j2"
_BLANK_LINES = re.compile(r"\n{3,}")


class NoticeTemplateError(Exception):
    """A template is missing or broken; the message names the file."""


class _Loader(FileSystemLoader):
    """Words under two names: `x.j2` for plain text, and `x.html.j2` for HTML, the same source with values escaped.

    What a macro returns counts as safe where it is called from HTML, so it must have been escaped inside.
    """

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """The source of a template; an HTML one that has no file of its own is the plain one."""
        try:
            return super().get_source(environment, template)
        except TemplateNotFound:
            if not template.endswith(_HTML):
                raise
            return super().get_source(environment, template.removesuffix(_HTML) + ".j2")


@lru_cache(maxsize=8)
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    """One for each folder: it keeps every template compiled until the file it came from changes."""
    return ImmutableSandboxedEnvironment(
        loader=_Loader(folder),
        autoescape=lambda name: name is not None and name.endswith(_HTML),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


class NoticeRenderer:
    """The templates of one folder, laid out `<kind>/<channel>.<lang>.<ext>.j2`."""

    def __init__(self, template_dir: Path = TEMPLATES) -> None:
        self._folder = template_dir
        self._environment = _environment(template_dir)

    @property
    def folder(self) -> Path:
        """Where the templates are."""
        return self._folder

    def available(self) -> list[tuple[NoticeKind, Channel, str]]:
        """Every combination that has templates."""
        found = []
        for kind in NoticeKind:
            for path in sorted((self._folder / kind.value).glob("*.txt.j2")):
                channel, language, *_ = path.name.split(".")
                found.append((kind, Channel(channel), language))
        return found

    def languages(self, kind: NoticeKind, channel: Channel) -> list[str]:
        """Languages of one kind and channel."""
        return [lang for one, other, lang in self.available() if (one, other) == (kind, channel)]

    def render_for_approval(
        self, kind: NoticeKind, channel: Channel, language: str, context: NoticeContext
    ) -> ApprovedBody:
        """The body everybody gets, slots open, with its hash.

        Raises:
            NoticeTemplateError: no such template, or it is broken.
        """
        stem = f"{kind.value}/{channel.value}.{language}"
        mail = channel is Channel.EMAIL
        subject = self._render(f"{stem}.subject.j2", language, context) if mail else None
        text = self._render(f"{stem}.txt.j2", language, context)
        html = self._render(f"{stem}.html.j2", language, context) if mail else None
        if channel is Channel.SMS:
            text = " ".join(text.split())
        elif channel is Channel.VOICE:
            text = "\n\n".join(" ".join(part.split()) for part in _BLANK_LINES.sub("\n\n", text).split("\n\n"))
        try:
            return ApprovedBody.make(
                kind,
                channel,
                language,
                subject=" ".join(subject.split()) if subject is not None else None,
                text=_BLANK_LINES.sub("\n\n", text).strip() + ("\n" if mail else ""),
                html=html.strip() + "\n" if html is not None else None,
            )
        except BodyError as error:
            raise NoticeTemplateError(f"{stem}: {error}") from None

    def _render(self, name: str, language: str, context: NoticeContext) -> str:
        word = secrets.token_hex(16)

        def marker(operator: str) -> Any:
            return lambda slot: f"{word}{operator}{slot}{word}"

        try:
            rendered = self._environment.get_template(name).render(
                n=context,
                t=context.texts_in(language),
                translated=context.is_translated(language),
                max_listed_lots=MAX_LISTED_LOTS,
                slot=marker("="),
                given=marker("?"),
                each=marker("#"),
                end=marker("/"),
            )
        except TemplateNotFound as error:
            raise NoticeTemplateError(f"{error.name}: no such notice template") from None
        except TemplateError as error:
            raise NoticeTemplateError(f"{name}: {error}") from error
        literals_safe = escape_markers(rendered)
        return re.sub(
            f"{word}([=?#/])([a-z_.]+){word}",
            lambda found: f"{OPEN}{found.group(1).replace('=', '')}{found.group(2)}{CLOSE}",
            literals_safe,
        )

    def preview(
        self,
        kind: NoticeKind,
        channel: Channel,
        language: str,
        context: NoticeContext,
        recipient: RecipientValues,
    ) -> Rendered:
        """What one recipient would get, without storing anything."""
        return fill(self.render_for_approval(kind, channel, language, context), recipient)


__all__ = [
    "MAX_LISTED_LOTS",
    "ApprovedBody",
    "BodyError",
    "NoticeRenderer",
    "NoticeTemplateError",
    "Rendered",
    "combined_sha256",
    "fill",
]
