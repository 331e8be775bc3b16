"""How far each keeper's feed of changes was read, how the keeper fared, and whom its changes concern."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.phases import FINAL_PHASES

_ACTIVE: Final = "SELECT code, base_url, cursor FROM keeper WHERE state = 'active' ORDER BY code"
_CONCERNED: Final = """
SELECT DISTINCT scope_lot.recall_number FROM scope_lot JOIN recall ON recall.number = scope_lot.recall_number
WHERE scope_lot.lot_id = ANY(CAST(:lots AS bigint[])) AND recall.phase <> ALL(CAST(:ended AS text[]))
ORDER BY scope_lot.recall_number
"""
_RUNNING: Final = "SELECT number FROM recall WHERE phase <> ALL(CAST(:ended AS text[])) ORDER BY number"
# A keeper that has moved to another address meanwhile has another feed: what was read is not of it.
_HANDLED: Final = """
UPDATE keeper SET cursor = :cursor, last_success_at = :now, failures = 0,
    read_at = CASE WHEN :complete THEN CAST(:now AS timestamptz) ELSE read_at END
WHERE code = :code AND base_url = :base_url AND cursor IS NOT DISTINCT FROM CAST(:before AS varchar)
"""
_FAILED: Final = """
UPDATE keeper SET last_failure_at = :now, last_error = left(:error, 500), failures = failures + 1 WHERE code = :code
"""


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A keeper's feed and how far it was read."""

    code: str
    base_url: str
    cursor: str | None


async def active(session: AsyncSession) -> list[FeedPlace]:
    """Feeds that are read."""
    return [FeedPlace(row.code, row.base_url, row.cursor) for row in await run(session, _ACTIVE)]


async def concerned(session: AsyncSession, lot_ids: Sequence[int]) -> list[str]:
    """Running recalls that have one of these lots in scope."""
    binds = {"lots": list(lot_ids), "ended": [phase.value for phase in FINAL_PHASES]}
    return list((await run(session, _CONCERNED, binds)).scalars())


async def running(session: AsyncSession) -> list[str]:
    """Every running recall."""
    return list((await run(session, _RUNNING, {"ended": [phase.value for phase in FINAL_PHASES]})).scalars())


async def handled(session: AsyncSession, feed: FeedPlace, cursor: str | None, now: datetime, *, complete: bool) -> bool:
    """Store where the next page begins, after the changes before it were handled; `complete`: the feed is at its end.

    Returns False when somebody else has read on from the same place, or the keeper has another address now.
    """
    binds = {
        "code": feed.code,
        "base_url": feed.base_url,
        "before": feed.cursor,
        "cursor": cursor,
        "now": now,
        "complete": complete,
    }
    return (await run(session, _HANDLED, binds)).rowcount == 1


async def failed(session: AsyncSession, code: str, error: str, now: datetime) -> None:
    """Keep that a look at a keeper failed, and why."""
    await run(session, _FAILED, {"code": code, "error": error, "now": now})


__all__ = ["FeedPlace", "active", "concerned", "failed", "handled", "running"]
