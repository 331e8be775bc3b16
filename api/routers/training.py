"""Training on policies (21 CFR 11.10(i)): who was trained on which version, and who could not sign now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from api.deps import KeyDep, ReaderDep, StateDep, refuse, require
from api.desk import audit_refusal
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.security.bearer import Principal
from db.repositories import training
from db.repositories.training import NoSuchVersion, OwnTraining, Training
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem, Page
from models.schemas_signing import TrainingIn, TrainingOut, TrainingRecorded, UntrainedOut

router = APIRouter(prefix="/training", tags=["signatures"], responses=problems("unauthenticated", "not_permitted"))
Recorder = Annotated[Principal, Depends(require(Permission.RECORD_TRAINING))]
Person = Annotated[
    str | None, Query(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$", description="Only this principal.")
]


@router.post(
    "",
    operation_id="recordTraining",
    summary="Record a training",
    status_code=201,
    response_model=TrainingRecorded,
    responses=problems(
        "idempotency_key_missing",
        "four_eyes",
        "not_permitted",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def record_training(
    request: Request, body: TrainingIn, key: KeyDep, caller: Recorder, state: StateDep
) -> JSONResponse:
    """That somebody was trained on a version of a policy, with what proves it; nobody records his own."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        now = state.now()
        if body.trained_on > now.date():
            fault = FieldProblem(pointer="#/trained_on", detail="expected today or an earlier day")
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault])
        try:
            async with state.sessions.begin() as session:
                role = caller.role_for(Permission.RECORD_TRAINING)
                await training.record(session, Training(**body.model_dump()), by=caller.name, role=role, at=now)
        except OwnTraining as error:
            await audit_refusal(state, None, caller, "record_training", "FourEyes")
            raise Problem("four_eyes", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        except NoSuchVersion as error:
            fault = FieldProblem(pointer="#/version", detail=str(error))
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault]) from error
        return Answer(201, TrainingRecorded(**body.model_dump(exclude={"evidence"})))

    return await once(state, request, caller, key, asked=body, operation=carry_out)


@router.get("", operation_id="listTraining", summary="Training records", responses=problems("bad_cursor", "invalid"))
async def list_training(
    caller: ReaderDep, state: StateDep, principal: Person = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[TrainingOut]:
    """Your own, or anybody's if you record training or read the audit."""
    if principal != caller.name and not (caller.may(Permission.RECORD_TRAINING) or caller.may(Permission.READ_AUDIT)):
        await refuse(state, caller, Permission.RECORD_TRAINING, None)
    name = listing_name("training", principal=principal)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await training.listed(session, principal=principal, after=after[0] if after else 0, limit=limit + 1)
    return page_of(
        rows,
        limit,
        lambda row: TrainingOut.model_validate(row, from_attributes=True),
        lambda row: state.cursors.write(name, [row.id]),
    )


@router.get("/missing", operation_id="listUntrained", summary="Who is not trained on what is in force")
async def list_untrained(_: Recorder, state: StateDep) -> list[UntrainedOut]:
    """Everybody whose function signs, with each policy in force they could not sign under today."""
    now = state.now()
    async with state.sessions() as session:
        rows = await training.gaps(session, await training.in_force(session, now.date()), now)
    names = ("principal", "policy_id", "version", "trained_version")
    return [UntrainedOut(**dict(zip(names, row, strict=True))) for row in rows]


__all__ = ["router"]
