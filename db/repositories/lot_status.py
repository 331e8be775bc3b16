"""The status of lots and of the places where held units lie: what is there, locked, free, and how much room is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, ledger
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.lot_status import LotFacts, LotStatus, lot_status

ZERO: Final = Decimal(0)
_LOT: Final = """
SELECT lot.id, lot.number, lot.expires_on, product.code, product.unit_of_use,
       coalesce((SELECT array_agg(DISTINCT r.phase) FROM recall r
                 WHERE NOT r.drill AND (
                       EXISTS (SELECT FROM scope_lot s WHERE s.recall_number = r.number AND s.lot_id = lot.id
                               AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v
                                                      WHERE v.recall_number = r.number))
                    OR EXISTS (SELECT FROM hold h WHERE h.recall_number = r.number AND h.lot_id = lot.id
                               AND h.quantity > 0 AND h.ended_at IS NULL))), '{}') AS phases,
       coalesce((SELECT sum(p.quantity) FROM disposition d JOIN disposition_part p ON p.disposition_id = d.id
                 WHERE d.lot_id = lot.id AND d.kind IN ('destroy', 'return_to_factory')), 0) AS removed
FROM lot JOIN product ON product.id = lot.product_id WHERE lot.id = :lot
"""
_REMOVED: Final = """
SELECT d.lot_id, sum(p.quantity) AS units FROM disposition d JOIN disposition_part p ON p.disposition_id = d.id
WHERE d.lot_id = ANY(CAST(:lots AS bigint[])) AND d.kind IN ('destroy', 'return_to_factory') GROUP BY d.lot_id
"""
_PLACES: Final = """
SELECT l.id, l.code, l.name, l.quarantine_capacity,
       coalesce((SELECT sum(s.held) FROM stock s WHERE s.location_id = l.id AND s.held > 0), 0) AS held
FROM location l WHERE l.custody <> 'customer' AND (l.id = ANY(CAST(:ids AS bigint[])) OR CAST(:every AS boolean)
      AND (l.quarantine_capacity IS NOT NULL OR EXISTS (SELECT FROM stock s WHERE s.location_id = l.id AND s.held > 0)))
  AND l.id > :after
ORDER BY l.id LIMIT :limit
"""
_SET: Final = """
UPDATE location SET quarantine_capacity = CAST(:units AS numeric) WHERE id = :id AND custody <> 'customer'
RETURNING code
"""


@dataclass(frozen=True, slots=True)
class QuarantinePlace:
    """A place of ours with what is locked there, of all lots, in units of use."""

    location_id: int
    code: str
    name: str
    held: Decimal
    capacity: Decimal | None
    """Room for locked units; None: nobody has said."""

    @property
    def room(self) -> Decimal | None:
        """Units that still fit; negative where more is locked than fits."""
        return None if self.capacity is None else self.capacity - self.held


@dataclass(frozen=True, slots=True)
class LotAtPlace:
    """One lot at one place of ours."""

    place: QuarantinePlace
    on_hand: Decimal
    held: Decimal
    held_by: tuple[str, ...]
    nonconforming: bool
    """Only nonconformity holds lock it."""

    @property
    def free(self) -> Decimal:
        """Units nobody holds."""
        return max(self.on_hand - self.held, ZERO)


@dataclass(frozen=True, slots=True)
class LotState:
    """A lot with its status and where it lies."""

    lot_id: int
    number: str
    product_code: str
    unit: str
    expires_on: date | None
    status: LotStatus
    places: tuple[LotAtPlace, ...]


async def of_lot(session: AsyncSession, lot_id: int) -> LotState | None:
    """A lot's status; None where there is no such lot."""
    lot = (await run(session, _LOT, {"lot": lot_id})).one_or_none()
    if lot is None:
        return None
    balances = {place: row for (_, place), row in (await ledger.balances(session, [lot_id])).items()}
    ours = {place: row for place, row in balances.items() if row.custody != "customer"}
    holds = await ledger.under_hold_at(session, [(lot_id, place) for place in ours])
    places = {row.location_id: row for row in await quarantine_places(session, only=sorted(ours))}
    found = []
    for place, row in sorted(ours.items()):
        mine = holds.get((lot_id, place), {})
        held = min(max((each.quantity for each in mine.values()), default=ZERO), row.on_hand)
        if row.on_hand > 0 or mine:
            nonconforming = bool(mine) and all(each.nonconforming for each in mine.values())
            found.append(LotAtPlace(places[place], row.on_hand, held, tuple(sorted(mine)), nonconforming))
    total, held = sum((each.on_hand for each in found), ZERO), sum((each.held for each in found), ZERO)
    facts = LotFacts(tuple(lot.phases), held, total, lot.removed)
    return LotState(lot.id, lot.number, lot.code, lot.unit_of_use, lot.expires_on, lot_status(facts), tuple(found))


async def after_recalls(session: AsyncSession, lot_ids: Sequence[int]) -> dict[int, LotStatus]:
    """The status of lots of which the caller knows that no recall runs on them."""
    removed = {row.lot_id: row.units for row in await run(session, _REMOVED, {"lots": list(lot_ids)})}
    balances = await ledger.balances(session, lot_ids)
    ours = {at: row.on_hand for at, row in balances.items() if row.custody != "customer"}
    holds = await ledger.under_hold_at(session, list(ours))
    on_hand, held = dict.fromkeys(lot_ids, ZERO), dict.fromkeys(lot_ids, ZERO)
    for at, units in ours.items():
        on_hand[at[0]] += units
        held[at[0]] += min(max((each.quantity for each in holds.get(at, {}).values()), default=ZERO), units)
    return {
        lot: lot_status(LotFacts((), held[lot], on_hand[lot], removed.get(lot, ZERO))) for lot in dict.fromkeys(lot_ids)
    }


async def quarantine_places(
    session: AsyncSession, *, only: Sequence[int] | None = None, after: int = 0, limit: int = 100_000
) -> list[QuarantinePlace]:
    """Places of ours by id: those named, or all where something is locked or whose room is known."""
    binds = {"ids": list(only or ()), "every": only is None, "after": after, "limit": limit}
    rows = await run(session, _PLACES, binds)
    return [QuarantinePlace(row.id, row.code, row.name, row.held, row.quarantine_capacity) for row in rows]


async def set_capacity(session: AsyncSession, location_id: int, units: Decimal | None, who: Who) -> QuarantinePlace:
    """Say how many units may lie locked at a place; None takes the figure away. Nothing is refused by it.

    Raises:
        DisposalRefused: there is no such place of ours.
    """
    changed = (await run(session, _SET, {"id": location_id, "units": units})).one_or_none()
    if changed is None:
        raise DisposalRefused("not_found", f"There is no place {location_id} in our own or a partner's custody.")
    await audit.append(
        session,
        "system",
        actor=who.principal,
        role=who.role,
        action="location.quarantine_capacity",
        at=who.at,
        data={"location": location_id, "code": changed.code, "units": units},
    )
    (place,) = await quarantine_places(session, only=[location_id])
    return place


async def overflow(session: AsyncSession, location_id: int, coming: Decimal = ZERO) -> Decimal:
    """Units beyond the room of a place when `coming` more are locked there; 0 where they fit or nobody knows."""
    places = await quarantine_places(session, only=[location_id])
    room = places[0].room if places else None
    return ZERO if room is None else max(coming - room, ZERO)


__all__ = [
    "LotAtPlace",
    "LotState",
    "QuarantinePlace",
    "after_recalls",
    "of_lot",
    "overflow",
    "quarantine_places",
    "set_capacity",
]
