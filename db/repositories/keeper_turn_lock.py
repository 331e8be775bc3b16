"""Whose turn it is at a keeper: an older answer must not be recorded over a newer one.

The lock of the process comes first, the database's next: whoever waits in the same process holds no connection. One
that works holds one, so only so many work at once and the pool has some left for the work itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy.exc import OperationalError

from db.engine import SessionFactory
from db.plain_sql import run

AT_ONCE: Final = 12
"""Keepers that one process works with together, well below the connections of a worker."""
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('keeper:' || :keeper, 0))"


class _Turns:
    """Locks of one process, for one database."""

    def __init__(self) -> None:
        self.keepers: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.working = asyncio.Semaphore(AT_ONCE)


_TURNS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns]] = WeakKeyDictionary()


@asynccontextmanager
async def one_at_a_time(sessions: SessionFactory, keeper: str, wait_seconds: float = 20) -> AsyncIterator[bool]:
    """The keeper for one caller alone, of all processes.

    Yields False when another one works with it for longer than `wait_seconds`. A process that dies lets go.
    """
    turns = _TURNS.setdefault(asyncio.get_running_loop(), _Turns())
    mine = turns.keepers[keeper]
    free = True
    try:
        async with asyncio.timeout(wait_seconds):
            await mine.acquire()
    except TimeoutError:
        free = False
    if not free:
        yield False
        return
    try:
        async with turns.working, sessions.begin() as session:
            wait = f"{max(int(wait_seconds * 1000), 1)}ms"
            await run(session, "SELECT set_config('lock_timeout', :wait, true)", {"wait": wait})
            taken = True
            nested = await session.begin_nested()
            try:
                await run(session, _ALONE, {"keeper": keeper})
                await nested.commit()
            except OperationalError:
                await nested.rollback()
                taken = False
            yield taken
    finally:
        mine.release()


__all__ = ["AT_ONCE", "one_at_a_time"]
