"""Retained samples: kept as evidence, and settled with the authority's answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, Signs, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.records import load
from db.repositories import samples
from db.repositories.disposition_who import Who
from db.repositories.samples import Sample
from domain.roles import Permission
from models.disposition import RetainedSample
from models.schemas_common import Page
from models.schemas_supply import SampleIn, SampleOut, SettleSampleIn

router = APIRouter(prefix="/recalls/{number}/retained-samples", tags=["disposition"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]


@router.post(
    "",
    operation_id="retainSample",
    summary="Keep units as evidence",
    status_code=201,
    response_model=SampleOut,
    responses=problems(*PROBLEMS),
)
async def retain_sample(number: NumberDep, body: SampleIn, desk: DeskDep) -> JSONResponse:
    """No disposition may take these units until the authority has answered (MDR Art 89(1))."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        files = tuple(str(each) for each in body.evidence_ids)
        sample = Sample(body.lot_id, body.location_id, body.quantity, files, body.complaint)
        return _sample_out(await samples.retain(session, number, sample, who))

    return await desk.carry_out(
        Permission.EXECUTE_DISPOSITION, "retain_sample", body, act, status=201, evidence_ids=body.evidence_ids
    )


@router.post(
    "/{sample_id}/settle",
    operation_id="settleSample",
    summary="Record the authority's answer about a sample",
    response_model=SampleOut,
    responses=problems(*PROBLEMS),
)
async def settle_sample(
    number: NumberDep, sample_id: Annotated[int, Path(ge=1, le=2**53)], body: SettleSampleIn, desk: DeskDep
) -> JSONResponse:
    """Sign what the authority answered; from then on the units are disposed of like all others."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _sample_out(await samples.settle(session, number, sample_id, body.reference, who))

    signs = Signs(
        "I confirm the authority's answer about this sample",
        "settle_sample",
        {"sample": sample_id} | body.model_dump(mode="json"),
    )
    return await desk.carry_out(Permission.SUBMIT_OBLIGATION, f"settle_sample_{sample_id}", body, act, signs=signs)


@router.get(
    "",
    operation_id="listSamples",
    summary="Retained samples of a recall",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_samples(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[SampleOut]:
    """Oldest first."""
    await load(state, number)
    name = listing_name("samples", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await samples.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _sample_out, lambda row: state.cursors.write(name, [row.id]))


def _sample_out(row: RetainedSample) -> SampleOut:
    return SampleOut(**{name: getattr(row, name) for name in SampleOut.model_fields})


__all__ = ["router"]
