"""Open allocations of a lot end when a recall claims the lot: nobody is sent a suspect unit as a replacement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit

VOID_REASON: Final = "a recall claims its lot now"
_VOID = """
UPDATE allocation SET state = 'void', reason = :reason
WHERE lot_id = ANY(CAST(:lot_ids AS bigint[])) AND state IN ('proposed', 'approved')
RETURNING recall_number, id, lot_id
"""


async def void_allocations(session: AsyncSession, lot_ids: Sequence[int], now: datetime) -> list[str]:
    """Make open allocations of these lots void, in the transaction that claims them; returns the recalls concerned."""
    if not lot_ids:
        return []
    rows = (await run(session, _VOID, {"lot_ids": list(lot_ids), "reason": VOID_REASON})).all()
    by_recall: dict[str, list[dict[str, int]]] = {}
    for row in rows:
        by_recall.setdefault(row.recall_number, []).append({"allocation": row.id, "lot": row.lot_id})
    for number, voided in sorted(by_recall.items()):
        await audit.append(
            session,
            number,
            actor="system",
            role="system",
            action="allocation.void",
            at=now,
            reason=VOID_REASON,
            data={"allocations": voided},
        )
    return sorted(by_recall)


__all__ = ["VOID_REASON", "void_allocations"]
