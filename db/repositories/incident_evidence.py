"""Devices of a serious incident are not altered before the authority was told of it (MDR Art 89(1)).

A complaint of death, serious injury or unknown outcome is untold while its reports are neither submitted nor stopped by
a signature, or before the recall has worked out what is owed. Until then nobody destroys, corrects, reworks, gives back
or releases what the complaint's partner returned to us or still has of the lot, under whichever recall; a sample kept
for it is not settled. A complaint that names a lot and nobody is about the lot wherever it is; one that names no lot is
about everything of its recall that the partner has.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.disposition import DispositionKind

UNTOLD: Final = """
SELECT c.recall_number, c.sequence, c.lot_id, whose.partner_id, file.drill
FROM complaint c JOIN recall file ON file.number = c.recall_number
LEFT JOIN consignee whose ON whose.id = c.consignee_id
WHERE c.severity IN ('death', 'serious', 'unknown')
  AND (c.taken_up_at IS NULL AND c.state <> 'closed'
       OR EXISTS (SELECT FROM deadline d WHERE d.complaint_id = c.id AND d.met_at IS NULL AND d.stopped_at IS NULL))
"""
"""Complaints the authority was not told of yet."""


def _about(consignee: str, unit: str) -> str:
    """Condition that the complaint `u`, of whom `consignee` is or of nobody, is about units of the lot of `unit`.

    A drill's complaint is about the drill's own goods only.
    """
    return f"""(u.recall_number = {consignee}.recall_number OR NOT u.drill) AND (
    u.lot_id = {unit}.lot_id OR u.lot_id IS NULL AND (u.recall_number = {consignee}.recall_number
    OR EXISTS (SELECT FROM scope_lot s WHERE s.recall_number = u.recall_number AND s.lot_id = {unit}.lot_id)))"""


RETURNED: Final = f"""
SELECT g.lot_id, g.location_id, sum(g.quantity) AS quantity
FROM goods_return g
WHERE g.id IN (
    SELECT r.id FROM ({UNTOLD}) AS u JOIN consignee w ON w.partner_id = u.partner_id
    JOIN goods_return r ON r.consignee_id = w.id WHERE {_about("w", "r")}
    UNION ALL
    SELECT r.id FROM ({UNTOLD}) AS u JOIN goods_return r ON r.lot_id = u.lot_id
    WHERE u.partner_id IS NULL AND {_about("r", "r")})
GROUP BY g.lot_id, g.location_id
"""  # noqa: S608 - constants
"""Units at our docks that came from whom an untold complaint is about."""
_RETURNED_OF: Final = f"SELECT * FROM ({RETURNED}) AS r WHERE r.lot_id = ANY(CAST(:lot_ids AS bigint[]))"  # noqa: S608
_AT_CONSIGNEES: Final = f"""
WITH asked AS (
    SELECT * FROM unnest(CAST(:consignees AS bigint[]), CAST(:lots AS bigint[])) AS a(consignee_id, lot_id)
)
SELECT u.recall_number, u.sequence, asked.consignee_id, asked.lot_id
FROM ({UNTOLD}) AS u JOIN consignee w ON w.partner_id = u.partner_id
JOIN asked ON asked.consignee_id = w.id WHERE {_about("w", "asked")}
UNION ALL
SELECT u.recall_number, u.sequence, asked.consignee_id, asked.lot_id
FROM ({UNTOLD}) AS u JOIN asked ON asked.lot_id = u.lot_id JOIN consignee w ON w.id = asked.consignee_id
WHERE u.partner_id IS NULL AND {_about("w", "asked")}
ORDER BY 1, 2
"""  # noqa: S608 - constants
_OF_SAMPLE: Final = f"""
SELECT CASE WHEN u.recall_number = :number THEN u.sequence::text ELSE u.sequence || ' of ' || u.recall_number END
FROM ({UNTOLD}) AS u
WHERE u.recall_number = :number AND u.sequence = CAST(:complaint AS int)
   OR u.lot_id = :lot_id AND (u.recall_number = :number OR NOT u.drill)
ORDER BY u.recall_number <> :number, u.recall_number, u.sequence
"""  # noqa: S608 - constants
ALTERING: Final = frozenset({DispositionKind.destroy, DispositionKind.field_correction})
"""What a consignee must not do with the device; sending it to us is how it is kept."""


@dataclass(frozen=True, slots=True)
class Untold:
    """An untold complaint about a consignee's units of a lot."""

    recall_number: str
    sequence: int
    consignee_id: int
    lot_id: int


async def returned(session: AsyncSession, lot_ids: Sequence[int]) -> dict[tuple[int, int], Decimal]:
    """(lot, place) -> units that came back from whom an untold complaint is about."""
    rows = await run(session, _RETURNED_OF, {"lot_ids": list(lot_ids)})
    return {(row.lot_id, row.location_id): row.quantity for row in rows}


async def at_consignees(session: AsyncSession, places: Collection[tuple[int, int]]) -> dict[tuple[int, int], Untold]:
    """(consignee, lot) of these -> the first untold complaint about what the consignee has of the lot."""
    if not places:
        return {}
    asked = sorted(places)
    binds = {"consignees": [consignee for consignee, _ in asked], "lots": [lot for _, lot in asked]}
    found: dict[tuple[int, int], Untold] = {}
    for row in await run(session, _AT_CONSIGNEES, binds):
        found.setdefault((row.consignee_id, row.lot_id), Untold(*row))
    return found


async def untold_about(session: AsyncSession, number: str, *, complaint: int | None, lot_id: int) -> list[str]:
    """Numbers of the untold complaints that a sample of this lot is evidence of; another recall's say of which."""
    binds = {"number": number, "complaint": complaint, "lot_id": lot_id}
    return list((await run(session, _OF_SAMPLE, binds)).scalars())


__all__ = ["ALTERING", "RETURNED", "UNTOLD", "Untold", "at_consignees", "returned", "untold_about"]
