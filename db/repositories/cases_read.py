"""Reading cases: by recall or by consignee, oldest first, with the consignee's name for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_LIST: Final = """
SELECT k.id, k.consignee_id, partner.name AS consignee, c.state AS consignee_state, k.reason, k.subject, k.state,
       k.opened_at, k.closed_at, k.closed_by, k.outcome
FROM consignee_case k
JOIN consignee c ON c.id = k.consignee_id
JOIN partner ON partner.id = c.partner_id
WHERE k.recall_number = :number AND k.id > :after
  AND (CAST(:consignee AS bigint) IS NULL OR k.consignee_id = CAST(:consignee AS bigint))
  AND (CAST(:reason AS text) IS NULL OR k.reason = CAST(:reason AS text))
  AND (CAST(:state AS text) IS NULL OR k.state = CAST(:state AS text))
ORDER BY k.id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case as people read it."""

    id: int
    consignee_id: int
    consignee: str
    consignee_state: str
    reason: str
    subject: str | None
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None


async def listed(
    session: AsyncSession,
    number: str,
    *,
    consignee_id: int | None,
    reason: str | None,
    state: str | None,
    after: int,
    limit: int,
) -> Sequence[CaseRow]:
    """Cases of a recall by their ids."""
    found = await run(
        session,
        _LIST,
        {
            "number": number,
            "consignee": consignee_id,
            "reason": reason,
            "state": state,
            "after": after,
            "limit": limit,
        },
    )
    return [CaseRow(**row) for row in found.mappings()]


async def has_consignee(session: AsyncSession, number: str, consignee_id: int) -> bool:
    """Whether the recall has this consignee."""
    found = await run(
        session,
        "SELECT 1 FROM consignee WHERE id = :consignee AND recall_number = :number",
        {"consignee": consignee_id, "number": number},
    )
    return found.first() is not None


__all__ = ["CaseRow", "has_consignee", "listed"]
