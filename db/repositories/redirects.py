"""An answered redirect: every recall's hold on the goods goes with them to the place they are to come to.

Where they are expected follows from its record (`redirected_sql`); the claims follow in the same transaction. What
arrived at the first place meanwhile stays under its hold there.
"""

from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, keeper_counts_sql, ledger, stock_sql, trace_sql
from db.repositories.disposition_who import Who
from db.repositories.ledger_sql import OPEN_HOLD
from domain.inventory import hold_key
from domain.quantity_text import plain
from models.hold import Hold
from models.logistics import LogisticsKind, LogisticsRequest, LogisticsState, Redirect

SOURCE: Final = "recall:redirect"
"""Source system of the news that goods are redirected: the trace of their lots is due again."""

_LOT: Final = """
SELECT h.lot_id FROM logistics_request l JOIN hold h ON h.id = l.hold_id
WHERE l.id = :request AND l.recall_number = :number AND l.kind = 'redirect' AND l.state = 'asked'
"""
_GONE_TO: Final = f"""
SELECT old.id FROM hold h
JOIN hold old ON old.recall_number = h.recall_number AND old.lot_id = h.lot_id AND old.position = h.position
     AND old.document_no IS NOT DISTINCT FROM h.document_no AND old.id <> h.id AND {OPEN_HOLD} AND old.quantity > 0
JOIN redirect d ON d.lot_id = h.lot_id AND d.document_no IS NOT DISTINCT FROM h.document_no
     AND d.to_location_id = old.location_id
WHERE h.id = :hold ORDER BY d.id DESC LIMIT 1
"""  # noqa: S608 - constants
_FOLLOW: Final = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{stock_sql.UNDER_WAY},
way AS (
    SELECT location_id, sum(quantity) AS quantity FROM under_way
    WHERE document_no IS NOT DISTINCT FROM CAST(:document_no AS text) GROUP BY location_id
),
standing AS (
    SELECT old.id, old.recall_number, old.location_id, old.quantity FROM hold old JOIN scope USING (lot_id)
    WHERE old.position = 'in_transit' AND old.document_no IS NOT DISTINCT FROM CAST(:document_no AS text)
      AND {OPEN_HOLD} AND old.quantity > 0
),
turned AS MATERIALIZED (
    SELECT h.id, least(h.quantity - coalesce(stays.quantity, 0), comes.quantity - coalesce(there.quantity, 0)) AS units
    FROM standing h
    JOIN way comes ON comes.location_id = CAST(:target AS bigint)
    LEFT JOIN way stays ON stays.location_id = h.location_id
    LEFT JOIN standing there ON there.recall_number = h.recall_number AND there.location_id = comes.location_id
    WHERE h.location_id = CAST(:source AS bigint)
),
fewer AS (
    -- A hold that ends keeps its quantity, as where its goods arrived; a nonconformity's follows the goods.
    UPDATE hold h SET quantity = CASE WHEN h.quantity = t.units AND h.state <> 'nonconformity' THEN h.quantity
                                      ELSE h.quantity - t.units END,
           ended_at = CASE WHEN h.quantity = t.units THEN coalesce(h.ended_at, CAST(:at AS timestamptz))
                           ELSE h.ended_at END
    FROM turned t WHERE h.id = t.id AND t.units > 0
),
raised AS (
    INSERT INTO hold AS old (recall_number, lot_id, location_id, position, document_no, quantity, state, attempts, late,
                             requested_at, confirmed_at, confirmed_by, ended_at)
    SELECT h.recall_number, h.lot_id, CAST(:target AS bigint), h.position, h.document_no, t.units,
           CASE h.state WHEN 'nonconformity' THEN h.state ELSE 'confirmed' END, 0, h.late, h.requested_at,
           CAST(:at AS timestamptz), :by, CASE h.state WHEN 'nonconformity' THEN h.ended_at END
    FROM turned t JOIN hold h ON h.id = t.id WHERE t.units > 0 ORDER BY h.recall_number
    ON CONFLICT (recall_number, lot_id, location_id, position, document_no) DO UPDATE
        SET quantity = CASE WHEN {OPEN_HOLD} THEN old.quantity ELSE 0 END + excluded.quantity,
            turn = old.turn + CASE WHEN {OPEN_HOLD} THEN 0 ELSE 1 END,
            state = CASE WHEN {OPEN_HOLD} THEN old.state ELSE excluded.state END,
            confirmed_at = CASE WHEN {OPEN_HOLD} THEN old.confirmed_at ELSE excluded.confirmed_at END,
            confirmed_by = CASE WHEN {OPEN_HOLD} THEN old.confirmed_by ELSE excluded.confirmed_by END,
            ended_at = CASE WHEN {OPEN_HOLD} THEN old.ended_at ELSE excluded.ended_at END,
            ended_by = CASE WHEN {OPEN_HOLD} THEN old.ended_by END
    RETURNING id, recall_number, turn, quantity
)
SELECT raised.id, raised.recall_number, raised.turn, raised.quantity, t.id AS former, t.units, recall.drill
FROM raised JOIN recall ON recall.number = raised.recall_number
JOIN hold h ON h.recall_number = raised.recall_number JOIN turned t ON t.id = h.id
ORDER BY raised.recall_number
"""  # noqa: S608 - constants


async def lock(session: AsyncSession, number: str, request_id: int) -> None:
    """Before an answer is recorded: take what it can change, all recalls that hold the goods among it."""
    lot = (await run(session, _LOT, {"request": request_id, "number": number})).scalar()
    if lot is not None:
        await ledger.lock(session, [number], [lot])


async def gone_to(session: AsyncSession, hold: Hold) -> Hold | None:
    """The recall's hold on goods that another redirect took from `hold`; the caller has taken `lock`."""
    found = (await run(session, _GONE_TO, {"hold": hold.id})).scalar()
    return None if found is None else await session.get(Hold, found, populate_existing=True)


