"""Disposition: what becomes of every held and returned unit, who decided, who witnessed, what it cost."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Column, Field, SQLModel

from domain.costs import CostSource
from domain.disposition import DispositionKind
from models.base import identity, instant, one_of, ref, signature_ref, text
from models.base import quantity as units


class DispositionState(StrEnum):
    """proposed -> approved -> done, in parts; rejected and withdrawn ones stay on record."""

    proposed = "proposed"
    approved = "approved"
    done = "done"
    rejected = "rejected"
    withdrawn = "withdrawn"


class Disposition(SQLModel, table=True):
    """A decision on a quantity of one lot at one place, of ours (`location_id`) or a consignee's."""

    __tablename__ = "disposition"
    __table_args__ = (
        one_of("kind", DispositionKind),
        one_of("state", DispositionState),
        CheckConstraint("quantity > 0 AND done >= 0 AND done <= quantity", name="quantity_possible"),
        CheckConstraint("num_nonnulls(location_id, consignee_id) = 1", name="one_place"),
        UniqueConstraint("recall_number", "sequence"),
        Index("ix_disposition_lot", "recall_number", "lot_id", "location_id", "consignee_id"),
        Index("ix_disposition_request", "request"),
        Index("ix_disposition_consignee", "consignee_id", postgresql_where=sql("consignee_id IS NOT NULL")),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    kind: str = text(20)
    state: str = text(10)
    lot_id: int = ref("lot.id")
    location_id: int | None = ref("location.id", nullable=True)
    consignee_id: int | None = ref("consignee.id", nullable=True)
    quantity: Decimal = units()
    """Units of use."""
    done: Decimal = units()
    reason: str = text(2000)
    request: str = text(120)
    """Id of the request that wrote it (principal, operation, Idempotency-Key): the same request again adds nothing."""
    proposed_by: str = text(120)
    proposed_at: datetime = instant()
    decided_by: str | None = text(120, nullable=True)
    signature_id: UUID | None = signature_ref()
    decided_at: datetime | None = instant(nullable=True)
    decision_reason: str | None = text(2000, nullable=True)
    """Both approvals of a release are `sign_off` rows of step `disposition:{id}`; this is the last decision."""


class DispositionPart(SQLModel, table=True):
    """A carried-out part of a disposition, with who did and who witnessed it."""

    __tablename__ = "disposition_part"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="positive"),
        UniqueConstraint("disposition_id", "sequence"),
        UniqueConstraint("disposition_id", "request"),
    )

    id: int | None = identity()
    disposition_id: int = ref("disposition.id")
    sequence: int = Field(nullable=False)
    quantity: Decimal = units()
    document_no: str | None = text(80, nullable=True)
    """Certificate of destruction, return note, work order, shipment."""
    witness: str | None = text(200, nullable=True)
    """Required for destruction; another person than the doer."""
    authority_witness: str | None = text(200, nullable=True)
    """Who of the authority watched, where a policy asks for it."""
    result_lot_id: int | None = ref("lot.id", nullable=True)
    """Lot that came out of rework, or that replaced the units."""
    movement_id: int | None = ref("movement.id", nullable=True)
    request: str = text(120)
    done_by: str = text(120)
    done_at: datetime = instant()


