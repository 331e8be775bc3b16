"""The one place where this product moves stock: a movement, the stock row, every recall's holds and their claims.

All of it changes in the caller's transaction, so that at every moment the movements explain the balance, `stock.held`
follows from the claims, and no claim is larger than its hold or than what lies there. Locks are taken in one order:
recalls by number, then the lot, then its stock rows; two callers therefore wait for each other and never deadlock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger_feed, ledger_sql, stock_sql
from db.repositories.hold_records import lock_recalls, lock_stock
from db.repositories.stock_sql import ALIGN_CLAIMS
from domain.inventory import OWN_BOOKINGS, hold_key
from domain.phases import FINAL_PHASES

ZERO = Decimal(0)
Place = tuple[int, int]
"""A lot at a place: ids of both."""
Holding = tuple[str, int, int]
"""A recall's hold on a lot at a place: number, lot, place."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A movement of ours, in units of use."""

    kind: str
    lot_id: int
    quantity: Decimal
    at: datetime
    reference: str
    """Unique among our bookings: names the record that made it."""
    source: int | None = None
    target: int | None = None
    document_no: str | None = None
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """What lies of a lot at a place."""

    custody: str
    on_hand: Decimal
    reserved: Decimal


@dataclass(frozen=True, slots=True)
class UnderHold:
    """One recall's open hold on a lot at a place (goods in transit are not there)."""

    quantity: Decimal
    confirmed: Decimal
    nonconforming: bool
    """The recall's claim has ended; the units stay locked until quality decides."""


async def lock(session: AsyncSession, numbers: Sequence[str], lot_ids: Sequence[int]) -> None:
    """Take what a booking of these lots changes: the rows of all recalls that hold them, and the lots' queue."""
    holders = (await run(session, ledger_sql.CLAIMANTS, {"lot_ids": list(lot_ids)})).scalars()
    await lock_recalls(session, sorted({*numbers, *holders}))
    await run(session, ledger_sql.ONE_AT_A_TIME, {"lot_ids": sorted(set(lot_ids))})
    await lock_stock(session, lot_ids)


async def balances(session: AsyncSession, lot_ids: Sequence[int]) -> dict[tuple[int, int], Balance]:
    """(lot, place) -> what lies there by the last count and the movements since; customers' places included."""
    rows = await run(session, ledger_sql.BALANCES, {"lot_ids": list(lot_ids)})
    return {(r.lot_id, r.location_id): Balance(r.custody, r.on_hand, r.reserved) for r in rows}


async def under_hold(session: AsyncSession, lot_id: int, location_id: int) -> dict[str, UnderHold]:
    """Open holds of every recall on a lot at a place."""
    return (await under_hold_at(session, [(lot_id, location_id)])).get((lot_id, location_id), {})


async def under_hold_at(
    session: AsyncSession, places: Collection[Place], own: str | None = None
) -> dict[Place, dict[str, UnderHold]]:
    """(lot, place) -> the open holds of every recall there, drills left out but for `own`; only places with any."""
    found: dict[Place, dict[str, UnderHold]] = {}
    for row in await run(session, ledger_sql.UNDER_HOLD, _arrays(places) | {"own": own}):
        at = found.setdefault((row.lot_id, row.location_id), {})
        at[row.recall_number] = UnderHold(row.quantity, row.confirmed, row.nonconforming)
    return found


async def book(session: AsyncSession, booking: Booking) -> int:
    """Write the movement and bring the stock rows of its places in line; returns the movement's id."""
    return (await book_all(session, [booking]))[0]


async def book_all(session: AsyncSession, bookings: Sequence[Booking]) -> list[int]:
    """Write movements of one instant and bring the stock rows of their places in line; returns the movements' ids.

    The outcome is that of booking one after the other; no place may both give and get units of one lot.
    """
    if not bookings:
        return []
    (at,) = {each.at for each in bookings}
    lots = sorted({each.lot_id for each in bookings})
    before = await balances(session, lots)
    movements = await _write_movements(session, bookings, at)
    change: defaultdict[Place, Decimal] = defaultdict(Decimal)
    for each in bookings:
        for place, sign in ((each.source, -1), (each.target, 1)):
            if place is not None:
                change[each.lot_id, place] += sign * each.quantity
    await run(session, ledger_sql.SHIFT_COUNTS, _arrays(change) | {"quantities": list(change.values()), "at": at})
    await _sync(session, lots, before, change, at)
    await ledger_feed.note(session, "stock", list(change))
    return movements


async def _write_movements(session: AsyncSession, bookings: Sequence[Booking], at: datetime) -> list[int]:
    values: dict[str, Any] = {
        "kinds": [each.kind for each in bookings],
        "lot_ids": [each.lot_id for each in bookings],
        "sources": [each.source for each in bookings],
        "targets": [each.target for each in bookings],
        "quantities": [each.quantity for each in bookings],
        "delivered": [each.delivered for each in bookings],
        "document_nos": [each.document_no for each in bookings],
        "references": [each.reference for each in bookings],
        "at": at,
        "system": OWN_BOOKINGS,
    }
    rows = await run(session, ledger_sql.INSERT_MOVEMENTS, values)
    ids = {row.source_id: int(row.id) for row in rows}
    return [ids[each.reference] for each in bookings]


