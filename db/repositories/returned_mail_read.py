"""Lists of the mail that came back."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.returned_mail import ReturnedMail


async def newest(
    session: AsyncSession, *, number: str | None, kind: str | None, outcome: str | None, before: int | None, limit: int
) -> Sequence[ReturnedMail]:
    """Mails with an id below `before`, newest first; each filter that is None takes all."""
    query = select(ReturnedMail).order_by(col(ReturnedMail.id).desc()).limit(limit)
    for column, wanted in (
        (ReturnedMail.recall_number, number),
        (ReturnedMail.kind, kind),
        (ReturnedMail.outcome, outcome),
    ):
        if wanted is not None:
            query = query.where(col(column) == wanted)
    if before is not None:
        query = query.where(col(ReturnedMail.id) < before)
    return (await session.exec(query)).all()


__all__ = ["newest"]
