"""A turn over approved replacements: order them at whoever keeps the stock, ask how orders stand, take back void ones.

Every call is repeated under the same key, so a process that dies in between orders nothing twice.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import activity

from adapters.inventory.base import InventoryAdapter, InventoryError, Keepers, NotShipped
from db.engine import SessionFactory
from db.repositories import keeper_shipments, replacement_orders
from db.repositories.keeper_turn_lock import one_at_a_time
from domain.inventory import DocumentAnswer, DocumentState
from models.disposition import AllocationState

GONE: Final = "its keeper is on record no more"
log = logging.getLogger(__name__)


class ReplacementOrders:
    """Keeps orders at keepers in line with allocations."""

    def __init__(self, sessions: SessionFactory, keepers: Keepers, one_keeper: timedelta) -> None:
        """`one_keeper`: how long one of them may take in a turn."""
        self._sessions = sessions
        self._keepers = keepers
        self._one_keeper = one_keeper

    async def turn(self, now: datetime) -> None:
        """Look at every order; each keeper in its own time, whatever happens at another."""
        async with self._sessions() as session:
            rows = await keeper_shipments.due(session, now)
        if not rows:
            return
        known = {each.name: each for each in await self._keepers.everyone()}
        by_keeper = defaultdict(list)
        for row in rows:
            name = await self._keeper_of(row)
            if name in known:
                by_keeper[name].append(row)
            elif name is not None:
                async with self._sessions.begin() as session:
                    await replacement_orders.refused(session, row.id, GONE, now, over=False)
        await asyncio.gather(*(self._at(known[name], those, now) for name, those in by_keeper.items()))

    async def _keeper_of(self, row: Any) -> str | None:
        """What was ordered stands where it was ordered, whoever keeps the place by now; None: nobody can say."""
        if row.asked:
            return str(row.keeper)
        try:
            return (await self._keepers.at(row.location_id)).name
        except Exception:
            log.exception("the keeper of place %s is not known; its replacements wait", row.location_id)
            return None

    async def _at(self, keeper: InventoryAdapter, rows: Sequence[Any], now: datetime) -> None:
        try:
            async with (
                asyncio.timeout(self._one_keeper.total_seconds()),
                one_at_a_time(self._sessions, keeper.name) as alone,
            ):
                for row in rows if alone else ():
                    await self._guarded(keeper, row, now)
                    activity.heartbeat()
        except TimeoutError:
            log.warning("keeper %s took too long over replacements; the next turn goes on", keeper.name)
        except Exception:
            log.exception("replacements at keeper %s failed; the next turn goes on", keeper.name)

    async def _guarded(self, keeper: InventoryAdapter, row: Any, now: datetime) -> None:
        """A fault over one order keeps no other waiting."""
        try:
            await self._one(keeper, row, now)
        except Exception:
            log.exception("the replacement %s at keeper %s failed; the next turn asks again", row.id, keeper.name)

    async def _one(self, keeper: InventoryAdapter, row: Any, now: datetime) -> None:
        key = keeper_shipments.key_of(row.recall_number, row.id)
        try:
            answer = await self._answer(keeper, row, key, now)
        except InventoryError as error:
            # A refusal is the last word only if nothing asked before can have been carried out.
            over = isinstance(error, NotShipped) and not row.asked
            async with self._sessions.begin() as session:
                await replacement_orders.refused(session, row.id, str(error), now, over=over)
            return
        if answer is not None:
            async with self._sessions.begin() as session:
                await replacement_orders.answered(session, row.recall_number, row.id, row.lot_id, answer, now)

    async def _answer(self, keeper: InventoryAdapter, row: Any, key: str, now: datetime) -> DocumentAnswer | None:
        if row.state != AllocationState.approved.value or row.abandoned:
            if not row.asked:
                return DocumentAnswer(key[:80], DocumentState.CANCELLED)
            async with self._sessions.begin() as session:
                await keeper_shipments.tried(session, row.id)
            return await keeper.unship(key)
        async with self._sessions.begin() as session:
            shipment = await replacement_orders.begin(session, row.recall_number, row.id, row.lot_id, keeper.name, now)
        if shipment is None:
            return None
        try:
            return await keeper.ship(key, shipment)
        except NotShipped:
            if not row.asked:
                raise
            # It did not answer before: whatever came of that is taken back, then a person ships.
            return await keeper.unship(key)


__all__ = ["ReplacementOrders"]
