"""The mapping file: one YAML document that says how a sender's file becomes our records.

There is one schema per kind of import. `load_mapping` refuses what it does not know with the path of the key
(`columns.lot: ...`), before any file is read.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from imports.errors import ImportRefusedError
from imports.mapping_measured import InspectionsMapping, ParametersMapping, ReadingsMapping
from imports.mapping_parts import (
    ColumnSpec,
    CreateLot,
    CreatePlace,
    CreateProduct,
    Factor,
    MappingBase,
    PackageColumns,
    Part,
    PartnerAttributes,
    ProductAttributes,
)


class MovementColumns(Part):
    """Fields of a movement. `unit` or `factor` says how the quantity becomes units of use."""

    kind: ColumnSpec
    product: ColumnSpec
    lot: ColumnSpec | None = None
    site: ColumnSpec | None = None
    """Location code of the manufacturing site; part of the lot's identity."""
    from_: ColumnSpec | None = Field(default=None, alias="from")
    to: ColumnSpec | None = None
    quantity: ColumnSpec
    unit: ColumnSpec | None = None
    factor: ColumnSpec | None = None
    delivered: ColumnSpec | None = None
    occurred_at: ColumnSpec
    document_no: ColumnSpec | None = None


class GenealogyColumns(Part):
    """Fields of a genealogy link; the quantity is of the input lot."""

    input_product: ColumnSpec
    input_lot: ColumnSpec
    input_site: ColumnSpec | None = None
    output_product: ColumnSpec
    output_lot: ColumnSpec
    output_site: ColumnSpec | None = None
    quantity: ColumnSpec
    unit: ColumnSpec | None = None
    factor: ColumnSpec | None = None
    occurred_at: ColumnSpec | None = None


class StockColumns(Part):
    """Fields of a stock position as counted at `as_of`."""

    product: ColumnSpec
    lot: ColumnSpec
    site: ColumnSpec | None = None
    location: ColumnSpec
    quantity: ColumnSpec
    """On hand."""
    reserved: ColumnSpec | None = None
    unit: ColumnSpec | None = None
    factor: ColumnSpec | None = None
    as_of: ColumnSpec


class SerialColumns(Part):
    """Fields of a serialised unit, and of the place where it was seen at `as_of`."""

    product: ColumnSpec
    lot: ColumnSpec
    site: ColumnSpec | None = None
    serial: ColumnSpec
    location: ColumnSpec | None = None
    as_of: ColumnSpec | None = None

    @model_validator(mode="after")
    def _seen_when(self) -> "SerialColumns":
        if (self.location is None) != (self.as_of is None):
            raise ValueError("location and as_of go together: where a unit was, and when")
        return self


class DocumentColumns(Part):
    """Fields of one line of a goods document; those of the document are the same on each of its lines."""

    kind: ColumnSpec
    number: ColumnSpec
    state: ColumnSpec | None = None
    """open (default), blocked, cancelled or done, as its source says."""
    product: ColumnSpec
    lot: ColumnSpec | None = None
    """Without it the lot is allocated later."""
    site: ColumnSpec | None = None
    from_: ColumnSpec | None = Field(default=None, alias="from")
    to: ColumnSpec | None = None
    partner: ColumnSpec | None = None
    """Code of who ordered or delivers."""
    carrier: ColumnSpec | None = None
    """Code of the logistics provider."""
    quantity: ColumnSpec
    unit: ColumnSpec | None = None
    factor: ColumnSpec | None = None
    requested_at: ColumnSpec | None = None
    expected_at: ColumnSpec | None = None


class ProductColumns(ProductAttributes):
    """Fields of a product."""

    code: ColumnSpec


class PartnerColumns(PartnerAttributes):
    """Fields of a partner, and of one location of it when the row has one."""

    code: ColumnSpec
    location: ColumnSpec | None = None
    location_name: ColumnSpec | None = None
    custody: ColumnSpec | None = None
    location_gln: ColumnSpec | None = None

    @model_validator(mode="after")
    def _whole_location(self) -> "PartnerColumns":
        if (self.location is None) != (self.location_name is None) or (self.location is None) != (self.custody is None):
            raise ValueError("location, location_name and custody go together")
        return self


class ContactColumns(Part):
    """Fields of a contact of a partner on record."""

    partner: ColumnSpec
    position: ColumnSpec
    name: ColumnSpec
    role: ColumnSpec
    email: ColumnSpec | None = None
    phone: ColumnSpec | None = None
    phone_region: ColumnSpec | None = None
    """ISO country of national phone numbers; without it numbers must be international (+...)."""
    channels: ColumnSpec
    """Channels in the order of preference, separated by `;`."""
    webhook_url: ColumnSpec | None = None
    """Where a system of the partner takes notices; goes with the two below."""
    webhook_format: ColumnSpec | None = None
    """json or fhir."""
    webhook_key: ColumnSpec | None = None
    """Name of the key in `RECALL_WEBHOOK_KEYS`, never the key itself."""
    party: ColumnSpec | None = None
    """ship_to (default: where the goods went) or bill_to (who pays for them: gets a copy of every notice)."""


class MovementCreate(Part):
    """Master rows a movements file may bring."""

    product: CreateProduct | None = None
    lot: CreateLot | None = None
    site: CreatePlace | None = None
    from_: CreatePlace | None = Field(default=None, alias="from")
    to: CreatePlace | None = None


