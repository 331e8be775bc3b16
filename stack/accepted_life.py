"""What a stand-in does with whatever it has accepted: taken up one by one, and again after a restart.

A text message and a call differ in what becomes of them (`_live`); queue, workers and the caller of webhooks are here.
"""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from stack.durable_store import Row
from stack.signed_caller import SignedCaller

_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Account:
    """The one account the stand-in serves."""

    sid: str
    token: str
    webhook_url: str | None
    """Where inbound messages go; None means nobody listens."""


class _Store(Protocol):
    async def unfinished(self) -> list[str]: ...

    async def get(self, sid: str) -> Row | None: ...


S = TypeVar("S", bound=_Store)


class AcceptedLife(ABC, Generic[S]):
    """Moves accepted things on."""

    def __init__(self, store: S, account: Account) -> None:
        self._store = store
        self._account = account
        self._caller = SignedCaller(account.token)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what is unfinished, and begin."""
        for sid in await self._store.unfinished():
            self._queue.put_nowait(sid)
        self._workers = [asyncio.create_task(self._work()) for _ in range(_CONCURRENCY)]

    async def close(self) -> None:
        """Stop at once; what is unfinished is taken up by the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._caller.close()

    def accept(self, sid: str) -> None:
        """Something new begins its life."""
        self._queue.put_nowait(sid)

    async def _work(self) -> None:
        while True:
            sid = await self._queue.get()
            row = await self._store.get(sid)
            if row is not None:
                await self._live(row)

    @abstractmethod
    async def _live(self, row: Row) -> None:
        """The whole life of one, from where it stands."""
