"""Goods documents a recall stops: orders, picks, shipments, announced receipts; and the signed decisions about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, Signs, disposal_desk
from api.nudge import nudge_stock
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import recall_documents
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.recall_document import RecallDocument, StopState
from models.schemas_goods_documents import (
    DecideDocumentIn,
    DecideDocumentsIn,
    GoodsDocumentOut,
    GoodsDocumentPage,
    GoodsDocumentsOut,
)

router = APIRouter(prefix="/recalls/{number}/goods-documents", tags=["holds"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
DocumentId = Annotated[int, Path(ge=1, le=2**53)]
_PROBLEMS = (*PROBLEMS, "wrong_state", "four_eyes", "signature_required", "not_trained")
_MEANING = {
    StopState.releasing: "I decide that this document goes on",
    StopState.cancelling: "I decide that this document is cancelled",
}
_OPERATION = {StopState.releasing: "release_documents", StopState.cancelling: "cancel_documents"}


@router.get(
    "",
    operation_id="listGoodsDocuments",
    summary="Goods documents under a recall",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_goods_documents(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    of_state: Annotated[StopState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> GoodsDocumentPage:
    """Documents at all keepers that name the recall's lots: stopped, watched, and what became of them."""
    await load(state, number)
    name = listing_name("goods_documents", number=number, state=of_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await recall_documents.listed(
            session, number, state=of_state, after=after[0] if after else 0, limit=limit + 1
        )
    now = state.now()
    page = page_of(rows, limit, lambda row: _out(row, now), lambda row: state.cursors.write(name, [row.id]))
    return GoodsDocumentPage(items=page.items, next_cursor=page.next_cursor)


@router.post(
    "/release",
    operation_id="releaseGoodsDocuments",
    summary="Let stopped documents go on",
    response_model=GoodsDocumentsOut,
    responses=problems(*_PROBLEMS),
)
async def release_documents(number: NumberDep, body: DecideDocumentsIn, desk: DeskDep) -> JSONResponse:
    """This recall stops them no more; another recall's stop stays. The stock of its lots stays locked all the same."""
    return await _decide(desk, number, body.ids, StopState.releasing, body.reason)


@router.post(
    "/cancel",
    operation_id="cancelGoodsDocuments",
    summary="Cancel documents at their keepers",
    response_model=GoodsDocumentsOut,
    responses=problems(*_PROBLEMS),
)
async def cancel_documents(number: NumberDep, body: DecideDocumentsIn, desk: DeskDep) -> JSONResponse:
    """Their keepers end them for good."""
    return await _decide(desk, number, body.ids, StopState.cancelling, body.reason)


@router.post(
    "/{document_id}/release",
    operation_id="releaseGoodsDocument",
    summary="Let a stopped document go on",
    response_model=GoodsDocumentsOut,
    responses=problems(*_PROBLEMS),
)
async def release_document(
    number: NumberDep, document_id: DocumentId, body: DecideDocumentIn, desk: DeskDep
) -> JSONResponse:
    """As the decision about many, for one."""
    return await _decide(desk, number, [document_id], StopState.releasing, body.reason)


@router.post(
    "/{document_id}/cancel",
    operation_id="cancelGoodsDocument",
    summary="Cancel a document at its keeper",
    response_model=GoodsDocumentsOut,
    responses=problems(*_PROBLEMS),
)
async def cancel_document(
    number: NumberDep, document_id: DocumentId, body: DecideDocumentIn, desk: DeskDep
) -> JSONResponse:
    """As the decision about many, for one."""
    return await _decide(desk, number, [document_id], StopState.cancelling, body.reason)


class _Decided(BaseModel):
    """Body of a decision as the audit and the Idempotency-Key know it."""

    documents: list[int]
    reason: str


async def _decide(desk: DisposalDesk, number: str, ids: Sequence[int], wanted: StopState, reason: str) -> JSONResponse:
    stated = _Decided(documents=list(ids), reason=reason)

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        rows = await recall_documents.decide(session, number, ids, wanted, who, reason)
        return GoodsDocumentsOut(items=[_out(row, who.at) for row in rows])

    async def done(session: AsyncSession, request: str) -> bool:
        return await recall_documents.decided_by(session, number, request)

    signs = Signs(_MEANING[wanted], _OPERATION[wanted], stated.model_dump(mode="json"), done)
    answer = await desk.carry_out(Permission.DECIDE_DOCUMENTS, _OPERATION[wanted], stated, act, signs=signs)
    # The watch asks the keepers at once instead of at its next turn.
    await nudge_stock(desk.state, number)
    return answer


def _out(row: RecallDocument, now: datetime) -> GoodsDocumentOut:
    until = row.confirmed_at or row.ended_at or now
    fields = {name: getattr(row, name) for name in GoodsDocumentOut.model_fields if name != "age_seconds"}
    return GoodsDocumentOut(**fields, age_seconds=max(int((until - row.requested_at).total_seconds()), 0))


__all__ = ["router"]
