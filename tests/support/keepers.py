"""Keepers of stock in memory, as partners outside would be: own books, own locks, and all their bad habits.

They know nothing of our records: what they hold follows from the calls alone, and stays when our process dies.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from adapters.inventory.base import HoldReleased, InventoryAdapter, InventoryError, NotShipped
from domain.inventory import (
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    Located,
    Position,
    PositionState,
    Shipment,
    Unread,
)

ZERO = Decimal(0)


@dataclass
class Locked:
    """One hold in the keeper's books."""

    claimant: str
    position: Position
    quantity: Decimal
    released: bool = False

    @property
    def place(self) -> tuple[int, int]:
        return self.position.lot_id, self.position.location_id


@dataclass
class Partner:
    """A WMS of a partner. `before` is called before each call takes effect, `after` when it has, before we hear."""

    name: str
    stock: dict[tuple[int, int], Decimal] = field(default_factory=dict)
    transit: list[Position] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    """What of its report cannot be read."""
    holds: dict[str, Locked] = field(default_factory=dict)
    papers: list[Document] = field(default_factory=list)
    disposals: dict[str, Disposal] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Keys whose confirmation it owes."""
    calls: list[str] = field(default_factory=list)
    custody: str = "logistics"
    lockable: Decimal | None = None
    """Units it can lock at one place at most, whatever lies there."""
    before: Callable[[str], None] | None = None
    after: Callable[[str], None] | None = None
    wait: asyncio.Event | None = None
    """Set: no call is answered until the event is."""

    async def _enter(self, call: str) -> None:
        self.calls.append(call)
        if self.before:
            self.before(call)
        if self.wait is not None:
            await self.wait.wait()
        await asyncio.sleep(0)

    async def _leave(self, call: str) -> None:
        if self.after:
            self.after(call)
        await asyncio.sleep(0)

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        await self._enter("locate")
        found = [
            Position(lot, place, self.custody, PositionState.ON_HAND, quantity)
            for (lot, place), quantity in self.stock.items()
            if lot in lot_ids and quantity > 0
        ]
        return Located([*found, *(each for each in self.transit if each.lot_id in lot_ids)], self.unread)

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        await self._enter(f"hold {key}")
        mine = self.holds.get(key)
        if mine is None:
            self.holds[key] = Locked(claimant, position, position.quantity)
        elif mine.released:
            raise HoldReleased(f"{key} was released")
        elif mine.claimant != claimant:
            raise InventoryError(f"{key} is another's")
        else:
            mine.quantity = max(mine.quantity, position.quantity)
        await self._leave(f"hold {key}")
        return HoldReceipt(key, f"{self.name}-{len(self.holds)}")

    async def confirm(self, key: str) -> Confirmation | None:
        await self._enter(f"confirm {key}")
        mine = self.holds.get(key)
        if mine is None or mine.released or key in self.silent:
            return None
        there = mine.quantity
        if mine.position.state is not PositionState.IN_TRANSIT:
            older = list(self.holds)[: list(self.holds).index(key)]
            others = sum(
                each.quantity
                for each in map(self.holds.__getitem__, older)
                if not each.released
                and each.place == mine.place
                and each.claimant == mine.claimant
                and each.position.state is not PositionState.IN_TRANSIT
            )
            there = min(mine.quantity, max(self._lockable(mine.place) - others, ZERO))
        return Confirmation(key, there, f"{self.name} desk")

    def _lockable(self, place: tuple[int, int]) -> Decimal:
        there = self.stock.get(place, ZERO)
        return there if self.lockable is None else min(there, self.lockable)

    async def release(self, key: str, left: Decimal = ZERO) -> None:
        await self._enter(f"release {key}")
        mine = self.holds.get(key)
        if mine is not None and not mine.released:
            mine.quantity = min(mine.quantity, left)
            mine.released = left == 0
        await self._leave(f"release {key}")

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        await self._enter(f"dispose {key}")
        if key not in self.disposals:
            place = disposal.lot_id, disposal.location_id
            if self.locked(*place) < disposal.quantity:
                raise InventoryError(f"{key}: {disposal.quantity} units are not under hold")
            self.disposals[key] = disposal
            self.stock[place] = self.stock.get(place, ZERO) - disposal.quantity
            if disposal.result_lot_id is not None:
                there = disposal.result_lot_id, disposal.location_id
                self.stock[there] = self.stock.get(there, ZERO) + disposal.quantity
        await self._leave(f"dispose {key}")
        return DisposalReceipt(key, f"{self.name}-D{len(self.disposals)}")

    def locked(self, lot: int, place: int) -> Decimal:
        """Units that cannot be used: claims overlap, the largest claimant decides."""
        by: dict[str, Decimal] = {}
        for each in self.holds.values():
            if each.place == (lot, place) and not each.released and each.position.state is not PositionState.IN_TRANSIT:
                by[each.claimant] = by.get(each.claimant, ZERO) + each.quantity
        return max(by.values(), default=ZERO)

    def standing(self) -> dict[str, tuple[str, Decimal]]:
        """Key -> claimant and units, of holds that are not over."""
        return {key: (each.claimant, each.quantity) for key, each in self.holds.items() if not each.released}

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        await self._enter("documents")
        return self.papers

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        raise InventoryError(f"{self.name} stops no documents")

    async def unblock(self, key: str) -> DocumentAnswer | None:
        return None

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        raise NotShipped(f"{self.name} ships nothing for others")

    async def unship(self, key: str) -> DocumentAnswer:
        raise InventoryError(f"{self.name} has no orders")

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        return Changes((), cursor or "0", more=False)


@dataclass
class Places:
    """`Keepers`: our own ledger, and partners by place."""

    ledger: InventoryAdapter
    kept: dict[int, Partner]

    async def at(self, location_id: int) -> InventoryAdapter:
        return self.kept.get(location_id, self.ledger)

    async def everyone(self) -> Sequence[InventoryAdapter]:
        return [self.ledger, *{id(each): each for each in self.kept.values()}.values()]


__all__ = ["Locked", "Partner", "Places"]
