"""Responsible people: who answers for a function, a product line and a place, from which day to which."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import responsibilities
from db.repositories.responsibilities import By, ResponsibilityFacts, ResponsibilityRefused
from domain.roles import Permission, Role
from models.access import IdempotencyKey
from models.responsibility import Responsibility
from models.schemas_common import FieldProblem, Page
from models.schemas_responsibility import EndResponsibilityIn, ResponsibilityIn, ResponsibilityOut

router = APIRouter(prefix="/responsibilities", tags=["staff"], responses=problems("unauthenticated", "not_permitted"))
Manager = Annotated[Principal, Depends(require(Permission.MANAGE_STAFF))]
ResponsibilityId = Annotated[int, Path(ge=1, le=2**53, description="Responsibility id.")]
_DECIDING = ("idempotency_key_missing", "request_in_progress", "invalid", "idempotency_key_reused")


@router.get("", operation_id="listResponsibilities", summary="Who answers for what", responses=problems("bad_cursor"))
async def list_responsibilities(
    _: ReaderDep,
    state: StateDep,
    role: Annotated[Role | None, Query(description="Only this function.")] = None,
    on: Annotated[date | None, Query(description="Only what counts on this day.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ResponsibilityOut]:
    """In the order they were recorded. A task goes to the most specific one: product before place, name before `*`."""
    name = listing_name("responsibilities", role=role, on=on.isoformat() if on else None)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await responsibilities.listed(
            session, role=role, on=on, after=int(after[0]) if after else 0, limit=limit + 1
        )
    return page_of(rows, limit, _out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "",
    operation_id="addResponsibility",
    summary="Record who answers for what",
    status_code=201,
    response_model=ResponsibilityOut,
    responses=problems(*_DECIDING),
)
async def add_responsibility(
    request: Request, body: ResponsibilityIn, key: KeyDep, caller: Manager, state: StateDep
) -> JSONResponse:
    """Both persons must be on staff and hold the function, or be its head."""

    async def act(session: AsyncSession, by: By) -> Responsibility:
        return await responsibilities.add(session, ResponsibilityFacts(**body.model_dump()), by)

    return await once(state, request, caller, key, asked=body, operation=_carry_out(state, caller, 201, act))


@router.post(
    "/{responsibility_id}/end",
    operation_id="endResponsibility",
    summary="End a responsibility",
    response_model=ResponsibilityOut,
    responses=problems("not_found", *_DECIDING),
)
async def end_responsibility(
    request: Request,
    responsibility_id: ResponsibilityId,
    body: EndResponsibilityIn,
    key: KeyDep,
    caller: Manager,
    state: StateDep,
) -> JSONResponse:
    """Set its last day; nothing is deleted, and tasks already offered stay with whoever has them."""

    async def act(session: AsyncSession, by: By) -> Responsibility:
        row = await responsibilities.end(session, responsibility_id, body.last_day, by)
        if row is None:
            raise Problem("not_found", f"There is no responsibility {responsibility_id}.")
        return row

    asked = {"id": responsibility_id, **body.model_dump(mode="json")}
    return await once(state, request, caller, key, asked=asked, operation=_carry_out(state, caller, 200, act))


def _carry_out(
    state: ApiState, caller: Principal, status: int, act: Callable[[AsyncSession, By], Awaitable[Responsibility]]
) -> Callable[[IdempotencyKey], Awaitable[Answer]]:
    async def carry_out(_: IdempotencyKey) -> Answer:
        by = By(caller.name, caller.role_for(Permission.MANAGE_STAFF), state.now())
        try:
            async with state.sessions.begin() as session:
                return Answer(status, _out(await act(session, by)))
        except ResponsibilityRefused as error:
            fault = FieldProblem(pointer=f"#/{error.field}", detail=str(error))
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault]) from error

    return carry_out


def _out(row: Responsibility) -> ResponsibilityOut:
    return ResponsibilityOut.model_validate(row, from_attributes=True)


__all__ = ["router"]
