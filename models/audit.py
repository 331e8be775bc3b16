"""The audit chain: append-only events, hash-chained per stream (a recall number, or `system`)."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import instant, text


class AuditHead(SQLModel, table=True):
    """Last link of each stream; locked while an event is appended, so the chain has no fork."""

    __tablename__ = "audit_head"

    stream: str = Field(sa_column=Column(String(20), primary_key=True))
    seq: int = Field(nullable=False)
    hash: str = text(64)


class AuditEvent(SQLModel, table=True):
    """Who did what, when, why. The application's role may insert and read, never update, delete or truncate."""

    __tablename__ = "audit_event"

    stream: str = Field(sa_column=Column(String(20), primary_key=True))
    seq: int = Field(primary_key=True)
    at: datetime = instant()
    actor: str = text(120)
    role: str = text(24)
    action: str = text(80)
    reason: str | None = text(4000, nullable=True)
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    prev_hash: str = text(64)
    hash: str = text(64)


__all__ = ["AuditEvent", "AuditHead"]
