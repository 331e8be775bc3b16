"""IMDRF codes of complaints: what happened (A, G) and to whom (E, F), as the authority's report asks for them.

A complaint may be coded at any time, also once it is closed: what is found out later is reported later, too.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, codes, recalls
from db.repositories.cases import By
from db.repositories.complaint_followup import UnknownComplaint
from domain.codes import COMPLAINT_ANNEXES
from models.complaint import Complaint
from models.quality import CodeTerm, RecordCode


async def give(session: AsyncSession, number: str, sequence: int, given: Sequence[str], by: By) -> Complaint:
    """Let a complaint carry these codes and no others; the same ones again change nothing.

    Raises:
        UnknownComplaint: the recall has none with this number.
        db.repositories.codes.CodesRefused: a code cannot stand here.
    """
    await recalls.share(session, [number])
    query = select(Complaint).where(col(Complaint.recall_number) == number, col(Complaint.sequence) == sequence)
    complaint = (await session.exec(query.with_for_update())).one_or_none()
    if complaint is None or complaint.id is None:
        raise UnknownComplaint(f"recall {number} has no complaint {sequence}")
    list_id = await codes.check(session, given, COMPLAINT_ANNEXES, by.at)
    before = [each.code for each in await codes.of(session, "complaint_id", complaint.id)]
    if before == sorted(given):
        return complaint
    await codes.attach(session, {"complaint_id": complaint.id}, given, list_id, by.actor, by.at)
    data = {"complaint": sequence, "from": before, "to": sorted(given), "list": list_id}
    await audit.append(session, number, actor=by.actor, role=by.role, action="complaint.coded", at=by.at, data=data)
    return complaint


async def of(session: AsyncSession, complaints: Collection[Complaint]) -> Mapping[int, list[CodeTerm]]:
    """Terms each of these complaints carries, by its id, in order."""
    query = (
        select(RecordCode.complaint_id, CodeTerm)
        .join(CodeTerm, col(CodeTerm.code) == col(RecordCode.code))
        .where(col(RecordCode.complaint_id).in_([each.id for each in complaints]), col(RecordCode.removed_at).is_(None))
        .order_by(col(CodeTerm.code))
    )
    found: defaultdict[int, list[CodeTerm]] = defaultdict(list)
    for complaint_id, term in (await session.exec(query)).all():
        if complaint_id is not None:
            found[complaint_id].append(term)
    return found


__all__ = ["give", "of"]
