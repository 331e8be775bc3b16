"""Returns counted at our dock: on record, in stock and under hold in one step."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import ledger, lot_status, return_authorizations, returns
from db.repositories.disposition_who import Who
from db.repositories.returns import Counted
from domain.return_authorization import parse_rma, rma_number
from domain.roles import Permission
from models.disposition import GoodsReturn
from models.schemas_common import Page
from models.schemas_supply import ReturnedOut, ReturnIn, ReturnOut

router = APIRouter(prefix="/recalls/{number}/returns", tags=["disposition"])


@router.post(
    "",
    operation_id="countReturn",
    summary="Count a return",
    status_code=201,
    response_model=ReturnedOut,
    responses=problems(*PROBLEMS),
)
async def count_return(
    number: NumberDep, body: ReturnIn, desk: Annotated[DisposalDesk, Depends(disposal_desk)]
) -> JSONResponse:
    """What is counted is what counts. An approved return of the consignee is carried out by it.

    An RMA that is misread, void or of another recall is refused; what comes beyond the announced units is counted, held
    and flagged.
    """

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        counted = await _counted(session, number, body)
        row, changed = await returns.record(session, number, counted, who, [str(each) for each in body.evidence_ids])
        held_by = list(await ledger.under_hold(session, counted.lot_id, counted.location_id))
        return ReturnedOut(
            counted=_return_out(row),
            held_by=held_by,
            beyond_record=changed.beyond_record if changed else False,
            beyond_capacity=await lot_status.overflow(session, counted.location_id),
        )

    return await desk.carry_out(
        Permission.EXECUTE_DISPOSITION, "count_return", body, act, status=201, evidence_ids=body.evidence_ids
    )


@router.get(
    "",
    operation_id="listReturns",
    summary="Returns of a recall",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_returns(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[ReturnOut]:
    """As counted, oldest first."""
    await load(state, number)
    name = listing_name("returns", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await returns.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _return_out, lambda row: state.cursors.write(name, [row.id]))


async def _counted(session: AsyncSession, number: str, body: ReturnIn) -> Counted:
    given = body.model_dump(exclude={"evidence_ids", "rma"})
    if body.rma is not None:
        named = {"consignee_id": body.consignee_id, "lot_id": body.lot_id}
        found = await return_authorizations.returning(session, number, body.rma, **named)
        given |= {
            "consignee_id": found.consignee_id,
            "lot_id": found.lot_id,
            "rma": rma_number(parse_rma(body.rma)),
        }
    return Counted(**given)


def _return_out(row: GoodsReturn) -> ReturnOut:
    return ReturnOut(**{name: getattr(row, name) for name in ReturnOut.model_fields})


__all__ = ["router"]
