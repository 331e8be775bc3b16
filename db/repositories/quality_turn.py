"""What is due among quality's files: tasks whose time has come, and which messages wait to be sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.workflow_ids import QUALITY_ID

_NEXT: Final = """CASE stage WHEN 0 THEN coalesce(remind_at, due_at) WHEN 1 THEN due_at WHEN 2 THEN escalate_at END"""
_OPEN: Final = "owner = :owner AND state IN ('offered', 'accepted', 'sent_back')"
_DUE: Final = f"""
SELECT coalesce(recall_number, file_number) AS number, array_agg(key ORDER BY id) AS keys
FROM task WHERE {_OPEN} AND {_NEXT} <= CAST(:now AS timestamptz)
GROUP BY 1 ORDER BY 1 LIMIT :most
"""  # noqa: S608 - constants
_AHEAD: Final = f"SELECT min({_NEXT}) FROM task WHERE {_OPEN} AND {_NEXT} > CAST(:now AS timestamptz)"  # noqa: S608
_WAITING: Final = """
SELECT DISTINCT file_number AS number, channel FROM staff_message
WHERE file_number IS NOT NULL AND state = 'pending' ORDER BY 1, 2 LIMIT :most
"""
MOST: Final = 200
"""Files of one look; the next one goes on."""


async def due(session: AsyncSession, now: datetime) -> list[tuple[str, list[str]]]:
    """Files with the keys of their tasks whose time has come."""
    rows = await run(session, _DUE, {"owner": QUALITY_ID, "now": now, "most": MOST})
    return [(number, list(keys)) for number, keys in rows]


async def next_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the next task's time comes."""
    found: datetime | None = (await run(session, _AHEAD, {"owner": QUALITY_ID, "now": now})).scalar_one()
    return found


async def waiting(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """(file, channel) pairs with messages that wait to be sent."""
    return [(number, channel) for number, channel in await run(session, _WAITING, {"most": MOST})]


__all__ = ["MOST", "due", "next_due", "waiting"]
