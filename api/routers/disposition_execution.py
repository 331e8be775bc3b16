"""Carrying out approved dispositions: one in parts, or several of one kind under one document."""

from collections.abc import Sequence as Many
from decimal import Decimal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep
from api.disposal_work import PROBLEMS
from api.problems import problems
from api.routers.dispositions import DeskDep, Sequence, disposition_out, part_out
from db.repositories import disposition_parts, release
from db.repositories.disposition_parts import Carried, Common, Outcome, ResultLotFacts
from db.repositories.disposition_who import Who
from db.repositories.release import Left
from domain.disposition import DispositionKind
from domain.roles import Permission
from models.schemas_disposition import ExecutionOut, ExecutionsIn, ExecutionsOut, PartIn

router = APIRouter(prefix="/recalls/{number}", tags=["disposition"])


@router.post(
    "/dispositions/{sequence}/execute",
    operation_id="executeDisposition",
    summary="Carry out a part",
    response_model=ExecutionOut,
    responses=problems(*PROBLEMS),
)
async def execute_disposition(number: NumberDep, sequence: Sequence, body: PartIn, desk: DeskDep) -> JSONResponse:
    """Stock, holds, claims and movements change in one transaction. More than is there is refused, always."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        result = ResultLotFacts(**body.result_lot.model_dump()) if body.result_lot else None
        given = body.model_dump(exclude={"result_lot", "evidence_ids"})
        files = tuple(str(each) for each in body.evidence_ids)
        carried = Carried(**given, evidence_ids=files, result_lot=result)
        outcome = await disposition_parts.execute(session, number, sequence, carried, who)
        return (await _executions(session, [outcome]))[0]

    operation = f"execute_disposition_{sequence}"
    return await desk.carry_out(Permission.EXECUTE_DISPOSITION, operation, body, act, evidence_ids=body.evidence_ids)


@router.post(
    "/dispositions/execute",
    operation_id="executeDispositions",
    summary="Carry out several dispositions under one document",
    response_model=ExecutionsOut,
    responses=problems(*PROBLEMS),
)
async def execute_dispositions(number: NumberDep, body: ExecutionsIn, desk: DeskDep) -> JSONResponse:
    """Parts of dispositions of one kind that one document, one witness and one set of files prove; all or none.

    As for one; a refusal names the disposition. Rework and replacement name a lot with each part: one call each.
    """

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        parts = [(each.sequence, each.quantity) for each in body.parts]
        shared = body.model_dump(exclude={"parts", "evidence_ids"})
        common = Common(**shared, evidence_ids=tuple(str(each) for each in body.evidence_ids))
        outcomes = await disposition_parts.execute_all(session, number, parts, common, who)
        return ExecutionsOut(items=await _executions(session, outcomes))

    operation = "execute_dispositions"
    return await desk.carry_out(Permission.EXECUTE_DISPOSITION, operation, body, act, evidence_ids=body.evidence_ids)


async def _executions(session: AsyncSession, outcomes: Many[Outcome]) -> list[ExecutionOut]:
    released = [row for row, _ in outcomes if row.kind == DispositionKind.release.value]
    left = dict(zip((row.id for row in released), await release.left_at(session, released), strict=True))
    nothing = Left(still_held_by=[], usable=Decimal(0))
    found = []
    for row, part in outcomes:
        here = left.get(row.id, nothing)
        found.append(
            ExecutionOut(
                disposition=disposition_out(row),
                part=part_out(part),
                still_held_by=here.still_held_by,
                usable=here.usable,
            )
        )
    return found


__all__ = ["router"]
