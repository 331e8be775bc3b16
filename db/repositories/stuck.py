"""Deliveries a provider accepted and never reported on: found, remembered when asked, and asked ever more rarely."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_WAITS: Final = (
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(days=1),
    timedelta(days=1),
    timedelta(days=2),
)
"""Real time from one question to the next; after the last one the provider knows no more than we do. The ladder goes on
all the while: whoever stays silent is chased."""

_STUCK: Final = """
SELECT d.id AS delivery_id, d.provider_id, coalesce(i.asked, 0) AS asked
FROM campaign k
JOIN delivery d ON d.campaign_id = k.id AND d.channel = :channel AND d.state = 'submitted' AND d.carried_by IS NULL
LEFT JOIN delivery_inquiry i ON i.delivery_id = d.id
JOIN recall ON recall.number = k.recall_number AND NOT recall.drill
WHERE k.ended_at IS NULL AND d.provider_id IS NOT NULL AND d.submitted_at <= :before
  AND (i.delivery_id IS NULL OR i.next_at <= :now)
ORDER BY coalesce(i.next_at, d.submitted_at), d.id LIMIT :limit
"""

_NOTE: Final = """
INSERT INTO delivery_inquiry (delivery_id, asked, next_at, last_status)
VALUES (:delivery, :asked, :next_at, :status)
ON CONFLICT (delivery_id) DO UPDATE
SET asked = excluded.asked, next_at = excluded.next_at, last_status = excluded.last_status
"""


@dataclass(frozen=True, slots=True)
class Stuck:
    """One delivery nobody has heard of since it was handed over."""

    delivery_id: UUID
    provider_id: str
    asked: int
    """How often the provider was asked already."""


async def find(session: AsyncSession, *, channel: str, before: datetime, now: datetime, limit: int) -> Sequence[Stuck]:
    """Deliveries of running campaigns handed over at or before `before` whose next question is due, longest first."""
    values = {"channel": channel, "before": before, "now": now, "limit": limit}
    return [Stuck(**row) for row in (await run(session, _STUCK, values)).mappings()]


async def note_asked(session: AsyncSession, stuck: Stuck, status: str | None, *, settled: bool, now: datetime) -> None:
    """Remember a question and when the next one is due; none after an end, or after the last of them."""
    waits = None if settled or stuck.asked >= len(_WAITS) else _WAITS[stuck.asked]
    values = {
        "delivery": stuck.delivery_id,
        "asked": stuck.asked + 1,
        "next_at": now + waits if waits is not None else None,
        "status": status[:30] if status else None,
    }
    await run(session, _NOTE, values)


__all__ = ["Stuck", "find", "note_asked"]
