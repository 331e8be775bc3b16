"""What happened to one deadline: who computed, met or stopped it, when and why."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import Problem, problems
from api.records import load
from db.repositories import deadline_history, obligations
from models.schemas_obligations import DeadlineEventOut

router = APIRouter(
    prefix="/recalls/{number}/obligations",
    tags=["obligations"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
DeadlineId = Annotated[int, Path(ge=1, le=2**53, description="The deadline's id.")]


@router.get(
    "/{deadline_id}/history",
    operation_id="readDeadlineHistory",
    summary="History of a deadline",
    responses=problems("obligation_unknown"),
)
async def read_history(
    number: NumberDep, deadline_id: DeadlineId, _: ReaderDep, state: StateDep
) -> list[DeadlineEventOut]:
    """Who computed, met or stopped it, when and why; and each time new facts made it earlier, from what to what."""
    await load(state, number)
    async with state.sessions() as session:
        row = await obligations.find(session, number, deadline_id)
        if row is None:
            raise Problem("obligation_unknown", f"The recall {number} has no obligation {deadline_id}.")
        events = await deadline_history.history(session, number, row)
    return [DeadlineEventOut.model_validate(each, from_attributes=True) for each in events]


__all__ = ["router"]
