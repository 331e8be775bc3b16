"""Keeping the record of browsers true: what a push service calls dead is not tried again."""

from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.messaging.web_push import Gone
from db.engine import SessionFactory
from db.repositories import push


def marking_gone(sessions: SessionFactory) -> Gone:
    """What the push adapter is given to tell dead subscriptions to; safe to repeat."""

    async def mark(endpoints: Sequence[str]) -> None:
        async with sessions.begin() as session:
            await push.mark_gone(session, endpoints, datetime.now(UTC))

    return mark


__all__ = ["marking_gone"]
