"""The building blocks of a mapping file: where one field comes from, and how text of the file is read.

A field is a column (`Lot No`), a template over columns (`"{PO} / {Site}"`), or a constant; a named map translates
the file's words into ours. Every option is closed: an unknown key is an error, never ignored.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class Part(BaseModel):
    """Base of all parts: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Part):
    """Where the value of one field comes from; exactly one of `column`, `template`, `constant`."""

    column: str | None = None
    template: str | None = None
    """Text with `{Column name}`; the value is missing when any of its columns is."""
    constant: str | int | float | bool | None = None
    map: str | None = None
    """Name of a table under `maps`; a value the table does not list rejects the row."""
    missing: tuple[str, ...] = ()
    """Further texts that mean "no value" in this column, beside `file.missing`."""
    otherwise: "ColumnSpec | None" = None
    """Where the value comes from when it is missing here."""
    formats: tuple[str, ...] = ()
    """Date formats of this column instead of `dates.formats`."""
    squeeze: bool = False
    """Turn line breaks, tabs and runs of spaces inside the text into one space."""

    @model_validator(mode="after")
    def _one_source(self) -> "Column":
        given = [name for name in ("column", "template", "constant") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of column, template, constant")
        if self.template is not None and not PLACEHOLDER.search(self.template):
            raise ValueError("the template names no {column}")
        return self

    def columns(self) -> list[str]:
        """Names of the file's columns this field reads, those of `otherwise` included."""
        own = [self.column] if self.column is not None else []
        if self.template is not None:
            own = PLACEHOLDER.findall(self.template)
        return own + (self.otherwise.columns() if self.otherwise else [])


def _shorthand(value: Any) -> Any:
    if isinstance(value, str):
        return {"template": value} if PLACEHOLDER.search(value) else {"column": value}
    return value


ColumnSpec = Annotated[Column, BeforeValidator(_shorthand)]
"""A `Column`; plain text is short for a column name, or for a template when it holds `{...}`."""


class FileOptions(Part):
    """How the bytes of the file become rows; the format itself (CSV, gzip, XLSX) is read off its first bytes."""

    encoding: str = "utf-8"
    """Python codec name; a byte-order mark of UTF-8 is always skipped."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    """null: quote characters are plain text."""
    header_row: int = Field(default=1, ge=1)
    sheet: str | None = None
    """Worksheet of an XLSX file; without it the file must have exactly one."""
    missing: tuple[str, ...] = ()
    """Texts that mean "no value" in any column, beside the empty text."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"unknown encoding {value!r}") from None
        return value


class DateOptions(Part):
    """How dates are read. All formats are tried; a text that two of them read differently is rejected."""

    formats: tuple[str, ...] = ("iso",)
    """strptime formats, or `iso` for YYYY-MM-DD with an optional time and offset."""
    time_zone: str | None = None
    """IANA name of the zone that times without an offset are in."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone")
        return value


class NumberOptions(Part):
    """How numbers are written in the file."""

    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "NumberOptions":
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ")
        return self


class PackageColumns(Part):
    """A packaging of a product: its unit and how many units of use one holds."""

    unit: ColumnSpec
    units_of_use: ColumnSpec
    gtin: ColumnSpec | None = None


class ProductAttributes(Part):
    """What a file may say of a product beside its code."""

    name: ColumnSpec
    unit_of_use: ColumnSpec
    family: ColumnSpec | None = None
    brand: ColumnSpec | None = None
    gtin: ColumnSpec | None = None
    udi_di: ColumnSpec | None = None
    device_class: ColumnSpec | None = None
    implantable: ColumnSpec | None = None
    life_supporting: ColumnSpec | None = None
    sterile: ColumnSpec | None = None
    expected_life_years: ColumnSpec | None = None
    unit_value: ColumnSpec | None = None
    """What one unit of use is worth."""
    unit_currency: ColumnSpec | None = None


class PartnerAttributes(Part):
    """What a file may say of a trading partner beside its code."""

    name: ColumnSpec
    kind: ColumnSpec
    language: ColumnSpec
    time_zone: ColumnSpec
    country: ColumnSpec | None = None
    region: ColumnSpec | None = None
    group_name: ColumnSpec | None = None
    """Hospital group or chain."""
    account_manager: ColumnSpec | None = None
    """Login name of whoever of our staff looks after the partner."""
    gln: ColumnSpec | None = None


Differs = Literal["reject", "keep"]
"""What to do with a row whose master data differ from the record: reject it, or keep the record and count it."""


class CreateProduct(ProductAttributes):
    """Products this file may bring."""

    packages: tuple[PackageColumns, ...] = ()
    differs: Differs = "reject"


class CreatePartner(PartnerAttributes):
    """The partner a created location belongs to."""

    code: ColumnSpec


class CreateLocation(Part):
    """The location itself; its code is the field of the same role under `columns`."""

    name: ColumnSpec
    custody: ColumnSpec
    gln: ColumnSpec | None = None


class CreatePlace(Part):
    """Locations, with their partners, that this file may bring."""

    partner: CreatePartner
    location: CreateLocation
    differs: Differs = "reject"


class CreateLot(Part):
    """Lots this file may bring; `lot: {}` creates them by number alone."""

    supplier_lot: ColumnSpec | None = None
    made_on: ColumnSpec | None = None
    expires_on: ColumnSpec | None = None
    quantity_made: ColumnSpec | None = None
    """Units of use."""
    differs: Differs = "reject"


Factor = Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=6)]
"""Units of use in one unit of the file."""


class MappingBase(Part):
    """What every mapping has."""

    description: str = ""
    source_system: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,59}$")
    """Name of the sender's system; with `source_id` it identifies a row for ever."""
    file: FileOptions = FileOptions()
    dates: DateOptions = DateOptions()
    numbers: NumberOptions = NumberOptions()
    maps: dict[str, dict[str, str]] = Field(default_factory=dict)
