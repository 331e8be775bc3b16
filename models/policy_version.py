"""A version of a regulation profile under change control: who wrote, reviewed and approved it, and when it counts.

Rows are never deleted; the profile itself (`body`, `text`) is frozen by a trigger once somebody has reviewed it.
Shipped versions come with the software and are marked as such; nobody of the firm signed them.
"""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Integer, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.policy_versions import VersionState
from models.base import datetime, instant, one_of
from models.base import text as short_text

_SIGNED = "state NOT IN ('approved', 'in_force', 'superseded')"


class PolicyVersion(SQLModel, table=True):
    """One version of one profile, from draft to superseded."""

    __tablename__ = "policy_version"
    __table_args__ = (
        one_of("state", VersionState),
        CheckConstraint("version >= 1", name="version_from_one"),
        CheckConstraint("lower(reviewed_by) <> lower(authored_by)", name="reviewer_is_no_author"),
        CheckConstraint("lower(approved_by) <> lower(authored_by)", name="approver_is_no_author"),
        CheckConstraint("lower(approved_by) <> lower(reviewed_by)", name="approver_is_no_reviewer"),
        CheckConstraint("state <> 'reviewed' OR reviewed_by IS NOT NULL", name="reviewed_by_somebody"),
        CheckConstraint(
            f"{_SIGNED} OR (reviewed_by IS NOT NULL AND approved_by IS NOT NULL) OR (shipped AND approved_by IS NULL)",
            name="approved_by_two",
        ),
        CheckConstraint(
            "state NOT IN ('in_force', 'superseded') OR in_force_from IS NOT NULL", name="in_force_from_day"
        ),
        CheckConstraint("(state = 'superseded') = (superseded_from IS NOT NULL)", name="superseded_from_day"),
    )

    policy_id: str = Field(sa_column=Column(String(20), primary_key=True))
    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    state: str = short_text(12)
    shipped: bool = Field(default=False, nullable=False)
    """Came with the software; its author is `shipped`."""
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """The parsed profile, as a recall pins it."""
    text: str = Field(sa_column=Column(Text, nullable=False))
    """The YAML as submitted, with its comments."""
    sha256: str = Field(sa_column=Column(String(64), nullable=False))
    """Hash of the content (`domain.policy.policy_hash`); review and approval name it."""
    note: str = Field(sa_column=Column(String(2000), nullable=False))
    """What is changed and why, by the author."""
    based_on: int | None = Field(default=None)
    """The version in force when it was written."""
    rollback_to: int | None = Field(default=None)
    """The version whose content it brings back."""
    authored_by: str = Field(sa_column=Column(String(120), nullable=False))
    authored_at: datetime = instant()
    reviewed_by: str | None = short_text(120, nullable=True)
    reviewed_at: datetime | None = instant(nullable=True)
    review_signature: str | None = short_text(36, nullable=True)
    """Id of the electronic signature; likewise below."""
    approved_by: str | None = short_text(120, nullable=True)
    approved_at: datetime | None = instant(nullable=True)
    approval_signature: str | None = short_text(36, nullable=True)
    activated_by: str | None = short_text(120, nullable=True)
    activated_at: datetime | None = instant(nullable=True)
    activation_signature: str | None = short_text(36, nullable=True)
    in_force_from: date | None = Field(default=None)
    """First day on which a recall that starts is held to it."""
    superseded_from: date | None = Field(default=None)
    """First day on which it is not in force any more."""
    superseded_by: int | None = Field(default=None)
    withdrawn_by: str | None = short_text(120, nullable=True)
    withdrawn_at: datetime | None = instant(nullable=True)


__all__ = ["PolicyVersion"]
