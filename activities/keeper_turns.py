"""One turn at one keeper outside our ledger: what is wanted is locked, what is over is let go, what left is booked.

Every call is repeatable by its key; a keeper that fails or is slow spends its own time only. The order is safe at
every moment: nothing is let go before what takes its place is locked, or before the disposal it is locked for is
booked. A hold forbids use, not disposal, so no lock waits for a disposal that hangs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Final, TypeVar

from adapters.inventory.base import InventoryAdapter, InventoryError, StockKeeper
from adapters.inventory.bulk import HoldAnswer, HoldAsked, hold_all
from db.engine import SessionFactory
from db.repositories import keeper_holds
from db.repositories.keeper_holds import Answer, Given, ToDispose, ToLower, ToRaise

GROUP: Final = 50
"""Positions per commit and audit event: what a crash may repeat."""
AT_ONCE: Final = 4
"""Releases under way at one keeper."""
log = logging.getLogger(__name__)
Beat = Callable[[], None]
T = TypeVar("T")


class KeeperTurn:
    """Tells one keeper what differs from its last acknowledgement."""

    def __init__(
        self, sessions: SessionFactory, keeper: InventoryAdapter, ledger: StockKeeper, now: datetime, beat: Beat
    ) -> None:
        """`ledger`: our own, in which every unit is locked before the keeper is asked; `beat`: after each step."""
        self._sessions = sessions
        self._keeper = keeper
        self._ledger = ledger
        self._now = now
        self._beat = beat
        self._let_go = False
        """The keeper let go of something by itself: it is asked for under a new key."""

    async def work(self, number: str | None) -> None:
        """Everything due at the keeper, whoever's; this recall's first."""
        await self._hold_and_let_go(number)
        async with self._sessions() as session:
            parts = await keeper_holds.due_disposals(session, self._keeper.name)
        for part in parts:
            await self._dispose(part)
        if parts:
            await self._hold_and_let_go(number)
        # Last: where a keeper is so slow that its time ends here, nothing that is due waits for it.
        async with self._sessions() as session:
            standing = await keeper_holds.due_again(session, self._keeper.name, number, self._now)
        for group in _groups(standing):
            await self._ask_again(group)
        if self._let_go:
            await self._hold_and_let_go(number)

    async def _hold_and_let_go(self, number: str | None) -> None:
        async with self._sessions() as session:
            due = await keeper_holds.due_raises(session, self._keeper.name, number)
        for group in _groups(due):
            await self._raise(group)
        async with self._sessions() as session:
            keys = await keeper_holds.due_lowers(session, self._keeper.name, number)
        for some in _groups(keys):
            await self._lower(some)

    async def _dispose(self, part: ToDispose) -> None:
        receipt, error = await _told(self._keeper.dispose(part.key, part.disposal))
        async with self._sessions.begin() as session:
            if receipt is not None:
                await keeper_holds.disposed(session, self._keeper.name, part, receipt.reference, self._now)
            else:
                await keeper_holds.not_disposed(session, part, error)
        self._beat()

    async def _raise(self, due: Sequence[ToRaise]) -> None:
        async with self._sessions.begin() as session:
            told = await keeper_holds.begin_raises(session, due, self._now)
        asked = sorted((each for each in due if each.key in told), key=lambda each: each.claimant)
        errors, locked = {}, []
        for each in asked:
            # Whatever the keeper does, nothing of ours gives the units away.
            _, error = await _told(self._ledger.hold(each.ledger_key, each.recall_number, each.position))
            if error:
                errors[each.key] = error
            else:
                locked.append(each)
        given = await self._hold_all(locked)
        async with self._sessions.begin() as session:
            await keeper_holds.raised(session, asked, replace(given, errors=errors | given.errors), self._now)

    async def _ask_again(self, due: Sequence[ToRaise]) -> None:
        """The same keys once more: they change nothing where the holds stand, and show those the keeper let go of."""
        async with self._sessions.begin() as session:
            told = await keeper_holds.begin_raises(session, due, self._now)
        asked = sorted((each for each in due if each.key in told), key=lambda each: each.claimant)
        given = await self._hold_all(asked)
        async with self._sessions.begin() as session:
            await keeper_holds.raised(session, asked, given, self._now)

    async def _hold_all(self, due: Sequence[ToRaise]) -> Given:
        found = Given([], {}, [], [])
        for claimant, those in groupby(due, key=lambda each: each.claimant):
            await self._hold(claimant, list(those), found)
        self._let_go |= bool(found.released)
        return found

    async def _hold(self, claimant: str, due: Sequence[ToRaise], found: Given) -> None:
        given, error = await _told(hold_all(self._keeper, claimant, [HoldAsked(e.key, e.position) for e in due]))
        self._beat()
        answers = [HoldAnswer(each.key, error=error) for each in due] if given is None else given
        for each, answer in zip(due, answers, strict=True):
            if answer.error is not None:
                found.errors[each.key] = answer.error
                found.released.extend([each.key] if answer.released else [])
                found.not_held.extend([each.key] if answer.refused else [])
            elif answer.confirmation is None:
                found.not_held.append(each.key)
            else:
                held, by = answer.confirmation.quantity, answer.confirmation.by[:120]
                found.answers.append(Answer(each.key, each.position.quantity, held, by))

    async def _lower(self, keys: Sequence[str]) -> None:
        async with self._sessions.begin() as session:
            due = await keeper_holds.begin_lowers(session, keys)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: ToLower) -> str:
            if not each.told:
                return ""
            async with gate:
                _, error = await _told(self._keeper.release(each.key, each.left))
                self._beat()
                return error

        outcomes = dict(zip(due, await asyncio.gather(*(one(each) for each in due)), strict=True))
        async with self._sessions.begin() as session:
            await keeper_holds.lowered(session, [each for each, error in outcomes.items() if not error], self._now)
            await keeper_holds.not_lowered(session, {each.key: error for each, error in outcomes.items() if error})


async def _told(call: Awaitable[T]) -> tuple[T | None, str]:
    """The answer, or why there is none: a fault at one position must not leave other stock unlocked."""
    try:
        return await call, ""
    except InventoryError as error:
        return None, str(error)[:500] or "the keeper of the stock refused"
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("a call to a keeper of stock failed: %s", type(error).__name__)
        return None, f"{type(error).__name__}: {error}"[:500]


def _groups(due: Sequence[T]) -> list[Sequence[T]]:
    return [due[at : at + GROUP] for at in range(0, len(due), GROUP)]


__all__ = ["KeeperTurn"]
