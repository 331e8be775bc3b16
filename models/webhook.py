"""What systems of recipients sent us, as signed: each message once per key and id, before anything is made of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import identity, instant, text


class WebhookAnswer(SQLModel, table=True):
    """One signed answer with the bytes that were signed; the reply it made has `form_id` `wh:<hash of key and id>`."""

    __tablename__ = "webhook_answer"
    __table_args__ = (
        UniqueConstraint("webhook_key", "message_id"),
        Index("ix_webhook_answer_delivery", "delivery_id"),
    )

    id: int | None = identity()
    webhook_key: str = text(60)
    """Name of the key that verified it."""
    message_id: str = text(100)
    """The sender's own id of the message; a repeat changes nothing."""
    delivery_id: UUID = Field(foreign_key="delivery.id", nullable=False)
    body: str = Field(sa_column=Column(Text, nullable=False))
    sha256: str = text(64)
    """Of the body: the same id with another body is refused."""
    received_at: datetime = instant()


__all__ = ["WebhookAnswer"]
