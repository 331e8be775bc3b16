"""Stock kept in Tryton, over the module `recall_hold` (folder `tryton_module`) that its operator installs there.

Each step is one call and one transaction of Tryton: a claim under our key, the quarantine moves, the lot's state. What
is repeated, or was carried out while its answer got lost, is found there under the same key.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from adapters.inventory.assigned import Notes
from adapters.inventory.base import CursorLost, Directory, HoldReleased, InventoryError, NotShipped
from adapters.inventory.routing import KeeperParts
from adapters.inventory.tryton_rpc import TrytonClient, TrytonConfig, TrytonRefusalError
from adapters.inventory.tryton_units import TrytonUnits
from domain.inventory import (
    Change,
    Changes,
    Confirmation,
    Disposal,
    DisposalReceipt,
    Document,
    DocumentAnswer,
    DocumentKind,
    DocumentLine,
    Documents,
    DocumentState,
    HoldReceipt,
    Located,
    LotName,
    Position,
    PositionState,
    Shipment,
    Unread,
    UnreadDocument,
)
from domain.keepers import KeeperAuth, Skipped
from domain.web_addresses import WebAddressError, checked_url

LOTS: Final = 500
"""Lots asked for in one call."""
DISPOSALS: Final = frozenset({"destroy", "return_to_factory", "rework", "release"})
"""Kinds that take units out of a hold at a keeper."""
TWIN: Final = "another lot of the same product and number is on our record; Tryton's stock is taken for that one"
Row = dict[str, Any]
Name = tuple[str, str]
"""Product and number of a lot, as Tryton knows it."""


class TrytonInventory:
    """One Tryton database as keeper of stock.

    Places are matched by the codes of Tryton's locations: a location belongs to the nearest one above it that our
    record knows.
    """

    def __init__(self, name: str, client: TrytonClient, directory: Directory, skipped: Notes | None = None) -> None:
        """`skipped` is told which rows of an answer speak of a place that is not on our record."""
        self.name = name
        self._client = client
        self._directory = directory
        self._units = TrytonUnits(client, directory)
        self._skipped = skipped

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        """See `InventoryAdapter.locate`."""
        units: defaultdict[tuple[int, int, PositionState, str | None], Decimal] = defaultdict(Decimal)
        unread: list[Unread] = []
        for start in range(0, len(lot_ids), LOTS):
            lots, twins = await self._names(lot_ids[start : start + LOTS])
            rows = await self._client.call("model.recall.positions.locate", [list(name) for name in lots])
            told = {(row["product"], row["number"]) for row in rows}
            unread += [Unread(lot, None, TWIN) for lot, name in twins.items() if name in told]
            faults = await self._units.faults([row["product"] for row in rows])
            places = await self._places(rows, learn=False)
            ours = await self._ours(places)
            strange: list[Skipped] = []
            for row in rows:
                state = PositionState(row["state"])
                travels = state is PositionState.IN_TRANSIT
                place = _place(row, ours if travels else places, travelling=travels)
                reason = faults.get(row["product"]) or _wrong(row)
                if place is None or reason is not None:
                    reason = reason or _unknown(row)
                    strange.append(Skipped("position", f"{row['product']} {row['number'] or ''}".rstrip(), reason))
                    unread += [Unread(lot, place, reason) for lot in _meant(row, lots)]
                    continue
                document = row["document"] if travels else None
                lot = lots[row["product"], row["number"]]
                units[lot, place, state, document] += self._units.in_use(row["product"], row["quantity"])
            await self._note(strange)
        custodies = await self._directory.custodies(sorted({place for _, place, _, _ in units}))
        found = (
            Position(lot, place, custodies[place], state, quantity, document)
            for (lot, place, state, document), quantity in units.items()
            if custodies.get(place, "customer") != "customer"
        )
        return Located(found, unread)

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        """See `InventoryAdapter.hold`. A broken package is held whole."""
        product, number, code = await self._at(position.lot_id, position.location_id)
        quantity = self._units.in_default(product, position.quantity)
        call = (key, claimant, product, number, code, quantity, position.state.value, position.document_no)
        try:
            return HoldReceipt(key, str(await self._client.call("model.recall.hold.put", *call)))
        except TrytonRefusalError as refusal:
            if "was released" in str(refusal) and await self._client.call("model.recall.hold.confirm", key) is None:
                raise HoldReleased(str(refusal)) from None
            raise

    async def confirm(self, key: str) -> Confirmation | None:
        """See `InventoryAdapter.confirm`: what really lies in quarantine for this hold."""
        found = await self._client.call("model.recall.hold.confirm", key)
        if found is None or (found["under_way"] and found["quantity"] < found["claimed"]):
            return None
        await self._units.learn([found["product"]])
        return Confirmation(key, self._units.in_use(found["product"], found["quantity"]), self.name)

    async def release(self, key: str, left: Decimal = Decimal(0)) -> None:
        """See `InventoryAdapter.release`."""
        product = await self._client.call("model.recall.hold.product", key)
        if product is None:
            return
        await self._units.learn([product])
        await self._client.call("model.recall.hold.leave", key, self._units.in_default(product, left))

    async def documents(self, lot_ids: Sequence[int]) -> list[Document]:
        """See `InventoryAdapter.documents`."""
        found: dict[str, Document] = {}
        unread: dict[str, UnreadDocument] = {}
        for start in range(0, len(lot_ids), LOTS):
            lots, _ = await self._names(lot_ids[start : start + LOTS])
            rows = await self._client.call("model.recall.positions.documents", [list(name) for name in lots])
            places = await self._places(rows)
            strange: list[Skipped] = []
            for row in rows:
                place = _place(row, places, travelling=True)
                if place is None:
                    strange.append(Skipped("document", row["number"], _unknown(row)))
                    if DocumentState(row["state"]) in (DocumentState.OPEN, DocumentState.BLOCKED):
                        why = f"document {row['number']}: {_unknown(row)}"
                        unread[row["number"]] = UnreadDocument(row["number"], why)
                    continue
                document = self._document(row, place, lots, places)
                found[document.number] = _joined(found.get(document.number), document)
            await self._note(strange)
        return Documents(found.values(), unread.values())

    async def block(self, key: str, claimant: str, document: Document, *, cancel: bool = False) -> DocumentAnswer:
        """See `InventoryAdapter.block`. An order that Tryton cannot cancel any more stays blocked."""
        return _answer(await self._client.call("model.recall.block.put", key, claimant, document.number, cancel))

    async def unblock(self, key: str) -> DocumentAnswer | None:
        """See `InventoryAdapter.unblock`."""
        found = await self._client.call("model.recall.block.lift", key)
        return None if found is None else _answer(found)

    async def dispose(self, key: str, disposal: Disposal) -> DisposalReceipt:
        """See `InventoryAdapter.dispose`.

        Raises:
            InventoryError: less lies in quarantine, a package would be broken, or the kind moves no stock of a keeper.
        """
        if disposal.kind not in DISPOSALS:
            raise InventoryError(f'"{disposal.kind}" takes no units out of a hold at a keeper')
        product, number, code = await self._at(disposal.lot_id, disposal.location_id)
        quantity = self._units.in_default(product, disposal.quantity, exactly=True)
        result = None
        if disposal.result_lot_id is not None:
            made = await self._name(disposal.result_lot_id)
            await self._units.learn([made[0]])
            result = [*made, self._units.in_default(made[0], disposal.quantity, exactly=True)]
        call = (key, disposal.kind, product, number, code, quantity, disposal.document_no, result)
        return DisposalReceipt(key, str(await self._client.call("model.recall.disposal.put", *call)))

    async def ship(self, key: str, shipment: Shipment) -> DocumentAnswer:
        """See `InventoryAdapter.ship`. A shipment in Tryton needs a sale, with its party and price: people make it.

        Raises:
            NotShipped: always.
        """
        del key, shipment
        raise NotShipped(f"{self.name}: replacements are not ordered in Tryton by this adapter")

    async def unship(self, key: str) -> DocumentAnswer:
        """See `InventoryAdapter.unship`. There is none."""
        return DocumentAnswer(key[:80], DocumentState.CANCELLED)

    async def changes(self, cursor: str | None, limit: int = 500) -> Changes:
        """See `InventoryAdapter.changes`. Some changes come twice, none is left out."""
        try:
            found = await self._client.call("model.recall.feed.changes", cursor, limit)
        except TrytonRefusalError as refusal:
            if cursor is not None and "no cursor of this feed" in str(refusal):
                raise CursorLost(str(refusal)) from None
            raise
        rows = found["rows"]
        names = {LotName(row["product"], row["number"]) for row in rows if row["product"]}
        lots = await self._directory.lots_fitting(sorted(names, key=lambda each: (each.product_code, each.number)))
        places = await self._places(rows, learn=False)
        changes = {
            Change(lot, next((places[code] for code in row["codes"] if code in places), None), row["what"])
            for row in rows
            if row["product"]
            for lot in lots.get(LotName(row["product"], row["number"]), ())
        }
        ordered = sorted(changes, key=lambda each: (each.lot_id, each.location_id or 0, each.what))
        return Changes(tuple(ordered), found["cursor"], found["more"])

    async def close(self) -> None:
        """End the session and close the connections."""
        await self._client.close()

    async def _names(self, lot_ids: Sequence[int]) -> tuple[dict[Name, int], dict[int, Name]]:
        """Lots by what Tryton calls them; of those it cannot tell apart the first recorded, the others beside."""
        lots: dict[Name, int] = {}
        twins: dict[int, Name] = {}
        for lot, name in sorted((await self._directory.lot_names(lot_ids)).items()):
            called = name.product_code, name.number
            if lots.setdefault(called, lot) != lot:
                twins[lot] = called
        return lots, twins

    async def _name(self, lot_id: int) -> Name:
        found = await self._directory.lot_names([lot_id])
        if lot_id not in found:
            raise InventoryError(f"lot {lot_id} is not on record")
        return found[lot_id].product_code, found[lot_id].number

    async def _at(self, lot_id: int, location_id: int) -> tuple[str, str, str]:
        """Product, lot and place as Tryton calls them; the product's unit is known afterwards."""
        product, number = await self._name(lot_id)
        codes = await self._directory.place_codes([location_id])
        if location_id not in codes:
            raise InventoryError(f"place {location_id} has no code in Tryton")
        await self._units.learn([product])
        return product, number, codes[location_id]

    async def _places(self, rows: Sequence[Row], *, learn: bool = True) -> dict[str, int]:
        """Our places behind all codes of these rows; on the way the products' units are learnt."""
        if learn:
            lines = [row["product"] for row in rows if "product" in row]
            lines += [line["product"] for row in rows for line in row.get("lines", ())]
            await self._units.learn(lines)
        codes = {code for row in rows for code in [*row["codes"], *row.get("other_codes", ())]}
        return await self._directory.place_ids(sorted(codes))

    async def _ours(self, places: dict[str, int]) -> dict[str, int]:
        """Those that are not customers': goods on their way to a customer still count where they left."""
        custodies = await self._directory.custodies(sorted(set(places.values())))
        return {code: place for code, place in places.items() if custodies.get(place) in {"own", "logistics"}}

    async def _note(self, strange: Sequence[Skipped]) -> None:
        if strange and self._skipped is not None:
            await self._skipped(strange)

    def _document(self, row: Row, place: int, lots: dict[Name, int], places: dict[str, int]) -> Document:
        lines = tuple(
            DocumentLine(
                line["product"],
                lots.get((line["product"], line["number"])) if line["number"] else None,
                self._units.in_use(line["product"], line["quantity"]),
            )
            for line in row["lines"]
        )
        other = next((places[code] for code in row["other_codes"] if code in places), None)
        return Document(row["number"], DocumentKind(row["kind"]), DocumentState(row["state"]), place, other, lines)


