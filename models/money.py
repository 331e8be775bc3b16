"""Money beyond the single entry: exchange rates as stated, the mapping of kinds to accounts, closed journals."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, Numeric, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.costs import CostKind
from domain.journal import Side
from models.base import identity, instant, one_of, ref, text

_CODE = "~ '^[A-Z]{3}$'"


class MappingState(StrEnum):
    """A row of the mapping counts once another person has approved it."""

    proposed = "proposed"
    approved = "approved"
    rejected = "rejected"
    """By the other person, or taken back by the proposer."""


class ExchangeRate(SQLModel, table=True):
    """What one unit of a currency was worth in another, on a day, by a source; written once."""

    __tablename__ = "exchange_rate"
    __table_args__ = (
        CheckConstraint(f"currency {_CODE} AND base {_CODE} AND currency <> base", name="two_currencies"),
        CheckConstraint("rate > 0", name="positive"),
        Index("ix_exchange_rate_pair", "currency", "base", "valid_on"),
    )

    id: int | None = identity()
    currency: str = Field(sa_column=Column(String(3), nullable=False))
    base: str = Field(sa_column=Column(String(3), nullable=False))
    rate: Decimal = Field(sa_column=Column(Numeric(20, 10), nullable=False))
    """Units of `base` for one unit of `currency`."""
    valid_on: date
    source: str = text(200)
    request: str = text(120, unique=True)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()


class AccountRule(SQLModel, table=True):
    """A row of the account mapping: accounts of a kind of cost, from a day on (`domain.accounts`)."""

    __tablename__ = "account_rule"
    __table_args__ = (
        one_of("kind", CostKind),
        one_of("state", MappingState),
        CheckConstraint("(debit IS NULL) = (credit IS NULL) AND debit <> credit", name="two_accounts"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
        CheckConstraint("state <> 'approved' OR lower(trim(decided_by)) <> lower(trim(proposed_by))", name="four_eyes"),
        CheckConstraint(
            "(state = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="decided_whole",
        ),
        Index("ix_account_rule_kind", "kind", "valid_from"),
    )

    id: int | None = identity()
    kind: str = text(24)
    company: str | None = text(120, nullable=True)
    jurisdiction: str | None = text(40, nullable=True)
    family: str | None = text(120, nullable=True)
    """Product family."""
    debit: str | None = text(40, nullable=True)
    credit: str | None = text(40, nullable=True)
    cost_centre: str | None = text(40, nullable=True)
    valid_from: date
    valid_until: date | None = None
    note: str | None = text(500, nullable=True)
    state: str = text(10)
    request: str = text(120, unique=True)
    proposed_by: str = text(120)
    proposed_at: datetime = instant()
    decided_by: str | None = text(120, nullable=True)
    decided_at: datetime | None = instant(nullable=True)
    decision_reason: str | None = text(500, nullable=True)


class Journal(SQLModel, table=True):
    """Entries handed to the accounts department: numbered per recall, closed when written, never changed."""

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("recall_number", "sequence"),
        CheckConstraint("line_count >= 2 AND line_count % 2 = 0", name="pairs"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    line_count: int = Field(nullable=False)
    totals: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """Currency -> what each side sums to, as decimal text."""
    sha256: str = text(64)
    """Of the journal as CSV."""
    left_open: int = Field(nullable=False)
    """Entries without accounts that this journal left for a later one."""
    note: str | None = text(500, nullable=True)
    request: str = text(120, unique=True)
    closed_by: str = text(120)
    closed_at: datetime = instant()


class JournalLine(SQLModel, table=True):
    """One side of one cost entry. The database refuses lines that leave their journal unbalanced or too long."""

    __tablename__ = "journal_line"
    __table_args__ = (
        one_of("side", Side),
        CheckConstraint("amount > 0", name="positive"),
        UniqueConstraint("journal_id", "line_no"),
        UniqueConstraint("cost_entry_id", "side"),
    )

    id: int | None = identity()
    journal_id: int = ref("journal.id")
    line_no: int = Field(nullable=False)
    cost_entry_id: int = ref("cost_entry.id")
    side: str = text(6)
    account: str = text(40)
    cost_centre: str | None = text(40, nullable=True)
    amount: Decimal = Field(sa_column=Column(Numeric(18, 4), nullable=False))
    currency: str = Field(sa_column=Column(String(3), nullable=False))
    kind: str = text(24)
    rule_id: int | None = ref("account_rule.id", nullable=True)
    posted_on: date
    document_no: str | None = text(80, nullable=True)


__all__ = ["AccountRule", "ExchangeRate", "Journal", "JournalLine", "MappingState"]
