"""Devices of a serious incident are not altered before the authority was told of it (MDR Art 89(1)).

A complaint of death, serious injury or unknown outcome is untold while its reports are neither submitted nor stopped by
a signature, or before the recall has worked out what is owed. Until then nobody destroys, corrects, reworks, gives back
or releases what the complaint's consignee returned to us or still has of the lot; a sample kept for it is not settled.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.disposition import DispositionKind

UNTOLD: Final = """
SELECT c.recall_number, c.sequence, c.consignee_id, c.lot_id FROM complaint c
WHERE c.severity IN ('death', 'serious', 'unknown')
  AND (c.taken_up_at IS NULL AND c.state <> 'closed'
       OR EXISTS (SELECT FROM deadline d WHERE d.complaint_id = c.id AND d.met_at IS NULL AND d.stopped_at IS NULL))
"""
"""Complaints the authority was not told of yet."""
RETURNED: Final = f"""
SELECT g.lot_id, g.location_id, sum(g.quantity) AS quantity
FROM goods_return g
WHERE EXISTS (SELECT FROM ({UNTOLD}) AS u
              WHERE u.consignee_id = g.consignee_id AND (u.lot_id IS NULL OR u.lot_id = g.lot_id))
GROUP BY g.lot_id, g.location_id
"""  # noqa: S608 - constants
"""Units at our docks that came from whom an untold complaint is about."""
_RETURNED_OF: Final = f"SELECT * FROM ({RETURNED}) AS r WHERE r.lot_id = ANY(CAST(:lot_ids AS bigint[]))"  # noqa: S608
_AT_CONSIGNEES: Final = f"""
SELECT u.recall_number, u.sequence, u.consignee_id, u.lot_id FROM ({UNTOLD}) AS u
WHERE u.consignee_id = ANY(CAST(:consignees AS bigint[]))
"""  # noqa: S608 - constants
_OF_SAMPLE: Final = f"""
SELECT u.sequence FROM ({UNTOLD}) AS u WHERE u.recall_number = :number
  AND (u.sequence = CAST(:complaint AS int) OR u.lot_id = :lot_id)
ORDER BY u.sequence
"""  # noqa: S608 - constants
ALTERING: Final = frozenset({DispositionKind.destroy, DispositionKind.field_correction})
"""What a consignee must not do with the device; sending it to us is how it is kept."""


@dataclass(frozen=True, slots=True)
class Untold:
    """An untold complaint about a consignee's units; without a lot, about all of them."""

    recall_number: str
    sequence: int
    consignee_id: int
    lot_id: int | None


async def returned(session: AsyncSession, lot_ids: Sequence[int]) -> dict[tuple[int, int], Decimal]:
    """(lot, place) -> units that came back from whom an untold complaint is about."""
    rows = await run(session, _RETURNED_OF, {"lot_ids": list(lot_ids)})
    return {(row.lot_id, row.location_id): row.quantity for row in rows}


async def at_consignees(session: AsyncSession, consignees: Collection[int]) -> list[Untold]:
    """Untold complaints about what these consignees have."""
    if not consignees:
        return []
    rows = await run(session, _AT_CONSIGNEES, {"consignees": sorted(consignees)})
    return [Untold(*row) for row in rows]


async def untold_about(session: AsyncSession, number: str, *, complaint: int | None, lot_id: int) -> list[int]:
    """Numbers of the recall's untold complaints that a sample of this lot is evidence of."""
    binds = {"number": number, "complaint": complaint, "lot_id": lot_id}
    return list((await run(session, _OF_SAMPLE, binds)).scalars())


__all__ = ["ALTERING", "RETURNED", "UNTOLD", "Untold", "at_consignees", "returned", "untold_about"]
