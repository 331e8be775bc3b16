"""The inventory adapter over HTTP: any WMS or ERP that serves the contract of `docs/inventory-api.yaml`.

Lots, places and packages go by the keeper's names and come back as ours. A row that cannot be read, or speaks of what
is not on record, is left out and noted where people see it; the rest of the answer counts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from adapters.inventory.base import CursorLost, HoldReleased, InventoryError
from adapters.inventory.bulk import HoldAnswer, HoldAsked
from adapters.inventory.http_client import KeeperClient, Refused, one_line
from adapters.inventory.http_documents import HttpDocuments
from adapters.inventory.http_holds import HttpHolds
from adapters.inventory.http_lots import AskedLots
from adapters.inventory.http_names import Outgoing, Units, in_groups
from adapters.inventory.http_pages import Pages
from adapters.inventory.http_shipments import HttpShipments
from adapters.inventory.http_wire import (
    HALVED,
    ChangeRow,
    DisposalState,
    Lot,
    RefusedLot,
    StockRow,
    amount,
    lot_of,
    rows,
    whole,
)
from adapters.inventory.lot_status import NotServed
from adapters.inventory.routing import KeeperParts
from domain.inventory import (
    Change,
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    HoldReceipt,
    Located,
    LotName,
    LotTold,
    Position,
    PositionState,
    Shipment,
    Unread,
)
from domain.keepers import Skipped

LOTS_ASKED: Final = 500
"""Lots in one question."""
MOST_PLACES: Final = 20
"""Places of one product with lots that are strange to us, each told by itself; of more it may be any place."""
_GONE: Final = 410
_NEVER_SERVED: Final = frozenset({404, 405, 501})
_PLACE: Final = "the place is not on record"
_LOT: Final = "the lot is not on record"


class HttpInventory:
    """`InventoryAdapter` of one keeper; one pool of connections as long as its record is unchanged."""

    def __init__(self, parts: KeeperParts, client: KeeperClient) -> None:
        self.name = parts.record.code
        self._client = client
        self._directory = parts.directory
        self._skipped = parts.skipped
        self._pages = Pages(self.name, client, parts.skipped)
        self._documents = HttpDocuments(self.name, client, parts.directory, self._pages, parts.skipped)
        self._holds = HttpHolds(self.name, client, parts.directory, parts.skipped)
        self._shipments = HttpShipments(self.name, client, parts.directory)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    # ------------------------------------------------------------------ stock

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """See `StockKeeper.locate`."""
        found: dict[tuple[int, int, PositionState, str | None], Position] = {}
        unread: dict[tuple[int, int | None], Unread] = {}
        for group in in_groups(sorted(set(lot_ids)), LOTS_ASKED):
            names = await self._directory.lot_names(group)
            asked = {"lots": [lot_of(name) for name in names.values()]}
            given, bad = await self._pages.all("/stock/query", asked, "positions", StockRow)
            # A row of which nothing can be read may speak of any lot that was asked for.
            unread |= {(lot, None): Unread(lot, None, bad[0].fault) for lot in names if bad}
            for position in await self._positions(given, names, unread):
                at = position.lot_id, position.location_id, position.state, position.document_no
                # A keeper may list bin by bin.
                before = found[at].quantity if at in found else Decimal(0)
                found[at] = Position(
                    position.lot_id,
                    position.location_id,
                    position.custody,
                    position.state,
                    before + position.quantity,
                    position.document_no,
                )
        return Located(found.values(), unread.values())

    async def _positions(
        self, given: Sequence[StockRow], asked: Mapping[int, LotName], unread: dict[tuple[int, int | None], Unread]
    ) -> list[Position]:
        """What the rows say of the lots asked for; what cannot be read of them is added to `unread`, by lot and place.

        Any number of rows whose lot is strange to us say the same of all lots of the product.
        """
        lots = await AskedLots.of(self._directory, asked, (row.lot.name for row in given))
        places = await self._directory.place_ids(sorted({row.place for row in given}))
        custodies = await self._directory.custodies(sorted(set(places.values())))
        units, notes, found = Units(self._directory), list[Skipped](), list[Position]()
        strange: defaultdict[str, dict[int | None, str]] = defaultdict(dict)
        for row in given:
            of, place = lots.find(row.lot.name), places.get(row.place)
            subject = f"{_said(row.lot)} at {one_line(row.place)}"
            if not of.fits or place is None:
                reason = _PLACE if of.fits else _LOT
                notes.append(Skipped("position", subject, reason))
                if of.fits:
                    unread |= {(lot, None): Unread(lot, None, f"{subject}: {reason}") for lot in of.asked}
                else:
                    strange[row.lot.product].setdefault(place, f"{subject}: {reason}")
                continue
            if not of.asked or (custodies[place] == "customer" and row.state is not PositionState.IN_TRANSIT):
                continue
            if of.note is not None:
                notes.append(Skipped("position", subject, of.note))
            quantity = await units.of_use(row.lot.product, row.quantity)
            if quantity is None:
                reason = f"no package {one_line(row.quantity.unit)!r} of the product"
                notes.append(Skipped("position", subject, reason))
                unread |= {(lot, place): Unread(lot, place, f"{subject}: {reason}") for lot in of.asked}
            elif quantity > 0:
                at = place, custodies[place], row.state, quantity, row.document
                found += [Position(lot, *at) for lot in of.asked]
        for lot, name in asked.items():
            at_places = strange.get(name.product_code, {})
            if len(at_places) > MOST_PLACES:
                at_places = {None: next(iter(at_places.values()))}
            unread |= {(lot, place): Unread(lot, place, reason) for place, reason in at_places.items()}
        await self._note(notes)
        return found

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """See `StockKeeper.hold`."""
        ((answer, reference),) = await self._holds.ask(claimant, [HoldAsked(key, position)])
        if answer.error is not None:
            raise HoldReleased(answer.error) if answer.released else InventoryError(answer.error)
        return HoldReceipt(key, reference or key)

    async def hold_many(self, claimant: str, asked: Sequence[HoldAsked]) -> list[HoldAnswer]:
        """See `BulkKeeper.hold_many`."""
        return [answer for answer, _ in await self._holds.ask(claimant, asked)]

    async def confirm(self, key: str) -> Confirmation | None:
        """See `StockKeeper.confirm`."""
        return await self._holds.confirm(key)

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """See `StockKeeper.release`."""
        await self._holds.release(key, left)

    # ------------------------------------------------------------------ documents

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """See `InventoryAdapter.documents`."""
        return await self._documents.documents(lot_ids)

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """See `InventoryAdapter.block`."""
        return await self._documents.block(key, claimant, document, cancel=cancel)

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """See `InventoryAdapter.unblock`."""
        return await self._documents.unblock(key)

    # ------------------------------------------------------------------ disposals and changes

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """See `InventoryAdapter.dispose`.

        Raises:
            InventoryError: refused, or taken and not booked yet; the same call again asks for the outcome.
        """
        made = [disposal.result_lot_id] if disposal.result_lot_id is not None else []
        names = await Outgoing.of(self._directory, [disposal.lot_id, *made], [disposal.location_id])
        body: dict[str, Any] = {
            "key": key,
            "kind": disposal.kind,
            "lot": lot_of(names.lot(disposal.lot_id)),
            "place": names.place(disposal.location_id),
            "quantity": amount(disposal.quantity),
        }
        if disposal.document_no is not None:
            body["document"] = disposal.document_no
        if disposal.result_lot_id is not None:
            body["result_lot"] = lot_of(names.lot(disposal.result_lot_id))
        state = whole(self.name, (await self._client.post("/disposals", body)).body, DisposalState)
        if state.key != key:
            raise InventoryError(f"{self.name}: its answer speaks of another disposal")
        if state.status == "pending":
            raise InventoryError(f"{self.name}: the disposal is taken and not booked yet")
        if state.quantity is not None:
            product = names.lot(disposal.lot_id).product_code
            booked = await Units(self._directory).of_use(product, state.quantity)
            if booked != disposal.quantity:
                raise InventoryError(f"{self.name}: it booked another quantity than was disposed of")
        return DisposalReceipt(key, state.reference or key)

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """See `InventoryAdapter.ship`."""
        return await self._shipments.ship(key, shipment)

    async def unship(self, key: str) -> DocumentAnswer:
        """See `InventoryAdapter.unship`."""
        return await self._shipments.unship(key)

    async def tell_status(self, lots: Sequence[LotTold]) -> dict[int, str]:
        """See `TakesStatus.tell_status`.

        Raises:
            NotServed: the keeper serves no such operation.
        """
        names = await self._directory.lot_names([each.lot_id for each in lots])
        refused: dict[int, str] = {}
        groups, taken = [list(lots)], False
        while groups:
            some = groups.pop()
            try:
                refused |= await self._tell_status(some, names)
                taken = True
            except Refused as error:
                if error.status in _NEVER_SERVED:
                    raise NotServed(str(error)) from None
                # Where none is taken, the fault is not a lot's.
                if error.status not in HALVED or (len(some) == 1 and not taken and (refused or not groups)):
                    raise
                half = len(some) // 2
                if half:
                    groups += [some[half:], some[:half]]
                else:
                    refused[some[0].lot_id] = str(error)
        return refused

    async def _tell_status(self, lots: Sequence[LotTold], names: Mapping[int, LotName]) -> dict[int, str]:
        told = [
            {
                "lot": lot_of(names[each.lot_id]),
                "status": each.status,
                "recalls": list(each.recalls),
                "changed_at": each.changed_at.isoformat(),
            }
            for each in lots
        ]
        body = (await self._client.post("/lots/status", {"lots": told})).body
        given, bad = rows(self.name, body, "refused", RefusedLot)
        by_name = {names[each.lot_id]: each.lot_id for each in lots}
        strange = [row for row in given if row.lot.name not in by_name]
        notes = [Skipped("lot", "/lots/status", each.fault) for each in bad]
        await self._note(notes + [Skipped("lot", _said(row.lot), _LOT) for row in strange])
        if notes or strange:
            raise InventoryError(f"{self.name}: it refuses lots that it was not told of, or in a way we cannot read")
        return {by_name[row.lot.name]: one_line(row.reason) for row in given}

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """See `InventoryAdapter.changes`.

        Raises:
            CursorLost: the keeper no longer knows the cursor.
        """
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor is not None else {})
        try:
            body = (await self._client.get("/changes", query)).body
        except Refused as error:
            if error.status == _GONE:
                raise CursorLost(str(error)) from None
            raise
        after, more = body.get("cursor"), body.get("more")
        if not isinstance(after, str) or not 0 < len(after) <= 500 or not isinstance(more, bool):
            raise InventoryError(f"{self.name}: its answer has no cursor of the next page")
        if more and after == cursor:
            raise InventoryError(f"{self.name}: the pages of its answer do not end")
        given, bad = rows(self.name, body, "changes", ChangeRow)
        names = list(dict.fromkeys(row.lot.name for row in given))
        lots = await self._directory.lots_fitting(names)
        strange = {name: LotName(name.product_code, name.number) for name in names if name not in lots}
        by_number = await self._directory.lots_fitting(list(strange.values())) if strange else {}
        lots |= {name: by_number[plain] for name, plain in strange.items() if plain in by_number}
        places = await self._directory.place_ids(sorted({row.place for row in given if row.place is not None}))
        notes = [Skipped("change", "/changes", each.fault) for each in bad]
        notes += [Skipped("change", _said(row.lot), _LOT) for row in given if row.lot.name not in lots]
        await self._note(notes)
        found = [
            Change(lot, places.get(row.place) if row.place is not None else None, row.what)
            for row in given
            for lot in lots.get(row.lot.name, ())
        ]
        return Changes(tuple(found), after, more)

    async def status(self) -> str:
        """What the keeper says of itself, in one line: a probe of address, credential and contract.

        Raises:
            InventoryError: it cannot be used; the text says why.
        """
        body = (await self._client.get("/status")).body
        said = [body.get(part) for part in ("name", "version")]
        return one_line(" ".join(part for part in said if isinstance(part, str))) or self.name

    # ------------------------------------------------------------------ helpers

    async def _note(self, notes: Sequence[Skipped]) -> None:
        if notes:
            await self._skipped(notes)


def _said(lot: Lot) -> str:
    return one_line(f"{lot.product} {lot.number}" + (f" of {lot.site}" if lot.site else ""), 150)


def http_inventory(parts: KeeperParts, *, ca_file: Path | None = None) -> HttpInventory:
    """The adapter of a keeper on record.

    Raises:
        ValueError: its record cannot work.
    """
    return HttpInventory(parts, KeeperClient(parts.record, parts.credential, parts.pace, ca_file=ca_file))


__all__ = ["HttpInventory", "http_inventory"]
