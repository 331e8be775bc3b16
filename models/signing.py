"""Electronic signatures: who can sign (password, training), in which continuous period, and what was signed.

A signature is evidence and never changes; the account behind it changes with every wrong password and is kept.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, text


class SigningAccount(SQLModel, table=True):
    """The second component of a person's signature: the password as Argon2 hash, and how often it was wrong."""

    __tablename__ = "signing_account"
    __table_args__ = (CheckConstraint("failed >= 0", name="failed_not_negative"),)

    principal: str = Field(sa_column=Column(String(120), primary_key=True))
    password_hash: str = text(200)
    must_change: bool = Field(nullable=False)
    """An initial password opens nothing but its own change (21 CFR 11.300)."""
    failed: int = Field(default=0, nullable=False)
    """Wrong passwords since the last right one."""
    locked_at: datetime | None = instant(nullable=True)
    set_by: str = text(120)
    changed_at: datetime = instant()


class SigningSession(SQLModel, table=True):
    """A continuous period of controlled access in which a token alone signs (21 CFR 11.200(a)(1)(i))."""

    __tablename__ = "signing_session"
    __table_args__ = (Index("ix_signing_session_token", "token_id", "opened_at"),)

    id: UUID = Field(primary_key=True)
    token_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    principal: str = text(120)
    opened_at: datetime = instant()
    last_used_at: datetime = instant()
    ends_at: datetime = instant()
    """At the latest, however busy."""
    closed_at: datetime | None = instant(nullable=True)


class Signature(SQLModel, table=True):
    """One act of signing: `document` says who, when, with which meaning, what; `sha256` is over its canonical JSON.

    The columns beside it repeat what is looked up by, and must say the same.
    """

    __tablename__ = "signature"
    __table_args__ = (Index("ix_signature_recall", "recall_number", "signed_at"),)

    id: UUID = Field(primary_key=True)
    recall_number: str | None = Field(default=None, foreign_key="recall.number", nullable=True)
    """Empty: an act on no recall, for example on a policy."""
    principal: str = text(120)
    printed_name: str = text(200)
    role: str = text(24)
    meaning: str = text(300)
    operation: str = text(80)
    signed_at: datetime = instant()
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    sha256: str = text(64)
    token_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    session_id: UUID = Field(nullable=False)


class TrainingRecord(SQLModel, table=True):
    """Somebody was trained on one version of one policy (21 CFR 11.10(i)); recorded by somebody else."""

    __tablename__ = "training_record"
    __table_args__ = (
        UniqueConstraint("principal", "policy_id", "version", "trained_on"),
        CheckConstraint("principal <> recorded_by", name="by_another_person"),
    )

    id: int | None = identity()
    principal: str = text(120)
    policy_id: str = text(20)
    version: int = Field(nullable=False)
    trained_on: date = Field(nullable=False)
    evidence: str = text(200)
    """Reference of what proves it: attendance list, certificate, test."""
    recorded_by: str = text(120)
    recorded_at: datetime = instant()


__all__ = ["Signature", "SigningAccount", "SigningSession", "TrainingRecord"]
