"""Looking for a recall's lots at every keeper outside our ledger: late receipts, returns, found stock, goods under way.

Each keeper is asked by itself and within its own time. One that cannot be read leaves a gap in the trace and keeps
nobody waiting.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio import activity

from activities.clock import ActivityClock
from adapters.inventory.base import InventoryAdapter, InventoryError, Keepers
from db.engine import SessionFactory
from db.repositories import keeper_counts
from db.repositories.keeper_counts import Report
from db.repositories.keeper_turn_lock import one_at_a_time
from domain.inventory import Document, Documents, Located, Position, PositionState, Unread, UnreadDocument
from models.messages import RecallScopeRef

LOTS: Final = 500
"""Lots asked for in one call."""
log = logging.getLogger(__name__)


class KeeperLook:
    """Brings our record in line with what keepers report."""

    def __init__(self, sessions: SessionFactory, keepers: Keepers, one_keeper: timedelta) -> None:
        self._sessions = sessions
        self._keepers = keepers
        self._one_keeper = one_keeper

    async def look(self, ref: RecallScopeRef) -> None:
        """Ask every keeper outside our ledger for the lots of this scope version."""
        clock = ActivityClock(ref.now)
        _, *others = await self._keepers.everyone()
        if not others:
            return
        async with self._sessions() as session:
            lots = await keeper_counts.lots_of(session, ref.number, ref.scope_version)
            places = await keeper_counts.places_of(session, ref.number, ref.scope_version)
        if not lots:
            return
        kept: dict[str, list[int]] = {each.name: [] for each in others}
        for place in places:
            kept.get((await self._keepers.at(place)).name, []).append(place)
        await asyncio.gather(*(self._one(ref, keeper, lots, kept[keeper.name], clock) for keeper in others))

    async def _one(
        self,
        ref: RecallScopeRef,
        keeper: InventoryAdapter,
        lots: Sequence[int],
        kept: list[int],
        clock: ActivityClock,
    ) -> None:
        taken_in = False
        try:
            async with (
                asyncio.timeout(self._one_keeper.total_seconds()),
                one_at_a_time(self._sessions, keeper.name) as alone,
            ):
                if alone:
                    await self._report(ref, keeper, lots, kept, clock)
                    taken_in = True
            why = "somebody else was working with it"
        except InventoryError as error:
            why = str(error) or "the keeper refused"
        except TimeoutError:
            why = "it did not answer in time"
        except Exception as error:  # noqa: BLE001 - a fault of one keeper must not leave other stock unlocked
            log.warning("keeper %s could not be read: %s", keeper.name, type(error).__name__)
            why = type(error).__name__
        if taken_in:
            # Whatever became of the lock and its connection after it.
            return
        async with self._sessions.begin() as session:
            await keeper_counts.unread(session, ref.number, ref.scope_version, keeper.name, error=why, at=ref.now)

    async def _report(
        self,
        ref: RecallScopeRef,
        keeper: InventoryAdapter,
        lots: Sequence[int],
        kept: Sequence[int],
        clock: ActivityClock,
    ) -> None:
        asked_at = clock.now()
        found: list[Position] = []
        unread: list[Unread] = []
        for at in range(0, len(lots), LOTS):
            given = await keeper.locate(lots[at : at + LOTS])
            unread += given.unread if isinstance(given, Located) else ()
            found += given
            activity.heartbeat()
        documents: list[Document] = []
        hidden: list[UnreadDocument] = []
        async with self._sessions() as session:
            known = await keeper_counts.under_way(session, keeper.name, lots)
        if known or any(each.state is PositionState.IN_TRANSIT for each in found):
            for at in range(0, len(lots), LOTS):
                some = await keeper.documents(lots[at : at + LOTS])
                documents += some
                hidden += some.unread if isinstance(some, Documents) else ()
                activity.heartbeat()
        report = Report(
            keeper=keeper.name,
            number=ref.number,
            version=ref.scope_version,
            lots=lots,
            kept=kept,
            positions=found,
            documents=documents,
            unread=unread,
            unread_documents=hidden,
            # Not before the keeper was asked: what was booked while it was waited for is in its figures.
            at=asked_at,
        )
        async with self._sessions.begin() as session:
            await keeper_counts.take_in(session, report)


__all__ = ["KeeperLook"]
