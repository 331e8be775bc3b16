"""A keeper that is on record and cannot be called: every call says why."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NoReturn

from adapters.inventory.base import InventoryError
from domain.inventory import (
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    LotTold,
    Position,
    Shipment,
)


class UnavailableKeeper:
    """`InventoryAdapter` that refuses each call with the same reason."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def _refuse(self) -> NoReturn:
        raise InventoryError(f"{self.name}: {self._reason}")

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """Refused."""
        self._refuse()

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """Refused."""
        self._refuse()

    async def confirm(self, key: str) -> Confirmation | None:
        """Refused."""
        self._refuse()

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """Refused."""
        self._refuse()

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """Refused."""
        self._refuse()

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """Refused."""
        self._refuse()

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """Refused."""
        self._refuse()

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """Refused."""
        self._refuse()

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """Refused."""
        self._refuse()

    async def unship(self, key: str) -> DocumentAnswer:
        """Refused."""
        self._refuse()

    async def tell_status(self, lots: Sequence[LotTold]) -> dict[int, str]:
        """Refused."""
        self._refuse()

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """Refused."""
        self._refuse()


__all__ = ["UnavailableKeeper"]
