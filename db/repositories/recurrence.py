"""What came again after a CAPA was closed: complaints, nonconformities, recalls with its codes, products or supplier.

Something counts when it shares a code with the CAPA or a nonconformity it answers; where either side carries no code,
when it shares the product, or the supplier that was named or asked for corrective action. What those merged into the
CAPA carry and answer is its own, and what it answers never counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, files, tasks
from domain.capa import CapaState
from domain.policy_tasks import HumanStep
from domain.recurrence import Event, Trend, trend
from domain.workflow_ids import QUALITY_ID
from models.capa import Capa

MOST: Final = 10_000
"""Events looked at; a CAPA with more is a signal anyway."""
_EVENTS: Final = """
WITH family AS (SELECT id, recall_number FROM capa WHERE id = :capa OR merged_into_id = :capa),
answered AS (
    SELECT nonconformity_number AS number FROM capa_nonconformity WHERE capa_id IN (SELECT id FROM family)
),
codes AS (
    SELECT code FROM record_code WHERE removed_at IS NULL
      AND (capa_id IN (SELECT id FROM family) OR nonconformity_number IN (SELECT number FROM answered))
),
products AS (
    SELECT DISTINCT l.product_id FROM scope_lot s JOIN lot l ON l.id = s.lot_id
    WHERE s.root AND s.recall_number IN (SELECT recall_number FROM family)
    UNION SELECT product_id FROM nonconformity WHERE number IN (SELECT number FROM answered) AND product_id IS NOT NULL
    UNION SELECT l.product_id FROM nonconformity_lot x JOIN lot l ON l.id = x.lot_id
    WHERE x.nonconformity_number IN (SELECT number FROM answered)
),
suppliers AS (
    SELECT supplier_id FROM nonconformity WHERE number IN (SELECT number FROM answered) AND supplier_id IS NOT NULL
    UNION SELECT supplier_id FROM supplier_request WHERE state <> 'withdrawn'
      AND (capa_id IN (SELECT id FROM family) OR nonconformity_number IN (SELECT number FROM answered))
),
found AS (
    SELECT 'complaint' AS kind, c.recall_number || '/' || c.sequence AS reference, c.awareness_at AS at,
           EXISTS (SELECT FROM record_code r WHERE r.complaint_id = c.id AND r.removed_at IS NULL) AS coded,
           EXISTS (SELECT FROM record_code r JOIN codes USING (code) WHERE r.complaint_id = c.id
                   AND r.removed_at IS NULL) AS by_code,
           l.product_id IN (SELECT product_id FROM products) AS by_product, false AS by_supplier
    FROM complaint c JOIN recall r ON r.number = c.recall_number LEFT JOIN lot l ON l.id = c.lot_id
    WHERE c.awareness_at > CAST(:since AS timestamptz) AND c.awareness_at <= CAST(:until AS timestamptz)
      AND r.drill = :drill
    UNION ALL
    SELECT 'nonconformity', n.number, n.detected_at,
           EXISTS (SELECT FROM record_code r WHERE r.nonconformity_number = n.number AND r.removed_at IS NULL),
           EXISTS (SELECT FROM record_code r JOIN codes USING (code) WHERE r.nonconformity_number = n.number
                   AND r.removed_at IS NULL),
           n.product_id IN (SELECT product_id FROM products) OR EXISTS (
               SELECT FROM nonconformity_lot x JOIN lot l ON l.id = x.lot_id JOIN products USING (product_id)
               WHERE x.nonconformity_number = n.number),
           n.supplier_id IN (SELECT supplier_id FROM suppliers)
    FROM nonconformity n JOIN quality_file f ON f.number = n.number
    WHERE n.detected_at > CAST(:since AS timestamptz) AND n.detected_at <= CAST(:until AS timestamptz)
      AND n.source <> 'recall_hold' AND f.drill = :drill AND n.number NOT IN (SELECT number FROM answered)
    UNION ALL
    SELECT 'recall', r.number, r.awareness_at, false, false,
           EXISTS (SELECT FROM scope_lot s JOIN lot l ON l.id = s.lot_id JOIN products USING (product_id)
                   WHERE s.recall_number = r.number AND s.root), false
    FROM recall r
    WHERE r.awareness_at > CAST(:since AS timestamptz) AND r.awareness_at <= CAST(:until AS timestamptz)
      AND r.drill = :drill AND NOT EXISTS (SELECT FROM family WHERE family.recall_number = r.number)
)
SELECT kind, reference, at, CASE WHEN by_code THEN 'code' WHEN by_product THEN 'product' ELSE 'supplier' END AS by
FROM found
WHERE by_code OR ((by_product OR by_supplier) AND NOT (coded AND EXISTS (SELECT FROM codes)))
ORDER BY at, kind, reference LIMIT :most
"""
_WATCHED: Final = """
SELECT id FROM capa
WHERE state = 'closed' AND closed_at IS NOT NULL
  AND closed_at + make_interval(days => watch_days) >= CAST(:now AS timestamptz) - interval '1 day'
