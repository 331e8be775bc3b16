"""What a recall costs: entries in ISO currencies, reversed by new ones, summed per currency."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import costs
from db.repositories.costs import Cost
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.disposition import CostEntry
from models.schemas_supply import CostIn, CostOut, CostsOut, ReasonIn

router = APIRouter(prefix="/recalls/{number}/costs", tags=["costs"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]


@router.post(
    "",
    operation_id="bookCost",
    summary="Book a cost",
    status_code=201,
    response_model=CostOut,
    responses=problems(*PROBLEMS, "account_locked"),
)
async def book_cost(number: NumberDep, body: CostIn, desk: DeskDep) -> JSONResponse:
    """An exact amount as text in an ISO 4217 currency; credits are negative."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _cost_out(await costs.book(session, number, Cost(**body.model_dump()), who))

    return await desk.carry_out(Permission.BOOK_COST, "book_cost", body, act, status=201)


@router.post(
    "/{entry_id}/reverse",
    operation_id="reverseCost",
    summary="Reverse a cost entry",
    status_code=201,
    response_model=CostOut,
    responses=problems(*PROBLEMS, "account_locked"),
)
async def reverse_cost(
    number: NumberDep, entry_id: Annotated[int, Path(ge=1, le=2**53)], body: ReasonIn, desk: DeskDep
) -> JSONResponse:
    """A new entry of the opposite amount; the wrong one stays on record."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _cost_out(await costs.reverse(session, number, entry_id, who, body.reason))

    return await desk.carry_out(Permission.BOOK_COST, f"reverse_cost_{entry_id}", body, act, status=201)


@router.get(
    "",
    operation_id="listCosts",
    summary="Costs of a recall",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_costs(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> CostsOut:
    """Entries as booked, and the sum of all entries per currency on every page; never a sum over two currencies."""
    await load(state, number)
    name = listing_name("costs", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await costs.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
        totals = await costs.totals(session, number)
    page = page_of(rows, limit, _cost_out, lambda row: state.cursors.write(name, [row.id]))
    return CostsOut(items=page.items, next_cursor=page.next_cursor, totals=totals)


def _cost_out(row: CostEntry) -> CostOut:
    return CostOut(**{name: getattr(row, name) for name in CostOut.model_fields})


__all__ = ["router"]
