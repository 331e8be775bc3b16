"""The provisional cost account of a recall: the cost object its costs are booked on until they are settled."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.base import instant, one_of, signature_ref, text


class AccountState(StrEnum):
    """open -> locked -> settled; a signed reopening leads back to open."""

    open = "open"
    locked = "locked"
    """Nothing is booked on it any more."""
    settled = "settled"
    """Its balance is transferred to the final accounts."""


class ProvisionalAccount(SQLModel, table=True):
    """One account for each recall, under the recall's number."""

    __tablename__ = "provisional_account"
    __table_args__ = (
        one_of("state", AccountState),
        CheckConstraint("(state = 'open') = (locked_at IS NULL)", name="locked_at_known"),
        CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled_at_known"),
    )

    recall_number: str = Field(foreign_key="recall.number", primary_key=True)
    state: str = text(8)
    turn: int = Field(default=1, nullable=False)
    """1 when it is opened; one more for each reopening."""
    opened_at: datetime = instant()
    opened_by: str = text(120)
    locked_at: datetime | None = instant(nullable=True)
    locked_by: str | None = text(120, nullable=True)
    lock_reason: str | None = text(2000, nullable=True)
    settled_at: datetime | None = instant(nullable=True)
    settled_by: str | None = text(120, nullable=True)
    settlement_no: str | None = text(80, nullable=True)
    """Document number of the transfer in the ledger of the firm."""
    signature_id: UUID | None = signature_ref()
    """The signature under its present state; none for what is opened with the recall."""


__all__ = ["AccountState", "ProvisionalAccount"]