class GoodsReturn(SQLModel, table=True):
    """Units of a consignee counted at our dock (design §7: as counted, not as stated)."""

    __tablename__ = "goods_return"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="positive"),
        Index("ix_goods_return_recall", "recall_number", "id"),
        Index("ix_goods_return_consignee", "consignee_id", "lot_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    lot_id: int = ref("lot.id")
    location_id: int = ref("location.id")
    """Our dock, where they lie under hold from now on."""
    quantity: Decimal = units()
    """Units of use."""
    document_no: str = text(80)
    rma: str | None = text(20, nullable=True)
    """RMA number scanned off the parcel (`domain.return_authorization`)."""
    tracking_no: str | None = text(60, nullable=True)
    """The carrier's number of the parcel."""
    beyond_announced: Decimal = units(zero=True)
    """Units more than the RMA announced."""
    movement_id: int = ref("movement.id")
    part_id: int | None = ref("disposition_part.id", nullable=True)
    """The part of an approved return or exchange that these units are."""
    request: str = text(120, unique=True)
    counted_by: str = text(120)
    counted_at: datetime = instant()


class CostEntry(SQLModel, table=True):
    """Money spent or credited under a recall. Wrong entries are reversed by a new one, never changed."""

    __tablename__ = "cost_entry"
    __table_args__ = (
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_iso_4217"),
        CheckConstraint("amount <> 0", name="not_zero"),
        CheckConstraint("num_nonnulls(consignee_id, location_id) <= 1", name="one_site"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        one_of("source", CostSource),
        UniqueConstraint("reverses_id"),
        UniqueConstraint("recall_number", "source_key"),
        Index("ix_cost_entry_recall", "recall_number", "id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    disposition_id: int | None = ref("disposition.id", nullable=True)
    lot_id: int | None = ref("lot.id", nullable=True)
    consignee_id: int | None = ref("consignee.id", nullable=True)
    location_id: int | None = ref("location.id", nullable=True)
    """Place of ours it belongs to; never together with a consignee."""
    kind: str = text(24)
    """`domain.costs.CostKind`, or an earlier name of one."""
    amount: Decimal = Field(sa_column=Column(Numeric(18, 4), nullable=False))
    currency: str = Field(sa_column=Column(String(3), nullable=False))
    incurred_on: date
    """The day that decides exchange rate and accounts, and the posting date."""
    cause: str | None = text(24, nullable=True)
    """Cause category (`domain.capa.CauseCategory`); without one, that of the recall's CAPA where there is just one."""
    quantity: Decimal | None = units(nullable=True)
    """Units of use it was spent on."""
    document_no: str | None = text(80, nullable=True)
    company: str | None = text(120, nullable=True)
    """Legal entity that bears it."""
    jurisdiction: str | None = text(40, nullable=True)
    source: str = text(10)
    source_key: str | None = text(160, nullable=True)
    """What an import or a proposal calls it; the same is booked once per recall."""
    note: str | None = text(500, nullable=True)
    reverses_id: int | None = ref("cost_entry.id", nullable=True)
    request: str = text(120, unique=True)
    booked_by: str = text(120)
    booked_at: datetime = instant()


class RetainedSample(SQLModel, table=True):
    """Retained samples and evidence kept of a suspect lot; kept until the authority is informed (MDR Art 89(1))."""

    __tablename__ = "retained_sample"
    __table_args__ = (CheckConstraint("quantity > 0", name="positive"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    lot_id: int = ref("lot.id")
    location_id: int = ref("location.id")
    quantity: Decimal = units()
    """Units of use; part of the lot's stock at the place, so no disposition may take them before they are settled."""
    complaint: int | None = Field(default=None, nullable=True)
    """Number of the complaint they are evidence of; not settled before the authority was told of it."""
    request: str = text(120, unique=True)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()
    settled_by: str | None = text(120, nullable=True)
    settled_at: datetime | None = instant(nullable=True)
    settled_reference: str | None = text(200, nullable=True)
    """Reference of the authority's answer."""


class Shortage(SQLModel, table=True):
    """What a site lacks because of the recall, by product; a later look replaces the figure, allocations stay."""

    __tablename__ = "shortage"
    __table_args__ = (UniqueConstraint("recall_number", "consignee_id", "product_id"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    consignee_id: int = ref("consignee.id")
    product_id: int = ref("product.id")
    removed: Decimal = units()
    """Units held, returned or destroyed there: no longer usable."""
    used: Decimal = units()
    """Units it states as used: what it needs the product for."""
    quantity: Decimal = units()
    """Units to replace, shipped ones included."""
    computed_at: datetime = instant()
    settled_by: str | None = text(120, nullable=True)
    signature_id: UUID | None = signature_ref()
    settled_at: datetime | None = instant(nullable=True)
    settled_reason: str | None = text(500, nullable=True)
    """Why nothing more is supplied; a look that finds a larger shortage takes the decision back."""


class AllocationState(StrEnum):
    """proposed by the system, approved by a person, shipped by the warehouse; void when its lot became suspect."""

    proposed = "proposed"
    approved = "approved"
    rejected = "rejected"
    shipped = "shipped"
    void = "void"


class Allocation(SQLModel, table=True):
    """Units of an unaffected lot for one site left short."""

    __tablename__ = "allocation"
    __table_args__ = (
        one_of("state", AllocationState),
        CheckConstraint("quantity > 0", name="positive"),
        Index("ix_allocation_recall", "recall_number", "state"),
        Index("ix_allocation_lot", "lot_id", "location_id"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    shortage_id: int = ref("shortage.id")
    lot_id: int = ref("lot.id")
    location_id: int = ref("location.id")
    quantity: Decimal = units()
    state: str = text(10)
    proposed_at: datetime = instant()
    decided_by: str | None = text(120, nullable=True)
    signature_id: UUID | None = signature_ref()
    decided_at: datetime | None = instant(nullable=True)
    reason: str | None = text(500, nullable=True)
    """Why it was rejected (which decides that these units are not supplied) or became void."""
    document_no: str | None = text(80, nullable=True)
    shipped_by: str | None = text(120, nullable=True)
    shipped_at: datetime | None = instant(nullable=True)
    movement_id: int | None = ref("movement.id", nullable=True)


__all__ = [
    "Allocation",
    "AllocationState",
    "CostEntry",
    "Disposition",
    "DispositionKind",
    "DispositionPart",
    "DispositionState",
    "GoodsReturn",
    "RetainedSample",
    "Shortage",
]
