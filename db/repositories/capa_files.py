"""CAPAs beyond one recall: opened without any, tied to the nonconformities they answer, found by file and number."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import capa as capas
from db.repositories import files
from db.repositories.disposition_who import Who
from db.repositories.nonconformities import locked, note
from db.rows import insert_new
from domain.nonconformity import NcRefused
from domain.quality_numbers import QualityKind
from models.access import IdempotencyKey
from models.capa import Capa, CapaNonconformity
from models.quality import QualityFile

_UNSTARTED: Final = """
SELECT f.number FROM quality_file f JOIN capa c ON c.file_number = f.number
WHERE c.state = 'investigation' AND c.reopened = 0 AND f.created_at < CAST(:before AS timestamptz)
  AND NOT EXISTS (SELECT FROM task t WHERE t.file_number = f.number) ORDER BY 1 LIMIT 100
"""


async def open_without_recall(
    session: AsyncSession, title: str, nonconformities: Sequence[str], reason: str, who: Who
) -> QualityFile:
    """Take a number and open the record; its workflow is started afterwards and offers the first task.

    Raises:
        NcRefused: a nonconformity is not on record, or a drill is mixed with the real thing.
    """
    drills = set()
    # In the order of their numbers, as everybody locks files.
    for index, number in sorted(enumerate(nonconformities), key=lambda each: each[1]):
        try:
            nc_file, _ = await locked(session, number)
        except LookupError as error:
            raise NcRefused("invalid", f"there is no nonconformity {number}", f"nonconformities/{index}") from error
        drills.add(nc_file.drill)
    if len(drills) > 1:
        raise NcRefused("invalid", "a drill and the real thing are kept apart", "nonconformities")
    drill = drills == {True}
    file = await files.open_file(session, QualityKind.CAPA, title, by=who.principal, now=who.at, drill=drill)
    await capas.open_capa(session, file, 1, title, [], who.at)
    capa = await capas.get(session, file.number, 1)
    await note(session, file.number, "capa.requested", who, {"nonconformities": list(nonconformities)}, reason=reason)
    await tie(session, capa, nonconformities, who)
    return file


async def reserve(session: AsyncSession, principal: str, key: str, number: str) -> None:
    """Note the number under the caller's key, in the transaction that creates the file."""
    change = update(IdempotencyKey).where(col(IdempotencyKey.principal) == principal, col(IdempotencyKey.key) == key)
    await session.exec(change.values(file_number=number))


async def tie(session: AsyncSession, capa: Capa, nonconformities: Sequence[str], who: Who) -> None:
    """Let the CAPA answer these nonconformities; each file's chain says so."""
    for number in sorted(set(nonconformities)):
        row = {
            "capa_id": capa.id,
            "nonconformity_number": number,
            "linked_by": who.principal,
            "linked_at": who.at,
        }
        if await insert_new(session, CapaNonconformity, row):
            await note(session, number, "nc.capa_opened", who, {"file": capa.file, "capa": capa.sequence})


async def of_nonconformity(session: AsyncSession, number: str) -> list[str]:
    """CAPAs that answer a nonconformity, by their names."""
    query = (
        select(Capa)
        .join(CapaNonconformity, col(CapaNonconformity.capa_id) == col(Capa.id))
        .where(col(CapaNonconformity.nonconformity_number) == number)
        .order_by(col(Capa.id))
    )
    return [name_of(each) for each in (await session.exec(query)).all()]


def name_of(capa: Capa) -> str:
    """`RC-2026-000001/capas/1`, or `CA-2026-000002` of one without a recall."""
    return f"{capa.recall_number}/capas/{capa.sequence}" if capa.recall_number else capa.file


async def ties_of(session: AsyncSession, capa: Capa) -> dict[str, Any]:
    """What else is on record about a CAPA: where it is merged into, what into it, which nonconformities it answers."""
    into = await session.get(Capa, capa.merged_into_id) if capa.merged_into_id else None
    merged = select(Capa).where(col(Capa.merged_into_id) == capa.id).order_by(col(Capa.id))
    answered = select(CapaNonconformity.nonconformity_number).where(col(CapaNonconformity.capa_id) == capa.id)
    return {
        "merged_into": name_of(into) if into else None,
        "merged": [name_of(each) for each in (await session.exec(merged)).all()],
        "nonconformities": sorted((await session.exec(answered)).all()),
    }


async def listed(session: AsyncSession, *, after: str, limit: int) -> Sequence[Capa]:
    """CAPAs without a recall, by number."""
    query = select(Capa).where(col(Capa.file_number) > after).order_by(col(Capa.file_number)).limit(limit)
    return (await session.exec(query)).all()


async def unstarted(session: AsyncSession, before: datetime) -> list[str]:
    """Numbers of CAPAs recorded before `before` whose workflow has not offered a task yet: it may never have begun."""
    return list((await run(session, _UNSTARTED, {"before": before})).scalars())


__all__ = ["listed", "name_of", "of_nonconformity", "open_without_recall", "reserve", "tie", "ties_of", "unstarted"]
