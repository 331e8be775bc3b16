"""Harm reported under a recall: entered by staff, listed, and closed with what came of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.case_work import Desk, desk, quality_desk
from api.citing import citing
from api.deps import NumberDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.quality_desk import quality_problems
from api.quality_views import code_out
from api.records import load
from db.repositories import complaint_codes, complaint_followup, complaints, evidence
from db.repositories.cases import By
from models.complaint import Complaint, ComplaintState
from models.harm import HarmReport, HarmStated
from models.quality import CodeTerm
from models.schemas_common import FieldProblem, Page
from models.schemas_complaints import ComplaintCloseIn, ComplaintCodesIn, ComplaintIn, ComplaintOut

router = APIRouter(prefix="/recalls/{number}/complaints", tags=["complaints"])
Closing = Annotated[Desk, Depends(quality_desk("I close this report of harm: its outcome is as stated"))]
_WRITING = (
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "recall_unknown",
    "recall_closed",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)


@router.post(
    "",
    operation_id="recordComplaint",
    status_code=201,
    summary="Report harm",
    response_model=ComplaintOut,
    responses=problems(*_WRITING),
)
async def record_complaint(body: ComplaintIn, at_desk: Annotated[Desk, Depends(desk)]) -> JSONResponse:
    """Starts its awareness clock, pages whoever is on call and opens the hazard evaluation again."""

    async def act(session: AsyncSession, by: By) -> ComplaintOut:
        if body.awareness_at > by.at:
            fault = FieldProblem(pointer="#/awareness_at", detail="expected an instant that has passed")
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault])
        report = HarmReport(
            number=at_desk.number,
            harm=HarmStated(severity=body.severity, patients=body.patients, description=body.description),
            source=body.source,
            awareness_at=body.awareness_at,
            at=by.at,
            recorded_by=by.actor,
            role=by.role,
            consignee_id=body.consignee_id,
            lot_id=body.lot_id,
            product_line=body.product_line,
            form_id=at_desk.form_id("complaint"),
        )
        try:
            outcome = await complaints.record(session, report)
        except complaints.UnknownSubject as error:
            fault = FieldProblem(pointer=f"#/{error.field}", detail=str(error))
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault]) from error
        recorded = outcome.complaint
        if outcome.new:
            with quality_problems():
                await complaint_codes.give(session, at_desk.number, recorded.sequence, body.codes, by)
        await _cite(session, recorded, body.evidence_ids, by)
        return await _shown(session, recorded)

    return await at_desk.carry_out(body, act, consignee_id=body.consignee_id, status=201, moved="complaint")


@router.get(
    "",
    operation_id="listComplaints",
    summary="Complaints of a recall",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_complaints(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    complaint_state: Annotated[ComplaintState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ComplaintOut]:
    """Harm reported by recipients and staff, by number."""
    await load(state, number)
    name = listing_name("complaints", number=number, state=complaint_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await complaint_followup.listed(
            session, number, state=complaint_state, after=after[0] if after else 0, limit=limit + 1
        )
        terms = await complaint_codes.of(session, rows)
    return page_of(rows, limit, lambda row: _out(row, terms), lambda row: state.cursors.write(name, [row.sequence]))


@router.post(
    "/{sequence}/codes",
    operation_id="codeComplaint",
    summary="Code a complaint",
    response_model=ComplaintOut,
    responses=problems(*(each for each in _WRITING if each != "recall_closed"), "not_found"),
)
async def code_complaint(
    sequence: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: ComplaintCodesIn,
    at_desk: Annotated[Desk, Depends(desk)],
) -> JSONResponse:
    """Give it these IMDRF codes and no others; also once it is closed, or the recall has ended."""

    async def act(session: AsyncSession, by: By) -> ComplaintOut:
        try:
            with quality_problems():
                coded = await complaint_codes.give(session, at_desk.number, sequence, body.codes, by)
        except complaint_followup.UnknownComplaint as error:
            raise Problem("not_found", f"The recall {at_desk.number} has no complaint {sequence}.") from error
        return await _shown(session, coded)

    return await replace(at_desk, after_the_end=True).carry_out(body, act, consignee_id=None)


@router.post(
    "/{sequence}/close",
    operation_id="closeComplaint",
    summary="Close a complaint",
    response_model=ComplaintOut,
    responses=problems(*_WRITING, "complaint_not_open"),
)
async def close_complaint(
    sequence: Annotated[int, Path(ge=1, le=2**31 - 1)],
    body: ComplaintCloseIn,
    at_desk: Closing,
) -> JSONResponse:
    """Sign what came of it, once a hazard evaluation has taken it into account (where one is still possible)."""

    async def act(session: AsyncSession, by: By) -> ComplaintOut:
        try:
            closed = await complaint_followup.close(
                session,
                at_desk.number,
                sequence,
                outcome=body.outcome,
                by=by.actor,
                role=by.role,
                at=by.at,
                signature=by.signature,
            )
        except complaint_followup.UnknownComplaint as error:
            raise Problem("not_found", f"The recall {at_desk.number} has no complaint {sequence}.") from error
        except complaint_followup.ComplaintNotOpen as error:
            raise Problem("complaint_not_open", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        await _cite(session, closed, body.evidence_ids, by)
        return await _shown(session, closed)

    return await at_desk.carry_out(
        body, act, consignee_id=None, moved="complaint", signed_as="close_complaint", about={"complaint": sequence}
    )


async def _cite(session: AsyncSession, complaint: Complaint, ids: list[UUID], by: By) -> None:
    with citing(ids):
        subject = f"complaint:{complaint.sequence}"
        await evidence.link(session, complaint.recall_number, ids, subject, by=by.actor, at=by.at, role=by.role)


async def _shown(session: AsyncSession, row: Complaint) -> ComplaintOut:
    return _out(row, await complaint_codes.of(session, [row]))


def _out(row: Complaint, terms: Mapping[int, list[CodeTerm]]) -> ComplaintOut:
    shown = ComplaintOut.model_validate(row, from_attributes=True)
    return shown.model_copy(update={"codes": [code_out(each) for each in terms.get(row.id or 0, ())]})


__all__ = ["router"]
