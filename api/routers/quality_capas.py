"""CAPAs without a recall: opened from nonconformities or a trend; their steps are those of a recall's CAPA."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from api.capa_desk import CapaDesk, capa_answer
from api.capa_merging import recurrence_of
from api.capa_start import start_workflow
from api.capa_views import capa_item, capa_out
from api.decisions import Refused, find_decision
from api.deps import IfMatchDep, KeyDep, ReaderDep, StateDep, require
from api.desk import Desk
from api.findings_views import FindingsPage, FindingsQueryDep, summary_of_capa
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.quality_desk import quality_problems
from api.routers import capas as steps
from api.routers.capas import DECIDING, Approver, Closer, Manager, Worker
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import capa as capas
from db.repositories import capa_files, capa_read
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.access import IdempotencyKey
from models.quality import QualityFile
from models.schemas_capa import (
    ActionDoneIn,
    CapaDecisionOut,
    CapaItem,
    CapaOpenedOut,
    CapaOpenIn,
    CapaOut,
    CapaReopeningIn,
    CapaSignOffIn,
    CauseIn,
    InvestigationIn,
    PlanApprovalIn,
    PlanIn,
    RecurrenceOut,
    VerificationIn,
)
from models.schemas_common import Page
from models.schemas_findings import FindingsSummaryOut

_READING: Final = problems("unauthenticated", "not_permitted", "capa_unknown", "invalid")
router = APIRouter(prefix="/capas", tags=["capa"], responses=_READING)
CaNumber = Annotated[
    str, Path(pattern="^CA-[0-9]{4}-[0-9]{6}$", description="Number of the CAPA.", examples=["CA-2026-000012"])
]


def _desk(request: Request, capa: CaNumber, key: KeyDep, if_match: IfMatchDep, state: StateDep) -> CapaDesk:
    return CapaDesk(Desk(request, capa, key, if_match, state), 1)


DeskDep = Annotated[CapaDesk, Depends(_desk)]


@router.post(
    "",
    operation_id="openCapa",
    status_code=202,
    response_model=CapaOpenedOut,
    responses=problems(
        "idempotency_key_missing", "request_in_progress", "idempotency_key_reused", "temporal_unavailable"
    ),
)
async def open_capa(
    request: Request,
    body: CapaOpenIn,
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.MANAGE_CAPA))],
    state: StateDep,
) -> JSONResponse:
    """Open a CAPA of nonconformities, or of a trend; on 503 repeat with the same key: the same CAPA goes on."""

    async def operation(row: IdempotencyKey) -> Answer:
        file = await _recorded(state, row)
        if file is None:
            who = Who(principal.name, principal.role_for(Permission.MANAGE_CAPA), state.now())
            with quality_problems():
                async with state.sessions.begin() as session:
                    file = await capa_files.open_without_recall(
                        session, body.title, body.nonconformities, body.reason, who
                    )
                    await capa_files.reserve(session, principal.name, key, file.number)
        workflow_id = await start_workflow(state, file)
        url = f"/v1/capas/{file.number}"
        opened = CapaOpenedOut(number=file.number, status_url=url, workflow_id=workflow_id)
        return Answer(202, opened, {"Location": url})

    return await once(state, request, principal, key, asked=body, operation=operation)


async def _recorded(state: ApiState, row: IdempotencyKey) -> QualityFile | None:
    if row.file_number is None:
        return None
    async with state.sessions() as session:
        return await session.get(QualityFile, row.file_number)


@router.get("", operation_id="listQualityCapas", responses=problems("bad_cursor"))
async def list_capas(_: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None) -> Page[CapaItem]:
    """CAPAs without a recall, by number."""
    name = listing_name("quality_capas")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await capa_files.listed(session, after=str(after[0]) if after else "", limit=limit + 1)
    return page_of(rows, limit, capa_item, lambda row: state.cursors.write(name, [row.file_number]))


@router.get("/{capa}", operation_id="readQualityCapa")
async def read_capa(capa: CaNumber, _: ReaderDep, state: StateDep) -> CapaOut:
    """Where it stands, its actions and evidence, and everything ever said about it."""
    async with state.sessions() as session:
        found = await capa_read.whole(session, capa, 1)
    if found is None:
        raise Problem("capa_unknown", f"There is no CAPA {capa}.")
    return capa_out(found, state.now())


@router.get("/{capa}/recurrence", operation_id="readQualityCapaRecurrence", responses=problems("wrong_state"))
async def read_recurrence(capa: CaNumber, _: ReaderDep, state: StateDep) -> RecurrenceOut:
    """What came again per month since it was closed, judged by the criterion of its plan."""
    return await recurrence_of(state, capa, 1)


@router.get("/{capa}/findings", operation_id="listQualityCapaFindings", responses=problems("bad_cursor"))
async def list_findings(capa: CaNumber, _: ReaderDep, query: FindingsQueryDep) -> FindingsPage:
    """What was measured along the trace of its nonconformities' lots and of the recalls it answers for."""
    return await query.of_capa(capa, 1)


