"""How one field of a mapping becomes one staged column: what the plans of all kinds share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from imports import convert as c
from imports.errors import Finding, ImportRefusedError
from imports.fields import Field, FieldCompiler, Getter
from imports.mapping import LoadedMapping
from imports.mapping_parts import Column
from imports.masters import MasterCompiler
from imports.sources import Row, Source
from imports.variants import MasterPart

Check = Callable[[Sequence[str | None]], list[Finding]]
"""What must hold between the values of one row."""

_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """One staged column: a plain field, or the variant number of a master record."""

    get: Callable[[Row, int], str | None]


class Steps:
    """Compiles fields of one mapping for one file."""

    def __init__(self, loaded: LoadedMapping, source: Source, now: datetime) -> None:
        self.mapping = loaded.mapping
        self._latest = c.latest_plausible(now)
        self._fields = FieldCompiler(self.mapping, source, loaded.path.name)
        self.masters = MasterCompiler(self._fields, self.mapping.numbers, self.mapping.dates)
        self._name = loaded.path.name
        self._check: Check | None = None

    def _getter(
        self, name: str, spec: Column | None, convert: c.Convert, *, required: bool = False, cached: bool = True
    ) -> Getter:
        return self._fields.getter(spec, Field(name, f"columns.{name}", convert, required, cached))

    def _plain(
        self, name: str, spec: Column | None, convert: c.Convert, *, required: bool = False, cached: bool = True
    ) -> Step:
        getter = self._getter(name, spec, convert, required=required, cached=cached)
        return Step(lambda row, line: getter(row))

    def _source_id(self, spec: Column) -> Step:
        field = Field("source_id", "source_id", c.text(120), required=True, cached=False)
        getter = self._fields.getter(spec, field)
        return Step(lambda row, line: getter(row))

    def _number(
        self,
        name: str,
        spec: Column | None,
        *,
        required: bool = False,
        zero: bool = False,
        negative: bool = False,
    ) -> Step:
        return self._plain(
            name, spec, c.number(self.mapping.numbers, zero=zero, negative=negative), required=required, cached=False
        )

    def _instant(self, name: str, spec: Column | None, *, required: bool = False, future: bool = False) -> Step:
        dates = self.masters.dates_of(spec)
        zoneless = any(form != "iso" and "%z" not in form for form in dates.formats)
        if spec is not None and zoneless and dates.time_zone is None:
            raise ImportRefusedError(
                f"mapping {self._name}: dates.time_zone: needed, the formats of columns.{name} have no UTC offset"
            )
        return self._plain(name, spec, c.instant(dates, _END if future else self._latest), required=required)

    def _units(self, unit: Column | None, factor: Column | None) -> list[Step]:
        return [
            self._plain("unit", unit, c.text(40), required=True),
            self._plain("factor", factor, c.number(self.mapping.numbers), required=True),
        ]

    def _part(self, part: MasterPart) -> Step:
        return Step(part.variant)

    def _place(
        self, role: str, code: Column | None, create: object, attribute: str | None = None, *, required: bool = False
    ) -> Step:
        if code is None:
            return Step(lambda row, line: None)
        return self._part(self.masters.place(role, code, getattr(create, attribute or role), required=required))

    def _lot(self, role: str, create: object) -> list[Step]:
        def step(getter: Getter) -> Step:
            return Step(lambda row, line: getter(row))

        return [step(getter) for getter in self.masters.lot(role, getattr(create, role))]
