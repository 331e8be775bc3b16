"""HTTP contracts of what surrounds disposition: returns, costs, retained samples, shortages and allocations."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from models.disposition import AllocationState
from models.schemas_common import In, Line, Out, Page, Reason, Units
from models.schemas_disposition import Amount, DocumentNo, Id, Proof


class ReturnIn(In):
    """Units of a consignee, counted at our dock."""

    rma: Annotated[Line, Field(max_length=40)] | None = None
    """RMA number off the parcel's label; it names consignee and lot, or ..."""
    consignee_id: Id | None = None
    """... both are named."""
    lot_id: Id | None = None
    location_id: Id
    """Our dock, where they lie."""
    quantity: Amount
    document_no: DocumentNo
    tracking_no: Annotated[Line, Field(max_length=60)] | None = None
    """The carrier's number of the parcel."""
    evidence_ids: Proof

    @model_validator(mode="after")
    def _says_whose(self) -> "ReturnIn":
        if self.rma is None and (self.consignee_id is None or self.lot_id is None):
            raise ValueError("name rma, or consignee_id and lot_id")
        return self


class ReturnOut(Out):
    """A counted return; the units are held from the moment it is on record."""

    id: int
    consignee_id: int
    lot_id: int
    location_id: int
    quantity: Units
    document_no: str
    rma: str | None
    tracking_no: str | None
    beyond_announced: Units
    """Units more than the RMA announced: a question to the consignee."""
    movement_id: int
    counted_by: str
    counted_at: datetime


class ReturnedOut(Out):
    """What counting changed."""

    counted: ReturnOut
    held_by: list[str]
    """Recalls whose hold locks the units."""
    beyond_record: bool
    """More has come back than was shipped there by our records; somebody should ask."""


def _exact(value: object) -> object:
    if isinstance(value, float | int) and not isinstance(value, bool):
        raise ValueError('send the amount as text, such as "1250.40": JSON numbers lose cents')
    return value


def _money(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral_value() else f"{value:f}".rstrip("0")


MoneyText = Annotated[
    Decimal,
    BeforeValidator(_exact, json_schema_input_type=str),
    Field(allow_inf_nan=False, max_digits=18, decimal_places=4, examples=["1250.40"]),
]
Money = Annotated[Decimal, PlainSerializer(_money, return_type=str, when_used="json")]
CostKind = Literal["material", "transport", "destruction", "rework", "replacement", "labour", "credit", "other"]


class CostIn(In):
    """Money spent (positive) or credited (negative)."""

    kind: CostKind
    amount: MoneyText
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
    """ISO 4217."""
    disposition: Id | None = None
    """Number of the disposition it belongs to."""
    note: Annotated[Line, Field(max_length=200)] | None = None


class CostOut(Out):
    """One entry; wrong ones are reversed, never changed."""

    id: int
    kind: str
    amount: Money
    currency: str
    disposition_id: int | None
    note: str | None
    reverses_id: int | None
    booked_by: str
    booked_at: datetime


class CostsOut(Page[CostOut]):
    """Entries, and the sum of all of them per currency."""

    totals: dict[str, Money]


class SampleIn(In):
    """Units kept as evidence."""

    lot_id: Id
    location_id: Id
    quantity: Amount
    evidence_ids: Proof


class SettleSampleIn(In):
    """The authority's answer about the sample."""

    reference: Line


class SampleOut(Out):
    """A retained sample."""

    id: int
    lot_id: int
    location_id: int
    quantity: Units
    recorded_by: str
    recorded_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    settled_reference: str | None


class ShortageOut(Out):
    """What a site lacks of a product because of the recall."""

    id: int
    consignee_id: int
    product_id: int
    removed: Units
    used: Units
    """What it states as used: what it needs the product for."""
    quantity: Units
    """To be replaced, shipped replacements included."""
    computed_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    settled_reason: str | None


class ComputedOut(Out):
    """What a computation changed."""

    changed: int
    """Shortages with new figures."""
    proposed: int
    """Allocations proposed now."""


class AllocationOut(Out):
    """Units of an unaffected lot for a site left short."""

    id: int
    shortage_id: int
    lot_id: int
    location_id: int
    quantity: Units
    state: AllocationState
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    document_no: str | None
    shipped_by: str | None
    shipped_at: datetime | None
    movement_id: int | None


class ReasonIn(In):
    """Why."""

    reason: Annotated[Reason, Field(max_length=500)]


class ShipIn(In):
    """The shipment that carries the units."""

    document_no: DocumentNo
    evidence_ids: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()


__all__ = [
    "AllocationOut",
    "ComputedOut",
    "CostIn",
    "CostOut",
    "CostsOut",
    "ReasonIn",
    "ReturnIn",
    "ReturnOut",
    "ReturnedOut",
    "SampleIn",
    "SampleOut",
    "SettleSampleIn",
    "ShipIn",
    "ShortageOut",
]
