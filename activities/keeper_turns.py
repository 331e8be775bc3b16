"""One turn at one keeper outside our ledger: what left is booked, what is wanted is locked, what is over is let go.

Every call is repeatable by its key and bounded in time; a keeper that fails or is slow spends its own time only. The
order is safe at every moment: nothing is let go before what takes its place is locked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from adapters.inventory.base import InventoryAdapter, InventoryError, StockKeeper
from db.engine import SessionFactory
from db.repositories import keeper_holds
from db.repositories.keeper_holds import Answer, ToDispose, ToLower, ToRaise

GROUP: Final = 20
"""Calls per commit and audit event."""
AT_ONCE: Final = 4
"""Calls under way at one keeper."""
ONE_CALL: Final = timedelta(seconds=90)
"""Longest wait for one answer; adapters give up by themselves before."""
SILENT: Final = 3
"""Calls in a row without any answer after which the keeper is left alone until the next turn."""
log = logging.getLogger(__name__)
Beat = Callable[[], None]
T = TypeVar("T")
D = TypeVar("D")


class KeeperTurn:
    """Tells one keeper what differs from its last acknowledgement."""

    def __init__(
        self,
        sessions: SessionFactory,
        keeper: InventoryAdapter,
        ledger: StockKeeper,
        now: datetime,
        beat: Beat,
    ) -> None:
        """`ledger`: our own, in which every unit is locked before the keeper is asked; `beat`: after each answer."""
        self._sessions = sessions
        self._keeper = keeper
        self._ledger = ledger
        self._now = now
        self._beat = beat
        self._silent = 0

    async def work(self, number: str | None) -> None:
        """Everything due at the keeper, whoever's; this recall's first."""
        async with self._sessions() as session:
            parts = await keeper_holds.due_disposals(session, self._keeper.name)
        for part in parts:
            await self._dispose(part)
        async with self._sessions() as session:
            due = await keeper_holds.due_raises(session, self._keeper.name, number)
        for group in _groups(due):
            await self._raise(group)
        async with self._sessions() as session:
            keys = await keeper_holds.due_lowers(session, self._keeper.name, number)
        for some in _groups(keys):
            await self._lower(some)

    async def _dispose(self, part: ToDispose) -> None:
        receipt, error = await self._call(lambda: self._keeper.dispose(part.key, part.disposal))
        async with self._sessions.begin() as session:
            if receipt is not None:
                await keeper_holds.disposed(session, self._keeper.name, part, receipt.reference, self._now)
            else:
                await keeper_holds.not_disposed(session, part, error)

    async def _raise(self, due: Sequence[ToRaise]) -> None:
        async with self._sessions.begin() as session:
            told = await keeper_holds.begin_raises(session, due, self._now)
        asked = [each for each in due if each.key in told]
        outcomes = await self._all(self._lock, asked)
        answers = [answer for answer, _ in outcomes if answer is not None]
        errors = {each.key: error for each, (_, error) in zip(asked, outcomes, strict=True) if error}
        async with self._sessions.begin() as session:
            await keeper_holds.raised(session, asked, answers, errors, self._now)

    async def _lock(self, due: ToRaise) -> tuple[Answer | None, str]:
        """Our own ledger locks first: whatever the keeper does, nothing of ours gives the units away."""
        receipt, error = await self._call(
            lambda: self._ledger.hold(due.ledger_key, due.recall_number, due.position), ours=True
        )
        if receipt is not None:
            receipt, error = await self._call(lambda: self._keeper.hold(due.key, due.claimant, due.position))
        if receipt is None:
            return None, error
        confirmed, error = await self._call(lambda: self._keeper.confirm(due.key))
        if confirmed is None:
            return None, error
        by = confirmed.by[:120]
        return Answer(due.key, due.position.quantity, confirmed.quantity, by, receipt.reference), ""

    async def _lower(self, keys: Sequence[str]) -> None:
        async with self._sessions.begin() as session:
            due = await keeper_holds.begin_lowers(session, keys)
        outcomes = dict(zip(due, await self._all(self._let_go, due), strict=True))
        async with self._sessions.begin() as session:
            await keeper_holds.lowered(session, [each for each, error in outcomes.items() if not error], self._now)
            await keeper_holds.not_lowered(session, {each.key: error for each, error in outcomes.items() if error})

    async def _let_go(self, due: ToLower) -> str:
        if not due.told:
            return ""

        async def release() -> bool:
            await self._keeper.release(due.key, due.left)
            return True

        return (await self._call(release))[1]

    async def _all(self, work: Callable[[D], Awaitable[T]], due: Sequence[D]) -> list[T]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: D) -> T:
            async with gate:
                return await work(each)

        return await asyncio.gather(*(one(each) for each in due))

    async def _call(self, call: Callable[[], Awaitable[T]], *, ours: bool = False) -> tuple[T | None, str]:
        """The answer, or why there is none ("" while the keeper has not answered yet)."""
        if self._silent >= SILENT:
            return None, f"{self._keeper.name} does not answer"
        try:
            async with asyncio.timeout(ONE_CALL.total_seconds()):
                answer = await call()
        except InventoryError as error:
            return None, str(error) or "the keeper of the stock refused"
        except TimeoutError:
            self._silent += 0 if ours else 1
            return None, f"{self._keeper.name} did not answer within {ONE_CALL.total_seconds():.0f} s"
        except Exception as error:  # noqa: BLE001 - a fault at one position must not leave other stock unlocked
            log.warning("keeper %s failed: %s", self._keeper.name, type(error).__name__)
            return None, f"{type(error).__name__}: {error}"[:500]
        finally:
            self._beat()
        self._silent = 0
        return answer, ""


def _groups(due: Sequence[T]) -> list[Sequence[T]]:
    return [due[at : at + GROUP] for at in range(0, len(due), GROUP)]


__all__ = ["AT_ONCE", "ONE_CALL", "KeeperTurn"]
