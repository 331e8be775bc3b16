"""Keepers of stock outside our own ledger: how they are reached, which places they keep, how they fare."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.keepers import LEDGER, VARIABLE_PREFIX, KeeperAuth, KeeperKind, KeeperState
from models.base import identity, instant, one_of, text


class Keeper(SQLModel, table=True):
    """A WMS, ERP or logistics partner that keeps stock; secrets are in the environment, here are their names."""

    __tablename__ = "keeper"
    __table_args__ = (
        one_of("kind", KeeperKind),
        one_of("auth", KeeperAuth),
        one_of("state", KeeperState),
        CheckConstraint(f"code <> '{LEDGER}'", name="not_the_ledger"),
        CheckConstraint(f"starts_with(credential_variable, '{VARIABLE_PREFIX}')", name="credential_prefix"),
        CheckConstraint(f"starts_with(webhook_variable, '{VARIABLE_PREFIX}')", name="webhook_prefix"),
        CheckConstraint("per_second > 0", name="rate_positive"),
        CheckConstraint("timeout_seconds > 0 AND give_up_seconds >= timeout_seconds", name="times_positive"),
    )

    code: str = Field(sa_column=Column(String(40), primary_key=True))
    kind: str = text(12)
    name: str = text(200)
    base_url: str = text(500)
    database: str | None = text(120, nullable=True)
    auth: str = text(10)
    credential_variable: str | None = text(80, nullable=True)
    webhook_variable: str | None = text(80, nullable=True)
    per_second: float | None = None
    timeout_seconds: float = Field(nullable=False)
    give_up_seconds: float = Field(nullable=False)
    """Longest call with all its repeats."""
    state: str = text(12)
    cursor: str | None = text(500, nullable=True)
    """Where the next page of its feed begins; stored after the changes before it were handled."""
    read_at: datetime | None = instant(nullable=True)
    """When the feed was last read to its end."""
    last_success_at: datetime | None = instant(nullable=True)
    last_failure_at: datetime | None = instant(nullable=True)
    last_error: str | None = text(500, nullable=True)
    failures: int = Field(default=0, nullable=False, sa_column_kwargs={"server_default": "0"})
    """Failed looks in a row."""


class KeeperLocation(SQLModel, table=True):
    """A place whose stock another system keeps; without a row it is our own ledger's."""

    __tablename__ = "keeper_location"
    __table_args__ = (UniqueConstraint("keeper_code", "place_code"),)

    location_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("location.id", ondelete="CASCADE"), primary_key=True)
    )
    keeper_code: str = Field(foreign_key="keeper.code", nullable=False)
    place_code: str = text(160)
    """The keeper's own code of the place."""


class KeeperSkip(SQLModel, table=True):
    """A row of a keeper's answer that could not be taken: an unknown lot, a place that is not on record, a bad unit."""

    __tablename__ = "keeper_skip"
    __table_args__ = (
        UniqueConstraint("keeper_code", "what", "subject", "reason"),
        Index("ix_keeper_skip_seen", "keeper_code", "last_seen_at"),
    )

    id: int | None = identity()
    keeper_code: str = Field(foreign_key="keeper.code", nullable=False)
    what: str = text(12)
    subject: str = text(200)
    reason: str = text(200)
    first_seen_at: datetime = instant()
    last_seen_at: datetime = instant()
    times: int = Field(default=1, nullable=False)


__all__ = ["Keeper", "KeeperLocation", "KeeperSkip"]
