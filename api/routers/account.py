"""The provisional account of a recall: how it stands, and the signed decisions about it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, Signs, disposal_desk
from api.problems import problems
from api.records import load
from db.repositories import costs, provisional_account
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.account import ProvisionalAccount
from models.schemas_account import AccountOut, AccountReasonIn, SettlementIn

router = APIRouter(prefix="/recalls/{number}/account", tags=["costs"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
_PROBLEMS = (*PROBLEMS, "wrong_state", "four_eyes", "signature_required", "not_trained")


@router.get(
    "",
    operation_id="getAccount",
    summary="Provisional account of a recall",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def get_account(number: NumberDep, _: ReaderDep, state: StateDep) -> AccountOut:
    """Opened with the recall, locked with its completion, settled by a document of the firm's ledger."""
    recall = await load(state, number)
    async with state.sessions() as session:
        row = await provisional_account.find(session, number)
        found = row or provisional_account.opened_with(number, recall.created_at, recall.started_by)
        return await _out(session, found)


@router.post(
    "/lock",
    operation_id="lockAccount",
    summary="Lock the provisional account",
    response_model=AccountOut,
    responses=problems(*_PROBLEMS),
)
async def lock_account(number: NumberDep, body: AccountReasonIn, desk: DeskDep) -> JSONResponse:
    """Nothing is booked any more. The recall's completion does this by itself; a cancelled recall needs somebody."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return await _out(session, await provisional_account.lock(session, number, who, body.reason))

    signs = Signs("I lock the provisional account of this recall", "lock_account", body.model_dump(mode="json"))
    return await desk.carry_out(Permission.MANAGE_ACCOUNT, "lock_account", body, act, signs=signs, goods=False)


@router.post(
    "/reopen",
    operation_id="reopenAccount",
    summary="Reopen the provisional account",
    response_model=AccountOut,
    responses=problems(*_PROBLEMS),
)
async def reopen_account(number: NumberDep, body: AccountReasonIn, desk: DeskDep) -> JSONResponse:
    """Costs may be booked again, for example of stock that is disposed of after the recall."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return await _out(session, await provisional_account.reopen(session, number, who, body.reason))

    signs = Signs("I reopen the provisional account of this recall", "reopen_account", body.model_dump(mode="json"))
    return await desk.carry_out(Permission.MANAGE_ACCOUNT, "reopen_account", body, act, signs=signs, goods=False)


@router.post(
    "/settle",
    operation_id="settleAccount",
    summary="Settle the provisional account",
    response_model=AccountOut,
    responses=problems(*_PROBLEMS),
)
async def settle_account(number: NumberDep, body: SettlementIn, desk: DeskDep) -> JSONResponse:
    """The locked balance is transferred to the final accounts; not by the person who locked the account."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await provisional_account.settle(session, number, body.settlement_no, who, body.reason)
        return await _out(session, row)

    signs = Signs(
        "I confirm that the balance is transferred by this document", "settle_account", body.model_dump(mode="json")
    )
    return await desk.carry_out(Permission.MANAGE_ACCOUNT, "settle_account", body, act, signs=signs, goods=False)


async def _out(session: AsyncSession, row: ProvisionalAccount) -> AccountOut:
    fields = {name: getattr(row, name) for name in AccountOut.model_fields if name != "totals"}
    return AccountOut(**fields, totals=await costs.totals(session, row.recall_number))


__all__ = ["router"]
