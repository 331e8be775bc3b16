"""A warehouse or carrier confirms that stock is locked where it lies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from api.deps import KeyDep, NumberDep, StateDep, require
from api.idempotency import Answer, once
from api.problems import Problem, problems
from api.records import load
from api.routers.recall_parts import hold_out
from api.security.bearer import Principal
from db.repositories import hold_confirmation
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_views import HoldConfirmIn, HoldOut

router = APIRouter(prefix="/recalls/{number}/holds", tags=["holds"])


@router.post(
    "/{hold_id}/confirm",
    operation_id="confirmHold",
    summary="Confirm a hold",
    response_model=HoldOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "hold_not_open",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def confirm_hold(
    request: Request,
    number: NumberDep,
    hold_id: Annotated[int, Path(ge=1, le=2**53)],
    body: HoldConfirmIn,
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.CONFIRM_HOLD))],
    state: StateDep,
) -> JSONResponse:
    """State that the position is locked. Confirming a confirmed hold again changes nothing."""
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        try:
            row = await hold_confirmation.confirm(
                state.sessions,
                number,
                hold_id,
                principal=principal.name,
                role=principal.role_for(Permission.CONFIRM_HOLD),
                note=body.note,
                now=state.now(),
            )
        except hold_confirmation.HoldNotOpen as error:
            raise Problem("hold_not_open", f"The hold is {error}.") from error
        if row is None:
            raise Problem("not_found", f"The recall {number} has no hold {hold_id}.")
        return Answer(200, hold_out(row))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


__all__ = ["router"]
