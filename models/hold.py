"""Holds: what a recall claims of the stock, position by position, from the request until nothing is left of it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text
from models.base import quantity as units


class HoldState(StrEnum):
    """A hold is requested, then confirmed by whoever holds the stock; only signed decisions take units out of it."""

    requested = "requested"
    confirmed = "confirmed"
    failed = "failed"
    nonconformity = "nonconformity"
    """The recall's claim ended without a release; quality decides lot by lot."""
    released = "released"
    """Signed free by quality, as far as it was not disposed of before."""
    disposed = "disposed"
    """Emptied by dispositions: nothing of it is left under the claim."""


class PositionKind(StrEnum):
    """Where a held quantity was found."""

    on_hand = "on_hand"
    reserved = "reserved"
    in_transit = "in_transit"


class Hold(SQLModel, table=True):
    """One recall's claim on one position (lot at a location, or on its way there)."""

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint(
            "recall_number",
            "lot_id",
            "location_id",
            "position",
            "document_no",
            postgresql_nulls_not_distinct=True,
        ),
        one_of("state", HoldState),
        one_of("position", PositionKind),
        Index("ix_hold_lot", "lot_id", "location_id"),
        Index("ix_hold_open", "recall_number", "state"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    lot_id: int = ref("lot.id")
    location_id: int = ref("location.id")
    position: str = text(12)
    document_no: str | None = text(80, nullable=True)
    """Shipment in transit, or order whose reservation was broken."""
    quantity: Decimal = units()
    """Units of use still under the claim; dispositions and releases take from it."""
    released: Decimal = units(zero=True)
    """Units a signed release took out that may still lie there; the watch for new stock does not claim them again."""
    turn: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """Rises when an ended hold is raised again for stock that appeared later; part of its key at the keeper."""
    state: str = text(14)
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    late: bool = Field(default=False, nullable=False)
    """True when the stock appeared after the first request."""
    requested_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)
    confirmed_by: str | None = text(120, nullable=True)
    ended_at: datetime | None = instant(nullable=True)
    ended_by: str | None = text(120, nullable=True)
    """Who signed its release, or carried out the disposition that emptied it."""


__all__ = ["Hold", "HoldState", "PositionKind"]
