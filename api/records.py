"""Records that several routes need first."""

from api.problems import Problem
from api.state import ApiState
from db.repositories import recalls_read
from models.recall import Recall


async def load(state: ApiState, number: str) -> Recall:
    """The recall row.

    Raises:
        Problem: 404 when no recall has this number.
    """
    async with state.sessions() as session:
        recall = await recalls_read.find(session, number)
    if recall is None:
        raise Problem("recall_unknown", f"There is no recall {number}.")
    return recall


__all__ = ["load"]
