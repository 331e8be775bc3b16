"""The watch over goods documents beside stopping them: what is freed, which keeper was not read, what is left over.

A document is freed only once the stock it could take is locked: until then the stop is all that keeps it from leaving.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.hold_records import lock_recalls, record
from db.repositories.recall_documents import DUE, OPEN
from domain.phases import FINAL_PHASES
from models.recall_document import RecallDocument, StopState

_UNLOCKED: Final = """
SELECT d.id FROM recall_document d
WHERE d.recall_number = :number AND EXISTS (
    SELECT FROM hold h
    WHERE h.recall_number = d.recall_number AND h.lot_id = ANY(d.lot_ids) AND h.quantity > 0
      AND (h.ended_at IS NULL OR h.state = 'nonconformity')
      AND (h.confirmed_at IS NULL OR h.state IN ('requested', 'failed'))
      AND CASE h.position WHEN 'in_transit' THEN h.document_no = d.document_no
                          ELSE h.location_id IN (d.location_id, d.other_location_id) END)
"""
"""Documents that could take units whose hold nobody has confirmed."""
_LEFT_OVER: Final = """
SELECT r.number FROM recall r
WHERE r.phase = ANY(CAST(:ended AS text[])) AND EXISTS (
    SELECT FROM recall_document d WHERE d.recall_number = r.number AND d.state = ANY(CAST(:states AS text[])))
ORDER BY r.number
"""
_READ: Final = """
DELETE FROM scope_gap WHERE recall_number = :number AND scope_version = :version AND kind = 'unread_documents'
   AND detail ->> 'keeper' <> ALL(CAST(:unread AS text[])) RETURNING id
"""
_STILL: Final = """
UPDATE scope_gap g SET detail = g.detail || jsonb_build_object('error', left(u.error, 300))
FROM unnest(CAST(:unread AS text[]), CAST(:errors AS text[])) AS u(keeper, error)
WHERE g.recall_number = :number AND g.scope_version = :version AND g.kind = 'unread_documents'
   AND g.detail ->> 'keeper' = u.keeper AND g.detail ->> 'error' <> left(u.error, 300)
"""
_UNREAD: Final = """
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT CAST(:number AS text), CAST(:version AS int), 'unread_documents', jsonb_build_object(
    'keeper', u.keeper, 'error', left(u.error, 300), 'since', CAST(:at AS timestamptz))
FROM unnest(CAST(:unread AS text[]), CAST(:errors AS text[])) AS u(keeper, error)
WHERE NOT EXISTS (SELECT FROM scope_gap old
                  WHERE old.recall_number = CAST(:number AS text) AND old.scope_version = CAST(:version AS int)
                     AND old.kind = 'unread_documents' AND old.detail ->> 'keeper' = u.keeper)
RETURNING detail ->> 'keeper'
"""


async def free(
    session: AsyncSession, number: str, lots: Sequence[int], now: datetime, reason: str, *, ended: bool
) -> int:
    """Free what names none of these lots any more (all, once the recall has ended); returns how many.

    The stock of its lots stays under its holds, so a document that is freed cannot take it. Where such a hold is not
    confirmed yet, the document stays stopped and is looked at again in the next turn.
    """
    await lock_recalls(session, [number])
    query = select(RecallDocument).where(
        col(RecallDocument.recall_number) == number, col(RecallDocument.state).in_((*OPEN, StopState.watched.value))
    )
    rows = (await session.exec(query.order_by(col(RecallDocument.id)))).all()
    unlocked = set((await run(session, _UNLOCKED, {"number": number})).scalars()) if rows else set()
    freed = [
        row
        for row in rows
        if (ended or (row.lot_ids and not set(row.lot_ids) & set(lots)))
        and (row.state == StopState.watched or row.id not in unlocked)
    ]
    for row in freed:
        asked = row.state != StopState.watched
        row.state = StopState.releasing.value if asked else StopState.released.value
        row.attempts, row.decided_by, row.decided_at, row.reason = 0, "system", now, reason
        row.ended_at = None if asked else now
        session.add(row)
    await session.flush()
    if freed:
        data = {"documents": [row.id for row in freed], "why": reason}
        await record(session, number, "documents.freed", now, data)
    return len(freed)


async def left_over(session: AsyncSession) -> list[str]:
    """Recalls that have ended while a document is still stopped, or its end is not carried out by its keeper."""
    ended = [phase.value for phase in FINAL_PHASES]
    return list((await run(session, _LEFT_OVER, {"ended": ended, "states": sorted({*DUE, *OPEN})})).scalars())


async def looked(session: AsyncSession, number: str, version: int, unread: Mapping[str, str], at: datetime) -> None:
    """Keepers whose documents could not all be read, and why: a gap each until they can; audited when it begins."""
    values = {"number": number, "version": version, "unread": list(unread), "errors": list(unread.values()), "at": at}
    await lock_recalls(session, [number])
    await run(session, _READ, values)
    await run(session, _STILL, values)
    for keeper in (await run(session, _UNREAD, values)).scalars().all():
        await record(session, number, "documents.unread", at, {"keeper": keeper, "error": unread[keeper][:300]})


__all__ = ["free", "left_over", "looked"]
