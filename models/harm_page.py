"""Pages about harm that no recall looks after: kept by the message that tells of it, because a page needs a recall."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, one_of, text
from models.staff import StaffMessageState


class HarmPage(SQLModel, table=True):
    """One page to one member of staff by one channel; written before it is sent, gone with its message."""

    __tablename__ = "harm_page"
    __table_args__ = (
        UniqueConstraint("message_id", "occasion", "principal", "channel"),
        one_of("state", StaffMessageState),
        CheckConstraint("channel IN ('email','sms')", name="channel_known"),
        Index("ix_harm_page_pending", "id", postgresql_where=sql("state = 'pending'")),
    )

    id: int | None = identity()
    message_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("inbound_message.id", ondelete="CASCADE"), nullable=False)
    )
    occasion: int = Field(nullable=False)
    """1 when it was told; then one more each time it is paged anew."""
    principal: str = text(120)
    channel: str = text(10)
    state: str = text(10)
    provider_id: str | None = text(200, nullable=True)
    error: str | None = text(300, nullable=True)
    created_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)


__all__ = ["HarmPage"]
