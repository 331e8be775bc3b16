"""What every HTTP contract shares: text that PostgreSQL can store, problem documents, keyset pages.

Text is limited in length and refuses control characters at the edge, so that no byte a client sends can
surface later as a database error.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator

_LINE = r"^[^\x00-\x1f\x7f]*$"
_BLOCK = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_LINE)]
"""One line of text, 1 to 200 characters."""
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=_LINE)]
"""A code or key, 1 to 120 characters."""
Block = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_BLOCK)]
"""Several lines of text, 1 to 4,000 characters."""
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=_BLOCK)]
"""Why somebody decided, 1 to 2,000 characters."""
Filter = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_LINE)]
"""A query parameter that narrows a list."""


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Units = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]
"""A quantity in units of use, as exact decimal text without trailing zeros (\"12.5\", \"50\")."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

T = TypeVar("T")


def _find_control(value: Any, path: str = "") -> str | None:
    """Path of the first text in `value` with a character PostgreSQL or a log line cannot hold, else None."""
    if isinstance(value, str):
        return path or "the body" if _CONTROL.search(value) else None
    if isinstance(value, dict):
        pairs = [(f"{path}/{key}", part) for key, item in value.items() for part in (key, item)]
    elif isinstance(value, list | tuple):
        pairs = [(f"{path}/{index}", item) for index, item in enumerate(value)]
    else:
        return None
    return next((found for where, part in pairs if (found := _find_control(part, where))), None)


class In(BaseModel):
    """Base of request bodies: unknown fields are errors, because a typing slip must not lose a fact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _holds_plain_text(cls, data: Any) -> Any:
        if (where := _find_control(data)) is not None:
            raise ValueError(f"{where[:100]}: control characters are not allowed")
        return data


class Out(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class FieldProblem(Out):
    """One wrong value of a request."""

    pointer: str = Field(examples=["#/scope/lots/0"])
    """JSON pointer into the body (`#/...`), or `query/...`, `path/...`, `header/...`."""
    detail: str = Field(examples=["no lot with this number"])


class ProblemDocument(Out):
    """RFC 9457 problem details, sent as `application/problem+json`."""

    type: str = Field(examples=["urn:recall:problem:wrong-phase"])
    title: str = Field(examples=["The recall is in another phase"])
    status: int = Field(examples=[409])
    detail: str
    instance: str = Field(examples=["urn:recall:request:7d9c2f4e"])
    """Names the request; the same id is in the server's log and in the `X-Request-ID` header."""
    errors: list[FieldProblem] = Field(default_factory=list)


class Page(Out, Generic[T]):
    """One page of a keyset-paginated list; pass `next_cursor` back as `cursor` for the following one."""

    items: list[T]
    next_cursor: str | None = None
    """Opaque and signed; null on the last page."""


__all__ = ["Block", "Code", "FieldProblem", "Filter", "In", "Line", "Out", "Page", "ProblemDocument", "Reason", "Units"]
