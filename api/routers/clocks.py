"""Clock starts: the recorded facts that limits run from, those people record, and signed corrections."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep
from api.idempotency import Answer, once
from api.nudge import nudge_recall, nudge_workflow
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import sign, signs
from api.state import ApiState
from db.repositories import clock_records
from db.repositories.clock_records import ClockRefused, Listed, Stated
from db.repositories.recalls import CORRECTS
from domain.roles import Permission
from domain.workflow_ids import obligations_id
from models.access import IdempotencyKey
from models.recall import ClockStart
from models.schemas_clocks import ClockCorrectionIn, ClockStartIn, ClockStartOut
from models.schemas_common import FieldProblem

router = APIRouter(
    prefix="/recalls/{number}/clocks",
    tags=["obligations"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
Recorder = Annotated[Principal, Depends(signs(Permission.SUBMIT_OBLIGATION, "I confirm when this clock started"))]
ClockId = Annotated[int, Path(ge=1, le=2**53, description="The clock start's id.")]
_CHANGING = problems(
    "bad_request",
    "idempotency_key_missing",
    "recall_unknown",
    "clock_refused",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)
Act = Callable[[AsyncSession, Stated], Awaitable[ClockStart]]


@router.get("", operation_id="listClockStarts", summary="Clock starts")
async def list_clock_starts(number: NumberDep, _: ReaderDep, state: StateDep) -> list[ClockStartOut]:
    """Every recorded clock start with instant, source and author, in the order of recording."""
    await load(state, number)
    async with state.sessions() as session:
        return [_out(each) for each in await clock_records.listed(session, number)]


@router.post(
    "",
    operation_id="recordClockStart",
    status_code=201,
    summary="Record a clock start",
    response_model=ClockStartOut,
    responses=_CHANGING,
)
async def record_clock_start(
    request: Request, number: NumberDep, body: ClockStartIn, key: KeyDep, principal: Recorder, state: StateDep
) -> JSONResponse:
    """A first communication by telephone, in the press or on any other channel, or an authority's order.

    An earlier first communication than the recorded one corrects it; what is due becomes earlier at once.
    """

    async def act(session: AsyncSession, stated: Stated) -> ClockStart:
        if body.clock == "first_communication":
            return await clock_records.communicated(session, stated, str(body.channel))
        return await clock_records.ordered(session, stated, str(body.jurisdiction))

    return await _carry_out(state, request, number, key, principal, body, "record_clock_start", act)


@router.post(
    "/{clock_id}/correct",
    operation_id="correctClockStart",
    status_code=201,
    summary="Correct a clock start",
    response_model=ClockStartOut,
    responses=_CHANGING | problems("clock_unknown"),
)
async def correct_clock_start(
    request: Request,
    number: NumberDep,
    clock_id: ClockId,
    body: ClockCorrectionIn,
    key: KeyDep,
    principal: Recorder,
    state: StateDep,
) -> JSONResponse:
    """Sign the right instant. The old one stays on record, and nothing open becomes later by it."""

    async def act(session: AsyncSession, stated: Stated) -> ClockStart:
        try:
            return await clock_records.correct(session, stated, clock_id)
        except LookupError as error:
            raise Problem("clock_unknown", f"The recall {number} has no clock start {clock_id}.") from error

    return await _carry_out(state, request, number, key, principal, body, "correct_clock_start", act, clock=clock_id)


async def _carry_out(
    state: ApiState,
    request: Request,
    number: str,
    key: str,
    principal: Principal,
    body: ClockStartIn | ClockCorrectionIn,
    operation: str,
    act: Act,
    **more: Any,
) -> JSONResponse:
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        signer = await sign(state, principal, number, operation, more | body.model_dump(mode="json"))
        stated = _stated(number, body, principal, state.now(), signer.signature)
        async with state.sessions.begin() as session:
            with citing(body.evidence_ids):
                try:
                    row = await act(session, stated)
                except ClockRefused as error:
                    raise _problem(error) from error
            answer = _out(Listed(row, None))
        await nudge_workflow(state, obligations_id(number))
        await nudge_recall(state, number, "checklist")
        return Answer(201, answer)

    return await once(state, request, principal, key, asked=_asked(body, more), operation=carry_out)


def _asked(body: BaseModel, more: dict[str, Any]) -> dict[str, Any]:
    return more | body.model_dump(mode="json")


def _stated(
    number: str,
    body: ClockStartIn | ClockCorrectionIn,
    principal: Principal,
    now: datetime,
    signature: str | None,
) -> Stated:
    return Stated(
        number=number,
        at=body.at,
        reference=body.reference,
        evidence_ids=body.evidence_ids,
        by=principal.name,
        role=principal.role_for(Permission.SUBMIT_OBLIGATION),
        now=now,
        reason=body.reason if isinstance(body, ClockCorrectionIn) else None,
        signature=signature,
    )


def _problem(error: ClockRefused) -> Problem:
    if error.field is None:
        return Problem("clock_refused", f"{str(error)[:1].upper()}{str(error)[1:]}.")
    fault = FieldProblem(pointer=f"#/{error.field}", detail=str(error))
    return Problem("invalid", "One value is not valid; see `errors`.", errors=[fault])


def _out(each: Listed) -> ClockStartOut:
    row = each.row
    name, corrected, _ = row.name.partition(CORRECTS)
    return ClockStartOut(
        id=row.id or 0,
        name=name,
        scope_version=row.scope_version,
        at=row.at,
        source=row.source,
        author=row.author,
        recorded_at=row.recorded_at,
        corrects=name if corrected else None,
        corrected_by=each.corrected_by,
    )


__all__ = ["router"]
