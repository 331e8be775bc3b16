"""HTTP contracts of disposition: open positions, proposals, decisions and carried-out parts, in units of use."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from domain.disposition import DispositionKind
from models.disposition import DispositionState
from models.schemas_common import Code, In, Line, Out, Reason, Units
from models.schemas_signing import SignatureBlock

Id = Annotated[int, Field(ge=1, le=2**53)]
Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=18, decimal_places=6)]
"""More than zero, in units of use."""
DocumentNo = Annotated[Line, Field(max_length=80)]
Proof = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50)]
"""Ids of uploaded evidence files."""


class PositionOut(Out):
    """A quantity of one lot, at a place of ours or at a consignee, that is still to be disposed of."""

    lot_id: int
    lot_number: str
    product_code: str
    unit: str
    location_id: int | None
    consignee_id: int | None
    place_code: str
    place_name: str
    quantity: Units
    available: Units
    """What a new proposal may cover: neither planned nor retained."""
    planned: Units
    unconfirmed: Units
    """Under a hold its keeper has not confirmed."""
    in_transit: Units
    retained: Units
    nonconforming: bool
    """Locked by a nonconformity hold, after the recall's claim has ended."""
    also_held_by: list[str]


class ProposalIn(In):
    """One proposal; without a quantity it covers everything that is open there and not planned."""

    kind: DispositionKind
    lot_id: Id
    location_id: Id | None = None
    """A place of ours, or ..."""
    consignee_id: Id | None = None
    """... a consignee of the recall."""
    quantity: Amount | None = None
    reason: Reason

    @model_validator(mode="after")
    def _names_one_place(self) -> "ProposalIn":
        if (self.location_id is None) == (self.consignee_id is None):
            raise ValueError("name location_id (a place of ours) or consignee_id, one of them")
        return self


class BulkIn(In):
    """The same proposal for every open position that fits; empty filters mean all of the recall."""

    kind: DispositionKind
    lot_id: Id | None = None
    location_id: Id | None = None
    consignee_id: Id | None = None
    reason: Reason


class ProposalsIn(In):
    """Proposals one by one, or in bulk by a filter."""

    dispositions: Annotated[tuple[ProposalIn, ...], Field(max_length=1000)] = ()
    bulk: BulkIn | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "ProposalsIn":
        if bool(self.dispositions) == (self.bulk is not None):
            raise ValueError("give dispositions (at least one) or bulk, one of them")
        return self


class DispositionDecisionIn(In):
    """Approve; the reason is kept with the signature."""

    reason: Reason | None = None


class DispositionsDecisionIn(In):
    """Approve several proposals in one step, all or none."""

    sequences: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1000)]
    reason: Reason | None = None


class RefusalIn(In):
    """Reject or withdraw, and say why."""

    reason: Reason


class ResultLotIn(In):
    """The lot that came out of a rework."""

    number: Annotated[Line, Field(max_length=80)]
    product_code: Code | None = None
    """Where repackaging made another trade item; else the product stays."""
    expires_on: date | None = None


class PartIn(In):
    """What was carried out of an approved disposition."""

    quantity: Amount
    evidence_ids: Proof
    document_no: DocumentNo | None = None
    """Certificate of destruction, return note, work order, delivery note."""
    witness: Line | None = None
    authority_witness: Line | None = None
    """Name and office of who watched for the authority, where a policy asks for it."""
    result_lot: ResultLotIn | None = None
    replacement_lot_id: Id | None = None
    replacement_from_id: Id | None = None
    location_id: Id | None = None
    """Our dock where returned or exchanged units were counted in."""
    destination_id: Id | None = None
    """The factory; without it the lot's manufacturing site."""


class PartOfManyIn(In):
    """A disposition carried out with others; without a quantity, all that is left of it."""

    sequence: Annotated[int, Field(ge=1, le=2**31 - 1)]
    quantity: Amount | None = None


class ExecutionsIn(In):
    """What was carried out of several approved dispositions of one kind, under one document."""

    parts: Annotated[tuple[PartOfManyIn, ...], Field(min_length=1, max_length=1000)]
    evidence_ids: Proof
    document_no: DocumentNo | None = None
    """Certificate of destruction, return note, delivery note."""
    witness: Line | None = None
    authority_witness: Line | None = None
    """Name and office of who watched for the authority, where a policy asks for it."""
    location_id: Id | None = None
    """Our dock where returned units were counted in."""
    destination_id: Id | None = None
    """The factory; without it each lot's manufacturing site."""

    @model_validator(mode="after")
    def _names_each_once(self) -> "ExecutionsIn":
        if len({each.sequence for each in self.parts}) < len(self.parts):
            raise ValueError("parts: name each disposition once")
        return self


class PartOut(Out):
    """A carried-out part."""

    sequence: int
    quantity: Units
    document_no: str | None
    witness: str | None
    authority_witness: str | None
    result_lot_id: int | None
    movement_id: int | None
    done_by: str
    done_at: datetime


class SignatureOut(Out):
    """A signature under a disposition, with its meaning (21 CFR 11.50)."""

    actor: str
    role: str
    outcome: str
    meaning: str
    capacity: str | None
    reason: str | None
    signed_at: datetime
    signature: SignatureBlock | None = None
    """As it is printed: name, instant, meaning."""


class DispositionOut(Out):
    """A decision on a quantity of one lot at one place."""

    sequence: int
    kind: DispositionKind
    state: DispositionState
    lot_id: int
    location_id: int | None
    consignee_id: int | None
    quantity: Units
    done: Units
    reason: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    rma: str | None = None
    """Number of an approved return or exchange, for the parcel's label."""


class DispositionFileOut(DispositionOut):
    """A disposition with its signatures, parts and evidence."""

    signatures: list[SignatureOut]
    parts: list[PartOut]
    evidence_ids: list[UUID]


class DispositionsOut(Out):
    """What a request proposed or approved."""

    items: list[DispositionOut]


class ExecutionOut(Out):
    """The disposition after the part."""

    disposition: DispositionOut
    part: PartOut
    still_held_by: list[str]
    """Release only: other recalls that keep units of this lot at this place locked."""
    usable: Units
    """Units of the lot at this place that no hold locks any more (release only; else 0)."""


class ExecutionsOut(Out):
    """The dispositions after their parts, in the order they were named."""

    items: list[ExecutionOut]


__all__ = [
    "Amount",
    "BulkIn",
    "DispositionDecisionIn",
    "DispositionFileOut",
    "DispositionOut",
    "DispositionsDecisionIn",
    "DispositionsOut",
    "DocumentNo",
    "ExecutionOut",
    "ExecutionsIn",
    "ExecutionsOut",
    "Id",
    "PartIn",
    "PartOfManyIn",
    "PartOut",
    "PositionOut",
    "Proof",
    "ProposalIn",
    "ProposalsIn",
    "RefusalIn",
    "ResultLotIn",
    "SignatureOut",
]
