"""Turns at a provider's connections: when more messages wait than there are connections, the most urgent goes first.

A worker sends for many recalls at once, over one set of connections. In the order of asking, a class I notice would
wait behind everything that other recalls had asked for before.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

STILL_WANTED: Final[ContextVar[Callable[[], bool]]] = ContextVar("still_wanted", default=lambda: True)
"""Set by who sends: asked when a turn comes, which may be long after it was asked for."""


class TurnLapsed(Exception):  # noqa: N818
    """The turn came when it was not wanted any more: nothing was handed over."""


class Turns:
    """At most `size` holders at a time; whoever waits is let in by priority, then in the order of asking."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._places = itertools.count()

    @asynccontextmanager
    async def one(self, priority: int) -> AsyncIterator[None]:
        """A turn, held until the end of the block.

        Args:
            priority: 1 is class I, which goes first.

        Raises:
            TurnLapsed: see `STILL_WANTED`.
        """
        await self._take(priority)
        try:
            if not STILL_WANTED.get()():
                raise TurnLapsed
            yield
        finally:
            self._give_back()

    async def _take(self, priority: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._places), told))
        try:
            await told
        except asyncio.CancelledError:
            if told.done() and not told.cancelled():
                self._give_back()  # the turn came at the very moment when nobody wanted it any more
            raise

    def _give_back(self) -> None:
        while self._waiting:
            _, _, told = heapq.heappop(self._waiting)
            if not told.done():
                told.set_result(None)
                return
        self._free += 1


__all__ = ["STILL_WANTED", "TurnLapsed", "Turns"]
