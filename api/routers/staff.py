"""Our own people: whom a recall reminds, hands tasks over to and pages, who is away and who stands in.

Addresses are personal data: everybody reads their own record, whoever manages staff reads all.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import ReaderDep, StateDep, refuse, require
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.security.bearer import Principal
from api.views import staff_out
from db.repositories import staff
from domain.roles import Permission
from models.schemas_common import FieldProblem, Page
from models.schemas_tasks import StaffIn, StaffOut

router = APIRouter(prefix="/staff", tags=["staff"])
Manager = Annotated[Principal, Depends(require(Permission.MANAGE_STAFF))]
PrincipalName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=120,
        pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$",
        description="Principal of the access tokens.",
        examples=["Quinn Abara"],
    ),
]


@router.get(
    "",
    operation_id="listStaff",
    summary="List staff",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_staff(_: Manager, state: StateDep, limit: Limit = 100, cursor: Cursor = None) -> Page[StaffOut]:
    """Everybody on record, by principal."""
    name = listing_name("staff")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await staff.listed(session, after=str(after[0]) if after else None, limit=limit + 1)
    now = state.now()
    return page_of(rows, limit, lambda row: staff_out(row, now), lambda row: state.cursors.write(name, [row.principal]))


@router.get(
    "/{principal}",
    operation_id="readStaff",
    summary="Read one person's record",
    responses=problems("unauthenticated", "not_permitted", "not_found", "invalid"),
)
async def read_staff(principal: PrincipalName, caller: ReaderDep, state: StateDep) -> StaffOut:
    """Your own record, or anybody's if you manage staff."""
    if principal != caller.name and not caller.may(Permission.MANAGE_STAFF):
        await refuse(state, caller, Permission.MANAGE_STAFF, None)
    async with state.sessions() as session:
        row = await staff.find(session, principal)
    if row is None:
        raise Problem("not_found", "Nobody on staff has this principal.")
    return staff_out(row, state.now())


@router.put(
    "/{principal}",
    operation_id="putStaff",
    summary="Create or replace a person's record",
    responses=problems("unauthenticated", "not_permitted", "invalid"),
)
async def put_staff(principal: PrincipalName, body: StaffIn, caller: Manager, state: StateDep) -> StaffOut:
    """Set functions, addresses, absence and stand-in; repeating it changes nothing. Permissions stay with the token."""
    facts = staff.StaffFacts(**body.model_dump(exclude={"roles"}), roles=tuple(role.value for role in body.roles))
    now = state.now()
    async with state.sessions.begin() as session:
        if body.stand_in is not None:
            await _known(session, body.stand_in)
        try:
            role = caller.role_for(Permission.MANAGE_STAFF)
            await staff.put(session, principal, facts, actor=caller.name, role=role, at=now)
        except ValueError as error:
            raise _invalid(str(error)) from error
        row = await staff.find(session, principal)
    assert row is not None  # noqa: S101 - written in this transaction
    return staff_out(row, now)


async def _known(session: AsyncSession, stand_in: str) -> None:
    if await staff.find(session, stand_in) is None:
        raise _invalid("expected somebody who is on staff, so that messages reach them")


def _invalid(detail: str) -> Problem:
    return Problem(
        "invalid", "One value is not valid; see `errors`.", errors=[FieldProblem(pointer="#/stand_in", detail=detail)]
    )


__all__ = ["router"]
