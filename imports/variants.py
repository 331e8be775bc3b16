"""Products and places a row names are converted once per distinct text, not once per row.

Each distinct record becomes a numbered variant, spooled to disk for COPY. Both caches are bounded, so memory stays
flat whatever the file holds; a variant staged twice is harmless, because the database compares by code.
"""

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import IO

from imports.copy_text import copy_line
from imports.errors import FieldError, Finding
from imports.fields import Getter
from imports.sources import Row

_LIMIT = 100_000
_BLOCK = 1 << 18


class VariantSpool:
    """Distinct records of one kind (products or places), numbered in the order they were met."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        self._known: dict[tuple[str | None, ...], str] = {}
        self._count = 0

    def number_of(self, values: tuple[str | None, ...], line: int, *, remember: bool) -> str:
        """Number of the variant with these values, staged when it is met first."""
        known = self._known.get(values)
        if known is not None:
            return known
        self._count += 1
        number = str(self._count)
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115 - see close()
        self._file.write(copy_line((number, str(line), *values)))
        if remember:
            if len(self._known) >= _LIMIT:
                self._known.clear()
            self._known[values] = number
        return number

    async def blocks(self) -> AsyncIterator[str]:
        """The spooled lines for COPY."""
        if self._file is None:
            return
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            yield block

    def close(self) -> None:
        """Give the disk space back."""
        if self._file is not None:
            self._file.close()


class MasterPart:
    """One role of a row (product, site, from, ...): all its fields, and the columns they depend on."""

    def __init__(
        self,
        spool: VariantSpool,
        getters: Sequence[Getter],
        columns: Sequence[int],
        *,
        remember: bool = True,
        needs_code: bool = True,
        check: Callable[[tuple[str | None, ...]], list[Finding]] | None = None,
    ) -> None:
        self._spool = spool
        self._getters = getters
        self._columns = sorted(set(columns))
        self._remember = remember
        self._needs_code = needs_code
        self._check = check
        self._cache: dict[tuple[object, ...], str | FieldError | None] = {}

    def variant(self, row: Row, line: int) -> str | None:
        """Number of the variant the row names; None when it names none.

        Raises:
            FieldError: with the findings of every field of the record.
        """
        if not self._remember:
            return self._convert(row, line)
        key = tuple(row[index] for index in self._columns)
        if key in self._cache:
            found = self._cache[key]
        else:
            if len(self._cache) >= _LIMIT:
                self._cache.clear()
            try:
                found = self._convert(row, line)
            except FieldError as error:
                found = error
            self._cache[key] = found
        if isinstance(found, FieldError):
            raise found
        return found

    def _convert(self, row: Row, line: int) -> str | None:
        findings: list[Finding] = []
        values: list[str | None] = []
        for getter in self._getters:
            try:
                values.append(getter(row))
            except FieldError as error:
                findings += error.findings
                values.append(None)
            if len(values) == 1 and values[0] is None and not findings and self._needs_code:
                return None  # the row names no such record
        if self._check is not None and not findings:
            findings += self._check(tuple(values))
        if findings:
            raise FieldError(*findings)
        return self._spool.number_of(tuple(values), line, remember=self._remember)


def packages_getter(levels: Sequence[tuple[Getter, Getter, Getter, bool]]) -> Getter:
    """Package levels as a JSON array, from getters of unit, count and GTIN.

    A level the row does not have is left out: it names no unit, or has no count where the mapping itself names the
    unit. Where the row names the unit (the flag), a missing count is a finding.
    """

    def get(row: Row) -> str | None:
        found = []
        for unit, units_of_use, gtin, unit_of_row in levels:
            name = unit(row)
            if name is None:
                continue
            count = units_of_use(row)
            if count is None and not unit_of_row:
                continue
            if count is None:
                raise FieldError(Finding("packages.units_of_use", "", f"is missing for the unit {name}"))
            found.append({"unit": name, "units_of_use": count, "gtin": gtin(row)})
        if len({level["unit"] for level in found}) < len(found):
            raise FieldError(Finding("packages.unit", "", "the same unit is given twice"))
        return json.dumps(found, ensure_ascii=False) if found else None

    return get
