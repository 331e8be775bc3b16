"""One field of a mapping, compiled against the header of one file: a function from row to value or finding.

Constants and maps are checked here, once, so that a wrong mapping refuses the file instead of rejecting every row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imports.convert import Convert, plain
from imports.errors import FieldError, Finding, ImportRefusedError
from imports.mapping import Mapping
from imports.mapping_parts import PLACEHOLDER, Column
from imports.sources import BadCell, Row, Source, column_index

Getter = Callable[[Row], str | None]
"""Value in PostgreSQL's text form, None when missing; raises FieldError."""

_CACHE_LIMIT = 20_000


@dataclass(frozen=True)
class Field:
    """One target field: its name in messages, its key in the mapping, how its text is read."""

    name: str
    where: str
    convert: Convert
    required: bool = False
    cached: bool = True
    """Whether results are worth keeping by text (few distinct values)."""


class FieldCompiler:
    """Compiles fields of one mapping for one source."""

    def __init__(self, mapping: Mapping, source: Source, mapping_name: str) -> None:
        self._mapping = mapping
        self._source = source
        self._mapping_name = mapping_name

    def indexes(self, spec: Column | None, where: str) -> list[int]:
        """Positions of all columns a field reads.

        Raises:
            ImportRefusedError: a column the file does not have.
        """
        at = f"mapping {self._mapping_name}: {where}"
        names = spec.columns() if spec else []
        return [column_index(self._source.header, name, at, self._source.path) for name in names]

    def getter(self, spec: Column | None, field: Field) -> Getter:
        """The compiled field.

        Raises:
            ImportRefusedError: unknown column or map, or a constant or map value that is not valid.
        """
        if spec is None:
            return _never
        if spec.constant is not None:
            return self._constant(spec, field)
        raw = self._raw(spec, field.where)
        lookup = self._map(spec, field)
        fallback = None if spec.otherwise is None else self.getter(spec.otherwise, field)

        def compute(row: Row, value: Any) -> str | None:
            if isinstance(value, BadCell):
                raise FieldError(Finding(field.name, value.text, value.reason))
            if value is None:
                if fallback is not None:
                    return fallback(row)
                if field.required:
                    raise FieldError(Finding(field.name, "", "is missing"))
                return None
            try:
                return field.convert(value if lookup is None else lookup(value))
            except ValueError as error:
                raise FieldError(Finding(field.name, plain(value), str(error))) from None

        if not field.cached or fallback is not None:
            return lambda row: compute(row, raw(row))
        return _cached(raw, compute)

    def _constant(self, spec: Column, field: Field) -> Getter:
        text = str(spec.constant).lower() if isinstance(spec.constant, bool) else str(spec.constant)
        try:
            value = field.convert(text)
        except ValueError as error:
            raise ImportRefusedError(f"mapping {self._mapping_name}: {field.where}: {text!r}: {error}") from None
        return lambda row: value

    def _map(self, spec: Column, field: Field) -> Callable[[Any], str] | None:
        if spec.map is None:
            return None
        table = self._mapping.maps.get(spec.map)
        if table is None:
            raise ImportRefusedError(f"mapping {self._mapping_name}: {field.where}.map: no table maps.{spec.map}")
        for key, value in table.items():
            try:
                field.convert(value)
            except ValueError as error:
                raise ImportRefusedError(
                    f"mapping {self._mapping_name}: maps.{spec.map}.{key}: {value!r}: {error}"
                ) from None

        def look_up(value: Any) -> str:
            found = table.get(plain(value))
            if found is None:
                raise ValueError(f"is not in maps.{spec.map} of the mapping")
            return found

        return look_up

    def _raw(self, spec: Column, where: str) -> Callable[[Row], Any]:
        absent = frozenset({"", *self._mapping.file.missing, *spec.missing})
        at = f"mapping {self._mapping_name}: {where}"
        header, path = self._source.header, self._source.path
        squeeze = spec.squeeze

        def clean(value: Any) -> Any:
            if isinstance(value, str):
                value = " ".join(value.split()) if squeeze else value.strip()
                return None if value in absent else value
            return value

        if spec.column is not None:
            index = column_index(header, spec.column, at, path)
            return lambda row: clean(row[index])
        template = spec.template or ""
        literals = PLACEHOLDER.split(template)[::2]
        indexes = [column_index(header, name, at, path) for name in PLACEHOLDER.findall(template)]

        def fill(row: Row) -> Any:
            text = literals[0]
            for index, literal in zip(indexes, literals[1:], strict=True):
                value = clean(row[index])
                if value is None or isinstance(value, BadCell):
                    return value
                text += plain(value) + literal
            return text

        return fill


def _never(row: Row) -> None:
    return None


def _cached(raw: Callable[[Row], Any], compute: Callable[[Row, Any], str | None]) -> Getter:
    results: dict[Any, str | None] = {}

    def get(row: Row) -> str | None:
        value = raw(row)
        if value in results:
            return results[value]
        if len(results) >= _CACHE_LIMIT:
            results.clear()
        result = results[value] = compute(row, value)
        return result

    return get
