"""How fast each channel may send and each keeper of stock be called, by all processes (`domain.token_bucket`)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, String
from sqlmodel import Field, SQLModel

from domain.channels import KNOWN_SQL
from models.base import instant


class PacingBucket(SQLModel, table=True):
    """One row per channel that has ever sent, and per keeper that was called (`keeper:<code>`).

    All instants are the database's clock, the only one the processes share.
    """

    __tablename__ = "pacing_bucket"
    __table_args__ = (
        CheckConstraint(f"channel IN ({KNOWN_SQL}) OR starts_with(channel, 'keeper:')", name="channel_known"),
    )

    channel: str = Field(sa_column=Column(String(50), primary_key=True))
    spent_until: datetime = instant()
    """Up to here the channel's capacity is leased to some process."""
    slow: float | None = None
    """Units per second allowed at `slow_at`; empty unless the provider said that we are too fast."""
    reference: float | None = None
    slow_at: datetime | None = instant(nullable=True)
    paused_until: datetime | None = instant(nullable=True)
    """The provider named a time before which nothing is sent (Retry-After)."""
    urgent: int | None = None
    """Priority of the most urgent batch that waits for its turn (1 = class I)."""
    urgent_until: datetime | None = instant(nullable=True)


__all__ = ["PacingBucket"]
