"""Holds at a keeper by its HTTP interface: asked in bulk, each answered for itself.

The key of a hold is its identity there; the same key again locks nothing twice, so whatever is unclear is asked
again. An answer counts only for the key, the lot and the place that were asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from adapters.inventory.assigned import Notes
from adapters.inventory.base import Directory, HoldReleased, InventoryError
from adapters.inventory.bulk import HoldAnswer, HoldAsked
from adapters.inventory.http_client import KeeperClient, Refused, one_line
from adapters.inventory.http_names import Outgoing, Units
from adapters.inventory.http_wire import HALVED, HoldState, amount, lot_of, rows
from domain.inventory import Confirmation, LotName, Position
from domain.keepers import Skipped

BULK: Final = 250
"""Holds in one request."""
_AT_ONCE: Final = 4
"""Requests under way together: the keeper's database, not the line, is what takes time."""


class HttpHolds:
    """`hold`, `confirm` and `release` of `HttpInventory`."""

    def __init__(self, code: str, client: KeeperClient, directory: Directory, skipped: Notes) -> None:
        self._code = code
        self._client = client
        self._directory = directory
        self._skipped = skipped

    async def ask(self, claimant: str, asked: Sequence[HoldAsked]) -> list[tuple[HoldAnswer, str | None]]:
        """Every hold with what came of it and the keeper's own number, in the order asked."""
        places = [each.position for each in asked]
        names = await Outgoing.of(
            self._directory, (each.lot_id for each in places), (each.location_id for each in places)
        )
        units = Units(self._directory)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def group(some: Sequence[HoldAsked]) -> list[tuple[HoldAnswer, str | None]]:
            async with turns:
                return await self._group(claimant, some, names, units)

        groups = [asked[at : at + BULK] for at in range(0, len(asked), BULK)]
        return [answer for some in await asyncio.gather(*(group(each) for each in groups)) for answer in some]

    async def _group(
        self, claimant: str, asked: Sequence[HoldAsked], names: Outgoing, units: Units
    ) -> list[tuple[HoldAnswer, str | None]]:
        items, failed = [], dict[str, str]()
        for each in asked:
            try:
                items.append(_item(claimant, each, names))
            except InventoryError as error:
                failed[each.key] = f"{self._code}: {error}"
        states: dict[str, HoldState] = {}
        if items:
            try:
                states = await self._states("/holds", items)
            except Refused as error:
                if error.status in HALVED and len(asked) > 1:
                    half = len(asked) // 2
                    first = await self._group(claimant, asked[:half], names, units)
                    return first + await self._group(claimant, asked[half:], names, units)
                failed |= {item["key"]: str(error) for item in items}
            except InventoryError as error:
                failed |= {item["key"]: str(error) for item in items}
        found: list[tuple[HoldAnswer, str | None]] = []
        for each in asked:
            if each.key in failed:
                found.append((HoldAnswer(each.key, error=failed[each.key]), None))
            else:
                found.append(await self._taken(each, states.get(each.key), names, units))
        return found

    async def _taken(
        self, asked: HoldAsked, state: HoldState | None, names: Outgoing, units: Units
    ) -> tuple[HoldAnswer, str | None]:
        key = asked.key
        try:
            if state is None:
                raise InventoryError(f"{self._code}: no answer for this hold")
            if state.status in ("refused", "unknown"):
                why = state.reason or (
                    "refused without a reason" if state.status == "refused" else "it has no such hold"
                )
                return HoldAnswer(key, error=f"{self._code}: {one_line(why)}", refused=True), None
            if state.status == "released":
                raise HoldReleased(f"{self._code}: this hold was released there")
            self._same(state, asked.position, names)
            if state.status == "pending":
                return HoldAnswer(key), state.reference
            confirmation = await self._confirmed(state, units, most=asked.position.quantity)
        except InventoryError as error:
            return HoldAnswer(key, error=str(error), released=isinstance(error, HoldReleased)), None
        return HoldAnswer(key, confirmation), state.reference

    def _same(self, state: HoldState, position: Position, names: Outgoing) -> None:
        asked_lot, asked_place = names.lot(position.lot_id), names.place(position.location_id)
        if state.lot is None or state.place is None:
            raise InventoryError(f"{self._code}: its answer does not say which lot is held where")
        # A keeper may know the lot without its site, never by another one.
        said = state.lot.name if state.lot.site is not None else LotName(*_plain(state.lot.name), asked_lot.site_code)
        if said != asked_lot or state.place != asked_place:
            raise InventoryError(f"{self._code}: its answer speaks of another lot or place")

    async def confirm(self, key: str) -> Confirmation | None:
        """See `StockKeeper.confirm`."""
        state = (await self._states("/holds/query", [{"key": key}], member="keys")).get(key)
        if state is None:
            raise InventoryError(f"{self._code}: no answer for this hold")
        if state.status == "refused":
            raise InventoryError(f"{self._code}: {one_line(state.reason or 'refused without a reason')}")
        return await self._confirmed(state, Units(self._directory)) if state.status == "held" else None

    async def _confirmed(self, state: HoldState, units: Units, most: Decimal | None = None) -> Confirmation:
        """The confirmation of a hold that is carried out; never of more than was asked."""
        if state.lot is None or state.held is None or state.asked is None:
            raise InventoryError(f"{self._code}: its answer does not say how much of which lot is held")
        held = await units.of_use(state.lot.product, state.held)
        asked = most if most is not None else await units.of_use(state.lot.product, state.asked)
        if held is None or asked is None:
            raise InventoryError(f"{self._code}: it counts in {one_line(state.held.unit)!r}, which is no package of it")
        if held > asked:
            # Whole boxes are locked where some units were asked: what was asked is under the lock.
            note = Skipped("hold", state.key, f"says that {held.normalize():f} units are held where fewer were asked")
            await self._skipped([note])
        by = f"{self._code}: {one_line(state.by, 60)}" if state.by else self._code
        return Confirmation(state.key, min(held, asked), by)

    async def release(self, key: str, left: Decimal) -> None:
        """See `StockKeeper.release`. What is to stay under the hold must stay there by the keeper's own answer.

        Raises:
            InventoryError: the release is not carried out, or less is held than was to be left.
        """
        states = await self._states("/holds/release", [{"key": key, "left": amount(left)}])
        state = states.get(key)
        if state is None:
            raise InventoryError(f"{self._code}: no answer for this hold")
        if state.status == "refused":
            raise InventoryError(f"{self._code}: {one_line(state.reason or 'refused without a reason')}")
        if state.status == "pending":
            raise InventoryError(f"{self._code}: the release is taken and not carried out yet")
        if left == 0:
            if state.status == "held":
                raise InventoryError(f"{self._code}: the hold still stands")
            return
        if state.status != "held":
            raise InventoryError(f"{self._code}: {left.normalize():f} units were to stay held, it says {state.status}")
        held = (await self._confirmed(state, Units(self._directory), most=left)).quantity
        if held < left:
            raise InventoryError(
                f"{self._code}: {left.normalize():f} units were to stay held, it holds {held.normalize():f}"
            )

    async def _states(
        self, path: str, items: Sequence[Mapping[str, Any]], member: str = "holds"
    ) -> dict[str, HoldState]:
        """The states of these holds by key; what speaks of other keys, or twice and differently, is noted and left."""
        body: dict[str, Any] = {member: list(items)}
        if member == "keys":
            body = {"keys": [item["key"] for item in items]}
        reply = await self._client.post(path, body, changes=member == "holds")
        found, bad = rows(self._code, reply.body, "holds", HoldState)
        wanted = {item["key"] for item in items}
        notes = [Skipped("hold", path, each.fault) for each in bad]
        states: dict[str, HoldState] = {}
        unclear: set[str] = set()
        for state in found:
            if state.key not in wanted:
                notes.append(Skipped("hold", one_line(state.key, 200), "an answer for a hold that was not asked"))
            elif states.setdefault(state.key, state) != state:
                unclear.add(state.key)
                notes.append(Skipped("hold", state.key, "two answers that differ"))
        if notes:
            await self._skipped(notes)
        return {key: state for key, state in states.items() if key not in unclear}


def _item(claimant: str, asked: HoldAsked, names: Outgoing) -> dict[str, Any]:
    position = asked.position
    document = {"document": position.document_no} if position.document_no is not None else {}
    return {
        "key": asked.key,
        "claimant": claimant,
        "lot": lot_of(names.lot(position.lot_id)),
        "place": names.place(position.location_id),
        "state": position.state.value,
        "quantity": amount(position.quantity),
    } | document


def _plain(name: LotName) -> tuple[str, str]:
    return name.product_code, name.number


__all__ = ["BULK", "HttpHolds"]
