"""Supplier corrective action requests: issued to a supplier's contact, judged answer by answer, closed by another."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.quality_desk import QualityDeskDep
from db.repositories import capa_files, supplier_requests
from db.repositories.disposition_who import Who
from domain.roles import Permission
from domain.supplier_request import Ask, RequestState, Stage
from models.capa import Capa
from models.master import Partner
from models.quality import QualityFile
from models.schemas_common import Filter, Page
from models.schemas_supplier_requests import (
    SupplierAnswerOut,
    SupplierCloseIn,
    SupplierExtensionIn,
    SupplierRequestIn,
    SupplierRequestItem,
    SupplierRequestOut,
    SupplierReviewIn,
    SupplierWithdrawIn,
)
from models.supplier_request import SupplierRequest

_READING: Final = problems("unauthenticated", "not_permitted", "not_found", "invalid")
_WRITING: Final[dict[int | str, dict[str, Any]]] = problems(
    "idempotency_key_missing",
    "unauthenticated",
    "signature_required",
    "not_permitted",
    "not_trained",
    "four_eyes",
    "not_found",
    "wrong_state",
    "request_in_progress",
    "invalid",
    "reason_required",
    "idempotency_key_reused",
)
_CLOSES: Final = "I have reviewed the supplier's answers and close this request"
router = APIRouter(prefix="/supplier-requests", tags=["supplier requests"])
ScNumber = Annotated[
    str, Path(pattern="^SC-[0-9]{4}-[0-9]{6}$", description="Number of the request.", examples=["SC-2026-000012"])
]


@router.post(
    "", operation_id="issueSupplierRequest", status_code=201, response_model=SupplierRequestOut, responses=_WRITING
)
async def issue(desk: QualityDeskDep, body: SupplierRequestIn) -> JSONResponse:
    """Issue a request; the supplier gets an e-mail with a link that serves every stage. A drill's mail never leaves."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        facts = body.model_dump(exclude={"capa_file", "capa_sequence"})
        capa = (body.capa_file, body.capa_sequence) if body.capa_file else None
        row = await supplier_requests.issue(session, Ask(**facts, capa=capa), who)
        return await _out(session, row.number, who.at)

    return await desk.carry_out(Permission.MANAGE_CAPA, "issue_supplier_request", body, act, status=201)


@router.get("", operation_id="listSupplierRequests", responses=_READING | problems("bad_cursor"))
async def list_requests(
    _: ReaderDep,
    state: StateDep,
    request_state: Annotated[RequestState | None, Query(alias="state")] = None,
    supplier: Annotated[Filter | None, Query(description="Code of the supplier.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SupplierRequestItem]:
    """By number."""
    name = listing_name("supplier_requests", state=request_state, supplier=supplier)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await supplier_requests.listed(
            session,
            state=request_state,
            supplier_code=supplier,
            after=str(after[0]) if after else "",
            limit=limit + 1,
        )
    now = state.now()
    return page_of(
        rows,
        limit,
        lambda row: SupplierRequestItem(**_facts(*row, now)),
        lambda row: state.cursors.write(name, [row[0].number]),
    )


@router.get("/{request_number}", operation_id="readSupplierRequest", responses=_READING)
async def read_request(request_number: ScNumber, _: ReaderDep, state: StateDep) -> SupplierRequestOut:
    """One request with its deadlines and every answer."""
    async with state.sessions() as session:
        return await _out(session, request_number, state.now())


@router.post(
    "/{request_number}/review",
    operation_id="reviewSupplierAnswer",
    response_model=SupplierRequestOut,
    responses=_WRITING,
)
async def review(request_number: ScNumber, desk: QualityDeskDep, body: SupplierReviewIn) -> JSONResponse:
    """Accept the answer that was read, or send it back with the reason; 409 once another one waits."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await supplier_requests.review(
            session, request_number, (body.stage, body.round), accepted=body.accepted, reason=body.reason, who=who
        )
        return await _out(session, request_number, who.at)

    return await desk.carry_out(Permission.MANAGE_CAPA, "review_supplier_answer", body, act)


@router.post(
    "/{request_number}/close",
    operation_id="closeSupplierRequest",
    response_model=SupplierRequestOut,
    responses=_WRITING,
)
async def close(request_number: ScNumber, desk: QualityDeskDep, body: SupplierCloseIn) -> JSONResponse:
    """Sign that it is closed, once every stage is accepted; never who accepted the last one."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await supplier_requests.close(session, request_number, body.conclusion, who)
        return await _out(session, request_number, who.at)

    return await desk.carry_out(
        Permission.APPROVE_CAPA,
        "close_supplier_request",
        body,
        act,
        meaning=_CLOSES,
        about={"supplier_request": request_number},
    )


@router.post(
    "/{request_number}/deadlines",
    operation_id="extendSupplierRequest",
    response_model=SupplierRequestOut,
    responses=_WRITING,
)
async def extend(request_number: ScNumber, desk: QualityDeskDep, body: SupplierExtensionIn) -> JSONResponse:
    """Give more time with reason: later deadlines of stages that are not over; the supplier gets a new link."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await supplier_requests.extend(session, request_number, body.due, body.reason, who)
        return await _out(session, request_number, who.at)

    return await desk.carry_out(Permission.MANAGE_CAPA, "extend_supplier_request", body, act)


@router.post(
    "/{request_number}/withdraw",
    operation_id="withdrawSupplierRequest",
    response_model=SupplierRequestOut,
    responses=_WRITING,
)
async def withdraw(request_number: ScNumber, desk: QualityDeskDep, body: SupplierWithdrawIn) -> JSONResponse:
    """Take a request back; its link is dead at once."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await supplier_requests.withdraw(session, request_number, body.reason, who)
        return await _out(session, request_number, who.at)

    return await desk.carry_out(Permission.MANAGE_CAPA, "withdraw_supplier_request", body, act)


def _facts(row: SupplierRequest, file: QualityFile, supplier: Partner, now: datetime) -> dict[str, Any]:
    due = row.due_at(Stage(row.stage))
    return {
        "number": row.number,
        "title": file.title,
        "supplier_code": supplier.code,
        "stage": row.stage,
        "state": row.state,
        "due_at": due,
        "overdue": row.state == RequestState.ASKED.value and due < now,
        "issued_by": row.issued_by,
        "issued_at": row.issued_at,
        "closed_at": row.closed_at,
        "drill": file.drill,
    }


async def _out(session: AsyncSession, number: str, now: datetime) -> SupplierRequestOut:
    found = await supplier_requests.find(session, number)
    if found is None:
        raise Problem("not_found", f"There is no supplier request {number}.")
    row = found[0]
    capa = await session.get(Capa, row.capa_id) if row.capa_id else None
    own = {"question", "contact_name", "language", "round", "accepted_by", "closed_by", "outcome"}
    return SupplierRequestOut(
        **_facts(*found, now),
        **row.model_dump(include=own),
        nonconformity=row.nonconformity_number,
        capa=capa_files.name_of(capa) if capa else None,
        deadlines={stage.value: row.due_at(stage) for stage in Stage},
        answers=[
            SupplierAnswerOut.model_validate(each, from_attributes=True)
            for each in await supplier_requests.answers(session, number)
        ],
    )


__all__ = ["router"]
