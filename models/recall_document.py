"""Goods documents a recall has stopped at the keepers of the stock, from the request until somebody decides on them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Column, Field, SQLModel

from domain.inventory import DocumentKind
from models.base import identity, instant, one_of, ref, signature_ref, text


class StopState(StrEnum):
    """requested -> confirmed -> releasing -> released, or cancelling -> cancelled; watched ones are not stopped."""

    watched = "watched"
    """Seen, not stopped: its lot is allocated later (held lots cannot be), or it brings goods back to us."""
    requested = "requested"
    confirmed = "confirmed"
    failed = "failed"
    """Its keeper refused or could not be reached; asked again."""
    releasing = "releasing"
    released = "released"
    """This recall stops it no more; others may."""
    cancelling = "cancelling"
    cancelled = "cancelled"
    done = "done"
    """Carried out before, or in spite of, the stop."""


class RecallDocument(SQLModel, table=True):
    """One recall's stop of one document of one keeper; a document under two recalls has two rows."""

    __tablename__ = "recall_document"
    __table_args__ = (
        UniqueConstraint("recall_number", "keeper", "source", "kind", "document_no", "location_id"),
        one_of("state", StopState),
        one_of("kind", DocumentKind),
        Index("ix_recall_document_state", "recall_number", "state"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    keeper: str = text(40)
    """Code of the keeper whose document it is; `ledger` for our own."""
    source: str = text(60)
    """What tells it from the keeper's other documents of this kind, number and place; the ledger's source system."""
    kind: str = text(10)
    document_no: str = text(80)
    location_id: int = ref("location.id")
    other_location_id: int | None = ref("location.id", nullable=True)
    lines: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    """`product, lot, quantity` as last seen: what was left to move."""
    lot_ids: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    """Lots of the scope that it names; empty when it names the product only."""
    state: str = text(10)
    keeper_state: str | None = text(10, nullable=True)
    """What the keeper last said of it."""
    turn: int = Field(default=0, nullable=False)
    """Rises when a stop that had ended is asked for again; part of its key at the keeper."""
    late: bool = Field(default=False, nullable=False)
    """True when it appeared after the recall had first looked."""
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    reference: str | None = text(200, nullable=True)
    """The keeper's own number of what it did."""
    requested_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)
    ended_at: datetime | None = instant(nullable=True)
    decided_by: str | None = text(120, nullable=True)
    """Who decided that it is released or cancelled; `system` where the recall's end or a smaller scope freed it."""
    decided_at: datetime | None = instant(nullable=True)
    reason: str | None = text(2000, nullable=True)
    request: str | None = text(120, nullable=True)
    """Names the entry that decided; its repeat finds it."""
    signature_id: UUID | None = signature_ref()


__all__ = ["RecallDocument", "StopState"]
