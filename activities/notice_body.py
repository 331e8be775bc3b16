"""Bodies as approved, and filling them: what was approved is what is sent, plus the recipient's own values.

A body is text with markers `⟦name⟧` (a value), `⟦?name⟧…⟦/name⟧` (shown only where the value is not empty) and
`⟦#lots⟧…⟦/lots⟧` (repeated for each own lot). Literal `⟦` is stored doubled. Filling is plain replacement over
the parsed body: values are never parsed again, so nothing in them can act as a marker, markup or template.
"""

import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from domain.channels import Channel
from domain.notice_content import ROW_SLOTS, ROWS, SLOTS, NoticeKind, RecipientValues, visible

OPEN, CLOSE = "⟦", "⟧"
_MARK = re.compile(r"⟦⟦|⟦([#?/]?)([a-z_.]+)⟧|⟦")
_Part = str | tuple[str, str, tuple[Any, ...]]
"""Literal text, or (operator, name, inner parts)."""


class BodyError(ValueError):
    """A body that is malformed, or is not the one that was approved."""


@dataclass(frozen=True, slots=True)
class ApprovedBody:
    """One rendered body with its slots open; `sha256` covers every other field."""

    kind: str
    channel: str
    language: str
    subject: str | None
    text: str
    html: str | None
    sha256: str

    @classmethod
    def make(
        cls,
        kind: NoticeKind,
        channel: Channel,
        language: str,
        *,
        subject: str | None,
        text: str,
        html: str | None,
    ) -> "ApprovedBody":
        """A body with its hash.

        Raises:
            BodyError: a marker is unknown, unclosed or misplaced.
        """
        for part in (subject, text, html):
            _parsed(part or "")
        fields = {
            "kind": kind.value,
            "channel": channel.value,
            "language": language,
            "subject": subject,
            "text": text,
            "html": html,
        }
        return cls(**fields, sha256=_digest(fields))  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ApprovedBody":
        """Read a stored body back.

        Raises:
            BodyError: fields are missing, or the content no longer has the hash it was approved with.
        """
        try:
            body = cls(**stored)
        except TypeError as error:
            raise BodyError(f"stored notice body: {error}") from None
        fields = {name: value for name, value in asdict(body).items() if name != "sha256"}
        if _digest(fields) != body.sha256:
            raise BodyError(f"notice body {body.kind}/{body.channel}.{body.language} was changed after approval")
        return body

    def as_json(self) -> dict[str, Any]:
        """The JSON that `from_json` reads."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message ready to be handed to an adapter."""

    subject: str | None
    text: str
    html: str | None


def fill(body: ApprovedBody, recipient: RecipientValues) -> Rendered:
    """The body with this recipient's values; every value is escaped for the place it stands in."""
    slots, rows = recipient.slots(), recipient.rows()

    def put(source: str | None, escape: Callable[[str], str]) -> str | None:
        if source is None:
            return None
        values = {name: escape(value) for name, value in slots.items()}
        table = [{name: escape(value) for name, value in row.items()} for row in rows]
        return _filled(_parsed(source), values, table)

    subject = put(body.subject, visible)
    text = put(body.text, str) or ""
    return Rendered(subject, text, put(body.html, html.escape))


def combined_sha256(bodies: list[ApprovedBody]) -> str:
    """The one hash an approver approves: over all bodies of a notice, in any order."""
    return hashlib.sha256("\n".join(sorted(body.sha256 for body in bodies)).encode()).hexdigest()


def escape_markers(literal: str) -> str:
    """Text in which `⟦` stands for itself."""
    return literal.replace(OPEN, OPEN + OPEN)


def _digest(fields: Mapping[str, Any]) -> str:
    canonical = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@lru_cache(maxsize=256)
def _parsed(source: str) -> tuple[_Part, ...]:
    """The parts of a body; cached because one body is filled for every recipient."""
    stack: list[tuple[str, str, list[_Part]]] = [("", "", [])]
    position = 0
    for match in _MARK.finditer(source):
        stack[-1][2].append(source[position : match.start()])
        position = match.end()
        operator, name = match.group(1), match.group(2)
        if name is None:
            if match.group() == OPEN:
                raise BodyError("notice body: a lone marker bracket")
            stack[-1][2].append(OPEN)
        elif operator == "/":
            _, opened, inner = stack[-1]
            if len(stack) == 1 or opened != name:
                raise BodyError(f"notice body: section {name!r} is closed but not open")
            kind = stack.pop()[0]
            stack[-1][2].append((kind, name, tuple(inner)))
        else:
            _check(operator, name, any(frame[0] == "#" for frame in stack))
            if operator:
                stack.append((operator, name, []))
            else:
                stack[-1][2].append(("", name, ()))
    if len(stack) != 1:
        raise BodyError(f"notice body: section {stack[-1][1]!r} is not closed")
    return (*stack[0][2], source[position:])


def _check(operator: str, name: str, in_rows: bool) -> None:
    rows_here = operator == "#" and name == ROWS and not in_rows
    known = rows_here or (operator != "#" and (name in SLOTS or (in_rows and name in ROW_SLOTS)))
    if not known:
        raise BodyError(f"notice body: unknown or misplaced slot {operator}{name!r}")


def _filled(parts: tuple[_Part, ...], values: Mapping[str, str], rows: list[dict[str, str]]) -> str:
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        operator, name, inner = part
        if operator == "#":
            out.extend(_filled(inner, {**values, **row}, []) for row in rows)
        elif operator == "?":
            out.append(_filled(inner, values, rows) if values[name] else "")
        else:
            out.append(values[name])
    return "".join(out)
