"""What a keeper outside our ledger was last told of each hold, and what it acknowledged; and counts by people.

A hold says what a recall wants locked. The rows here say what was asked of the keeper and what it answered, so that
whatever differs is known to be due again, whichever process died in between.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import identity, instant, one_of, ref, signature_ref, text
from models.base import quantity as units


class KeeperHold(SQLModel, table=True):
    """One hold under one name at one keeper. Another name (nonconforming), turn or keeper is another row."""

    __tablename__ = "keeper_hold"
    __table_args__ = (
        CheckConstraint("asked >= 0 AND held >= 0", name="not_negative"),
        UniqueConstraint("hold_id", "turn", "generation"),
        Index("ix_keeper_hold_standing", "keeper", postgresql_where=sql("ended_at IS NULL")),
    )

    key: str = Field(sa_column=Column(String(200), primary_key=True))
    """Idempotency key at the keeper."""
    hold_id: int = ref("hold.id")
    keeper: str = text(40)
    claimant: str = text(60)
    """Whose hold the keeper was told it is."""
    nonconforming: bool = Field(nullable=False)
    """Told as a nonconformity hold: the recall's claim has ended."""
    turn: int = Field(nullable=False)
    """`hold.turn` it stands for."""
    generation: int = Field(nullable=False)
    """Counts the rows of one hold and turn: a key that was released is never raised again."""
    asked: Decimal = units(zero=True)
    """Most units the keeper may have been told to lock; written before it is told."""
    held: Decimal = units(zero=True)
    """Units of use that are surely locked: acknowledged, and not asked to be let go since."""
    by: str | None = text(120, nullable=True)
    """System or person at the keeper that confirmed."""
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    closing: bool = Field(default=False, nullable=False)
    """Its end is or will be asked for; it is not raised again."""
    planned_at: datetime = instant()
    asked_at: datetime | None = instant(nullable=True)
    acknowledged_at: datetime | None = instant(nullable=True)
    """When the keeper last answered how much it holds."""
    ended_at: datetime | None = instant(nullable=True)
    """When the keeper acknowledged that nothing is left under the key."""


class KeeperDisposal(SQLModel, table=True):
    """A part of a disposition that the keeper of the place has to book as well."""

    __tablename__ = "keeper_disposal"
    __table_args__ = (Index("ix_keeper_disposal_due", "keeper", postgresql_where=sql("acknowledged_at IS NULL")),)

    part_id: int = ref("disposition_part.id", primary_key=True)
    key: str = text(200, unique=True)
    keeper: str = text(40)
    reference: str | None = text(120, nullable=True)
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    planned_at: datetime = instant()
    acknowledged_at: datetime | None = instant(nullable=True)


class KeeperShipment(SQLModel, table=True):
    """An approved replacement that the keeper of the stock was asked to ship."""

    __tablename__ = "keeper_shipment"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'blocked', 'cancelled', 'done')", name="state_known"),
        Index("ix_keeper_shipment_open", "keeper", postgresql_where=sql("ended_at IS NULL")),
    )

    allocation_id: int = ref("allocation.id", primary_key=True)
    key: str = text(200, unique=True)
    keeper: str = text(40)
    number: str | None = text(80, nullable=True)
    """Of the keeper's order."""
    state: str | None = text(10, nullable=True)
    """How the order stands, by the keeper's last answer."""
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    planned_at: datetime = instant()
    asked_at: datetime | None = instant(nullable=True)
    """Written before the keeper is asked for the first time."""
    acknowledged_at: datetime | None = instant(nullable=True)
    ended_at: datetime | None = instant(nullable=True)
    """The goods left, or the keeper has no order for them and makes none."""
    abandoned_at: datetime | None = instant(nullable=True)
    """Nobody waits for the keeper's answer any more: a person may ship, and the order is taken back when it answers."""
    abandoned_by: str | None = text(120, nullable=True)
    abandon_reason: str | None = text(500, nullable=True)
    signature_id: UUID | None = signature_ref()


class StatusTold(StrEnum):
    """Whether a keeper knows the status of a lot: due, told, or what it said instead."""

    due = "due"
    told = "told"
    refused = "refused"
    unserved = "unserved"
    """The keeper takes no status of lots; it is asked again after an hour."""


class KeeperLotStatus(SQLModel, table=True):
    """What a keeper is to know of a lot, and whether it was told."""

    __tablename__ = "keeper_lot_status"
    __table_args__ = (
        one_of("state", StatusTold),
        Index("ix_keeper_lot_status_due", "keeper", postgresql_where=sql("state IN ('due', 'unserved')")),
        Index("ix_keeper_lot_status_lot", "lot_id"),
    )

    keeper: str = Field(sa_column=Column(String(40), primary_key=True))
    lot_id: int = ref("lot.id", primary_key=True)
    status: str = text(20)
    recalls: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = text(10)
    attempts: int = Field(default=0, nullable=False)
    last_error: str | None = text(500, nullable=True)
    changed_at: datetime = instant()
    asked_at: datetime | None = instant(nullable=True)
    told_at: datetime | None = instant(nullable=True)
    """When the keeper acknowledged this status."""


class HoldCheck(SQLModel, table=True):
    """A person looked at held units where they lie, and counted them."""

    __tablename__ = "hold_check"
    __table_args__ = (
        CheckConstraint("counted >= 0 AND claimed >= 0", name="not_negative"),
        UniqueConstraint("hold_id", "request"),
        Index("ix_hold_check_hold", "hold_id", "id"),
    )

    id: int | None = identity()
    hold_id: int = ref("hold.id")
    turn: int = Field(nullable=False)
    claimed: Decimal = units()
    """Units under the claim at that moment."""
    counted: Decimal = units()
    evidence_id: UUID | None = Field(default=None, foreign_key="evidence.id", nullable=True)
    """Photo or sheet, where one was taken."""
    note: str | None = text(2000, nullable=True)
    request: str = text(120)
    checked_by: str = text(120)
    checked_at: datetime = instant()


__all__ = ["HoldCheck", "KeeperDisposal", "KeeperHold", "KeeperLotStatus", "KeeperShipment", "StatusTold"]
