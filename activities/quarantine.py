"""Quarantine: claim all stock in our own and logistics custody, and have its keepers lock it (design promise 1).

Requests are records written in one transaction; carrying them out is a series of idempotent calls, so a crash between
a keeper's answer and our commit repeats the call and never holds twice. One bad position never blocks the others.
"""

import logging
from collections.abc import Sequence

from temporalio import activity

from adapters.inventory.base import InventoryError, StockKeeper
from db.engine import SessionFactory
from db.repositories import holds
from db.repositories.holds import DueHold, Held
from models.messages import HoldFigures, RecallScopeRef

GROUP = 100
"""Positions per commit and audit event: what a crash may repeat."""
log = logging.getLogger(__name__)


class QuarantineActivities:
    """Activities of the task queue `inventory`."""

    def __init__(self, sessions: SessionFactory, inventory: StockKeeper) -> None:
        self._sessions = sessions
        self._inventory = inventory

    @activity.defn
    async def request_holds(self, ref: RecallScopeRef) -> HoldFigures:
        """Claim every position of this scope version; running it again claims only what appeared since."""
        async with self._sessions.begin() as session:
            await holds.request_holds(session, ref.number, ref.scope_version, ref.now)
            return await holds.hold_summary(session, ref.number)

    @activity.defn
    async def execute_holds(self, ref: RecallScopeRef) -> HoldFigures:
        """Claim what appeared since, then ask the keepers for every claim not yet confirmed, each once.

        What fails or is not answered stays due for the next run; figures say how many. The heartbeat carries the
        number of positions asked.
        """
        if ref.claim:
            async with self._sessions.begin() as session:
                await holds.request_holds(session, ref.number, ref.scope_version, ref.now)
        asked = after = 0
        while True:
            async with self._sessions() as session:
                due = await holds.due_holds(session, ref.number, GROUP, after_id=after)
            if not due:
                break
            done: list[Held] = []
            failed: list[tuple[int, str]] = []
            for hold in due:
                await self._ask(ref.number, hold, done, failed)
                asked += 1
                activity.heartbeat(asked)
            await self._record(ref, done, failed)
            after = due[-1].id
        async with self._sessions() as session:
            return await holds.hold_summary(session, ref.number)

    async def _ask(self, number: str, hold: DueHold, done: list[Held], failed: list[tuple[int, str]]) -> None:
        try:
            await self._inventory.hold(hold.key, number, hold.position)
            confirmation = await self._inventory.confirm(hold.key)
        except InventoryError as error:
            failed.append((hold.id, str(error) or "the keeper of the stock refused"))
        except Exception as error:  # noqa: BLE001 - a fault of one keeper must not leave other stock unlocked
            log.warning("hold %s failed: %s", hold.key, type(error).__name__)
            failed.append((hold.id, f"{type(error).__name__}: {error}"))
        else:
            if confirmation is not None:
                done.append(Held(hold.id, hold.position.quantity, confirmation.quantity, confirmation.by))

    async def _record(self, ref: RecallScopeRef, done: Sequence[Held], failed: Sequence[tuple[int, str]]) -> None:
        async with self._sessions.begin() as session:
            confirmed = await holds.mark_confirmed(session, done, ref.now)
            refused = await holds.mark_failed(session, failed)
            if confirmed or refused:
                data = {"confirmed": sorted(confirmed), "failed": sorted(refused)}
                await holds.record(session, ref.number, "holds.placed", ref.now, data)
