"""Evidence records: the file's hash, verified type and uploader, bound to the recall that cites it."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from db.rows import insert_new
from models.recall import Evidence


async def add(session: AsyncSession, evidence: Evidence, *, role: str) -> Evidence:
    """Record an upload; the same id again is the same upload."""
    row = evidence.model_dump()
    if await insert_new(session, Evidence, row):
        await audit.append(
            session,
            audit.SYSTEM,
            actor=evidence.uploaded_by,
            role=role,
            action="evidence.uploaded",
            at=evidence.uploaded_at,
            data={"evidence_id": evidence.id, "sha256": evidence.sha256, "size": evidence.size},
        )
    return evidence


async def find(session: AsyncSession, evidence_id: UUID) -> Evidence | None:
    """One record."""
    return (await session.exec(select(Evidence).where(col(Evidence.id) == evidence_id))).first()


async def of_recall(session: AsyncSession, number: str) -> Sequence[Evidence]:
    """The files bound to a recall, in order of upload."""
    query = select(Evidence).where(col(Evidence.recall_number) == number)
    return (await session.exec(query.order_by(col(Evidence.uploaded_at), col(Evidence.id)))).all()


async def unusable(session: AsyncSession, evidence_ids: Sequence[UUID], number: str | None) -> dict[UUID, str]:
    """The ids that cannot be cited for this recall (None: one about to be opened), each with the reason."""
    if not evidence_ids:
        return {}
    query = select(Evidence.id, Evidence.recall_number).where(col(Evidence.id).in_(evidence_ids))
    owners = dict((await session.exec(query)).all())
    faults = {}
    for evidence_id in evidence_ids:
        if evidence_id not in owners:
            faults[evidence_id] = "no evidence has this id"
        elif owners[evidence_id] not in (None, number):
            faults[evidence_id] = "this evidence belongs to another recall"
    return faults


async def attach(session: AsyncSession, number: str, evidence_ids: Sequence[UUID | str]) -> None:
    """Bind free files to a recall; those bound already stay where they are."""
    if evidence_ids:
        await session.exec(
            update(Evidence)
            .where(
                col(Evidence.id).in_([UUID(str(each)) for each in evidence_ids]), col(Evidence.recall_number).is_(None)
            )
            .values(recall_number=number)
        )


__all__ = ["add", "attach", "find", "of_recall", "unusable"]
