"""Requests to logistics providers about goods on their way: stop, redirect, return; answered by document numbers."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, text
from models.base import quantity as units


class LogisticsKind(StrEnum):
    """What the provider is asked to do with goods on their way."""

    stop = "stop"
    redirect = "redirect"
    """Deliver them to another place of ours."""
    return_ = "return"
    """Bring them back to where they left, or to a place of ours."""


class LogisticsState(StrEnum):
    """asked -> answered, or refused by the provider, or withdrawn by us."""

    asked = "asked"
    answered = "answered"
    refused = "refused"
    withdrawn = "withdrawn"


class LogisticsRequest(SQLModel, table=True):
    """One request about one shipment under hold; at most one is open for a shipment at a time."""

    __tablename__ = "logistics_request"
    __table_args__ = (
        one_of("kind", LogisticsKind),
        one_of("state", LogisticsState),
        CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name="ended_at_known"),
        CheckConstraint("state <> 'answered' OR reference IS NOT NULL", name="answered_by_number"),
        CheckConstraint("kind <> 'redirect' OR to_location_id IS NOT NULL", name="redirect_somewhere"),
        Index("uq_logistics_request_open", "hold_id", unique=True, postgresql_where=sql("state = 'asked'")),
        Index("ix_logistics_request_recall", "recall_number", "id"),
        Index("ix_logistics_request_hold", "hold_id"),
        Index("ix_logistics_request_request", "request"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    hold_id: int = ref("hold.id")
    """The position in transit."""
    turn: int = Field(nullable=False)
    """`hold.turn` it is about."""
    quantity: Decimal = units()
    """Units of use under way when it was asked."""
    kind: str = text(10)
    state: str = text(10)
    provider_id: int | None = ref("partner.id", nullable=True)
    """Who moves the goods; None where no record says so and the recall asked by itself."""
    to_location_id: int | None = ref("location.id", nullable=True)
    """Where the goods are to go instead."""
    asked_by: str = text(120)
    """`system`: the recall's watch."""
    asked_at: datetime = instant()
    request: str | None = text(120, nullable=True)
    """Names the entry that made it; its repeat finds it."""
    reference: str | None = text(80, nullable=True)
    """The provider's document number: stop confirmation, redirect order, return delivery."""
    expected_at: datetime | None = instant(nullable=True)
    note: str | None = text(2000, nullable=True)
    """What the provider said, or why the request was withdrawn."""
    ended_at: datetime | None = instant(nullable=True)
    ended_by: str | None = text(120, nullable=True)
    """Who recorded it, or the keeper of stock whose system stopped the shipment."""


class Redirect(SQLModel, table=True):
    """Goods that a provider sends to another place than they were shipped to: a record of their way, like a movement.

    Never changed, and kept beyond the recall that asked for it: the trace reads it.
    """

    __tablename__ = "redirect"
    __table_args__ = (Index("ix_redirect_lot", "lot_id", "document_no"),)

    id: int | None = identity()
    lot_id: int = ref("lot.id")
    document_no: str | None = text(80, nullable=True)
    """Of the shipment."""
    from_location_id: int = ref("location.id")
    """Where the goods were expected; where no record says so, the place they left."""
    to_location_id: int = ref("location.id")
    quantity: Decimal = units()
    """Units of use at most: what is received at the first place all the same did not go elsewhere."""
    reference: str = text(80)
    """The provider's document number."""
    asked_by_recall: str = text(40)
    """Number of the recall that asked; its file may be gone."""
    at: datetime = instant()
    """When the provider's answer was recorded."""


__all__ = ["LogisticsKind", "LogisticsRequest", "LogisticsState", "Redirect"]
