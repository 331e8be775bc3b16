"""Requests to logistics providers about goods on their way: stop, redirect, return; and what they answered."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, disposal_desk
from api.nudge import nudge_owners, nudge_stock
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import logistics, redirects
from db.repositories.disposition_who import Who
from db.repositories.logistics import Answer, Ask, task_key
from domain.roles import Permission
from domain.workflow_ids import recall_id
from models.logistics import LogisticsRequest
from models.schemas_logistics import (
    LogisticsAnswerIn,
    LogisticsAsksIn,
    LogisticsEndIn,
    LogisticsMadeOut,
    LogisticsOut,
    LogisticsPage,
)

router = APIRouter(prefix="/recalls/{number}/logistics-requests", tags=["holds"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
RequestId = Annotated[int, Path(ge=1, le=2**53)]


@router.get(
    "",
    operation_id="listLogisticsRequests",
    summary="Requests to logistics providers",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_logistics_requests(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> LogisticsPage:
    """Oldest first."""
    await load(state, number)
    name = listing_name("logistics", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await logistics.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
    page = page_of(rows, limit, _out, lambda row: state.cursors.write(name, [row.id]))
    return LogisticsPage(items=page.items, next_cursor=page.next_cursor)


@router.post(
    "",
    operation_id="askLogistics",
    summary="Ask logistics providers",
    status_code=201,
    response_model=LogisticsMadeOut,
    responses=problems(*PROBLEMS),
)
async def ask_logistics(number: NumberDep, body: LogisticsAsksIn, desk: DeskDep) -> JSONResponse:
    """Each becomes a task of the warehouse with a due time by policy; its answer is a document number."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        asked = [Ask(**each.model_dump()) for each in body.requests]
        return LogisticsMadeOut(items=[_out(row) for row in await logistics.ask(session, number, asked, who)])

    answer = await desk.carry_out(Permission.CONFIRM_HOLD, "ask_logistics", body, act, status=201)
    await nudge_owners(desk.state, [(recall_id(number), "logistics")])
    return answer


@router.post(
    "/{request_id}/answer",
    operation_id="answerLogistics",
    summary="Record a provider's answer",
    response_model=LogisticsOut,
    responses=problems(*PROBLEMS),
)
async def answer_logistics(
    number: NumberDep, request_id: RequestId, body: LogisticsAnswerIn, desk: DeskDep
) -> JSONResponse:
    """Its document number confirms that the goods are held; the same number again changes nothing."""
    return await _end(desk, number, request_id, body, Answer(**body.model_dump()), "answer")


@router.post(
    "/{request_id}/refuse",
    operation_id="refuseLogistics",
    summary="Record that a provider refused",
    response_model=LogisticsOut,
    responses=problems(*PROBLEMS),
)
async def refuse_logistics(
    number: NumberDep, request_id: RequestId, body: LogisticsEndIn, desk: DeskDep
) -> JSONResponse:
    """The hold stays unconfirmed; another request can be made."""
    return await _end(desk, number, request_id, body, Answer(None, None, body.reason), "refuse")


@router.post(
    "/{request_id}/withdraw",
    operation_id="withdrawLogistics",
    summary="Withdraw a request to a provider",
    response_model=LogisticsOut,
    responses=problems(*PROBLEMS),
)
async def withdraw_logistics(
    number: NumberDep, request_id: RequestId, body: LogisticsEndIn, desk: DeskDep
) -> JSONResponse:
    """The goods arrived, or it was the wrong shipment."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _out(await logistics.withdraw(session, number, request_id, body.reason, who))

    answer = await desk.carry_out(Permission.CONFIRM_HOLD, f"withdraw_logistics_{request_id}", body, act)
    await nudge_owners(desk.state, [(recall_id(number), task_key(request_id))])
    return answer


async def _end(
    desk: DisposalDesk, number: str, request_id: int, body: BaseModel, given: Answer, what: str
) -> JSONResponse:
    tracing: list[str] = []

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await logistics.answer(session, number, request_id, given, who)
        tracing.extend(await redirects.concerned(session, row))
        return _out(row)

    answer = await desk.carry_out(Permission.CONFIRM_HOLD, f"{what}_logistics_{request_id}", body, act)
    await nudge_owners(desk.state, [(recall_id(number), task_key(request_id))])
    for each in tracing:
        await nudge_stock(desk.state, each)
    return answer


def _out(row: LogisticsRequest) -> LogisticsOut:
    return LogisticsOut(**{name: getattr(row, name) for name in LogisticsOut.model_fields})


__all__ = ["router"]
