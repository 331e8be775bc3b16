"""What a release and a destruction rest on: inspections of lots, and steps with an authority that wants to watch."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, Signs
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from api.routers.dispositions import DeskDep
from db.repositories import inspections, supervision
from db.repositories.disposition_who import Who
from db.repositories.inspections import Inspected
from db.repositories.supervision import Step
from domain.roles import Permission
from models.disposal_proof import DestructionSupervision, LotInspection
from models.schemas_common import Page
from models.schemas_disposal_proof import InspectionIn, InspectionOut, SupervisionIn, SupervisionOut

router = APIRouter(prefix="/recalls/{number}", tags=["disposition"])
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")


@router.post(
    "/inspections",
    operation_id="recordInspection",
    summary="Record an inspection of a lot",
    status_code=201,
    response_model=InspectionOut,
    responses=problems(*PROBLEMS),
)
async def record_inspection(number: NumberDep, body: InspectionIn, desk: DeskDep) -> JSONResponse:
    """Passed or failed, with its report. The release gate asks for the newest of each kind its policies name."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        given = body.model_dump(exclude={"evidence_ids"})
        stated = Inspected(**given, evidence_ids=tuple(str(each) for each in body.evidence_ids))
        return _inspection_out(await inspections.record(session, number, stated, who))

    return await desk.carry_out(
        Permission.RECORD_INSPECTION, "record_inspection", body, act, status=201, evidence_ids=body.evidence_ids
    )


@router.get(
    "/inspections",
    operation_id="listInspections",
    summary="Inspections under a recall",
    responses=problems("bad_cursor", *_READING),
)
async def list_inspections(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    lot_id: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[InspectionOut]:
    """Oldest first."""
    await load(state, number)
    name = listing_name("inspections", number=number, lot=lot_id)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await inspections.listed(session, number, lot_id=lot_id, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _inspection_out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/destruction-supervision",
    operation_id="recordDestructionSupervision",
    summary="Record a step with an authority that watches destructions",
    status_code=201,
    response_model=SupervisionOut,
    responses=problems(*PROBLEMS),
)
async def record_supervision(number: NumberDep, body: SupervisionIn, desk: DeskDep) -> JSONResponse:
    """Signed: the plan was told, an appointment was made, or the authority waives it in writing."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        given = body.model_dump(exclude={"evidence_ids"})
        stated = Step(**given, evidence_ids=tuple(str(each) for each in body.evidence_ids))
        return _supervision_out(await supervision.record(session, number, stated, who))

    signs = Signs(
        "I confirm what the authority was told or decided about this destruction",
        "destruction_supervision",
        body.model_dump(mode="json"),
    )
    return await desk.carry_out(
        Permission.SUBMIT_OBLIGATION,
        "destruction_supervision",
        body,
        act,
        status=201,
        evidence_ids=body.evidence_ids,
        signs=signs,
    )


@router.get(
    "/destruction-supervision",
    operation_id="listDestructionSupervision",
    summary="Steps with authorities that watch destructions",
    responses=problems(*_READING),
)
async def list_supervision(number: NumberDep, _: ReaderDep, state: StateDep) -> list[SupervisionOut]:
    """Oldest first."""
    await load(state, number)
    async with state.sessions() as session:
        return [_supervision_out(row) for row in await supervision.listed(session, number)]


def _inspection_out(row: LotInspection) -> InspectionOut:
    return InspectionOut(**{name: getattr(row, name) for name in InspectionOut.model_fields})


def _supervision_out(row: DestructionSupervision) -> SupervisionOut:
    return SupervisionOut(**{name: getattr(row, name) for name in SupervisionOut.model_fields})


__all__ = ["router"]
