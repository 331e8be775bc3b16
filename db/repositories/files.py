"""Whatever has tasks, messages, evidence and an audit chain under a number of its own: a recall or a file of quality.

Locks are taken in one order: recalls by number, then files of quality by number.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import recalls
from domain.quality_numbers import QualityKind, is_quality_number, quality_number
from models.quality import QualityFile
from models.recall import Recall

File = Recall | QualityFile


class UnknownFile(LookupError):  # noqa: N818 - a term of the API
    """There is no recall and no file of quality with this number."""


async def get(session: AsyncSession, number: str, *, lock: bool = False) -> File:
    """The recall or file with this number, locked for update if asked.

    Raises:
        db.repositories.recalls.UnknownRecall: it reads like a recall's and there is none.
        UnknownFile: it reads like a number of quality's and there is none.
    """
    if not is_quality_number(number):
        return await recalls.get(session, number, lock=lock)
    query = select(QualityFile).where(col(QualityFile.number) == number)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise UnknownFile(f"there is no {number}")
    return found


async def share(session: AsyncSession, numbers: Collection[str]) -> None:
    """Keep them from being locked by `get` until the transaction ends, beside others who do the same."""
    of_recalls = [each for each in numbers if not is_quality_number(each)]
    if of_recalls:
        await recalls.share(session, of_recalls)
    others = [each for each in numbers if is_quality_number(each)]
    if others:
        query = select(QualityFile.number).where(col(QualityFile.number).in_(others)).order_by(col(QualityFile.number))
        await session.exec(query.with_for_update(read=True, key_share=True))


def owner_columns(number: str) -> dict[str, str | None]:
    """The two columns that say to which file a row belongs."""
    quality = is_quality_number(number)
    return {"recall_number": None if quality else number, "file_number": number if quality else None}


def of_file(table: type[SQLModel], number: str) -> ColumnElement[bool]:
    """Rows of a table with these two columns that belong to the file."""
    name = "file_number" if is_quality_number(number) else "recall_number"
    condition: Any = col(getattr(table, name)) == number
    return condition  # type: ignore[no-any-return]


async def open_file(
    session: AsyncSession,
    kind: QualityKind,
    title: str,
    *,
    by: str,
    now: datetime,
    drill: bool = False,
    pace: float = 1.0,
) -> QualityFile:
    """Take the next number of its kind and create the file; the caller audits what it is about."""
    found = await run(session, "SELECT nextval('quality_number_seq')")
    number = quality_number(kind, now.year, int(found.scalar_one()))
    file = QualityFile(
        number=number, kind=kind.value, title=title[:200], drill=drill, pace=pace, started_by=by, created_at=now
    )
    session.add(file)
    await session.flush()
    return file


__all__ = ["File", "UnknownFile", "get", "of_file", "open_file", "owner_columns", "share"]
