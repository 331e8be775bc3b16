"""Effectiveness checks (21 CFR 7.42(b)(3)): rounds of a drawn sample, and what each checked consignee had done."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, ref, text


class EffectivenessRound(SQLModel, table=True):
    """One sample, drawn by a recorded seed from the consignees at the strategy's depth."""

    __tablename__ = "effectiveness_round"
    __table_args__ = (
        UniqueConstraint("recall_number", "sequence"),
        CheckConstraint("level IN ('A','B','C','D','E')", name="level_known"),
        CheckConstraint("sample_size BETWEEN 0 AND population", name="sample_possible"),
        CheckConstraint("outcome IN ('passed','failed')", name="outcome_known"),
    )

    id: int | None = identity()
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    sequence: int = Field(nullable=False)
    level: str = text(1)
    percent: int = Field(nullable=False)
    depth: str = text(16)
    seed: str = text(64)
    population: int = Field(nullable=False)
    sample_size: int = Field(nullable=False)
    drawn_at: datetime = instant()
    candidates: list[int] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default="[]"))
    """Consignees at the depth when it was drawn, by id: with `seed` anybody can draw the sample again."""
    outcome: str | None = text(8, nullable=True)
    judged_at: datetime | None = instant(nullable=True)


class EffectivenessCheck(SQLModel, table=True):
    """One consignee of a sample. A non-responder never passes; three facts are recorded apart.

    pending -> done | no_response | void (the consignee left the recall before it was checked).
    """

    __tablename__ = "effectiveness_check"
    __table_args__ = (
        UniqueConstraint("round_id", "consignee_id"),
        CheckConstraint("state IN ('pending','done','no_response','void')", name="state_known"),
        CheckConstraint("method IN ('visit','phone','letter','email','record')", name="method_known"),
        Index("ix_effectiveness_check_consignee", "consignee_id"),
    )

    id: int | None = identity()
    round_id: int = ref("effectiveness_round.id")
    consignee_id: int = ref("consignee.id")
    state: str = text(12)
    method: str | None = text(8, nullable=True)
    person: str | None = text(200, nullable=True)
    received: bool | None = None
    understood: bool | None = None
    acted: bool | None = None
    found: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    """Per lot: found and expected quantity (stated, less what has left since), units of use, decimal as text."""
    passed: bool | None = None
    why: str | None = text(500, nullable=True)
    checked_by: str | None = text(120, nullable=True)
    checked_at: datetime | None = instant(nullable=True)
    request: str | None = text(120, nullable=True)
    """Id of the request that recorded it: the same request again changes nothing."""


__all__ = ["EffectivenessCheck", "EffectivenessRound"]
