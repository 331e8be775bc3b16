"""How long messages are kept that belong to no recall: personal data of strangers, which nothing needs for ever.

They go two years after a person settled them as answered or not ours, or after they came in where nobody has to read
them (out-of-office answers and the like). What still waits for a reader is never forgotten, nor what a person recorded
under a recall: that goes with its file.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, deletions

KEPT_FOR: Final = timedelta(days=731)
"""Two years; the database function that deletes (migration 0023) forgets nothing younger, whatever it is asked."""
_FORGET: Final = "SELECT forget_strangers(CAST(:before AS timestamptz))"


async def forget(session: AsyncSession, now: datetime, remove: Callable[[str], Awaitable[None]]) -> int:
    """Delete what is over its time, with the mails as they came; returns how many messages. The caller commits.

    Args:
        session: a transaction of its own.
        now: the current instant.
        remove: takes a content (SHA-256) out of the evidence store; one that is gone already is no error.
    """
    gone = (await run(session, _FORGET, {"before": now - KEPT_FOR})).scalar_one()
    if not gone["messages"]:
        return 0
    data = {"messages": gone["messages"], "files": len(gone["sha256"])}
    await audit.append(
        session, audit.SYSTEM, actor=audit.SYSTEM, role=audit.SYSTEM, action="messages.forgotten", at=now, data=data
    )
    # Before the commit: should it fail, the rows are still there and the next turn finishes; no file is left behind.
    kept = await deletions.still_stored(session, gone["sha256"])
    for sha256 in gone["sha256"]:
        if sha256 not in kept:
            await remove(sha256)
    return int(gone["messages"])


__all__ = ["KEPT_FOR", "forget"]
