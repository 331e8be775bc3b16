"""Lots and consignees that leave a recall: they are not asked any more, and what waited for them is closed.

The record keeps what each received and answered. Whoever has been told before is told of this by a retraction; that
message is written when the campaign of the approved notice starts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import unsent

_OUTCOME: Final = "no lot of the recall is left with this consignee"

_LOTS: Final = """
UPDATE consignee_lot cl SET withdrawn_in = :version
FROM consignee c
WHERE c.id = cl.consignee_id AND c.recall_number = :number AND cl.withdrawn_in IS NULL
  AND cl.lot_id = ANY (CAST(:lots AS bigint[]))
"""

_WITHOUT_LOTS: Final = """
WITH gone AS MATERIALIZED (
    SELECT c.id FROM consignee c
    WHERE c.recall_number = :number AND c.state <> 'withdrawn'
      AND EXISTS (SELECT FROM consignee_lot cl WHERE cl.consignee_id = c.id AND cl.withdrawn_in = :version)
      AND NOT EXISTS (SELECT FROM consignee_lot cl WHERE cl.consignee_id = c.id AND cl.withdrawn_in IS NULL)
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE consignee c SET state = 'withdrawn', next_step_at = NULL FROM gone WHERE c.id = gone.id RETURNING c.id
"""

_EVERYBODY: Final = """
WITH gone AS MATERIALIZED (
    SELECT c.id FROM consignee c WHERE c.recall_number = :number AND c.state <> 'withdrawn'
    ORDER BY c.id FOR NO KEY UPDATE
)
UPDATE consignee c SET state = 'withdrawn', next_step_at = NULL FROM gone WHERE c.id = gone.id RETURNING c.id
"""

# A report of harm is looked into whatever becomes of the recall.
_TASKS: Final = """
UPDATE task SET state = 'cancelled', outcome = :outcome, done_by = :by, done_at = :now
WHERE recall_number = :number AND consignee_id = ANY (CAST(:gone AS bigint[]))
  AND state IN ('offered', 'accepted', 'sent_back') AND NOT starts_with(key, 'complaint:')
"""

_CASES: Final = """
UPDATE consignee_case SET state = 'closed', outcome = :outcome, closed_by = :by, closed_at = :now
WHERE recall_number = :number AND consignee_id = ANY (CAST(:gone AS bigint[])) AND state = 'open'
"""


async def withdraw_lots(
    session: AsyncSession, number: str, lots: Sequence[int], version: int, now: datetime, *, by: str
) -> list[int]:
    """Take lots out of every consignee's list; returns the consignees that are left without any."""
    await run(session, _LOTS, {"number": number, "lots": list(lots), "version": version})
    gone = sorted((await run(session, _WITHOUT_LOTS, {"number": number, "version": version})).scalars())
    await _close(session, number, gone, now, by)
    return gone


async def withdraw_everybody(session: AsyncSession, number: str, now: datetime, *, by: str) -> list[int]:
    """The recall is over for all its consignees; returns those that were still part of it."""
    gone = sorted((await run(session, _EVERYBODY, {"number": number})).scalars())
    await _close(session, number, gone, now, by)
    return gone


async def _close(session: AsyncSession, number: str, gone: Sequence[int], now: datetime, by: str) -> None:
    if not gone:
        return
    binds: dict[str, Any] = {"number": number, "gone": list(gone), "now": now}
    await run(session, _TASKS, binds | {"by": by, "outcome": _OUTCOME})
    await run(session, _CASES, binds | {"by": by, "outcome": _OUTCOME})
    await unsent.cancel(session, gone, now)


__all__ = ["withdraw_everybody", "withdraw_lots"]
