"""Telling keepers what may be done with lots, where they take it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from adapters.inventory.base import InventoryError
from domain.inventory import LotTold


class NotServed(InventoryError):  # noqa: N818 - what it is
    """The keeper takes no status of lots."""


@runtime_checkable
class TakesStatus(Protocol):
    """A keeper that keeps a status of its lots by what we tell it."""

    async def tell_status(self, lots: Sequence[LotTold]) -> dict[int, str]:
        """State how these lots stand now; a repeat changes nothing. Returns lot -> why it does not take it.

        Raises:
            NotServed: it takes none.
        """
        ...


async def tell_status(keeper: object, lots: Sequence[LotTold]) -> dict[int, str]:
    """See `TakesStatus.tell_status`; a keeper that knows no such call takes none."""
    if not isinstance(keeper, TakesStatus):
        raise NotServed("it takes no status of lots")
    return await keeper.tell_status(lots)


__all__ = ["NotServed", "TakesStatus", "tell_status"]
