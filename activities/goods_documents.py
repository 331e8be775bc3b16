"""Stopping the goods documents of a recall's lots at every keeper, turn after turn of its watch.

A turn looks at all keepers at once, writes what is to be stopped, then asks for what is due, each document once. A
keeper that refuses, is slow or cannot be reached holds up no other; what it owes stays due and is counted.
"""

import asyncio
import logging
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Final

from activities.heartbeats import beating
from adapters.inventory.base import InventoryAdapter, InventoryError, Keepers
from db.engine import SessionFactory
from db.repositories import recall_documents, recall_documents_watch
from db.repositories.recall_documents import Asked, Due
from domain.inventory import Documents
from models.messages import HoldFigures, RecallScopeRef
from models.recall_document import StopState

GROUP: Final = 100
"""Documents per commit and audit event: what a crash may repeat."""
MOST: Final = 10_000
"""Documents one turn asks one keeper about; the next turn goes on."""
log = logging.getLogger(__name__)


class DocumentStops:
    """One turn of the watch over goods documents; runs inside the activities of the queue `inventory`."""

    def __init__(self, sessions: SessionFactory, keepers: Keepers, one_keeper: timedelta) -> None:
        """`one_keeper`: what one keeper may take of a turn; what is left is due in the next."""
        self._sessions = sessions
        self._keepers = keepers
        self._one_keeper = one_keeper

    async def turn(self, ref: RecallScopeRef) -> tuple[int, int]:
        """Find, stop, free; returns (still to be asked, refused or unreachable).

        A keeper whose documents could not all be read counts as unreachable: what is left is stopped by nobody.
        `ref.claim` false: the recall has ended, and everything it stops is freed.
        """
        everyone = await self._keepers.everyone()
        async with self._sessions.begin() as session:
            lots = await recall_documents.scope_of(session, ref.number, ref.scope_version)
            why = "no lot of it is in scope" if ref.claim else "the recall has ended"
            await recall_documents_watch.free(session, ref.number, lots, ref.now, why, ended=not ref.claim)
        unread: dict[str, str] = {}
        turns = [self._turn_one(ref, keeper, lots if ref.claim else [], unread) for keeper in everyone]
        async with beating() if len(turns) > 1 else nullcontext():
            await asyncio.gather(*turns)
        await self._nobodys(ref, [keeper.name for keeper in everyone])
        async with self._sessions.begin() as session:
            if ref.claim:
                await recall_documents_watch.looked(session, ref.number, ref.scope_version, unread, ref.now)
            asked, failed = await recall_documents.pending(session, ref.number)
        return asked, failed + len(unread)

    async def settle(self, now: datetime) -> None:
        """Recalls that have ended: what waited for its hold is freed, what was decided is carried out.

        Nobody watches them any more, while a keeper that was away at their end comes back.
        """
        async with self._sessions() as session:
            numbers = await recall_documents_watch.left_over(session)
        for number in numbers:
            await self.turn(RecallScopeRef(number=number, now=now, scope_version=0, claim=False))

    async def _turn_one(
        self, ref: RecallScopeRef, keeper: InventoryAdapter, lots: list[int], unread: dict[str, str]
    ) -> None:
        """One keeper's turn, within its own time; whatever happens there stays there."""
        until = asyncio.get_running_loop().time() + self._one_keeper.total_seconds()
        try:
            if lots:
                await self._look(ref, keeper, lots, unread)
            await self._ask_all(ref, keeper, until)
        except Exception:
            log.exception("the turn over documents of keeper %s failed; the rest is due in the next", keeper.name)

    async def _look(
        self, ref: RecallScopeRef, keeper: InventoryAdapter, lots: list[int], unread: dict[str, str]
    ) -> None:
        """Whatever goes wrong here, what is known to be due is asked for all the same: half of the time is left."""
        unread[keeper.name] = "it did not answer in time"
        try:
            async with asyncio.timeout(self._one_keeper.total_seconds() / 2):
                found = await keeper.documents(lots)
            rest = found.unread if isinstance(found, Documents) else ()
            async with self._sessions.begin() as session:
                await recall_documents.take_in(session, ref.number, keeper.name, found, lots, ref.now, unread=rest)
        except TimeoutError:
            log.warning("documents of keeper %s were not told in time", keeper.name)
        except InventoryError as error:
            log.warning("documents of keeper %s could not be read: %s", keeper.name, error)
            unread[keeper.name] = str(error) or "the keeper refused"
        except Exception as error:
            log.exception("documents of keeper %s could not be read", keeper.name)
            unread[keeper.name] = type(error).__name__
        else:
            del unread[keeper.name]
            if rest:
                why = "; ".join(each.reason for each in rest[:3])
                unread[keeper.name] = f"{len(rest)} of its documents could not be read: {why}"

    async def _ask_all(self, ref: RecallScopeRef, keeper: InventoryAdapter, until: float) -> None:
        """What was tried least comes first; what was answered is recorded also where the keeper's time ends."""
        async with self._sessions() as session:
            due = await recall_documents.due(session, ref.number, keeper.name, MOST)
        while due:
            some, due = due[:GROUP], due[GROUP:]
            asked: list[Asked] = []
            try:
                async with asyncio.timeout_at(until):
                    for each in some:
                        asked.append(await self._ask(ref.number, keeper, each))
            except TimeoutError:
                log.warning("documents of keeper %s took too long; the rest is due in the next turn", keeper.name)
                asked.append(Asked(some[len(asked)], error="it did not answer in time"))
                due = []
            async with self._sessions.begin() as session:
                await recall_documents.answered(session, ref.number, asked, ref.now)

    async def _ask(self, number: str, keeper: InventoryAdapter, due: Due) -> Asked:
        try:
            if due.state is StopState.releasing:
                # A keeper that lags has shown it open while a stop stood: the older keys may stand there, too.
                answers = [await keeper.unblock(key) for key in due.keys]
                return Asked(due, next((each for each in reversed(answers) if each is not None), None))
            cancel = due.state is StopState.cancelling
            return Asked(due, await keeper.block(due.keys[-1], number, due.document, cancel=cancel))
        except InventoryError as error:
            return Asked(due, error=str(error) or "the keeper refused")
        except Exception as error:  # noqa: BLE001 - a fault over one document must not hold up the others
            log.warning("document %s failed: %s", due.keys[-1], type(error).__name__)
            return Asked(due, error=f"{type(error).__name__}: {error}")

    async def _nobodys(self, ref: RecallScopeRef, names: list[str]) -> None:
        """Documents of a keeper that is on record no more: nobody can be asked, and people must see it."""
        async with self._sessions.begin() as session:
            due = await recall_documents.due_elsewhere(session, ref.number, names)
            error = "its keeper is on record no more"
            await recall_documents.answered(session, ref.number, [Asked(each, error=error) for each in due], ref.now)


def with_documents(figures: HoldFigures, pending: tuple[int, int]) -> HoldFigures:
    """Documents nobody has stopped yet are asked for and chased like holds."""
    asked, failed = pending
    return figures.model_copy(update={"requested": figures.requested + asked, "failed": figures.failed + failed})


__all__ = ["DocumentStops", "with_documents"]