class GenealogyCreate(Part):
    """Master rows a genealogy file may bring."""

    input_product: CreateProduct | None = None
    input_lot: CreateLot | None = None
    input_site: CreatePlace | None = None
    output_product: CreateProduct | None = None
    output_lot: CreateLot | None = None
    output_site: CreatePlace | None = None


class StockCreate(Part):
    """Master rows a stock file may bring."""

    product: CreateProduct | None = None
    lot: CreateLot | None = None
    site: CreatePlace | None = None
    location: CreatePlace | None = None


class MovementsMapping(MappingBase):
    """Mapping of receipts, shipments, consumption, returns, destruction, adjustments."""

    kind: Literal["movements"]
    source_id: ColumnSpec
    units: dict[str, Factor] = Field(default_factory=dict)
    columns: MovementColumns
    create: MovementCreate = MovementCreate()


class GenealogyMapping(MappingBase):
    """Mapping of input lot -> output lot."""

    kind: Literal["genealogy"]
    source_id: ColumnSpec
    units: dict[str, Factor] = Field(default_factory=dict)
    columns: GenealogyColumns
    create: GenealogyCreate = GenealogyCreate()


class StockMapping(MappingBase):
    """Mapping of stock positions."""

    kind: Literal["stock"]
    units: dict[str, Factor] = Field(default_factory=dict)
    columns: StockColumns
    create: StockCreate = StockCreate()


class SerialsMapping(MappingBase):
    """Mapping of serialised units."""

    kind: Literal["serials"]
    columns: SerialColumns
    create: StockCreate = StockCreate()


class DocumentsMapping(MappingBase):
    """Mapping of orders, picks, shipments, announced receipts and returns; everything they name is on record."""

    kind: Literal["documents"]
    source_id: ColumnSpec
    units: dict[str, Factor] = Field(default_factory=dict)
    columns: DocumentColumns


class ProductsMapping(MappingBase):
    """Mapping of a product master."""

    kind: Literal["products"]
    columns: ProductColumns
    packages: tuple[PackageColumns, ...] = ()


class PartnersMapping(MappingBase):
    """Mapping of a partner master."""

    kind: Literal["partners"]
    columns: PartnerColumns


class ContactsMapping(MappingBase):
    """Mapping of a contact list."""

    kind: Literal["contacts"]
    columns: ContactColumns


QuantityMapping = MovementsMapping | GenealogyMapping | StockMapping | DocumentsMapping
MeasuredMapping = InspectionsMapping | ParametersMapping | ReadingsMapping
Mapping = QuantityMapping | SerialsMapping | MeasuredMapping | ProductsMapping | PartnersMapping | ContactsMapping

_SHOWN = 8
_ADAPTER: TypeAdapter[Mapping] = TypeAdapter(Annotated[Mapping, Field(discriminator="kind")])


class _NoDuplicates(yaml.SafeLoader):
    """YAML says nothing of a key given twice; here it is an error, because one of the two would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


@dataclass(frozen=True)
class LoadedMapping:
    """A valid mapping with the hash of its file."""

    mapping: Mapping
    path: Path
    sha256: str


def load_mapping(path: Path, kind: str) -> LoadedMapping:
    """Read and check a mapping file for one kind of import.

    Raises:
        ImportRefusedError: missing file, broken YAML, unknown or missing key, mapping of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImportRefusedError(f"mapping {path}: {error.strerror}") from None
    try:
        document = yaml.load(content, _NoDuplicates)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not readable as YAML"
        raise ImportRefusedError(f"mapping {path}{where}: {problem}") from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # What PyYAML raises, beside its own errors, for a value that does not fit the tag it carries.
        raise ImportRefusedError(f"mapping {path}: not readable as YAML ({type(error).__name__})") from None
    return LoadedMapping(_checked(document, path, kind), path, hashlib.sha256(content).hexdigest())


def _checked(document: Any, path: Path, kind: str) -> Mapping:
    if not isinstance(document, dict):
        raise ImportRefusedError(f"mapping {path}: a mapping with keys like kind, source_system, columns was expected")
    # Keys that start with x- hold YAML anchors, as in Compose files.
    document = {key: value for key, value in document.items() if not str(key).startswith("x-")}
    if document.get("kind") != kind:
        raise ImportRefusedError(f"mapping {path}: kind: {document.get('kind')!r}, but '{kind}' is being imported")
    try:
        mapping = _ADAPTER.validate_python(document)
    except ValidationError as error:
        raise ImportRefusedError(f"mapping {path}: {_problems(error)}") from None
    _check_units(mapping, path)
    return mapping


def _problems(error: ValidationError) -> str:
    """Every fault with the path of its key, the first few in full."""
    found = [
        _problem(list(detail["loc"]), str(detail["type"]), detail["msg"]) for detail in error.errors(include_url=False)
    ]
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _problem(location: list[int | str], kind: str, message: str) -> str:
    # The first part is the union's tag; parts made by validators (`function-before[...]`) are no keys.
    keys = [str(part) for part in location[1:] if "[" not in str(part)]
    if keys[:1] == ["maps"] and kind == "string_type":
        message = "text was expected; yes, no, on, off, true, false and numbers need quotes in YAML"
    return f"{'.'.join(keys)}: {message.removeprefix('Value error, ')}"


def _check_units(mapping: Mapping, path: Path) -> None:
    if not isinstance(mapping, QuantityMapping):
        return
    columns = mapping.columns
    if (columns.unit is None) == (columns.factor is None):
        raise ImportRefusedError(
            f"mapping {path}: columns.unit: give either unit or factor, so that quantities become units of use"
        )
