"""Goods on their way under a running recall: who moves them is asked to stop them, without a person saying so.

One request for each position in transit, anew when more units come under its shipment. Where the keeper's system
carries the shipment, stopped there or held there, it is asked by its adapter anyway: its word answers the request, and
only its refusal makes a task of it. Everywhere else the request is a task at once.
"""

from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import logistics, recalls
from db.repositories.disposition_who import Who
from db.repositories.hold_records import SYSTEM, lock_recalls
from db.repositories.logistics import CARRIER_OF_HOLD
from domain.phases import Phase, is_final
from models.hold import Hold
from models.logistics import LogisticsKind, LogisticsRequest
from models.master import Partner

GROUP: Final = 200
"""Requests per transaction."""
ARRIVED: Final = "Nothing is on its way there any more."
_STANDS: Final = "(h.ended_at IS NULL OR h.state = 'nonconformity') AND h.quantity > 0"
_CARRIED: Final = """LEFT JOIN LATERAL (
    SELECT d.keeper, coalesce(d.reference, d.document_no) AS reference, d.state <> 'requested' AND d.state <> 'failed'
               AS stopped, d.state = 'failed' AS refused
    FROM recall_document d
    WHERE d.recall_number = h.recall_number AND d.kind = 'shipment' AND d.keeper <> 'ledger'
      AND d.document_no = h.document_no AND h.lot_id = ANY(d.lot_ids)
      AND d.state IN ('requested', 'failed', 'confirmed', 'cancelling', 'cancelled')
    UNION ALL
    SELECT k.keeper, coalesce(h.document_no, 'hold ' || h.id), k.held >= h.quantity,
           k.held < h.quantity AND k.last_error IS NOT NULL
    FROM keeper_hold k WHERE k.hold_id = h.id AND k.turn = h.turn AND k.ended_at IS NULL AND NOT k.closing
    ORDER BY stopped DESC, refused LIMIT 1
) AS via ON true"""
"""Whose system carries the shipment, under which number, and whether it has stopped it or would not."""
_MISSING: Final = f"""
SELECT h.id, via.keeper, via.reference, via.stopped, via.refused, ({CARRIER_OF_HOLD}) AS carrier
FROM hold h {_CARRIED}
WHERE h.recall_number = :number AND h.position = 'in_transit' AND h.ended_at IS NULL AND h.quantity > 0
  AND NOT EXISTS (SELECT FROM logistics_request l WHERE l.hold_id = h.id
                     AND (l.state = 'asked' OR l.turn = h.turn AND l.quantity >= h.quantity))
  -- What a provider brings to us already is stopped.
  AND NOT EXISTS (SELECT FROM redirect d WHERE d.lot_id = h.lot_id AND d.to_location_id = h.location_id
                    AND d.document_no IS NOT DISTINCT FROM h.document_no AND d.quantity >= h.quantity)
ORDER BY h.id LIMIT :limit
"""  # noqa: S608 - constants
_ASKED: Final = f"""
SELECT l.id, NOT ({_STANDS}) AS over, via.keeper, via.reference, coalesce(via.stopped, false) AS stopped,
       via.keeper IS NULL OR via.refused AS alone
FROM logistics_request l JOIN hold h ON h.id = l.hold_id {_CARRIED}
WHERE l.recall_number = :number AND l.state = 'asked'
  AND (NOT ({_STANDS}) OR l.asked_by = '{SYSTEM}' AND (
       via.stopped OR (via.keeper IS NULL OR via.refused) AND NOT EXISTS (
           SELECT FROM task t WHERE t.recall_number = l.recall_number AND t.key = 'logistics:' || l.id)))
ORDER BY l.id LIMIT :limit
"""  # noqa: S608 - constants


async def turn(session: AsyncSession, number: str, now: datetime) -> tuple[int, bool]:
    """Ask for what nobody was asked about, and take in what became of the others; repeating it changes nothing.

    Returns (requests written, whether tasks were opened or ended); to be called again while there were some. A drill
    and a recall that has ended ask nobody.
    """
    await lock_recalls(session, [number])
    recall = await recalls.get(session, number)
    if recall.drill or is_final(Phase(recall.phase)):
        return 0, False
    who = Who(SYSTEM, SYSTEM, now)
    binds = {"number": number, "limit": GROUP}
    before = (await run(session, _ASKED, binds)).all()
    moved = [await _follow(session, number, row, who) for row in before]
    missing = (await run(session, _MISSING, binds)).all()
    moved += [await _ask(session, number, row, who) for row in missing]
    return len(moved), any(moved)


async def _follow(session: AsyncSession, number: str, row: Any, who: Who) -> bool:
    if row.over:
        await logistics.withdraw(session, number, row.id, ARRIVED, who)
        return True
    if row.stopped:
        await logistics.answered_by_keeper(session, number, row.id, row.keeper, row.reference, who.at)
        return True
    request = await session.get_one(LogisticsRequest, row.id)
    hold = await session.get_one(Hold, request.hold_id)
    provider = await session.get(Partner, request.provider_id) if request.provider_id is not None else None
    return await logistics.offer_task(session, request, hold, provider, who.at)


async def _ask(session: AsyncSession, number: str, row: Any, who: Who) -> bool:
    hold = await session.get_one(Hold, row.id)
    provider = await session.get(Partner, row.carrier) if row.carrier is not None else None
    request = await logistics.open_request(session, hold, LogisticsKind.stop, provider, who)
    if row.stopped:
        await logistics.answered_by_keeper(session, number, request.id or 0, row.keeper, row.reference, who.at)
    elif row.keeper is None or row.refused:
        return await logistics.offer_task(session, request, hold, provider, who.at)
    return False


__all__ = ["turn"]
