"""Records that several routes need first."""

from api.problems import Problem
from api.state import ApiState
from db.repositories import deletions, recalls_read
from models.recall import Recall
from models.retention import Tombstone


async def load(state: ApiState, number: str) -> Recall:
    """The recall row.

    Raises:
        Problem: 404 when no recall has this number, 410 when its file was deleted after its retention date.
    """
    async with state.sessions() as session:
        recall = await recalls_read.find(session, number)
        stone = None if recall is not None else await deletions.tombstone(session, number)
    if recall is not None:
        return recall
    if stone is not None:
        detail = f"The file of {number} was deleted on {stone.deleted_at:%Y-%m-%d}; see /v1/tombstones/{number}."
        raise Problem("recall_deleted", detail)
    raise Problem("recall_unknown", f"There is no recall {number}.")


async def load_tombstone(state: ApiState, number: str) -> Tombstone | None:
    """What stands where a deleted file was; None when no file of this number was deleted."""
    async with state.sessions() as session:
        return await deletions.tombstone(session, number)


__all__ = ["load", "load_tombstone"]
