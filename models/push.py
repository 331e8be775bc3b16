"""Browsers that recipients subscribed on their page to get notices by Web Push (RFC 8030)."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from models.base import identity, instant, ref, text


class PushSubscription(SQLModel, table=True):
    """One browser of a contact; its endpoint is an address that only the push service and we know."""

    __tablename__ = "push_subscription"
    __table_args__ = (Index("ix_push_subscription_contact", "contact_id"),)

    id: int | None = identity()
    contact_id: int = ref("contact.id")
    endpoint: str = text(1000, unique=True)
    p256dh: str = text(120)
    """The browser's public key (RFC 8291), base64url."""
    auth: str = text(60)
    """The browser's authentication secret (RFC 8291), base64url."""
    language: str = text(12)
    created_at: datetime = instant()
    gone_at: datetime | None = instant(nullable=True)
    """Since when the push service says that it does not exist any more (404, 410)."""


__all__ = ["PushSubscription"]
