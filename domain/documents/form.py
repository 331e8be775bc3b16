"""What a document for an authority is made of: typed fields, each either filled from the record or missing by name.

A field knows its place in the law or form, its title in English and Chinese, and the function that owes it. Nothing is
ever made up: what the record does not hold and nobody stated is listed with who owes it, why, and until when
(21 CFR 806.10(c)(13); MDR Art. 87(6) allows an initial incomplete report).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from domain.roles import Role

SCHEMA: Final = "recall-document/1"
NO_RECORD: Final = "no record holds it"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class About:
    """A field's place in the law or form, its titles, who owes it, and why the record may not hold it."""

    place: str
    title: str
    title_zh: str
    owes: Role = Role.REGULATORY
    why: str = NO_RECORD
    part: str = ""
    """Heading of the part that begins with this field; English and Chinese separated by " / "."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Title and place appear in the published JSON Schema."""
        found = dict(handler(schema))
        return found | {"title": self.title, "description": f"{self.place} ({self.title_zh})"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its titles, and who owes the cells that are empty (None: may stay empty)."""

    title: str
    title_zh: str
    owes: Role | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The title appears in the published JSON Schema."""
        return dict(handler(schema)) | {"title": self.title, "description": self.title_zh}


class Row(BaseModel):
    """A row of a table in a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Missing(BaseModel):
    """One field that is open: who owes it, why it is not there, when it is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    place: str
    title: str
    title_zh: str
    owes: Role
    why: str
    expected_on: date | None = None
    """As a person stated it; None: nobody has said yet."""
    explained: bool = False
    """Whether a person stated why and until when; a document goes out incomplete only with that."""


class Explanation(BaseModel):
    """A person's statement on a missing field (21 CFR 806.10(c)(13))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    expected_on: date | None = None
    """When it will be supplied."""
    not_applicable: bool = False
    """The question does not arise; then no date is given."""

    @model_validator(mode="after")
    def _says_when(self) -> "Explanation":
        if (self.expected_on is None) != self.not_applicable:
            raise ValueError("say either expected_on (when it is supplied) or not_applicable: true")
        return self


class Document(BaseModel):
    """Base of every kind of document. A field is `Annotated[T | None, About(...)]`, or a tuple of rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    KIND: ClassVar[str]
    VERSION: ClassVar[str] = "1"
    """Rises when fields change; a submission keeps the version it was made with."""
    TITLE: ClassVar[str]
    TITLE_ZH: ClassVar[str]
    LAW: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Filled:
    """What the record gives for a document, and why some fields are empty where more can be said than by default."""

    values: Mapping[str, Any]
    why: Mapping[str, str]
    nothing: frozenset[str] = frozenset()
    """Empty fields that are answered by the record nevertheless: there is none (no harm was reported)."""


class FieldFault(ValueError):  # noqa: N818 - a term of the API
    """A stated field that cannot be taken: which one, and what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def abouts(kind: type[Document]) -> dict[str, About]:
    """Every field of a kind with what is known about it, in the order of the form."""
    found = {}
    for name, info in kind.model_fields.items():
        about = next((each for each in info.metadata if isinstance(each, About)), None)
        if about is None:
            raise TypeError(f"{kind.__name__}.{name} says nothing about itself")
        found[name] = about
    return found


def row_type(kind: type[BaseModel], name: str) -> type[Row] | None:
    """The row model of a table field; None for any other field."""
    annotation = kind.model_fields[name].annotation
    args = get_args(annotation) if get_origin(annotation) is tuple else ()
    return args[0] if args and isinstance(args[0], type) and issubclass(args[0], Row) else None


def columns(row: type[Row]) -> dict[str, Column]:
    """The columns of a table in order."""
    found = {}
    for name, info in row.model_fields.items():
        column = next((each for each in info.metadata if isinstance(each, Column)), None)
        if column is None:
            raise TypeError(f"{row.__name__}.{name} is no column")
        found[name] = column
    return found


def is_empty(value: Any) -> bool:
    """Whether a field is open. Zero and False are answers (design promise 7)."""
    return value is None or value in ((), "")


def checked(kind: type[Document], name: str, value: Any) -> Any:
    """A value that a person states for a field, of the field's type.

    Raises:
        FieldFault: no such field, a table (tables come from the record), or a value of another type.
    """
    known = abouts(kind)
    if name not in known:
        raise FieldFault(name, f"is no field of {kind.KIND}; it has {', '.join(known)}")
    if row_type(kind, name) is not None:
        raise FieldFault(name, "is a table made from the record; correct the record, or explain why it is missing")
    try:
        found = TypeAdapter(_plain(kind, name)).validate_python(value, strict=False)
    except ValidationError as error:
        raise FieldFault(name, error.errors(include_url=False)[0]["msg"]) from error
    if is_empty(found):
        raise FieldFault(name, "expected a value; leave the field out, or explain why it is missing")
    return found


def _plain(kind: type[Document], name: str) -> Any:
    """The annotation of a field with its constraints, without the permission to be empty."""
    info = kind.model_fields[name]
    options = [each for each in get_args(info.annotation) if each is not type(None)]
    return Union[tuple(options)] if options and get_origin(info.annotation) is not tuple else info.annotation  # noqa: UP007


def open_fields(document: Document, filled: Filled, explanations: Mapping[str, Explanation]) -> tuple[Missing, ...]:
    """Every open field, and every column that has open cells, in the order of the form."""
    found = []
    for name, title, title_zh, about, owes in _open(document, filled.nothing):
        stated = explanations.get(name)
        found.append(
            Missing(
                field=name,
                place=about.place,
                title=title,
                title_zh=title_zh,
                owes=owes,
                why=stated.reason if stated else filled.why.get(name, about.why),
                expected_on=stated.expected_on if stated else None,
                explained=stated is not None,
            )
        )
    return tuple(found)


def _open(document: Document, nothing: frozenset[str]) -> Iterator[tuple[str, str, str, About, Role]]:
    kind = type(document)
    for name, about in abouts(kind).items():
        value = getattr(document, name)
        if is_empty(value) and name in nothing:
            continue
        if is_empty(value):
            yield name, about.title, about.title_zh, about, about.owes
            continue
        row = row_type(kind, name)
        for column, text in columns(row).items() if row else ():
            lacking = sum(is_empty(getattr(each, column)) for each in value) if text.owes else 0
            if lacking and text.owes:
                of = f"{lacking}/{len(value)}"
                titles = f"{about.title}: {text.title} ({of})", f"{about.title_zh}：{text.title_zh}（{of}）"
                yield f"{name}.{column}", *titles, about, text.owes


def open_names(document: Document, nothing: frozenset[str]) -> set[str]:
    """Names of the open fields and columns."""
    return {name for name, *_ in _open(document, nothing)}


__all__ = [
    "NO_RECORD",
    "SCHEMA",
    "About",
    "Column",
    "Document",
    "Explanation",
    "FieldFault",
    "Filled",
    "Missing",
    "Row",
    "Text",
    "abouts",
    "checked",
    "columns",
    "is_empty",
    "open_fields",
    "open_names",
    "row_type",
]
