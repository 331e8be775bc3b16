"""The plan of one import: a mapping compiled against one file, which turns each row into one staged COPY line.

A row with findings is staged too, with what could be read of it and the reasons; so the totals can account for
every row and every quantity of the file.
"""

from collections.abc import Sequence
from datetime import datetime

from db.repositories.imports.load import Load
from domain.channels import Channel
from domain.inventory import DocumentKind, DocumentState
from imports import convert as c
from imports.copy_text import NULL, copy_line
from imports.errors import FieldError, Finding, joined
from imports.mapping import (
    ContactsMapping,
    DocumentsMapping,
    GenealogyMapping,
    LoadedMapping,
    MovementCreate,
    MovementsMapping,
    PartnersMapping,
    ProductsMapping,
    QuantityMapping,
    SerialsMapping,
    StockMapping,
)
from imports.mapping_measured import InspectionsMapping, ParametersMapping, ReadingsMapping
from imports.plan_measured import MeasuredSteps
from imports.sources import Row, Source
from imports.steps import Step
from models.chain import MovementKind
from models.master import Party

_NO_PROBLEM = (None, None, None)


class Plan(MeasuredSteps):
    """Steps of one kind in the order of the staging table."""

    def __init__(self, loaded: LoadedMapping, source: Source, now: datetime) -> None:
        super().__init__(loaded, source, now)
        self._width = len(source.header)
        self._steps = [step.get for step in self._build()]

    def line(self, number: int, row: Row) -> str:
        """The COPY line of one row of the file."""
        if len(row) != self._width:
            return self._misshapen(number, row)
        values: list[str | None] = [str(number)]
        findings: list[Finding] = []
        for step in self._steps:
            try:
                values.append(step(row, number))
            except FieldError as error:
                findings += error.findings
                values.append(None)
        if self._check is not None and not findings:
            findings += self._check(values)
        values += joined(findings) if findings else _NO_PROBLEM
        return copy_line(values)

    def load(self, batch_id: int) -> Load:
        """What the SQL needs to know of the mapping."""
        mapping = self.mapping
        if isinstance(mapping, DocumentsMapping):
            return Load(batch_id, mapping.source_system, units=mapping.units)
        if not isinstance(mapping, QuantityMapping | SerialsMapping):
            return Load(batch_id, mapping.source_system)
        lots = {
            role: getattr(mapping.create, role)
            for role in ("lot", "input_lot", "output_lot")
            if hasattr(mapping.create, role)
        }
        given = [lot for lot in lots.values() if lot is not None]
        return Load(
            batch_id,
            mapping.source_system,
            units=mapping.units if isinstance(mapping, QuantityMapping) else {},
            creates_lots={role: lot is not None for role, lot in lots.items()},
            lot_attributes=any(
                getattr(lot, name) is not None
                for lot in given
                for name in ("supplier_lot", "made_on", "expires_on", "quantity_made")
            ),
            keeps_lots=any(lot.differs == "keep" for lot in given),
        )

    def _misshapen(self, number: int, row: Row) -> str:
        reason = f"the row has {len(row)} columns, the header {self._width}"
        empty = [NULL] * len(self._steps)
        return "\t".join([str(number), *empty]) + "\t" + copy_line(("row", "", reason))

    def _build(self) -> list[Step]:
        match self.mapping:
            case MovementsMapping():
                steps = self._movements(self.mapping)
            case GenealogyMapping():
                steps = self._genealogy(self.mapping)
            case StockMapping():
                steps = self._stock(self.mapping)
            case SerialsMapping():
                steps = self._serials(self.mapping)
            case DocumentsMapping():
                steps = self._documents(self.mapping)
            case InspectionsMapping():
                steps = self._inspections(self.mapping)
            case ParametersMapping():
                steps = self._parameters(self.mapping)
            case ReadingsMapping():
                steps = self._readings(self.mapping)
            case ContactsMapping():
                steps = self._contacts(self.mapping)
            case ProductsMapping():
                steps = [self._part(self.masters.product_master(self.mapping.columns, self.mapping.packages))]
            case PartnersMapping():
                steps = [self._part(self.masters.partner_master(self.mapping.columns))]
        return steps

    def _movements(self, mapping: MovementsMapping) -> list[Step]:
        columns, create = mapping.columns, mapping.create
        self._check = _movement_makes_sense
        return [
            self._source_id(mapping.source_id),
            self._plain("kind", columns.kind, c.one_of([kind.value for kind in MovementKind]), required=True),
            self._part(self.masters.product("product", columns.product, create.product)),
            self._plain("lot", columns.lot, c.text(80), cached=False),
            self._place("site", columns.site, create),
            self._place("from", columns.from_, create, "from_"),
            self._place("to", columns.to, create),
            self._number("quantity", columns.quantity, required=True, negative=True),
            *self._units(columns.unit, columns.factor),
            self._plain("delivered", columns.delivered, c.boolean),
            self._instant("occurred_at", columns.occurred_at, required=True),
            self._plain("document_no", columns.document_no, c.text(80), cached=False),
            *self._lot("lot", create),
        ]

    def _genealogy(self, mapping: GenealogyMapping) -> list[Step]:
        columns, create = mapping.columns, mapping.create
        return [
            self._source_id(mapping.source_id),
            self._part(self.masters.product("input_product", columns.input_product, create.input_product)),
            self._plain("input_lot", columns.input_lot, c.text(80), required=True, cached=False),
            self._place("input_site", columns.input_site, create),
            self._part(self.masters.product("output_product", columns.output_product, create.output_product)),
            self._plain("output_lot", columns.output_lot, c.text(80), required=True, cached=False),
            self._place("output_site", columns.output_site, create),
            self._number("quantity", columns.quantity, required=True),
            *self._units(columns.unit, columns.factor),
            self._instant("occurred_at", columns.occurred_at),
            *self._lot("input_lot", create),
            *self._lot("output_lot", create),
        ]

    def _stock(self, mapping: StockMapping) -> list[Step]:
        columns, create = mapping.columns, mapping.create
        return [
            self._part(self.masters.product("product", columns.product, create.product)),
            self._plain("lot", columns.lot, c.text(80), required=True, cached=False),
            self._place("site", columns.site, create),
            self._place("location", columns.location, create, required=True),
            self._number("quantity", columns.quantity, required=True, zero=True),
            self._number("reserved", columns.reserved, zero=True),
            *self._units(columns.unit, columns.factor),
            self._instant("as_of", columns.as_of, required=True),
            *self._lot("lot", create),
        ]

    def _serials(self, mapping: SerialsMapping) -> list[Step]:
        columns, create = mapping.columns, mapping.create
        self._check = _sighting_is_whole
        return [
            self._part(self.masters.product("product", columns.product, create.product)),
            self._plain("lot", columns.lot, c.text(80), required=True, cached=False),
            self._place("site", columns.site, create),
            self._plain("serial", columns.serial, c.text(80), required=True, cached=False),
            self._place("location", columns.location, create),
            self._plain("as_of", None, c.text(1)) if columns.as_of is None else self._instant("as_of", columns.as_of),
            *self._lot("lot", create),
        ]

    def _documents(self, mapping: DocumentsMapping) -> list[Step]:
        columns, nothing = mapping.columns, MovementCreate()
        self._check = _document_makes_sense
        return [
            self._source_id(mapping.source_id),
            self._plain("kind", columns.kind, c.one_of([kind.value for kind in DocumentKind]), required=True),
            self._plain("number", columns.number, c.text(80), required=True, cached=False),
            self._plain("state", columns.state, c.one_of([state.value for state in DocumentState])),
            self._part(self.masters.product("product", columns.product, None)),
            self._plain("lot", columns.lot, c.text(80), cached=False),
            self._place("site", columns.site, nothing),
            self._place("from", columns.from_, nothing, "from_"),
            self._place("to", columns.to, nothing),
            self._plain("partner", columns.partner, c.text(160)),
            self._plain("carrier", columns.carrier, c.text(160)),
            self._number("quantity", columns.quantity, required=True),
            *self._units(columns.unit, columns.factor),
            self._instant("requested_at", columns.requested_at, future=True),
            self._instant("expected_at", columns.expected_at, future=True),
        ]

    def _contacts(self, mapping: ContactsMapping) -> list[Step]:
        columns = mapping.columns
        self._check = _contact_is_reachable
        region = self._getter("phone_region", columns.phone_region, c.country)
        number = self._getter("phone", columns.phone, c.text(60), cached=False)

        def phone(row: Row, line: int) -> str | None:
            written = number(row)
            if written is None:
                return None
            try:
                return c.phone(written, region(row))
            except ValueError as error:
                raise FieldError(Finding("phone", written, str(error))) from None

        return [
            self._plain("partner", columns.partner, c.text(160), required=True),
            self._plain("position", columns.position, c.integer(1, 999), required=True),
            self._plain("name", columns.name, c.text(200), required=True, cached=False),
            self._plain("role", columns.role, c.text(80), required=True),
            self._plain("email", columns.email, c.email, cached=False),
            Step(phone),
            self._plain("channels", columns.channels, c.channels, required=True),
            self._plain("webhook_url", columns.webhook_url, c.web_address, cached=False),
            self._plain("webhook_format", columns.webhook_format, c.one_of(["json", "fhir"])),
            self._plain("webhook_key", columns.webhook_key, c.key_name),
            self._plain("party", columns.party, c.one_of([party.value for party in Party])),
        ]


