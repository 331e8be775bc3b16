"""Who of our people answers for a function, for which products and in which place."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from models.base import identity, instant, text


class Responsibility(SQLModel, table=True):
    """One person answers for one function, as far as product and place say; ended by a last day, never deleted."""

    __tablename__ = "responsibility"
    __table_args__ = (
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_iso2"),
        CheckConstraint("region IS NULL OR country IS NOT NULL", name="region_within_country"),
        CheckConstraint("stand_in <> principal", name="stand_in_is_another"),
        CheckConstraint("valid_from <= valid_to", name="days_in_order"),
        Index("ix_responsibility_role", "role", "valid_from"),
    )

    id: int | None = identity()
    role: str = text(24)
    product: str | None = text(120, nullable=True)
    """Product line (family, or code where there is none); `*` stands for any characters; none: every product."""
    country: str | None = text(2, nullable=True)
    region: str | None = text(120, nullable=True)
    """Region of `country` as the partners' records name it."""
    principal: str = text(120)
    stand_in: str | None = text(120, nullable=True)
    """Asked while `principal` is away; before the stand-in of the staff record."""
    valid_from: date
    valid_to: date | None = Field(default=None)
    """Last day; none: until further notice."""
    recorded_by: str = text(120)
    recorded_at: datetime = instant()


__all__ = ["Responsibility"]
