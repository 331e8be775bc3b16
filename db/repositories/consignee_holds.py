"""What consignees are to hold on our notice: asked for, stated, seen by a person; what nobody has confirmed first."""

from collections.abc import Sequence
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.mass_balance_sql import COUNTS

_POSITIONS: Final = f"""
WITH asked AS (
    SELECT c.id AS consignee_id, p.code AS partner_code, p.name AS partner_name, lot.id AS lot_id,
           lot.number AS lot_number, product.code AS product_code, greatest(cl.shipped - cl.returned, 0) AS received,
           said.on_hand, said.held, said.received_at AS stated_at, c.first_notified_at AS requested_at, seen.checked_at,
           seen.checked_by,
           CASE WHEN said.lot_id IS NULL AND c.first_notified_at IS NULL THEN 'not_asked'
                WHEN said.lot_id IS NULL THEN 'requested'
                WHEN said.held < said.on_hand THEN 'not_held'
                WHEN seen.checked_at IS NOT NULL THEN 'verified' ELSE 'confirmed' END AS state
    FROM consignee c JOIN partner p ON p.id = c.partner_id
    JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    JOIN lot ON lot.id = cl.lot_id JOIN product ON product.id = lot.product_id
    LEFT JOIN LATERAL (
        SELECT r.id, r.received_at FROM reply r
        WHERE r.consignee_id = c.id AND r.kind = 'statement' AND {COUNTS}
        ORDER BY r.consignee_id DESC, r.id DESC LIMIT 1) AS latest ON true
    LEFT JOIN LATERAL (
        SELECT l.lot_id, l.on_hand, l.held, latest.received_at FROM reply_line l
        WHERE l.reply_id = latest.id AND l.lot_id = cl.lot_id) AS said ON true
    LEFT JOIN LATERAL (
        SELECT e.checked_at, e.checked_by FROM effectiveness_check e
        WHERE e.consignee_id = c.id AND e.state = 'done' AND e.method = 'visit' AND e.passed
          AND e.checked_at >= said.received_at
        ORDER BY e.checked_at DESC LIMIT 1) AS seen ON true
    WHERE c.recall_number = :number AND c.state <> 'withdrawn'
),
ranked AS (
    SELECT asked.*, CASE WHEN state IN ('confirmed', 'verified') THEN 1 ELSE 0 END AS rank FROM asked
)
SELECT * FROM ranked
WHERE (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:rank AS int) IS NULL
       OR (rank, consignee_id, lot_id) > (CAST(:rank AS int), CAST(:consignee AS bigint), CAST(:lot AS bigint)))
ORDER BY rank, consignee_id, lot_id LIMIT :limit
"""  # noqa: S608 - constants


async def positions(
    session: AsyncSession, number: str, *, state: str | None, after: Sequence[int] | None, limit: int
) -> Sequence[Any]:
    """Each lot at each consignee; `after` is (rank, consignee id, lot id), rank 0 what nobody has confirmed."""
    rank, consignee, lot = after or (None, None, None)
    values = {"number": number, "state": state, "rank": rank, "consignee": consignee, "lot": lot, "limit": limit}
    return (await run(session, _POSITIONS, values)).all()


__all__ = ["positions"]
