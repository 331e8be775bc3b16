"""Which lots are suspect now: of one recall, or of any that runs."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.phases import FINAL_PHASES

_OF_RECALL = """
SELECT EXISTS (SELECT FROM scope_lot WHERE recall_number = :number AND lot_id = :lot_id)
    OR EXISTS (SELECT FROM hold WHERE recall_number = :number AND lot_id = :lot_id AND quantity > 0)
"""

_SUSPECT = """
SELECT h.lot_id FROM hold h JOIN recall r ON r.number = h.recall_number AND NOT r.drill
WHERE h.lot_id = ANY(CAST(:lot_ids AS bigint[])) AND h.quantity > 0
   AND (h.ended_at IS NULL OR h.state = 'nonconformity')
UNION SELECT lot_id FROM stock_claim WHERE lot_id = ANY(CAST(:lot_ids AS bigint[])) AND released_at IS NULL
UNION SELECT s.lot_id FROM scope_lot s JOIN recall r ON r.number = s.recall_number AND NOT r.drill
WHERE s.lot_id = ANY(CAST(:lot_ids AS bigint[])) AND r.phase <> ALL(CAST(:ended AS text[]))
  AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = s.recall_number)
"""


async def is_of_recall(session: AsyncSession, number: str, lot_id: int) -> bool:
    """Whether the lot is or was in the recall's scope, or is under one of its holds."""
    found = await run(session, _OF_RECALL, {"number": number, "lot_id": lot_id})
    return bool(found.scalar_one())


async def suspect_among(session: AsyncSession, lot_ids: Sequence[int]) -> set[int]:
    """Those of the lots that are under anybody's claim or hold, or in the newest scope of a recall that runs.

    A drill makes no lot suspect: real work goes on beside it.
    """
    ended = [phase.value for phase in FINAL_PHASES]
    return set((await run(session, _SUSPECT, {"lot_ids": list(lot_ids), "ended": ended})).scalars())


__all__ = ["is_of_recall", "suspect_among"]
