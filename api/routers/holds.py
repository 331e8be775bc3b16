"""A warehouse or carrier confirms that stock is locked where it lies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from api.deps import KeyDep, NumberDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.problems import Problem, problems
from api.records import load
from api.routers.recall_parts import hold_out
from api.security.bearer import Principal
from db.repositories import hold_checks, hold_confirmation
from domain.roles import Permission
from domain.workflow_ids import recall_id, update_id
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem
from models.schemas_views import HoldConfirmIn, HoldCountsIn, HoldOut, HoldsOut

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
        async with state.sessions() as session:
            found = await hold_checks.standing(session, [hold_id])
        return Answer(200, hold_out(row, found.get(hold_id), state.now()))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/verify",
    operation_id="verifyHolds",
    summary="Record counts of held units",
    response_model=HoldsOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def verify_holds(
    request: Request,
    number: NumberDep,
    body: HoldCountsIn,
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.CONFIRM_HOLD))],
    state: StateDep,
) -> JSONResponse:
    """Somebody went and counted held units where they lie: the last step in the life of a hold.

    A count that differs changes no claim: it is a gap of the trace and a task until another count agrees.
    """
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        counts = [hold_checks.Count(each.hold_id, each.counted, each.note, each.evidence_id) for each in body.counts]
        try:
            async with state.sessions.begin() as session:
                await hold_checks.record(
                    session,
                    number,
                    counts,
                    by=principal.name,
                    role=principal.role_for(Permission.CONFIRM_HOLD),
                    request=update_id(principal.name, "verify_holds", f"{number} {key}"),
                    now=state.now(),
                )
        except hold_checks.HoldsNotChecked as error:
            errors = [FieldProblem(pointer=f"#/counts/{place}", detail=what) for place, what in error.faults]
            raise Problem("invalid", "Counts cannot be recorded; see `errors`.", errors=errors) from error
        ids = [each.hold_id for each in body.counts]
        async with state.sessions() as session:
            found = await hold_checks.standing(session, ids)
            rows = [await hold_confirmation.find(session, number, each) for each in ids]
        await nudge_owners(state, [(recall_id(number), "hold_count")])
        return Answer(200, HoldsOut(holds=[hold_out(each, found.get(each[0].id), state.now()) for each in rows]))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


__all__ = ["router"]
