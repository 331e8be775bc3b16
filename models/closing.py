"""Scope versions and what authorities said at the end: how a running recall changed, and how it was closed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, signature_ref, text


class ScopeVersion(SQLModel, table=True):
    """One version of a recall's scope: the criteria that hold, what changed, who decided it."""

    __tablename__ = "scope_version"
    __table_args__ = (CheckConstraint("change IN ('initial','expand','reduce')", name="change_known"),)

    recall_number: str = Field(foreign_key="recall.number", primary_key=True)
    version: int = Field(primary_key=True)
    change: str = text(8)
    criteria: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """`{"parts": [...]}`: the criteria of the intake and of every expansion (`domain.scope.ScopeCriteria`)."""
    excluded_lots: list[int] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]"))
    """Lots taken out by a reduction, by id, with everything that only descends from them."""
    reason: str | None = text(2000, nullable=True)
    decided_by: str = text(120)
    signature_id: UUID | None = signature_ref()
    decided_at: datetime = instant()


class AuthorityAnswer(SQLModel, table=True):
    """An authority's word on a completed recall, or the signed statement that there is none to ask."""

    __tablename__ = "authority_answer"
    __table_args__ = (CheckConstraint("answer IN ('terminated','more_ordered','no_authority')", name="answer_known"),)

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False, index=True)
    jurisdiction: str = text(20)
    answer: str = text(16)
    reference: str | None = text(200, nullable=True)
    reason: str | None = text(2000, nullable=True)
    recorded_by: str = text(120)
    signature_id: UUID | None = signature_ref()
    recorded_at: datetime = instant()


__all__ = ["AuthorityAnswer", "ScopeVersion"]