async def follow(
    session: AsyncSession, row: LogisticsRequest, hold: Hold, target: int, who: Who
) -> dict[str, dict[str, Any]]:
    """Record that the goods of an answered request go to `target`; recall -> its hold on them there, confirmed by it.

    The caller has taken `lock`, and tells the other recalls (`tell_others`) when it has audited the answer.
    """
    session.add(
        Redirect(
            lot_id=hold.lot_id,
            document_no=hold.document_no,
            from_location_id=hold.location_id,
            to_location_id=target,
            quantity=row.quantity,
            reference=row.reference or "",
            asked_by_recall=row.recall_number,
            at=who.at,
        )
    )
    await session.flush()
    place = {"lot_ids": [hold.lot_id], "document_no": hold.document_no, "source": hold.location_id, "target": target}
    turned = (await run(session, _FOLLOW, place | {"at": who.at, "by": who.principal})).all()
    for each in turned:
        if not each.drill:
            claim = {
                "key": hold_key(each.recall_number, each.id, each.turn),
                "claimant": each.recall_number,
                "lot_id": hold.lot_id,
                "location_id": target,
                "position": hold.position,
                "document_no": hold.document_no,
                "quantity": each.quantity,
            }
            await run(session, stock_sql.PLACE_CLAIM, claim)
    await ledger.settle(session, [(hold.lot_id, hold.location_id), (hold.lot_id, target)], who.at)
    # The trace of the lot is due again, and shows why.
    await run(session, keeper_counts_sql.BATCH, {"system": SOURCE, "read": 1, "ids": []})
    return {
        each.recall_number: {"hold": each.id, "former_hold": each.former, "units": plain(each.units), "to": target}
        for each in turned
    }


async def concerned(session: AsyncSession, row: LogisticsRequest) -> list[str]:
    """Running recalls that an answer makes trace again: all with the lot of an answered redirect in their scope."""
    if (row.kind, row.state) != (LogisticsKind.redirect, LogisticsState.answered):
        return []
    hold = await session.get_one(Hold, row.hold_id)
    return [each.number for each in await ledger.running_on(session, hold.lot_id)]


async def tell_others(session: AsyncSession, number: str, moved: dict[str, dict[str, Any]], who: Who) -> None:
    """Audit in the chains of the other recalls; last, as whatever locks a chain."""
    for each in sorted(set(moved) - {number}):
        await audit.append(
            session, each, actor=who.principal, role=who.role, action="holds.redirected", at=who.at,
            data=moved[each] | {"asked_by_recall": number},
        )  # fmt: skip


__all__ = ["concerned", "follow", "gone_to", "lock", "tell_others"]
