"""An adapter bound to the places it keeps: what it says of stock lying elsewhere is not taken.

A WMS that copies another's stock, or a place that has moved to another keeper, would otherwise be counted twice.
Goods in transit are taken from whoever reports them: they lie at no place yet.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from adapters.inventory.base import InventoryAdapter
from adapters.inventory.bulk import HoldAnswer, HoldAsked, hold_all
from adapters.inventory.lot_status import tell_status
from domain.inventory import (
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    Located,
    LotTold,
    Position,
    PositionState,
    Shipment,
)
from domain.keepers import Skipped

Notes = Callable[[Sequence[Skipped]], Awaitable[None]]
"""Told which rows of a keeper's answer were left out, and why."""


class AssignedKeeper:
    """`InventoryAdapter` over another one."""

    def __init__(self, inner: InventoryAdapter, keeps: Callable[[int], bool], skipped: Notes | None) -> None:
        """`keeps` says whether a place is this keeper's; `skipped` is told what is left out."""
        self.name = inner.name
        self._inner = inner
        self._keeps = keeps
        self._skipped = skipped

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """See `InventoryAdapter.locate`; only what lies at this keeper's places, and what is in transit."""
        found = await self._inner.locate(lot_ids)
        ours = [each.state is PositionState.IN_TRANSIT or self._keeps(each.location_id) for each in found]
        strange = [each for each, own in zip(found, ours, strict=True) if not own]
        if strange and self._skipped is not None:
            reason = "the place is kept by somebody else"
            rows = [Skipped("position", f"lot {p.lot_id} at place {p.location_id}", reason) for p in strange]
            await self._skipped(rows)
        unread = found.unread if isinstance(found, Located) else ()
        return Located((each for each, own in zip(found, ours, strict=True) if own), unread)

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """See `StockKeeper.hold`."""
        return await self._inner.hold(key, claimant, position)

    async def hold_many(self, claimant: str, asked: Sequence[HoldAsked]) -> list[HoldAnswer]:
        """See `BulkKeeper.hold_many`; one by one where the adapter knows no bulk."""
        return await hold_all(self._inner, claimant, asked)

    async def confirm(self, key: str) -> Confirmation | None:
        """See `StockKeeper.confirm`."""
        return await self._inner.confirm(key)

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """See `StockKeeper.release`."""
        await self._inner.release(key, left)

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """See `InventoryAdapter.documents`."""
        return await self._inner.documents(lot_ids)

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """See `InventoryAdapter.block`."""
        return await self._inner.block(key, claimant, document, cancel=cancel)

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """See `InventoryAdapter.unblock`."""
        return await self._inner.unblock(key)

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """See `InventoryAdapter.dispose`."""
        return await self._inner.dispose(key, disposal)

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """See `InventoryAdapter.ship`."""
        return await self._inner.ship(key, shipment)

    async def unship(self, key: str) -> DocumentAnswer:
        """See `InventoryAdapter.unship`."""
        return await self._inner.unship(key)

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """See `InventoryAdapter.changes`."""
        return await self._inner.changes(cursor, limit)

    async def tell_status(self, lots: Sequence[LotTold]) -> dict[int, str]:
        """See `TakesStatus.tell_status`."""
        return await tell_status(self._inner, lots)

    async def close(self) -> None:
        """Close the connections, where there are any."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            await close()


__all__ = ["AssignedKeeper", "Notes"]
