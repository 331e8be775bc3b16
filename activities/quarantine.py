"""Quarantine: claim all stock in our own and logistics custody, and have its keepers lock it (design promise 1).

Requests are records written in one transaction; carrying them out is a series of idempotent calls, so a crash between
a keeper's answer and our commit repeats the call and never holds twice. One bad position never blocks the others, and
no keeper waits for another.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from activities.goods_documents import DocumentStops, with_documents
from activities.heartbeats import beating
from activities.keeper_looks import KeeperLook
from activities.keeper_turns import KeeperTurn
from activities.lot_statuses import LotStatuses
from activities.replacement_orders import ReplacementOrders
from adapters.inventory.base import InventoryAdapter, InventoryError, Keepers, StockKeeper
from db.engine import SessionFactory
from db.repositories import holds, keeper_holds, logistics_watch, recalls
from db.repositories.holds import DueHold, Held
from db.repositories.keeper_turn_lock import one_at_a_time
from models.messages import HoldFigures, RecallScopeRef
from models.messages_keepers import ReadKeeperFeeds

GROUP: Final = 100
"""Positions per commit and audit event: what a crash may repeat."""
ONE_KEEPER: Final = timedelta(minutes=3)
"""What one keeper may take of a turn; what is left is due in the next."""
DRILL: Final = "drill: nothing is locked"
"""Who confirms the holds of a drill."""
log = logging.getLogger(__name__)


@dataclass
class Outside:
    """Our own ledger, and who else keeps stock."""

    ledger: StockKeeper
    others: dict[str, InventoryAdapter]
    due: list[str] = field(default_factory=list)
    """Those at which something of ours stands or is due."""


class QuarantineActivities:
    """Activities of the task queue `inventory`."""

    def __init__(self, sessions: SessionFactory, keepers: Keepers, one_keeper: timedelta = ONE_KEEPER) -> None:
        """`one_keeper`: what one keeper outside our ledger may take of a turn."""
        self._sessions = sessions
        self._keepers = keepers
        self._one_keeper = one_keeper
        self._documents = DocumentStops(sessions, keepers, one_keeper)

    @activity.defn
    async def request_holds(self, ref: RecallScopeRef) -> HoldFigures:
        """Claim every position of this scope version; running it again claims only what appeared since."""
        async with beating(), self._sessions.begin() as session:
            await holds.request_holds(session, ref.number, ref.scope_version, ref.now)
            return await holds.hold_summary(session, ref.number)

    @activity.defn
    async def execute_holds(self, ref: RecallScopeRef) -> HoldFigures:
        """Look for the lots at all keepers, claim what appeared, then ask for every claim not yet confirmed, each once.

        What fails or is not answered stays due for the next run; figures say how many. The heartbeat carries the
        number of positions asked. Keepers outside our ledger are told of what ended or shrank, too. The goods documents
        of the lots are stopped after it; those nobody has stopped yet count as holds nobody has confirmed. Then who
        moves goods on their way is asked to stop them.
        """
        async with beating():
            return await self._execute(ref)

    async def _execute(self, ref: RecallScopeRef) -> HoldFigures:
        if ref.claim:
            await self._plan(ref.number, ref.now)
            await KeeperLook(self._sessions, self._keepers, self._one_keeper).look(ref)
            async with self._sessions.begin() as session:
                await holds.request_holds(session, ref.number, ref.scope_version, ref.now)
        outside = await self._plan(ref.number, ref.now)
        await asyncio.gather(
            self._hold_in_ledger(ref, outside.ledger), self._turn_keepers(outside, ref.number, ref.now)
        )
        stopped = await self._documents.turn(ref)
        moved = await self._ask_carriers(ref) if ref.claim else False
        async with self._sessions() as session:
            figures = with_documents(await holds.hold_summary(session, ref.number), stopped)
            return figures.model_copy(update={"owed": await holds.owed(session, ref.number), "tasks_moved": moved})

    @activity.defn
    async def settle_keepers(self, request: ReadKeeperFeeds) -> int:
        """Tell keepers outside our ledger whatever is due; lock in ours what was not locked when its recall ended.

        Holds outlive their recall as nonconformity holds: dispositions and signed releases go on, and a keeper that was
        away when the recall ended is told when it is back. Approved replacements are ordered at whoever keeps the
        stock, and keepers are told of the status of lots. Returns the keepers at which something stood.
        """
        async with beating():
            outside = await self._plan(None, request.now)
            await asyncio.gather(
                self._left_over(outside.ledger, request.now), self._turn_keepers(outside, None, request.now)
            )
            await self._documents.settle(request.now)
            await ReplacementOrders(self._sessions, self._keepers, self._one_keeper).turn(request.now)
            await LotStatuses(self._sessions, self._keepers, self._one_keeper).turn(request.now)
            return len(outside.due)

    async def _plan(self, number: str | None, now: datetime) -> Outside:
        """Find out who keeps the places of this recall (of all), and write down what they must be told."""
        ledger, *others = await self._keepers.everyone()
        found = Outside(ledger, {each.name: each for each in others})
        async with self._sessions() as session:
            standing = await keeper_holds.standing(session)
            places = await keeper_holds.places(session, number) if others or standing else []
        kept = {}
        for place in places:
            keeper = await self._keepers.at(place)
            kept[place] = keeper.name
        if kept:
            async with self._sessions.begin() as session:
                await keeper_holds.plan(session, kept, number, now, ledger=ledger.name)
                standing = await keeper_holds.standing(session)
        found.due = [name for name in standing if name in found.others]
        return found

    async def _turn_keepers(self, outside: Outside, number: str | None, now: datetime) -> None:
        """Every keeper at once, each in its own time: one that is slow or away keeps no other waiting."""
        await asyncio.gather(
            *(self._turn_one(outside.others[name], outside.ledger, number, now) for name in outside.due)
        )

    async def _turn_one(self, keeper: InventoryAdapter, ledger: StockKeeper, number: str | None, now: datetime) -> None:
        """One keeper's turn, within its own time; whatever happens there stays there."""
        try:
            async with (
                asyncio.timeout(self._one_keeper.total_seconds()),
                one_at_a_time(self._sessions, keeper.name) as alone,
            ):
                if alone:
                    await KeeperTurn(self._sessions, keeper, ledger, now, activity.heartbeat).work(number)
        except TimeoutError:
            log.warning("keeper %s took too long; what is left is due in the next turn", keeper.name)
        except Exception:
            log.exception("the turn at keeper %s failed; what is left is due in the next turn", keeper.name)

    async def _ask_carriers(self, ref: RecallScopeRef) -> bool:
        """Who moves goods on their way is asked to stop them; whether tasks were opened or ended.

        A fault here leaves the holds as they are; what is not asked for is asked for by the next turn.
        """
        written, moved = 1, False
        try:
            while written:
                async with self._sessions.begin() as session:
                    written, some = await logistics_watch.turn(session, ref.number, ref.now)
                moved = moved or some
        except Exception:
            log.exception("logistics providers were not asked; they are in the next turn")
        return moved

    async def _left_over(self, ledger: StockKeeper, now: datetime) -> None:
        async with self._sessions() as session:
            numbers = await holds.left_over(session)
        for number in numbers:
            await self._hold_in_ledger(RecallScopeRef(number=number, now=now, scope_version=0, claim=False), ledger)

    async def _hold_in_ledger(self, ref: RecallScopeRef, ledger: StockKeeper) -> None:
        asked = after = 0
        drill = await self._is_drill(ref.number)
        while True:
            async with self._sessions() as session:
                due = await holds.due_holds(session, ref.number, GROUP, after_id=after, drill=drill)
            if not due:
                return
            done: list[Held] = []
            failed: list[tuple[int, str]] = []
            for hold in due:
                if drill:
                    # Real stock is never locked by a drill, at no keeper (design promise 10).
                    done.append(Held(hold.id, hold.position.quantity, hold.position.quantity, DRILL))
                else:
                    await self._ask(ledger, ref.number, hold, done, failed)
                asked += 1
                activity.heartbeat(asked)
            await self._record(ref, done, failed)
            after = due[-1].id

    async def _is_drill(self, number: str) -> bool:
        async with self._sessions() as session:
            return (await recalls.get(session, number)).drill

    async def _ask(
        self, ledger: StockKeeper, number: str, hold: DueHold, done: list[Held], failed: list[tuple[int, str]]
    ) -> None:
        try:
            await ledger.hold(hold.key, number, hold.position)
            confirmation = await ledger.confirm(hold.key)
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
