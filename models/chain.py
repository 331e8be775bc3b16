"""The supply chain as recorded: lots, serials, genealogy, movements, stock, and the import batches they came from."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, quantity, ref, text


class MovementKind(StrEnum):
    """What happened to the quantity (from_location -> to_location, either may be empty)."""

    receipt = "receipt"
    shipment = "shipment"
    consumption = "consumption"
    return_ = "return"
    destruction = "destruction"
    adjustment = "adjustment"


class ImportKind(StrEnum):
    """What a file brings."""

    movements = "movements"
    genealogy = "genealogy"
    products = "products"
    partners = "partners"
    contacts = "contacts"
    stock = "stock"
    documents = "documents"
    serials = "serials"
    inspections = "inspections"
    parameters = "parameters"
    readings = "readings"


class BatchState(StrEnum):
    """Life of an import batch."""

    loaded = "loaded"
    reversed = "reversed"


class ImportBatch(SQLModel, table=True):
    """One file loaded at one time by one person, with totals to compare with the sender's."""

    __tablename__ = "import_batch"
    __table_args__ = (one_of("kind", ImportKind), one_of("state", BatchState))

    id: int | None = identity()
    kind: str = text(16)
    state: str = text(12)
    source_system: str = text(60)
    file_name: str = text(300)
    file_sha256: str = text(64)
    mapping_sha256: str = text(64)
    actor: str = text(120)
    loaded_at: datetime = instant(server_now=True)
    reversed_at: datetime | None = instant(nullable=True)
    reversed_by: str | None = text(120, nullable=True)
    totals: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """read, new, already_there, rejected, and quantities by unit."""


class Lot(SQLModel, table=True):
    """A batch of one product from one manufacturing site. Lot text alone is never unique."""

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("product_id", "number", "site_id", postgresql_nulls_not_distinct=True),
        Index("ix_lot_site", "site_id"),
        Index("ix_lot_number", "number"),
        Index("ix_lot_supplier_lot", "supplier_lot"),
    )

    id: int | None = identity()
    product_id: int = ref("product.id")
    number: str = text(80)
    site_id: int | None = ref("location.id", nullable=True)
    """Manufacturing site."""
    supplier_lot: str | None = text(80, nullable=True)
    made_on: date | None = None
    expires_on: date | None = None
    quantity_made: Decimal | None = quantity(nullable=True)
    """Units of use."""
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class Serial(SQLModel, table=True):
    """A serialised unit of a lot, where serials are known."""

    __tablename__ = "serial"
    __table_args__ = (
        UniqueConstraint("lot_id", "number"),
        Index("ix_serial_natural", "lot_id", sql("natural_key(number)")),
        Index("ix_serial_number", "number"),
        Index("ix_serial_location", "location_id"),
    )

    id: int | None = identity()
    lot_id: int = ref("lot.id")
    number: str = text(80)
    location_id: int | None = ref("location.id", nullable=True)
    """Where it was last seen (`SerialSighting`)."""
    as_of: datetime | None = instant(nullable=True)
    """When it was seen there."""
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class SerialSighting(SQLModel, table=True):
    """A serialised unit was at a place at an instant; the newest sighting is the unit's place."""

    __tablename__ = "serial_sighting"
    __table_args__ = (Index("ix_serial_sighting_batch", "batch_id"),)

    serial_id: int = ref("serial.id", primary_key=True)
    as_of: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    location_id: int = ref("location.id")
    batch_id: int | None = ref("import_batch.id", nullable=True)


class LotGenealogy(SQLModel, table=True):
    """`quantity` units of the input lot went into the output lot (merge, split, kit, rework)."""

    __tablename__ = "lot_genealogy"
    __table_args__ = (
        UniqueConstraint("source_system", "source_id"),
        CheckConstraint("quantity > 0", name="positive"),
        Index("ix_lot_genealogy_input", "input_lot_id", "output_lot_id"),
        Index("ix_lot_genealogy_output", "output_lot_id", "input_lot_id"),
    )

    id: int | None = identity()
    input_lot_id: int = ref("lot.id")
    output_lot_id: int = ref("lot.id")
    quantity: Decimal = quantity()
    """Units of use of the input lot."""
    occurred_at: datetime | None = instant(nullable=True)
    source_system: str = text(60)
    source_id: str = text(120)
    batch_id: int | None = ref("import_batch.id", nullable=True, index=True)


