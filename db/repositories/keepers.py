"""Keepers of stock on record: what they are built from, which places they keep, what of their answers was left out.

`KeeperStore` serves the routing (`adapters.inventory.routing.KeeperRecords`); the functions serve API, command line
and the reading of feeds.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.plain_sql import run
from db.repositories.directory import KeeperDirectory
from domain.keepers import MOST_ROWS, Feed, KeeperAuth, KeeperKind, KeeperRecord, KeeperState, Skipped
from models.keeper import Keeper, KeeperLocation, KeeperSkip

_SKIPPED: Final = """
INSERT INTO keeper_skip (keeper_code, what, subject, reason, first_seen_at, last_seen_at, times)
SELECT :code, given.what, given.subject, given.reason, :now, :now, count(*)
FROM unnest(CAST(:whats AS text[]), CAST(:subjects AS text[]), CAST(:reasons AS text[]))
     AS given (what, subject, reason)
GROUP BY given.what, given.subject, given.reason ORDER BY 2, 3, 4
ON CONFLICT (keeper_code, what, subject, reason)
DO UPDATE SET last_seen_at = greatest(keeper_skip.last_seen_at, excluded.last_seen_at),
    times = keeper_skip.times + excluded.times
"""
_FORGET: Final = """
DELETE FROM keeper_skip WHERE id IN (
    SELECT id FROM keeper_skip WHERE keeper_code = :code ORDER BY last_seen_at DESC, id DESC OFFSET :most
    FOR UPDATE SKIP LOCKED)
"""


class KeeperStore:
    """Records of keepers, each call in a transaction of its own."""

    def __init__(self, sessions: SessionFactory, now: Callable[[], datetime]) -> None:
        """`now` is the process's clock: when a row of an answer was left out."""
        self._sessions = sessions
        self._now = now

    async def keepers(self) -> list[KeeperRecord]:
        """Every keeper besides the ledger, by code."""
        async with self._sessions() as session:
            return [record_of(row) for row in await listed(session)]

    async def places(self) -> dict[int, str]:
        """Place -> code of its keeper, for places that another system keeps."""
        async with self._sessions() as session:
            rows = await session.exec(select(KeeperLocation.location_id, KeeperLocation.keeper_code))
            return dict(rows.all())

    async def skipped(self, code: str, rows: Sequence[Skipped]) -> None:
        """Keep which rows of a keeper's answer were left out, and why; of many the newest."""
        if not rows:
            return
        async with self._sessions.begin() as session:
            await note_skipped(session, code, rows, self._now())

    def directory(self, code: str) -> KeeperDirectory:
        """Our record's names as this keeper uses them."""
        return KeeperDirectory(self._sessions, code)


async def note_skipped(session: AsyncSession, code: str, rows: Sequence[Skipped], now: datetime) -> None:
    """Keep rows that were left out; the same row again only counts."""
    kept = rows[:MOST_ROWS]
    binds: dict[str, Any] = {
        "code": code,
        "whats": [row.what for row in kept],
        "subjects": [row.subject[:200] for row in kept],
        "reasons": [row.reason[:200] for row in kept],
        "now": now,
    }
    await run(session, _SKIPPED, binds)
    await run(session, _FORGET, {"code": code, "most": MOST_ROWS})


async def listed(session: AsyncSession) -> Sequence[Keeper]:
    """Every keeper besides the ledger, by code."""
    return (await session.exec(select(Keeper).order_by(col(Keeper.code)))).all()


async def skips(session: AsyncSession, code: str, *, limit: int = 100) -> Sequence[KeeperSkip]:
    """Rows of the keeper's answers that were left out, newest first."""
    query = select(KeeperSkip).where(col(KeeperSkip.keeper_code) == code)
    query = query.order_by(col(KeeperSkip.last_seen_at).desc(), col(KeeperSkip.id).desc()).limit(limit)
    return (await session.exec(query)).all()


async def skip_counts(session: AsyncSession) -> dict[str, int]:
    """Keeper -> how many different rows of its answers were left out."""
    query = select(KeeperSkip.keeper_code, func.count()).group_by(col(KeeperSkip.keeper_code))
    return dict((await session.exec(query)).all())


def record_of(row: Keeper) -> KeeperRecord:
    """What an adapter is built from."""
    return KeeperRecord(
        code=row.code,
        kind=KeeperKind(row.kind),
        name=row.name,
        base_url=row.base_url,
        database=row.database,
        auth=KeeperAuth(row.auth),
        credential_variable=row.credential_variable,
        webhook_variable=row.webhook_variable,
        per_second=row.per_second,
        timeout_seconds=row.timeout_seconds,
        give_up_seconds=row.give_up_seconds,
        state=KeeperState(row.state),
    )


def feed_of(row: Keeper) -> Feed:
    """How far its feed was read, and how it fared."""
    return Feed(
        cursor=row.cursor,
        read_at=row.read_at,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        last_error=row.last_error,
        failures=row.failures,
    )


__all__ = ["KeeperStore", "feed_of", "listed", "note_skipped", "record_of", "skip_counts", "skips"]
