"""One look of the disposition workflow: shortages and their allocations, tasks, and the counts the recall is told."""

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import allocations, disposition_tasks, recalls, shortages, task_turns
from db.repositories.disposition_positions import positions
from domain.phases import FINAL_PHASES, Phase
from domain.workflow_ids import disposition_id
from models.messages import DispositionLook, DispositionTurn

_COUNTS = """
SELECT (SELECT count(*) FROM disposition WHERE recall_number = :number AND state = 'proposed') AS proposed,
       (SELECT count(*) FROM disposition WHERE recall_number = :number AND state = 'approved') AS approved,
       (SELECT count(*) FROM allocation WHERE recall_number = :number AND state = 'proposed') AS allocations_proposed,
       (SELECT count(*) FROM allocation WHERE recall_number = :number AND state = 'approved') AS allocations_approved,
       (SELECT count(DISTINCT s.consignee_id) FROM shortage s
        WHERE s.recall_number = :number AND s.settled_at IS NULL AND s.quantity > (
            SELECT coalesce(sum(a.quantity), 0) FROM allocation a
            WHERE a.shortage_id = s.id AND a.state IN ('shipped', 'rejected'))) AS sites_short
"""


async def look(session: AsyncSession, turn: DispositionTurn) -> DispositionLook:
    """Bring shortages, proposals of allocations and tasks in line; a repeat without news changes nothing."""
    recall = await recalls.get(session, turn.number, lock=True)
    if turn.ending:
        await disposition_tasks.cancel(session, turn.number, turn.now)
    elif Phase(recall.phase) not in FINAL_PHASES:
        await shortages.compute(session, turn.number, turn.now)
        await allocations.propose(session, turn.number, turn.now)
        await disposition_tasks.sync(session, turn.number, turn.now, by="system")
    found = await positions(session, turn.number)
    counts = (await run(session, _COUNTS, {"number": turn.number})).mappings().one()
    owned = await task_turns.clocks(session, turn.number, disposition_id(turn.number))
    return DispositionLook(
        open_positions=len(found),
        unplanned=sum(each.available > 0 for each in found),
        tasks=owned.clocks,
        **counts,
    )


__all__ = ["look"]
