"""The boundary to whoever keeps stock: our own ledger, a WMS, an ERP, a logistics partner.

A hold is asked for by an idempotent key, confirmed by the keeper in its own time, and ended only by `release`. The
caller repeats a call whenever it does not know whether the last one arrived.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from domain.inventory import Confirmation, HoldReceipt, Position


class InventoryError(Exception):
    """The keeper refused or could not be reached; the text is stored with the hold and shown to people."""


class InventoryAdapter(Protocol):
    """What a recall needs from a keeper of stock. Every method may raise `InventoryError`."""

    name: str
    """Short name that appears as `confirmed_by`."""

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """Every position of these lots in our own and logistics custody: on hand, reserved, in transit."""
        ...

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """Lock `position` for `claimant` (a recall number).

        The same key again changes nothing; with a larger quantity it raises the same hold. Another claimant's hold
        on the same stock stands beside it.
        """
        ...

    async def confirm(self, key: str) -> Confirmation | None:
        """Whether the hold is carried out; None while the keeper has not answered."""
        ...

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """Leave only `left` units of use under exactly this hold; 0 ends it.

        Called after a signed release or a disposition took units out. Stating what is left, not what goes, makes a
        repeat harmless. Stock under another claim stays locked; a hold is never raised by this.
        """
        ...
