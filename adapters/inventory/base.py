"""The boundary to whoever keeps stock: our own ledger, a WMS, an ERP, a logistics partner.

A hold is asked for by an idempotent key, confirmed by the keeper in its own time, and ended only by `release`. The
caller repeats a call whenever it does not know whether the last one arrived. Keepers outside know lots and places by
their names, not by our ids; a `Directory` translates.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from domain.inventory import (
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    LotName,
    Position,
    Shipment,
)


class InventoryError(Exception):
    """The keeper refused or could not be reached; the text is stored with the hold and shown to people."""


class HoldReleased(InventoryError):  # noqa: N818 - what happened
    """The keeper has let go of this hold: its key is used up, and the stock is not locked under it."""


class CursorLost(InventoryError):  # noqa: N818 - what happened
    """The keeper no longer knows where in its feed we were: what changed meanwhile is unknown, look at everything."""


class NotShipped(InventoryError):  # noqa: N818 - what happened
    """The keeper makes no order of this shipment: it never does, or there is not as much free stock. Nothing stands."""


class Directory(Protocol):
    """Our record's names, for keepers that speak of lots, places and packages in their own words."""

    async def lot_names(self, lot_ids: Sequence[int]) -> dict[int, LotName]:
        """Names of these lots; an unknown id is left out."""
        ...

    async def lot_ids(self, names: Sequence[LotName]) -> dict[LotName, int]:
        """Ids of these lots; a name that is not on record, or fits several lots, is left out."""
        ...

    async def lots_fitting(self, names: Sequence[LotName]) -> dict[LotName, list[int]]:
        """Every lot that a name fits (without a site: of all sites), by id; a name that fits none is left out."""
        ...

    async def place_codes(self, location_ids: Sequence[int]) -> dict[int, str]:
        """The keeper's codes of these places (our code where the keeper has none of its own)."""
        ...

    async def place_ids(self, codes: Sequence[str]) -> dict[str, int]:
        """Our places by the keeper's codes; an unknown code is left out."""
        ...

    async def custodies(self, location_ids: Sequence[int]) -> dict[int, str]:
        """Who keeps the stock at these places: own, logistics or customer."""
        ...

    async def known_products(self, codes: Sequence[str]) -> set[str]:
        """Those of the codes that are products on record."""
        ...

    async def units_of_use(self, product_code: str, unit: str) -> Decimal | None:
        """How many units of use one `unit` of the product holds; None when the product has no such package."""
        ...


class StockKeeper(Protocol):
    """Stock alone: find, lock, confirm, let go. Every method may raise `InventoryError`."""

    name: str
    """Short name that appears as `confirmed_by`; the keeper's code on record."""

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """Every position of these lots in our own and logistics custody: on hand, reserved, in transit.

        A report of which a part could not be read is a `Located` that says so.
        """
        ...

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """Lock `position` for `claimant` (a recall number).

        The same key again locks nothing twice: what has come since, up to the quantity; a larger one raises it.
        Another claimant's hold on the same stock stands beside it.

        Raises:
            HoldReleased: it was ended there.
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


class InventoryAdapter(StockKeeper, Protocol):
    """What a recall needs from a keeper of stock. Every method may raise `InventoryError`."""

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """Documents not yet done that move, reserve or bring these lots: orders, picks, shipments, receipts, returns.

        A document that names only the product of such a lot is listed too, its line without a lot. An answer of which
        a part could not be read is a `Documents` that says so.
        """
        ...

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """Stop a document for `claimant`: nothing is picked, shipped or received on it. `cancel` ends it for good.

        The same key again changes nothing. A document under two claimants stays blocked until both have freed it.
        """
        ...

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """End exactly this block; the answer says how the document stands now. None: no such block."""
        ...

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """Book units out of the stock under hold. The same key again books nothing twice.

        A hold forbids use and shipment, never disposal; the keeper takes the units from what is locked.
        """
        ...

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """Order that free units of exactly this lot leave for a site; the answer has the order's number.

        The same key again orders nothing more and says how the order stands: `done` once the goods have left. A keeper
        never takes units that are locked, and an order of which units are locked later is stopped as any document.

        Raises:
            NotShipped: nothing was ordered; a person must ship.
        """
        ...

    async def unship(self, key: str) -> DocumentAnswer:
        """Take the order of this key back: `cancelled`, or `done` when the goods had left before.

        A key without an order is `cancelled` as well, and nothing is ordered under it ever after.
        """
        ...

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """What changed since `cursor`, oldest first.

        None begins with what the keeper still tells, at the latest now: what lies there already is found by `locate`.
        """
        ...


class Keepers(Protocol):
    """Which adapter keeps which place: one partner may be served by several, each place by exactly one."""

    async def at(self, location_id: int) -> InventoryAdapter:
        """The keeper of a place; our own ledger where nobody else is on record."""
        ...

    async def everyone(self) -> Sequence[InventoryAdapter]:
        """Every keeper on record, our own ledger first."""
        ...
