"""Compiles the master records of a mapping: products, places (location and partner), lots."""

from imports import convert as c
from imports.errors import Finding
from imports.fields import Field, FieldCompiler, Getter
from imports.mapping import PartnerColumns, ProductColumns
from imports.mapping_parts import (
    Column,
    CreateLot,
    CreatePlace,
    CreateProduct,
    DateOptions,
    NumberOptions,
    PackageColumns,
)
from imports.variants import MasterPart, VariantSpool, packages_getter
from models.master import Custody, PartnerKind

_PRODUCT_FIELDS: dict[str, tuple[c.Convert, bool]] = {
    "name": (c.text(300), True),
    "family": (c.text(120), False),
    "brand": (c.text(120), False),
    "gtin": (c.gtin, False),
    "udi_di": (c.text(60), False),
    "unit_of_use": (c.text(40), True),
    "device_class": (c.one_of(["I", "IIa", "IIb", "II", "III"]), False),
    "implantable": (c.boolean, False),
    "life_supporting": (c.boolean, False),
    "sterile": (c.boolean, False),
    "expected_life_years": (c.integer(0, 200), False),
    "unit_currency": (c.currency, False),
}
_PARTNER_FIELDS: dict[str, tuple[c.Convert, bool]] = {
    "name": (c.text(300), True),
    "kind": (c.one_of([kind.value for kind in PartnerKind]), True),
    "country": (c.country, False),
    "region": (c.text(120), False),
    "group_name": (c.text(120), False),
    "account_manager": (c.text(120), False),
    "language": (c.language, True),
    "time_zone": (c.time_zone, True),
    "gln": (c.gln, False),
}
_CUSTODY = c.one_of([custody.value for custody in Custody])


def _never(_: object) -> None:
    return None


def _says(text: str) -> Getter:
    return lambda _: text