_NEEDS_FROM = {MovementKind.shipment, MovementKind.return_, MovementKind.consumption, MovementKind.destruction}
_NEEDS_TO = {MovementKind.shipment, MovementKind.return_, MovementKind.receipt}


def _movement_makes_sense(values: Sequence[str | None]) -> list[Finding]:
    kind, start, end, quantity = str(values[2]), values[6], values[7], str(values[8])
    findings = []
    if kind in _NEEDS_FROM and start is None:
        findings.append(Finding("from", "", f"is missing: a {kind} starts somewhere"))
    if kind in _NEEDS_TO and end is None:
        findings.append(Finding("to", "", f"is missing: a {kind} ends somewhere"))
    if kind == MovementKind.adjustment and start is None and end is None:
        findings.append(Finding("to", "", "is missing: an adjustment happens somewhere"))
    if quantity.startswith("-") and kind != MovementKind.adjustment:
        findings.append(Finding("quantity", quantity, "only an adjustment may be below zero"))
    return findings


def _sighting_is_whole(values: Sequence[str | None]) -> list[Finding]:
    location, as_of = values[5], values[6]
    if location is not None and as_of is None:
        return [Finding("as_of", "", "is missing: when was the unit at this place?")]
    if as_of is not None and location is None:
        return [Finding("location", "", "is missing: where was the unit at this time?")]
    return []


