"""The inventory adapter over our own stock ledger: a claim in the ledger is the lock, so it confirms at once."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from adapters.inventory.base import InventoryError, NotShipped
from domain.inventory import (
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    LedgerRefused,
    Position,
    Shipment,
)


class Ledger(Protocol):
    """The records behind the adapter; each call is a transaction of its own."""

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """Positions in our own and logistics custody."""
        ...

    async def place(self, key: str, claimant: str, position: Position) -> bool:
        """Record the claim and lock the stock; False when the key belongs to another position or an ended claim."""
        ...

    async def claimed(self, key: str) -> Decimal | None:
        """Units under the open claim of this key."""
        ...

    async def reduce(self, key: str, left: Decimal) -> None:
        """Leave `left` units under the claim (0 ends it) and unlock what no other claim covers."""
        ...

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """Documents not yet done that name these lots or, where the lot is allocated later, their products."""
        ...

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool) -> DocumentAnswer:
        """Stop a document or end it for good; may raise `LedgerRefused`."""
        ...

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """End exactly this block; None when there is none."""
        ...

    async def dispose(self, key: str, disposal: Disposal) -> str:
        """Book units out of the stock, once per key; the booking's number. May raise `LedgerRefused`."""
        ...

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """Make the order of this key once; may raise `LedgerRefused`."""
        ...

    async def unship(self, key: str) -> DocumentAnswer:
        """End the order of this key."""
        ...

    async def changes(self, cursor: str | None, limit: int) -> Changes:
        """A page of the feed of changes; may raise `LedgerRefused`."""
        ...


class LedgerInventory:
    """Holds in our own ledger. Stock is locked when `hold` returns, whatever happens to the caller afterwards."""

    name = "ledger"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """See `InventoryAdapter.locate`."""
        return await self._ledger.locate(lot_ids)

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """See `InventoryAdapter.hold`.

        Raises:
            InventoryError: the key was used for another position, or its hold has been released.
        """
        if not await self._ledger.place(key, claimant, position):
            raise InventoryError(f"hold {key} belongs to another position or was released")
        return HoldReceipt(key=key, reference=key)

    async def confirm(self, key: str) -> Confirmation | None:
        """See `InventoryAdapter.confirm`."""
        quantity = await self._ledger.claimed(key)
        return None if quantity is None else Confirmation(key=key, quantity=quantity, by=self.name)

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """See `InventoryAdapter.release`."""
        await self._ledger.reduce(key, left)

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """See `InventoryAdapter.documents`."""
        return await self._ledger.documents(lot_ids)

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """See `InventoryAdapter.block`.

        Raises:
            InventoryError: no such document, or the key belongs to another one or was ended.
        """
        try:
            return await self._ledger.block(key, claimant, document, cancel=cancel)
        except LedgerRefused as error:
            raise InventoryError(str(error)) from error

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """See `InventoryAdapter.unblock`."""
        return await self._ledger.unblock(key)

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """See `InventoryAdapter.dispose`.

        Raises:
            InventoryError: less lies there, or it is no disposal of stock.
        """
        try:
            return DisposalReceipt(key=key, reference=await self._ledger.dispose(key, disposal))
        except LedgerRefused as error:
            raise InventoryError(str(error)) from error

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """See `InventoryAdapter.ship`. The order waits for the person who ships it and states so.

        Raises:
            NotShipped: as much as that is not free there.
        """
        try:
            return await self._ledger.ship(key, shipment)
        except LedgerRefused as error:
            raise NotShipped(str(error)) from error

    async def unship(self, key: str) -> DocumentAnswer:
        """See `InventoryAdapter.unship`."""
        return await self._ledger.unship(key)

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """See `InventoryAdapter.changes`.

        Raises:
            InventoryError: the cursor is not one of ours.
        """
        try:
            return await self._ledger.changes(cursor, limit)
        except LedgerRefused as error:
            raise InventoryError(str(error)) from error


__all__ = ["Ledger", "LedgerInventory"]
