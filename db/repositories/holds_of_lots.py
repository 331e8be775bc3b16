"""Holds of single lots when a recall's scope changes: a lot taken out, or one that comes back (design promise 6).

Only this recall's claims move. Nothing becomes free: the stock of a lot that left the scope waits for quality's signed
release, and claims of other recalls on the same stock stay as they are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.hold_records import lock_recalls
from db.repositories.nonconformity_holds import open_for_holds, take_back

_TO_NONCONFORMITY: Final = """
UPDATE hold SET state = 'nonconformity', ended_at = CAST(:now AS timestamptz)
WHERE recall_number = :number AND lot_id = ANY (CAST(:lots AS bigint[])) AND ended_at IS NULL
  AND state IN ('requested', 'confirmed', 'failed')
RETURNING lot_id, quantity
"""

_RECLAIM: Final = """
UPDATE hold SET state = CASE WHEN confirmed_at IS NULL THEN 'requested' ELSE 'confirmed' END, ended_at = NULL
WHERE recall_number = :number AND lot_id = ANY (CAST(:lots AS bigint[])) AND state = 'nonconformity' AND quantity > 0
"""


async def lots_to_nonconformity(session: AsyncSession, number: str, lot_ids: Sequence[int], now: datetime) -> int:
    """End the recall's claims on these lots without freeing anything; returns the holds changed.

    A hold that its keeper has not carried out yet stays due until it is: the units were suspect, and nobody has said
    that they conform.
    """
    await lock_recalls(session, [number])
    ended = (await run(session, _TO_NONCONFORMITY, {"number": number, "lots": list(lot_ids), "now": now})).all()
    await open_for_holds(session, number, now, {each.lot_id for each in ended if each.quantity > 0})
    return len(ended)


async def reclaim_lots(session: AsyncSession, number: str, lot_ids: Sequence[int], now: datetime) -> int:
    """Take up the claims again that a reduction had ended, where quality has not released the stock since."""
    await lock_recalls(session, [number])
    await take_back(session, number, lot_ids, now)
    return (await run(session, _RECLAIM, {"number": number, "lots": list(lot_ids)})).rowcount