@router.get("/{capa}/findings/summary", operation_id="summariseQualityCapaFindings")
async def summarise_findings(capa: CaNumber, _: ReaderDep, state: StateDep) -> FindingsSummaryOut:
    """How much there is by kind, over which frozen traces and how old data."""
    return await summary_of_capa(state, capa, 1)


_STEP: Final[dict[str, Any]] = {"response_model": CapaDecisionOut, "responses": DECIDING}


@router.post("/{capa}/investigation", operation_id="recordQualityCapaInvestigation", **_STEP)
async def record_investigation(desk: DeskDep, principal: Manager, body: InvestigationIn) -> JSONResponse:
    """Record what was looked into and found."""
    return await steps.record_investigation(desk, principal, body)


@router.post("/{capa}/cause", operation_id="recordQualityCapaCause", **_STEP)
async def record_cause(desk: DeskDep, principal: Manager, body: CauseIn) -> JSONResponse:
    """Record the cause with its chain of whys, its category and codes."""
    return await steps.record_cause(desk, principal, body)


@router.post("/{capa}/plan", operation_id="planQualityCapa", **_STEP)
async def plan(desk: DeskDep, principal: Manager, body: PlanIn) -> JSONResponse:
    """Plan actions and the criterion of their effect."""
    return await steps.plan(desk, principal, body)


@router.post("/{capa}/plan/approve", operation_id="approveQualityCapaPlan", **_STEP)
async def approve_plan(desk: DeskDep, principal: Approver, body: PlanApprovalIn) -> JSONResponse:
    """Put the plan into force; never its author."""
    return await steps.approve_plan(desk, principal, body)


@router.post("/{capa}/actions/{action}/complete", operation_id="completeQualityCapaAction", **_STEP)
async def complete_action(
    desk: DeskDep, principal: Worker, action: Annotated[int, Path(ge=1, le=2**31 - 1)], body: ActionDoneIn
) -> JSONResponse:
    """Say that an action is done, with its result and evidence."""
    return await steps.complete_action(desk, principal, action, body)


@router.post("/{capa}/verification", operation_id="recordQualityCapaVerification", **_STEP)
async def record_verification(desk: DeskDep, principal: Manager, body: VerificationIn) -> JSONResponse:
    """Record what was measured after the period."""
    return await steps.record_verification(desk, principal, body)


@router.post("/{capa}/sign-off", operation_id="signOffQualityCapa", **_STEP)
async def sign_off(desk: DeskDep, principal: Closer, body: CapaSignOffIn) -> JSONResponse:
    """Close it; neither its verifier nor the plan's author."""
    return await steps.sign_off(desk, principal, body)


@router.post("/{capa}/reopen", operation_id="reopenQualityCapa", **_STEP)
async def reopen(desk: DeskDep, principal: Worker, body: CapaReopeningIn) -> JSONResponse:
    """Back to investigation, with the reason."""
    return await steps.reopen(desk, principal, body)


@router.get("/{capa}/decisions/{decision_id}", operation_id="readQualityCapaDecision", **_STEP)
async def read_decision(
    capa: CaNumber,
    decision_id: Annotated[str, Path(max_length=120, pattern=r"^[a-z][a-z0-9_]{0,63}-[0-9a-f]{40}$")],
    _: ReaderDep,
    state: StateDep,
) -> JSONResponse:
    """Outcome of an accepted decision: 200 with its receipt, 202 while it is being carried out."""
    async with state.sessions() as session:
        found = await capas.find(session, capa, 1)
    if found is None:
        raise Problem("capa_unknown", f"There is no CAPA {capa}.")
    try:
        accepted = await find_decision(state, CapaDesk.target_of(found), decision_id)
    except Refused as refused:
        raise refused.problem() from refused
    answer = capa_answer(capa, 1, accepted)
    return JSONResponse(answer.body.model_dump(mode="json"), answer.status, answer.headers)


__all__ = ["router"]