ORDER BY id
"""


async def events(session: AsyncSession, capa: Capa, until: datetime) -> list[Event]:
    """What came again between the closing and `until`, in order; nothing while the CAPA is not closed."""
    if capa.closed_at is None:
        return []
    file = await files.get(session, capa.file)
    binds = {"capa": capa.id, "since": capa.closed_at, "until": until, "drill": file.drill, "most": MOST}
    return [Event(row.kind, row.reference, row.at, row.by) for row in await run(session, _EVENTS, binds)]


async def trend_of(session: AsyncSession, capa: Capa, now: datetime) -> tuple[list[Event], Trend] | None:
    """What came again and how it is judged; None while the CAPA is not closed."""
    if capa.closed_at is None:
        return None
    found = await events(session, capa, now)
    judged = trend(found, capa.closed_at, capa.watch_days, capa.recurrence_allowed, now)
    return [each for each in found if each.at <= judged.watched_until], judged


async def watched(session: AsyncSession, now: datetime) -> Sequence[int]:
    """Ids of closed CAPAs whose period is running, or ended within the last day."""
    return list((await run(session, _WATCHED, {"now": now})).scalars())


async def look(session: AsyncSession, capa_id: int, now: datetime) -> bool:
    """Ask for a CAPA to be reopened where more came again than its plan allows; once per further event.

    Returns whether something was asked now. The file is locked first, then the CAPA.
    """
    unlocked = await session.get(Capa, capa_id)
    if unlocked is None:
        return False
    file = await files.get(session, unlocked.file, lock=True)
    query = select(Capa).where(col(Capa.id) == capa_id).with_for_update().execution_options(populate_existing=True)
    capa = (await session.exec(query)).one()
    if capa.state != CapaState.closed.value:
        return False
    judged = await trend_of(session, capa, now)
    if judged is None:
        return False
    _, found = judged
    if not found.signal or found.total <= capa.recurrences:
        return False
    capa.recurrences = found.total
    session.add(capa)
    await session.flush()
    key = f"recurrence:{capa.sequence}:{capa.reopened + 1}:{found.total}"
    facts = {
        "capa": capa.sequence,
        "total": found.total,
        "allowed": found.allowed,
        "monthly_limit": found.monthly_limit,
    }
    await tasks.offer(
        session,
        file,
        key=key,
        step=HumanStep.VERIFICATION,
        what=f"CAPA {capa.sequence}: it came again ({found.total} since it was closed): reopen it or say why not",
        owner=QUALITY_ID,
        now=now,
    )
    await audit.append(
        session,
        capa.file,
        actor=audit.SYSTEM,
        role=audit.SYSTEM,
        action="capa.recurrence",
        at=now,
        data=facts,
    )
    return True


__all__ = ["MOST", "events", "look", "trend_of", "watched"]
