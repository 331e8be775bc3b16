"""Bodies as approved, and filling them: what was approved is what is sent, plus the recipient's own values.

A body is text with markers `⟦name⟧` (a value), `⟦?name⟧…⟦/name⟧` (shown only where the value is not empty) and
`⟦#lots⟧…⟦/lots⟧` (repeated for each own lot; `sites` for each site of a person that has several). Literal `⟦` is
stored doubled. Filling is plain replacement over the parsed body: values are never parsed again, so nothing in them can
act as a marker, markup or template.
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
from domain.notice_content import ROW_SLOTS, SLOTS, NoticeKind, RecipientValues, visible

OPEN, CLOSE = "⟦", "⟧"
_MARK = re.compile(r"⟦⟦|⟦([#?/]?)([a-z_.]+)⟧|⟦")
_OWN = "\x00"
"""Stands where a value of the recipient would; a control character, which no visible text holds."""
_STANDING = ("recipient_name", "link")
"""Slots that are never empty, so that they stand outside sections."""
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
    enclosed: dict[str, Any] | None = None
    """What the files that go with the message are made of (`domain.notice_enclosure.Enclosed` as JSON)."""

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
        enclosed: dict[str, Any] | None = None,
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
            "enclosed": enclosed,
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
        # Not `asdict`, which copies the letter and everything else enclosed.
        fields = {name: getattr(body, name) for name in body.__slots__ if name != "sha256"}
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
        tables = {
            name: [{slot: escape(value) for slot, value in row.items()} for row in table]
            for name, table in rows.items()
        }
        return _filled(_parsed(source), values, tables)

    subject = put(body.subject, visible)
    text = _filled(_parsed(body.text), slots, rows)
    return Rendered(subject, text, put(body.html, _escaped))


_escaped = lru_cache(maxsize=8192)(html.escape)


def combined_sha256(bodies: list[ApprovedBody]) -> str:
    """The one hash an approver approves: over all bodies of a notice, in any order."""
    return hashlib.sha256("\n".join(sorted(body.sha256 for body in bodies)).encode()).hexdigest()


def escape_markers(literal: str) -> str:
    """Text in which `⟦` stands for itself."""
    return literal.replace(OPEN, OPEN + OPEN)


def with_enclosed(body: ApprovedBody, enclosed: dict[str, Any]) -> ApprovedBody:
    """The body with what its files are made of; the hash covers both."""
    fields = {name: value for name, value in asdict(body).items() if name not in ("sha256", "enclosed")}
    fields["enclosed"] = enclosed
    return ApprovedBody(**fields, sha256=_digest(fields))


def common_text(body: ApprovedBody) -> str:
    """The text without anything that is a recipient's own: its sections are left out, lines with its values too."""
    marked = _filled(_parsed(body.text), dict.fromkeys(SLOTS, "") | dict.fromkeys(_STANDING, _OWN), {})
    kept = [line for line in marked.split("\n") if _OWN not in line]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() + "\n"


def _digest(fields: Mapping[str, Any]) -> str:
    # Nothing enclosed adds nothing, so that a body approved before there were enclosures keeps its hash.
    fields = {name: value for name, value in fields.items() if name != "enclosed" or value is not None}
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
            _check(operator, name, next((frame[1] for frame in stack if frame[0] == "#"), None))
            if operator:
                stack.append((operator, name, []))
            else:
                stack[-1][2].append(("", name, ()))
    if len(stack) != 1:
        raise BodyError(f"notice body: section {stack[-1][1]!r} is not closed")
    return (*stack[0][2], source[position:])


def _check(operator: str, name: str, section: str | None) -> None:
    rows_here = operator == "#" and name in ROW_SLOTS and section is None
    known = rows_here or (operator != "#" and (name in SLOTS or name in ROW_SLOTS.get(section or "", ())))
    if not known:
        raise BodyError(f"notice body: unknown or misplaced slot {operator}{name!r}")


def _filled(parts: tuple[_Part, ...], values: Mapping[str, str], tables: Mapping[str, list[dict[str, str]]]) -> str:
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        operator, name, inner = part
        if operator == "#":
            out.extend(_filled(inner, {**values, **row}, {}) for row in tables.get(name, ()))
        elif operator == "?":
            out.append(_filled(inner, values, tables) if values[name] else "")
        else:
            out.append(values[name])
    return "".join(out)
