"""In which order the channels of a recipient are used, where the policies of a recall order them for its class.

Otherwise a recipient's own order counts: it knows best how it is reached.
"""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import recalls
from domain.levels import RecallClass
from models.recall import Recall


async def preferred(session: AsyncSession, number: str) -> list[str]:
    """The channels first choice first; empty where no policy orders them for the recall's class, or none is decided.

    Of several policies the first, by id, that does.
    """
    decided = (await session.exec(select(Recall.recall_class).where(col(Recall.number) == number))).one_or_none()
    if not decided:
        return []
    wanted = RecallClass(decided)
    policies = await recalls.pinned(session, number)
    ordered = (policy.channels.by_class[wanted] for policy in policies if wanted in policy.channels.by_class)
    return [channel.value for channel in next(ordered, ())]


__all__ = ["preferred"]
