"""Patient follow-up by hospitals, as counts: how many were exposed, contacted, monitored, and had a device replaced."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.case_work import Desk, desk
from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import Problem, problems
from api.records import load
from db.repositories import cases_read, patients
from db.repositories.cases import By
from models.case import PatientFollowUp
from models.schemas_cases import PatientsIn, PatientsList, PatientsOut

router = APIRouter(prefix="/recalls/{number}/consignees/{consignee_id}/patients", tags=["cases"])
ConsigneeId = Annotated[int, Path(ge=1, le=2**53)]


@router.post(
    "",
    operation_id="recordPatients",
    status_code=201,
    summary="Record a hospital's patient counts",
    response_model=PatientsOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "recall_closed",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def record_patients(
    consignee_id: ConsigneeId, body: PatientsIn, at_desk: Annotated[Desk, Depends(desk)]
) -> JSONResponse:
    """Counts only. Corrections are entered as new counts; final ones end the hospital's sub-case."""

    async def act(session: AsyncSession, by: By) -> PatientsOut:
        counts = patients.Counts(
            number=at_desk.number,
            consignee_id=consignee_id,
            form_id=at_desk.form_id("patients"),
            **body.model_dump(),
        )
        try:
            return _out(await patients.record(session, counts, by))
        except patients.NoHospital as error:
            raise Problem("invalid", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201, moved="checklist")


@router.get(
    "",
    operation_id="listPatients",
    summary="Patient counts of a hospital",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_patients(number: NumberDep, consignee_id: ConsigneeId, _: ReaderDep, state: StateDep) -> PatientsList:
    """Every statement, the newest last; the newest is the one that counts."""
    await load(state, number)
    async with state.sessions() as session:
        if not await cases_read.has_consignee(session, number, consignee_id):
            raise Problem("not_found", f"The recall {number} has no consignee {consignee_id}.")
        rows = await patients.listed(session, consignee_id)
    return PatientsList(items=[_out(row) for row in rows])


def _out(row: PatientFollowUp) -> PatientsOut:
    return PatientsOut.model_validate(row, from_attributes=True)


__all__ = ["router"]
