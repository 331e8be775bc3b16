"""What was measured along the trace, as the API shows it: findings by kind, and how much there is."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.readings import Measure, Side
from models.quality_record import MeasurementStage
from models.schemas_common import Out


class FindingKind(StrEnum):
    """What is found, in the order of the list."""

    inspection = "inspection"
    parameter = "parameter"
    supplier_lot = "supplier_lot"
    excursion = "excursion"
    complaint = "complaint"


class Relation(StrEnum):
    """How a lot belongs to the file: recalled or not conforming, gone into such, made of such, made of the same."""

    affected = "affected"
    upstream = "upstream"
    downstream = "downstream"
    sibling = "sibling"
    recall = "recall"
    """A complaint under the recall itself that names no lot."""


class MeasurementFindingOut(Out):
    """An inspection or a production parameter that did not pass, or whose number lies outside its limits."""

    kind: Literal["inspection", "parameter"]
    relation: Relation
    product_code: str
    lot: str
    lot_id: int
    stage: MeasurementStage
    step: str | None
    characteristic: str
    result: Decimal | None
    result_text: str | None
    lower: Decimal | None
    upper: Decimal | None
    unit: str | None
    passed: bool
    """What the report says; without a verdict, what the numbers say."""
    out_of_limits: bool
    document_no: str | None
    measured_at: datetime
    source_system: str
    source_id: str


class SupplierLotFindingOut(Out):
    """A supplier lot in affected lots, against lots of the same products that are not; greatest difference first."""

    kind: Literal["supplier_lot"]
    relation: Relation
    supplier_lot: str
    product_code: str
    """The material."""
    lots: list[str]
    """Our lots of it, the first ten."""
    affected_with: int
    affected: int
    share_of_affected: Decimal
    comparable_with: int
    comparable: int
    share_of_comparable: Decimal | None
    """Null where every lot of these products is affected."""


class PresentLotOut(Out):
    """A lot that was there."""

    product_code: str
    lot: str
    lot_id: int
    relation: Relation
    present_from: datetime | None
    """Null: from when on is not on record."""
    present_to: datetime | None
    """Null: it is there still, or until when is not on record."""


class ExcursionFindingOut(Out):
    """A device outside its limits while lots travelled with it or lay at its place."""

    kind: Literal["excursion"]
    relation: Relation
    """The closest of its lots."""
    device: str
    measure: Measure
    document_no: str | None
    location_code: str | None
    unit: str
    lower: Decimal | None
    upper: Decimal | None
    side: Side
    peak: Decimal
    starts_at: datetime
    ends_at: datetime
    open: bool
    """The series ends outside: it may have lasted longer."""
    minutes: int
    readings: int
    series_from: datetime
    series_to: datetime
    longest_gap_s: int
    mean_kinetic_celsius: Decimal | None
    """Of the whole series (ICH Q1A(R2), USP <1079.2>; 83.144 kJ/mol)."""
    source_system: str
    lots: int
    first_lots: list[PresentLotOut]
    """The closest ten."""


class CodeShortOut(Out):
    """A code and its term."""

    code: str
    term: str


class ComplaintFindingOut(Out):
    """A complaint of such a lot under any recall, or one under these recalls."""

    kind: Literal["complaint"]
    relation: Relation
    recall: str
    complaint: int
    severity: str
    patients: int | None
    state: str
    awareness_at: datetime
    product_code: str | None
    lot: str | None
    lot_id: int | None
    codes: list[CodeShortOut]


FindingOut = Annotated[
    MeasurementFindingOut | SupplierLotFindingOut | ExcursionFindingOut | ComplaintFindingOut,
    Field(discriminator="kind"),
]


class FindingsRunOut(Out):
    """The frozen trace a recall's lots are taken from."""

    recall: str
    run: int
    traced_at: datetime
    sha256: str


class FindingsSourceOut(Out):
    """How old the data of one source is."""

    source_system: str
    kind: str
    newest_import: datetime
    newest_record: datetime | None


class FindingsSummaryOut(Out):
    """How much there is, over which traces and how old data."""

    recalls: list[str]
    nonconformities: list[str]
    lots: dict[str, int]
    findings: dict[str, int]
    runs: list[FindingsRunOut]
    sources: list[FindingsSourceOut]


__all__ = [
    "CodeShortOut",
    "ComplaintFindingOut",
    "ExcursionFindingOut",
    "FindingKind",
    "FindingOut",
    "FindingsRunOut",
    "FindingsSourceOut",
    "FindingsSummaryOut",
    "MeasurementFindingOut",
    "PresentLotOut",
    "Relation",
    "SupplierLotFindingOut",
]
