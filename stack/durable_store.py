"""A SQLite file that acknowledges nothing before it is on disk, yet takes thousands of rows a second.

The local mail catcher and the Twilio stand-in promise what real providers promise: once accepted, a message
survives a kill -9. Writers wait for a commit with fsync, but everybody who waits at the same moment shares
one commit.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_Write = tuple[str, Sequence[Any], "asyncio.Future[int]"]


class DurableStore:
    """One writer, any number of readers, for one event loop."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create the file.

        Raises:
            OSError, sqlite3.Error: the folder cannot be written or the file is no database.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # FULL: the WAL is fsynced at every commit; NORMAL would lose acknowledged rows on power loss.
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(schema)
        self._reader = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        self._reader.row_factory = sqlite3.Row
        self._waiting: list[_Write] = []
        self._flusher: asyncio.Task[None] | None = None

    async def write(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return its `lastrowid`, once the commit that holds it is on disk."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((sql, parameters, future))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        return await future

    async def read(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Rows of a query as dictionaries."""
        cursor = self._reader.execute(sql, parameters)
        return [dict(row) for row in cursor.fetchall()]

    async def close(self) -> None:
        """Wait for the writes under way, then close the file."""
        if self._flusher is not None:
            await self._flusher
        self._connection.close()
        self._reader.close()

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await asyncio.to_thread(self._commit, batch)
            except sqlite3.Error as error:
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def _commit(self, batch: list[_Write]) -> list[int]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [int(self._connection.execute(sql, params).lastrowid or 0) for sql, params, _ in batch]
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        return results