class Movement(SQLModel, table=True):
    """One recorded movement of a product, usually of a known lot. A receipt without a lot is kept, and is a gap.

    A `shipment` leaves `from_location` for `to_location`; a `receipt` is the arrival there (it cites the shipment's
    document number). Shipped and not yet received is in transit, unless the source records deliveries only
    (`delivered` true: shipment and receipt in one).
    """

    __tablename__ = "movement"
    __table_args__ = (
        UniqueConstraint("source_system", "source_id"),
        one_of("kind", MovementKind),
        CheckConstraint("quantity <> 0 AND (quantity > 0 OR kind = 'adjustment')", name="quantity_sign"),
        CheckConstraint("from_location_id IS NOT NULL OR to_location_id IS NOT NULL", name="somewhere"),
        Index(
            "ix_movement_lot",
            "lot_id",
            "kind",
            postgresql_include=["from_location_id", "to_location_id", "quantity"],
        ),
        Index("ix_movement_to", "to_location_id", "product_id", "occurred_at"),
        Index("ix_movement_from", "from_location_id"),
        Index("ix_movement_document", "document_no"),
        Index("ix_movement_no_lot", "product_id", "occurred_at", postgresql_where=sql("lot_id IS NULL")),
        Index("ix_movement_batch", "batch_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    kind: str = text(12)
    product_id: int = ref("product.id")
    lot_id: int | None = ref("lot.id", nullable=True)
    from_location_id: int | None = ref("location.id", nullable=True)
    to_location_id: int | None = ref("location.id", nullable=True)
    quantity: Decimal = quantity()
    """Units of use."""
    delivered: bool = Field(default=False, nullable=False)
    occurred_at: datetime = instant()
    document_no: str | None = text(80, nullable=True)
    source_system: str = text(60)
    source_id: str = text(120)
    batch_id: int | None = ref("import_batch.id", nullable=True)


class Stock(SQLModel, table=True):
    """What a lot's ledger says lies at a location, in units of use. `held` is the part under a hold."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("on_hand >= 0 AND reserved >= 0 AND held >= 0", name="not_negative"),
        CheckConstraint("held <= on_hand AND reserved <= on_hand", name="within_on_hand"),
        Index("ix_stock_location", "location_id"),
        Index("ix_stock_batch", "batch_id"),
    )

    lot_id: int = ref("lot.id", primary_key=True)
    location_id: int = ref("location.id", primary_key=True)
    on_hand: Decimal = quantity()
    reserved: Decimal = quantity()
    held: Decimal = quantity()
    booked: Decimal = quantity(zero=True)
    """Part of `on_hand` that we booked ourselves since `as_of` (returns in, disposals out), and that the movements
    since then hold as well: `on_hand - booked` is the count, and a reader adds the movements after `as_of` to that."""
    as_of: datetime = instant()
    """Instant the count or feed speaks of; the trace reports sites without data since a date."""
    batch_id: int | None = ref("import_batch.id", nullable=True)
    source: str | None = text(40, nullable=True)
    """Code of the keeper of stock whose answer the count is; none for imported and booked ones."""


class StockBefore(SQLModel, table=True):
    """What a stock row said before a later batch superseded it, kept so that the later batch can be reversed."""

    __tablename__ = "stock_before"
    __table_args__ = (Index("ix_stock_before_prior_batch", "prior_batch_id"),)

    batch_id: int = ref("import_batch.id", primary_key=True)
    """The batch that superseded the row."""
    lot_id: int = ref("lot.id", primary_key=True)
    location_id: int = ref("location.id", primary_key=True)
    on_hand: Decimal = quantity()
    reserved: Decimal = quantity()
    as_of: datetime = instant()
    prior_batch_id: int | None = ref("import_batch.id", nullable=True)


class StockClaim(SQLModel, table=True):
    """The ledger's own record of a hold it carries out: who claims how much of a lot at a location, by key.

    `stock.held` is derived from the open claims, so two claimants on one lot never count twice and the end of one
    claim leaves the other standing.
    """

    __tablename__ = "stock_claim"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="positive"),
        Index("ix_stock_claim_open", "lot_id", "location_id", postgresql_where=sql("released_at IS NULL")),
    )

    key: str = Field(sa_column=Column(String(200), primary_key=True))
    """Idempotency key of the hold: the same key again is the same claim."""
    claimant: str = text(40)
    lot_id: int = ref("lot.id")
    location_id: int = ref("location.id")
    position: str = text(12)
    document_no: str | None = text(80, nullable=True)
    """The shipment that is stopped, for goods in transit."""
    quantity: Decimal = quantity()
    """Units of use."""
    placed_at: datetime = instant(server_now=True)
    released_at: datetime | None = instant(nullable=True)


__all__ = [
    "BatchState",
    "ImportBatch",
    "ImportKind",
    "Lot",
    "LotGenealogy",
    "Movement",
    "MovementKind",
    "Serial",
    "SerialSighting",
    "Stock",
    "StockBefore",
    "StockClaim",
]
