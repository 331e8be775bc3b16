"""The deletion of a recall's file: asked for by one person, signed by another, leaving a tombstone and the audit trail.

Rows go through `delete_recall_file` (a function with the owner's rights); stored files and workflow histories go
afterwards, and `finish` records that they did.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls
from db.repositories.retention import RetentionRefused, keeping, standing
from domain.retention_rules import reasons_to_keep
from domain.roles import violates_four_eyes
from models.recall import Recall
from models.retention import DeletionRequest, Tombstone

_DELETE: Final = (
    "SELECT delete_recall_file(:number, CAST(:request AS bigint), :by, CAST(:until AS date), CAST(:policies AS jsonb),"
    " CAST(:now AS timestamptz), CAST(:signature AS uuid))"
)


async def open_request(session: AsyncSession, number: str, *, lock: bool = False) -> DeletionRequest | None:
    """The request to delete this file that is neither withdrawn nor carried out."""
    query = select(DeletionRequest).where(
        col(DeletionRequest.recall_number) == number, col(DeletionRequest.withdrawn_at).is_(None)
    )
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def request_deletion(
    session: AsyncSession,
    number: str,
    *,
    reason: str,
    archive_sha256: str | None,
    by: str,
    role: str,
    now: datetime,
    signature: str | None = None,
) -> DeletionRequest:
    """Ask that the file be deleted; nothing is, until another person signs.

    Raises:
        RetentionRefused: something still needs the file, or somebody asked before.
    """
    recall = await recalls.get(session, number, lock=True)
    if await open_request(session, number) is not None:
        raise RetentionRefused("already_decided", "Its deletion has been asked for; sign or withdraw that request.")
    until = await _must_be_free(session, recall, now)
    row = DeletionRequest(
        recall_number=number,
        reason=reason,
        archive_sha256=archive_sha256,
        keep_until=until,
        requested_by=by,
        requested_at=now,
    )
    session.add(row)
    await session.flush()
    data = {"request": row.id, "keep_until": until, "archive_sha256": archive_sha256}
    await audit.append(
        session,
        number,
        actor=by,
        role=role,
        action="deletion.requested",
        at=now,
        reason=reason,
        data=data,
        signature=signature,
    )
    return row


async def withdraw_request(
    session: AsyncSession, number: str, *, reason: str, by: str, role: str, now: datetime
) -> DeletionRequest:
    """Take the request back.

    Raises:
        RetentionRefused: nobody asked.
    """
    row = await _asked(session, number)
    row.withdrawn_by, row.withdrawn_at = by, now
    session.add(row)
    data = {"request": row.id}
    await audit.append(
        session, number, actor=by, role=role, action="deletion.withdrawn", at=now, reason=reason, data=data
    )
    return row


async def delete_file(
    session: AsyncSession, number: str, *, request: int, by: str, role: str, now: datetime, signature: str
) -> Tombstone:
    """Delete the file's rows on the word of a second person; the tombstone and the audit trail stay.

    Args:
        request: the request that was read and signed.
        signature: the signature under the order; the database looks at it once more.

    Raises:
        RetentionRefused: nobody asked, another request is open, the same person asked, or something needs the file.
    """
    recall = await recalls.get(session, number, lock=True)
    asked = await _asked(session, number)
    if asked.id != request:
        raise RetentionRefused("conflict", f"Request {asked.id} is open, not {request}; read it before you sign.")
    if violates_four_eyes(asked.requested_by, by):
        raise RetentionRefused("four_eyes", f"{asked.requested_by} asked for it; another person must sign.")
    until = await _must_be_free(session, recall, now)
    kept = (await keeping(session, recall, now)).as_json()
    values = {"number": number, "request": asked.id, "by": by, "until": until, "now": now, "signature": signature}
    reason, archive, asked_by = asked.reason, asked.archive_sha256, asked.requested_by
    await run(session, _DELETE, values | {"policies": json.dumps(kept)})
    session.expunge_all()
    stone = await tombstone(session, number)
    assert stone is not None  # noqa: S101 - written by the function
    data = {
        "keep_until": until,
        "requested_by": asked_by,
        "archive_sha256": archive,
        "rows": sum(stone.tables.values()),
        "files": [each["sha256"] for each in stone.files],
    }
    await audit.append(
        session,
        number,
        actor=by,
        role=role,
        action="file.deleted",
        at=now,
        reason=reason,
        data=data,
        signature=signature,
    )
    return stone


async def tombstone(session: AsyncSession, number: str) -> Tombstone | None:
    """What stands where the file was."""
    return (await session.exec(select(Tombstone).where(col(Tombstone.recall_number) == number))).first()


async def tombstones(session: AsyncSession, *, after: str, limit: int) -> Sequence[Tombstone]:
    """Deleted files in order of their numbers."""
    query = select(Tombstone).where(col(Tombstone.recall_number) > after)
    return (await session.exec(query.order_by(col(Tombstone.recall_number)).limit(limit))).all()


async def still_stored(session: AsyncSession, shas: Sequence[str]) -> set[str]:
    """Of these contents the ones another record still speaks of; they must not be removed from the store."""
    found = await run(
        session, "SELECT DISTINCT sha256 FROM evidence WHERE sha256 = ANY(CAST(:shas AS text[]))", {"shas": list(shas)}
    )
    return {row[0] for row in found}


async def finish(session: AsyncSession, number: str, *, by: str, role: str, now: datetime) -> bool:
    """Record that files and workflow histories are gone as well; False when that was recorded before."""
    change = (
        update(Tombstone)
        .where(col(Tombstone.recall_number) == number, col(Tombstone.finished_at).is_(None))
        .values(finished_at=now)
    )
    if not (await session.exec(change)).rowcount:
        return False
    await audit.append(session, number, actor=by, role=role, action="file.deletion_finished", at=now)
    return True


async def _asked(session: AsyncSession, number: str) -> DeletionRequest:
    row = await open_request(session, number, lock=True)
    if row is None:
        raise RetentionRefused("conflict", "Nobody has asked that this file be deleted.")
    return row


async def _must_be_free(session: AsyncSession, recall: Recall, now: datetime) -> date:
    found = await standing(session, recall, now)
    if reasons := reasons_to_keep(found, now.date()):
        raise RetentionRefused("must_be_kept", f"The file must stay: {'; '.join(reasons)}.", reasons)
    assert found.keep_until is not None  # noqa: S101 - else there is a reason
    return found.keep_until


__all__ = [
    "delete_file",
    "finish",
    "open_request",
    "request_deletion",
    "still_stored",
    "tombstone",
    "tombstones",
    "withdraw_request",
]