def _document_makes_sense(values: Sequence[str | None]) -> list[Finding]:
    kind, start, end = str(values[2]), values[8], values[9]
    inbound = kind in (DocumentKind.RECEIPT, DocumentKind.RETURN)
    if inbound and end is None:
        return [Finding("to", "", f"is missing: a {kind} ends at a place")]
    if not inbound and start is None:
        return [Finding("from", "", f"is missing: a {kind} starts at a place")]
    return []


def _contact_is_reachable(values: Sequence[str | None]) -> list[Finding]:
    email, phone, channels = values[5], values[6], str(values[7])
    findings = []
    if "email" in channels and email is None:
        findings.append(Finding("email", "", "is missing, but the channel email is used"))
    for channel in (Channel.SMS, Channel.VOICE):
        if channel in channels and phone is None:
            findings.append(Finding("phone", "", f"is missing, but the channel {channel} is used"))
    system = dict(zip(("webhook_url", "webhook_format", "webhook_key"), values[8:11], strict=True))
    if "webhook" in channels or any(system.values()):
        missing = [name for name, value in system.items() if value is None]
        findings += [Finding(name, "", "is missing: a system has an address, a format and a key") for name in missing]
    if channels == "{push}":
        findings.append(Finding("channels", "push", "a browser is subscribed by its user: another channel is needed"))
    return findings
