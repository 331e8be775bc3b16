"""Our ids and a keeper's words, for one call: lots, places and units looked up together, each once."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Self

from adapters.inventory.base import Directory, InventoryError
from adapters.inventory.http_wire import UNIT_OF_USE, Quantity
from domain.inventory import LotName


class Outgoing:
    """Names of the lots and places of a request."""

    def __init__(self, lots: dict[int, LotName], places: dict[int, str]) -> None:
        self._lots = lots
        self._places = places

    @classmethod
    async def of(cls, directory: Directory, lot_ids: Iterable[int], place_ids: Iterable[int] = ()) -> Self:
        """Look up what a request names."""
        lots, places = sorted(set(lot_ids)), sorted(set(place_ids))
        return cls(
            await directory.lot_names(lots) if lots else {}, await directory.place_codes(places) if places else {}
        )

    def lot(self, lot_id: int) -> LotName:
        """Name of a lot.

        Raises:
            InventoryError: it is not on record.
        """
        if lot_id not in self._lots:
            raise InventoryError(f"lot {lot_id} is not on record")
        return self._lots[lot_id]

    def place(self, location_id: int) -> str:
        """The keeper's code of a place.

        Raises:
            InventoryError: it is not on record.
        """
        if location_id not in self._places:
            raise InventoryError(f"place {location_id} is not on record")
        return self._places[location_id]


class Units:
    """Amounts of an answer in units of use; each package is looked up once."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[tuple[str, str], Decimal | None] = {}

    async def of_use(self, product: str, given: Quantity) -> Decimal | None:
        """The amount in units of use; None when the product has no such package."""
        if given.unit == UNIT_OF_USE:
            return given.amount
        pack = product, given.unit
        if pack not in self._known:
            self._known[pack] = await self._directory.units_of_use(*pack)
        size = self._known[pack]
        return None if size is None else given.amount * size


def in_groups(items: Sequence[int], size: int) -> list[Sequence[int]]:
    """The items in groups of at most `size`."""
    return [items[at : at + size] for at in range(0, len(items), size)]


__all__ = ["Outgoing", "Units", "in_groups"]
