"""Open positions: every quantity of a lot that is still to be disposed of, at a place of ours or at a consignee.

At our places it is what the recall's holds lock and what really lies there, whichever is less; at consignees it is
the last statement that counts, less what came back or was destroyed or corrected there since.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.disposition_positions_sql import CONSIGNEES, OURS

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A quantity of one lot at one place, in units of use."""

    lot_id: int
    lot_number: str
    product_code: str
    unit: str
    location_id: int | None
    consignee_id: int | None
    place_code: str
    place_name: str
    quantity: Decimal
    """Still to be disposed of."""
    unconfirmed: Decimal
    """Under a hold that its keeper has not confirmed: cannot be carried out yet."""
    in_transit: Decimal
    """Stopped on its way; it is disposed of where it arrives."""
    retained: Decimal
    """Kept as evidence until the authority has answered."""
    planned: Decimal
    """Proposed or approved and not carried out."""
    nonconforming: bool
    """The recall's claim has ended; a nonconformity hold locks the units."""
    also_held_by: tuple[str, ...]
    """Other recalls with a hold on the lot there."""

    @property
    def available(self) -> Decimal:
        """What a new disposition may cover."""
        return max(self.quantity - self.retained - self.planned, ZERO)


@dataclass(frozen=True, slots=True)
class Which:
    """Narrows positions; empty means all of the recall."""

    lot_id: int | None = None
    location_id: int | None = None
    consignee_id: int | None = None


async def positions(session: AsyncSession, number: str, which: Which | None = None) -> list[OpenPosition]:
    """Open positions of a recall, our own places first; by lot and place."""
    which = which or Which()
    binds = {"number": number, "lot_id": which.lot_id}
    found: list[OpenPosition] = []
    if which.consignee_id is None:
        found += await _read(session, OURS, binds | {"location_id": which.location_id})
    if which.location_id is None:
        found += await stated(session, number, which)
    return found


async def stated(session: AsyncSession, number: str, which: Which) -> list[OpenPosition]:
    """Open positions at consignees only."""
    binds = {"number": number, "lot": which.lot_id, "consignee_id": which.consignee_id}
    return await _read(session, CONSIGNEES, binds)


async def _read(session: AsyncSession, statement: str, binds: dict[str, Any]) -> list[OpenPosition]:
    rows = (await run(session, statement, binds)).mappings()
    return [OpenPosition(**dict(row, also_held_by=tuple(row["also_held_by"]))) for row in rows]


__all__ = ["OpenPosition", "Which", "positions", "stated"]