class MasterCompiler:
    """Builds the parts of one mapping; products and places of all roles share one spool each."""

    def __init__(self, fields: FieldCompiler, numbers: NumberOptions, dates: DateOptions) -> None:
        self._fields = fields
        self._numbers = numbers
        self._dates = dates
        self.products = VariantSpool()
        self.places = VariantSpool()

    def close(self) -> None:
        """Remove the spool files."""
        self.products.close()
        self.places.close()

    def product(self, role: str, code: Column, create: CreateProduct | None) -> MasterPart:
        """The product a row names in a role; created from the file when the mapping says so."""
        where = f"create.{role}"
        code_field = Field(role, f"columns.{role}", c.text(120), required=True)
        attributes: list[Getter] = [_never for _ in range(len(_PRODUCT_FIELDS) + 2)]
        columns = self._fields.indexes(code, code_field.where)
        if create is not None:
            named = self._product_fields(role, where, create)
            attributes = [getter for getter, _ in named]
            columns += [index for _, indexes in named for index in indexes]
            levels, level_columns = self._packages(create.packages, where)
            attributes.append(levels)
            columns += level_columns
        getters = [self._fields.getter(code, code_field), *attributes, *_flags(create)]
        return MasterPart(self.products, getters, columns)

    def product_master(self, spec: ProductColumns, packages: tuple[PackageColumns, ...]) -> MasterPart:
        """A product of a product master: one per row, so nothing is cached."""
        code = self._fields.getter(spec.code, Field("code", "columns.code", c.text(120), required=True, cached=False))
        named = self._product_fields("", "columns", spec)
        levels, _ = self._packages(packages, "")
        getters = [code, *(getter for getter, _ in named), levels, _says("true"), _says("false")]
        return MasterPart(self.products, getters, [], remember=False)

    def _product_fields(
        self, role: str, where: str, spec: CreateProduct | ProductColumns
    ) -> list[tuple[Getter, list[int]]]:
        # In the order of `PRODUCT_ATTRIBUTES`; how a number is written is the mapping's to say.
        kinds = _PRODUCT_FIELDS | {"unit_value": (c.number(self._numbers, zero=True), False)}
        return [
            self._field(getattr(spec, name), f"{role}.{name}".lstrip("."), f"{where}.{name}", *kind)
            for name, kind in kinds.items()
        ]

    def _packages(self, packages: tuple[PackageColumns, ...], where: str) -> tuple[Getter, list[int]]:
        positive = c.number(self._numbers)
        levels, columns = [], []
        for number, level in enumerate(packages):
            at = f"{where}.packages.{number}".lstrip(".")
            parts = [
                self._field(level.unit, "packages.unit", f"{at}.unit", c.text(40), False),
                self._field(level.units_of_use, "packages.units_of_use", f"{at}.units_of_use", positive, False),
                self._field(level.gtin, "packages.gtin", f"{at}.gtin", c.gtin, False),
            ]
            levels.append((parts[0][0], parts[1][0], parts[2][0], level.unit.constant is None))
            columns += [index for _, indexes in parts for index in indexes]
        return packages_getter(levels), columns

    def place(self, role: str, code: Column, create: CreatePlace | None, *, required: bool) -> MasterPart:
        """The location a row names in a role; created with its partner when the mapping says so."""
        code_field = Field(role, f"columns.{role}", c.text(160), required=required)
        parts = [(self._fields.getter(code, code_field), self._fields.indexes(code, code_field.where))]
        if create is None:
            # Name, custody and GLN of the location, the partner's code and its attributes.
            getters = [parts[0][0], *[_never] * (4 + len(_PARTNER_FIELDS)), *_flags(None)]
            return MasterPart(self.places, getters, parts[0][1])
        where = f"create.{role}"
        location, partner = create.location, create.partner
        parts += [
            self._field(location.name, f"{role}.location.name", f"{where}.location.name", c.text(300), True),
            self._field(location.custody, f"{role}.location.custody", f"{where}.location.custody", _CUSTODY, True),
            self._field(location.gln, f"{role}.location.gln", f"{where}.location.gln", c.gln, False),
            self._field(partner.code, f"{role}.partner.code", f"{where}.partner.code", c.text(160), True),
        ]
        parts += [
            self._field(getattr(partner, name), f"{role}.partner.{name}", f"{where}.partner.{name}", *kind)
            for name, kind in _PARTNER_FIELDS.items()
        ]
        getters = [*(getter for getter, _ in parts), *_flags(create)]
        return MasterPart(self.places, getters, [index for _, indexes in parts for index in indexes])

    def partner_master(self, spec: PartnerColumns) -> MasterPart:
        """A partner of a partner master with the location of its row, if any."""
        plain: list[tuple[str, Column | None, c.Convert, bool]] = [
            ("location", spec.location, c.text(160), False),
            ("location_name", spec.location_name, c.text(300), False),
            ("custody", spec.custody, _CUSTODY, False),
            ("location_gln", spec.location_gln, c.gln, False),
            ("code", spec.code, c.text(160), True),
        ]
        plain += [(name, getattr(spec, name), *kind) for name, kind in _PARTNER_FIELDS.items()]
        getters = [
            self._field(column, name, f"columns.{name}", convert, required)[0]
            for name, column, convert, required in plain
        ]
        flagged = [*getters, _says("true"), _says("false")]
        return MasterPart(self.places, flagged, [], remember=False, needs_code=False, check=_whole_location)

    def lot(self, role: str, create: CreateLot | None) -> list[Getter]:
        """The attributes of a lot in the order of the staging table."""
        create = create or CreateLot()
        prefix = role.removesuffix("lot")
        positive = c.number(self._numbers)
        getters = []
        for name, convert in (
            ("supplier_lot", c.text(80)),
            ("made_on", None),
            ("expires_on", None),
            ("quantity_made", positive),
        ):
            spec: Column | None = getattr(create, name)
            field = Field(
                f"{prefix}lot.{name}", f"create.{role}.{name}", convert or c.day(self.dates_of(spec)), cached=True
            )
            getters.append(self._fields.getter(spec, field))
        return getters

    def dates_of(self, spec: Column | None) -> DateOptions:
        """Date options of one field: its own formats if it has some."""
        if spec is None or not spec.formats:
            return self._dates
        return self._dates.model_copy(update={"formats": spec.formats})

    def _field(
        self, spec: Column | None, name: str, where: str, convert: c.Convert, required: bool
    ) -> tuple[Getter, list[int]]:
        field = Field(name, where, convert, required)
        return self._fields.getter(spec, field), self._fields.indexes(spec, where)


def _flags(create: CreateProduct | CreatePlace | None) -> list[Getter]:
    keeps = create is not None and create.differs == "keep"
    return [_says("true" if create is not None else "false"), _says("true" if keeps else "false")]


def _whole_location(values: tuple[str | None, ...]) -> list[Finding]:
    code, name, custody = values[:3]
    if code:
        given = {"location_name": name, "custody": custody}
        return [Finding(field, "", "is missing for the location") for field, value in given.items() if value is None]
    if name or custody:
        return [Finding("location", "", "is missing, but the row describes a location")]
    return []