async def _sync(
    session: AsyncSession,
    lots: Sequence[int],
    before: Mapping[Place, Balance],
    change: Mapping[Place, Decimal],
    at: datetime,
) -> None:
    after = await balances(session, lots)
    ours = {place: after[place].on_hand for place in change if place in after and after[place].custody != "customer"}
    first = False
    for place, on_hand in ours.items():
        known = before[place].on_hand if place in before else ZERO
        # Nobody ever counted there, and the place may have given out more than it is known to have got (the maker of
        # a source that records deliveries only): what was just counted in lies there all the same.
        least = known + max(change[place], ZERO)
        if place not in before or (change[place] > 0 and on_hand < least):
            row = {"lot_id": place[0], "location_id": place[1], "on_hand": max(on_hand, least), "at": at}
            await run(session, ledger_sql.FIRST_COUNT, row)
            first = True
    if first:
        after = await balances(session, lots)
        ours = {place: after[place].on_hand for place in ours}
    await run(session, ledger_sql.SYNC, _arrays(ours) | {"quantities": list(ours.values())})


async def take(
    session: AsyncSession,
    units: Mapping[Holding, Decimal],
    *,
    at: datetime,
    by: str,
    release: bool = False,
    confirmed: bool = True,
) -> dict[Holding, Decimal]:
    """Take units out of recalls' holds at places; returns how many were there to take."""
    values = _arrays([(lot_id, location_id) for _, lot_id, location_id in units]) | {
        "numbers": [number for number, _, _ in units],
        "quantities": list(units.values()),
        "release": release,
        "confirmed": confirmed,
        "at": at,
        "by": by,
    }
    taken: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    for row in await run(session, ledger_sql.TAKE, values):
        taken[row.recall_number, row.lot_id, row.location_id] += row.taken
    return dict(taken)


async def cap(session: AsyncSession, places: Collection[Place], *, at: datetime, by: str) -> dict[Holding, Decimal]:
    """After units left places: no recall holds more than lies there. Returns what each recall's hold lost."""
    there = await balances(session, sorted({lot_id for lot_id, _ in places}))
    excess: dict[Holding, Decimal] = {}
    for place, holds in (await under_hold_at(session, places)).items():
        on_hand = there[place].on_hand if place in there else ZERO
        excess |= {
            (number, *place): held.quantity - on_hand for number, held in holds.items() if held.quantity > on_hand
        }
    return await take(session, excess, at=at, by=by, confirmed=False) if excess else {}


async def hold_at(
    session: AsyncSession,
    number: str,
    lot_id: int,
    location_id: int,
    quantity: Decimal,
    *,
    at: datetime,
    by: str,
    nonconforming: bool = False,
) -> bool:
    """Hold units that were counted in at a place of ours, at once: hold, claim and `stock.held` together.

    Returns:
        Whether they are a nonconformity's: the claim has ended, or the hold there was carried over.
    """
    place = {"number": number, "lot_id": lot_id, "location_id": location_id, "quantity": quantity}
    state = "nonconformity" if nonconforming else "confirmed"
    hold = (await run(session, ledger_sql.RAISE, place | {"at": at, "by": by, "state": state})).one()
    key = hold_key(number, hold.id, hold.turn)
    await run(session, ledger_sql.CLAIM, place | {"key": key, "most": hold.quantity})
    return bool(hold.state == "nonconformity")


async def settle(session: AsyncSession, places: Collection[Place], at: datetime) -> None:
    """At the end of a booking: claims follow their holds, `stock.held` follows the claims at these places."""
    await run(session, ALIGN_CLAIMS, {"lot_ids": sorted({lot for lot, _ in places}), "now": at})
    await run(session, stock_sql.LOCK_UNITS_AT, _arrays(places))


def _arrays(places: Iterable[Place]) -> dict[str, Any]:
    """The places as the statements unnest them."""
    pairs = list(places)
    return {"lot_ids": [lot_id for lot_id, _ in pairs], "location_ids": [location_id for _, location_id in pairs]}


@dataclass(frozen=True, slots=True)
class Running:
    """A running recall with the lot in its newest scope."""

    number: str
    scope_version: int
    depth: int


async def running_on(session: AsyncSession, lot_id: int) -> list[Running]:
    """Running recalls whose newest scope holds this lot."""
    ended = [phase.value for phase in FINAL_PHASES]
    rows = await run(session, ledger_sql.RUNNING_ON, {"lot_id": lot_id, "ended": ended})
    return [Running(*row) for row in rows]


async def join_scope(session: AsyncSession, input_lot: int, result_lot: int) -> None:
    """A lot made of a recalled lot belongs to the same recalls from the moment it exists."""
    for each in await running_on(session, input_lot):
        values = {"number": each.number, "version": each.scope_version, "lot_id": result_lot, "depth": each.depth + 1}
        await run(session, ledger_sql.JOIN_SCOPE, values)


__all__ = [
    "Balance",
    "Booking",
    "Holding",
    "Place",
    "Running",
    "UnderHold",
    "balances",
    "book",
    "book_all",
    "cap",
    "hold_at",
    "join_scope",
    "lock",
    "running_on",
    "settle",
    "take",
    "under_hold",
    "under_hold_at",
]