def _place(row: Row, places: dict[str, int], *, travelling: bool) -> int | None:
    """The nearest place on our record; of goods that travel, where they left if we do not know where they go."""
    codes = row["codes"] + (row["other_codes"] if travelling else [])
    return next((places[code] for code in codes if code in places), None)


def _wrong(row: Row) -> str | None:
    """Why a row of stock says nothing certain of any lot; None when it does."""
    if row["number"] is not None:
        return None
    units = f"{Decimal(row['quantity']).normalize() + 0:f} {row['unit']}"
    return f"{units} are booked at {row['name']} without a lot: of each lot there may be more or fewer"


def _meant(row: Row, lots: dict[Name, int]) -> list[int]:
    """The lots a row of stock may speak of."""
    if row["number"] is not None:
        return [lots[row["product"], row["number"]]]
    return [lot for (product, _), lot in lots.items() if product == row["product"]]


def _unknown(row: Row) -> str:
    return f"no place on record has the code of Tryton's location {row['name']}, or of one above it"


def _joined(first: Document | None, second: Document) -> Document:
    """One document found for two groups of lots."""
    if first is None:
        return second
    return replace(first, lines=first.lines + tuple(line for line in second.lines if line not in first.lines))


def _answer(found: Row) -> DocumentAnswer:
    reference = found["reference"]
    return DocumentAnswer(found["number"], DocumentState(found["state"]), None if reference is None else str(reference))


def tryton_inventory(parts: KeeperParts, *, ca_file: Path | None = None) -> TrytonInventory:
    """The adapter of a keeper on record; its credential is `user:password`.

    Raises:
        ValueError: the record names no database, an address without https, or a credential of another form.
    """
    record = parts.record
    user, colon, password = parts.credential.partition(":")
    if record.auth is not KeeperAuth.PASSWORD or not (user and colon and password):
        raise ValueError("Tryton is logged into with a password; its credential is user:password")
    if not record.database:
        raise ValueError("the name of Tryton's database is missing")
    try:
        checked_url(record.base_url)
    except WebAddressError as error:
        raise ValueError(f"base_url: {error}") from None
    config = TrytonConfig(record.base_url, record.database, user, password, record.timeout_seconds, ca_file)

    async def turn() -> None:
        await parts.pace.turn(0, 1, record.code)

    return TrytonInventory(record.code, TrytonClient(config, turn), parts.directory, parts.skipped)
