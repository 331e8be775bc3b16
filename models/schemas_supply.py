"""HTTP contracts of what surrounds disposition: returns, retained samples, shortages and allocations."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from domain.inventory import DocumentState
from domain.shortage import ShippedTwice
from models.disposition import AllocationState
from models.schemas_common import In, Line, Out, Reason, Units
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
    beyond_capacity: Units
    """Units locked at the dock beyond its quarantine capacity."""


class SampleIn(In):
    """Units kept as evidence."""

    lot_id: Id
    location_id: Id
    quantity: Amount
    complaint: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """Number of the complaint they are evidence of: not settled before the authority was told of it."""
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
    complaint: int | None
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


class OrderOut(Out):
    """What the keeper of the stock was asked to ship, and how its order stands."""

    keeper: str
    number: str | None
    """Of the keeper's order; the shipment is stated under it."""
    state: DocumentState | None
    asked_at: datetime | None
    acknowledged_at: datetime | None
    """When the keeper last said how it stands."""
    ended_at: datetime | None
    """The goods left, or the keeper has no order for them: a person ships."""
    last_error: str | None
    abandoned_at: datetime | None
    """Since when nobody waits for the keeper's answer: a person may ship."""
    abandoned_by: str | None
    abandon_reason: str | None
    shipped_twice: ShippedTwice | None
    """Whether the units may leave, or have left, by this order and by hand."""


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
    order: OrderOut | None


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
    "OrderOut",
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
