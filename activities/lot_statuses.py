"""A turn over the status of lots: every keeper outside our ledger is told what changed, until it answers."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from adapters.inventory.base import InventoryAdapter, InventoryError, Keepers
from adapters.inventory.lot_status import NotServed, tell_status
from db.engine import SessionFactory
from db.repositories import keeper_lot_status
from db.repositories.keeper_turn_lock import one_at_a_time
from domain.inventory import LotTold

CALLS: Final = 40
"""Calls to one keeper in a turn; the next turn goes on."""
log = logging.getLogger(__name__)


class LotStatuses:
    """Tells keepers what may be done with lots; our own ledger reads it from its own record."""

    def __init__(self, sessions: SessionFactory, keepers: Keepers, one_keeper: timedelta) -> None:
        """`one_keeper`: how long one of them may take in a turn."""
        self._sessions = sessions
        self._keepers = keepers
        self._one_keeper = one_keeper

    async def turn(self, now: datetime) -> None:
        """Find what changed and tell it; each keeper in its own time, whatever happens at another."""
        _, *others = await self._keepers.everyone()
        if not others:
            return
        async with self._sessions.begin() as session:
            await keeper_lot_status.plan(session, [each.name for each in others], now)
        await asyncio.gather(*(self._at(each, now) for each in others))

    async def _at(self, keeper: InventoryAdapter, now: datetime) -> None:
        told: list[LotTold] = []
        try:
            if not await self._due(keeper, now):
                return
            async with (
                asyncio.timeout(self._one_keeper.total_seconds()),
                one_at_a_time(self._sessions, keeper.name) as alone,
            ):
                for _ in range(CALLS if alone else 0):
                    told = await self._due(keeper, now)
                    if not told or not await self._tell(keeper, told, now):
                        return
                    activity.heartbeat()
        except TimeoutError:
            log.warning("keeper %s took too long over the status of lots; the next turn goes on", keeper.name)
            async with self._sessions.begin() as session:
                await keeper_lot_status.failed(session, keeper.name, told, "it took too long", now)
        except Exception:
            log.exception("the status of lots was not told to keeper %s; the next turn goes on", keeper.name)

    async def _due(self, keeper: InventoryAdapter, now: datetime) -> list[LotTold]:
        async with self._sessions() as session:
            return await keeper_lot_status.due(session, keeper.name, now)

    async def _tell(self, keeper: InventoryAdapter, told: list[LotTold], now: datetime) -> bool:
        """Whether the keeper took them: the next lots can be told."""
        try:
            refused = await tell_status(keeper, told)
        except NotServed as error:
            async with self._sessions.begin() as session:
                await keeper_lot_status.unserved(session, keeper.name, str(error), now)
            return False
        except InventoryError as error:
            async with self._sessions.begin() as session:
                await keeper_lot_status.failed(session, keeper.name, told, str(error), now)
            return False
        async with self._sessions.begin() as session:
            await keeper_lot_status.answered(session, keeper.name, told, refused, now)
        return True


__all__ = ["LotStatuses"]
