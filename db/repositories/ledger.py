"""The one place where this product moves stock: a movement, the stock row, every recall's holds and their claims.

All of it changes in the caller's transaction, so that at every moment the movements explain the balance, `stock.held`
follows from the claims, and no claim is larger than its hold or than what lies there. Locks are taken in one order:
recalls by number, then the lot, then its stock rows; two callers therefore wait for each other and never deadlock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger_sql, stock_sql
from db.repositories.hold_records import lock_recalls, lock_stock
from db.repositories.stock_sql import ALIGN_CLAIMS
from domain.inventory import OWN_BOOKINGS, hold_key
from domain.phases import FINAL_PHASES

ZERO = Decimal(0)


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
    for lot_id in sorted(set(lot_ids)):
        await run(session, ledger_sql.ONE_AT_A_TIME, {"lot_id": lot_id})
    await lock_stock(session, lot_ids)


async def balances(session: AsyncSession, lot_ids: Sequence[int]) -> dict[tuple[int, int], Balance]:
    """(lot, place) -> what lies there by the last count and the movements since; customers' places included."""
    rows = await run(session, ledger_sql.BALANCES, {"lot_ids": list(lot_ids)})
    return {(r.lot_id, r.location_id): Balance(r.custody, r.on_hand, r.reserved) for r in rows}


async def under_hold(session: AsyncSession, lot_id: int, location_id: int) -> dict[str, UnderHold]:
    """Open holds of every recall on a lot at a place."""
    rows = await run(session, ledger_sql.UNDER_HOLD, {"lot_id": lot_id, "location_id": location_id})
    return {row.recall_number: UnderHold(row.quantity, row.confirmed, row.nonconforming) for row in rows}


async def book(session: AsyncSession, booking: Booking) -> int:
    """Write the movement and bring the stock rows of its places in line; returns the movement's id."""
    before = await balances(session, [booking.lot_id])
    values: dict[str, Any] = {
        "kind": booking.kind,
        "lot_id": booking.lot_id,
        "source": booking.source,
        "target": booking.target,
        "quantity": booking.quantity,
        "delivered": booking.delivered,
        "at": booking.at,
        "document_no": booking.document_no,
        "system": OWN_BOOKINGS,
        "reference": booking.reference,
    }
    movement_id = int((await run(session, ledger_sql.INSERT_MOVEMENT, values)).scalar_one())
    for place, change in ((booking.source, -booking.quantity), (booking.target, booking.quantity)):
        if place is not None:
            at = {"lot_id": booking.lot_id, "location_id": place}
            await run(session, ledger_sql.SHIFT_COUNT, at | {"change": change, "at": booking.at})
    after = await balances(session, [booking.lot_id])
    for place, arrived in ((booking.source, ZERO), (booking.target, booking.quantity)):
        if place is not None:
            await _sync(session, booking.lot_id, place, before, after, arrived, booking.at)
    return movement_id


async def _sync(
    session: AsyncSession,
    lot_id: int,
    place: int,
    before: Mapping[tuple[int, int], Balance],
    after: Mapping[tuple[int, int], Balance],
    arrived: Decimal,
    at: datetime,
) -> None:
    now = after.get((lot_id, place))
    if now is None or now.custody == "customer":
        return
    row = {"lot_id": lot_id, "location_id": place, "on_hand": now.on_hand}
    known = before[lot_id, place].on_hand if (lot_id, place) in before else ZERO
    # Nobody ever counted there, and the place may have given out more than it is known to have got (the maker of a
    # source that records deliveries only): what was just counted in lies there all the same.
    least = known + arrived
    if (lot_id, place) not in before or (arrived > 0 and now.on_hand < least):
        await run(session, ledger_sql.FIRST_COUNT, row | {"on_hand": max(now.on_hand, least), "at": at})
        row["on_hand"] = (await balances(session, [lot_id]))[lot_id, place].on_hand
    await run(session, ledger_sql.SYNC, row)


async def take(
    session: AsyncSession,
    number: str,
    lot_id: int,
    location_id: int,
    quantity: Decimal,
    *,
    at: datetime,
    by: str,
    release: bool = False,
    confirmed: bool = True,
) -> Decimal:
    """Take units out of one recall's holds at a place; returns how many were there to take."""
    values = {
        "number": number,
        "lot_id": lot_id,
        "location_id": location_id,
        "quantity": quantity,
        "release": release,
        "confirmed": confirmed,
        "at": at,
        "by": by,
    }
    taken: list[Decimal] = list((await run(session, ledger_sql.TAKE, values)).scalars())
    return sum(taken, ZERO)


async def cap(session: AsyncSession, lot_id: int, location_id: int, *, at: datetime, by: str) -> dict[str, Decimal]:
    """After units left a place: no recall holds more than lies there. Returns what each recall's hold lost."""
    balance = (await balances(session, [lot_id])).get((lot_id, location_id))
    on_hand = balance.on_hand if balance else ZERO
    lost: dict[str, Decimal] = {}
    for number, held in (await under_hold(session, lot_id, location_id)).items():
        if held.quantity > on_hand:
            excess = held.quantity - on_hand
            lost[number] = await take(session, number, lot_id, location_id, excess, at=at, by=by, confirmed=False)
    return lost


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
) -> None:
    """Hold units that were counted in at a place of ours, at once: hold, claim and `stock.held` together."""
    place = {"number": number, "lot_id": lot_id, "location_id": location_id, "quantity": quantity}
    state = "nonconformity" if nonconforming else "confirmed"
    hold = (await run(session, ledger_sql.RAISE, place | {"at": at, "by": by, "state": state})).one()
    key = hold_key(number, hold.id, hold.turn)
    await run(session, ledger_sql.CLAIM, place | {"key": key, "most": hold.quantity})


async def settle(session: AsyncSession, places: Sequence[tuple[int, int]], at: datetime) -> None:
    """At the end of a booking: claims follow their holds, `stock.held` follows the claims at these places."""
    await run(session, ALIGN_CLAIMS, {"lot_ids": sorted({lot for lot, _ in places}), "now": at})
    for lot_id, location_id in sorted(set(places)):
        await run(session, stock_sql.LOCK_UNITS, {"lot_id": lot_id, "location_id": location_id})


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
    "Running",
    "UnderHold",
    "balances",
    "book",
    "cap",
    "hold_at",
    "join_scope",
    "lock",
    "running_on",
    "settle",
    "take",
    "under_hold",
]
