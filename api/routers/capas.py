"""Corrective and preventive action: the steps of one CAPA, each a decision of its workflow, and its whole record."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from api.capa_desk import CapaDesk, CapaDeskDep, CapaNumber, capa_answer
from api.capa_merging import merge_target, recurrence_of
from api.capa_views import capa_item, capa_out
from api.decisions import Refused, find_decision
from api.deps import NumberDep, ReaderDep, StateDep, require
from api.findings_views import FindingsPage, FindingsQueryDep, summary_of_capa
from api.problems import Problem, problems
from api.quality_desk import quality_problems
from api.records import load
from api.security.bearer import Principal
from api.signing import may_sign, signs
from api.state import ApiState
from db.repositories import capa as capas
from db.repositories import capa_read, codes, staff
from db.repositories.files import File
from domain.capa import plan_faults, policy_today
from domain.quality_numbers import is_quality_number
from domain.roles import Permission
from models.capa import EntryKind
from models.messages_capa import (
    ApprovePlan,
    CompleteAction,
    MergeCapa,
    RecordCause,
    RecordInvestigation,
    RecordVerification,
    ReopenCapa,
    SignOffCapa,
    WritePlan,
)
from models.schemas_capa import (
    ActionDoneIn,
    CapaDecisionOut,
    CapaItem,
    CapaMergeIn,
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
from models.schemas_common import FieldProblem
from models.schemas_findings import FindingsSummaryOut

READING = problems("unauthenticated", "not_permitted", "recall_unknown", "capa_unknown", "invalid")
DECIDING: dict[int | str, dict[str, Any]] = problems(
    "bad_request",
    "idempotency_key_missing",
    "four_eyes",
    "wrong_state",
    "stale_proposal",
    "already_decided",
    "recall_closed",
    "request_in_progress",
    "version_mismatch",
    "idempotency_key_reused",
    "temporal_unavailable",
) | {202: {"model": CapaDecisionOut, "description": "Accepted and still being carried out; poll `status_url`"}}
router = APIRouter(prefix="/recalls/{number}/capas", tags=["capa"], responses=READING)
Manager = Annotated[Principal, Depends(require(Permission.MANAGE_CAPA))]
Approver = Annotated[Principal, Depends(signs(Permission.APPROVE_CAPA, "I have reviewed and approve this plan"))]
Closer = Annotated[
    Principal, Depends(signs(Permission.APPROVE_CAPA, "I have reviewed the verified effect and close this CAPA"))
]
Worker = Annotated[Principal, Depends(require(Permission.WORK_TASKS))]


@router.get("", operation_id="listCapas", summary="CAPAs of a recall")
async def list_capas(number: NumberDep, _: ReaderDep, state: StateDep) -> list[CapaItem]:
    """The recall's CAPAs in order."""
    await load(state, number)
    async with state.sessions() as session:
        return [capa_item(row) for row in await capas.of_recall(session, number)]


@router.get("/{sequence}", operation_id="readCapa", summary="One CAPA")
async def read_capa(number: NumberDep, sequence: CapaNumber, _: ReaderDep, state: StateDep) -> CapaOut:
    """Where it stands, its actions and evidence, and everything ever said about it."""
    await load(state, number)
    async with state.sessions() as session:
        found = await capa_read.whole(session, number, sequence)
    if found is None:
        raise Problem("capa_unknown", f"The recall {number} has no CAPA {sequence}.")
    return capa_out(found, state.now())


@router.get("/{sequence}/findings", operation_id="listCapaFindings", responses=problems("bad_cursor"))
async def list_findings(number: NumberDep, sequence: CapaNumber, _: ReaderDep, query: FindingsQueryDep) -> FindingsPage:
    """What was measured along the trace of its recalls, of affected lots first."""
    return await query.of_capa(number, sequence)


@router.get("/{sequence}/findings/summary", operation_id="summariseCapaFindings")
async def summarise_findings(
    number: NumberDep, sequence: CapaNumber, _: ReaderDep, state: StateDep
) -> FindingsSummaryOut:
    """How much there is by kind, over which frozen traces and how old data."""
    return await summary_of_capa(state, number, sequence)


@router.post(
    "/{sequence}/investigation",
    operation_id="recordCapaInvestigation",
    response_model=CapaDecisionOut,
    responses=DECIDING,
)
async def record_investigation(capa: CapaDeskDep, principal: Manager, body: InvestigationIn) -> JSONResponse:
    """Record what was looked into and found; may be corrected until the cause is recorded."""
    text = {"account": body.account}
    return await capa.state(principal, "record_investigation", body, EntryKind.investigation, text, RecordInvestigation)


@router.post("/{sequence}/cause", operation_id="recordCapaCause", response_model=CapaDecisionOut, responses=DECIDING)
async def record_cause(capa: CapaDeskDep, principal: Manager, body: CauseIn) -> JSONResponse:
    """Record the cause with its chain of whys and its category."""

    async def check(_: File) -> None:
        state = capa.desk.state
        with quality_problems():
            async with state.sessions() as session:
                await codes.check_cause(session, body.codes, state.now())

    text = body.model_dump(mode="json", include={"five_whys", "cause", "category", "codes"})
    return await capa.state(principal, "record_cause", body, EntryKind.cause, text, RecordCause, check=check)


@router.post("/{sequence}/plan", operation_id="planCapa", response_model=CapaDecisionOut, responses=DECIDING)
async def plan(capa: CapaDeskDep, principal: Manager, body: PlanIn) -> JSONResponse:
    """Plan actions and the criterion of their effect; a new plan replaces one that is not carried out yet."""

    async def check(recall: File) -> None:
        if errors := await _plan_faults(capa.desk.state, recall, body):
            raise Problem("invalid", "The plan is not valid; see `errors`.", errors=errors)

    kept = {"actions", "criterion", "verify_after_days", "watch_days", "recurrence_allowed"}
    text = body.model_dump(mode="json", include=kept)
    return await capa.state(principal, "plan", body, EntryKind.plan, text, WritePlan, check=check)


@router.post(
    "/{sequence}/plan/approve", operation_id="approveCapaPlan", response_model=CapaDecisionOut, responses=DECIDING
)
async def approve_plan(capa: CapaDeskDep, principal: Approver, body: PlanApprovalIn) -> JSONResponse:
    """Put the plan into force; never its author."""
    decision = ApprovePlan(actor=principal.actor(), reason=body.reason, plan_version=body.plan_version)
    return await capa.decide(principal, "approve_plan", body, decision)


@router.post(
    "/{sequence}/actions/{action}/complete",
    operation_id="completeCapaAction",
    response_model=CapaDecisionOut,
    responses=DECIDING | problems("unknown_action", "capa_unknown", "recall_unknown"),
)
async def complete_action(
    capa: CapaDeskDep, principal: Worker, action: Annotated[int, Path(ge=1, le=2**31 - 1)], body: ActionDoneIn
) -> JSONResponse:
    """Say that an action is done, with its result and evidence: its owner, or whoever manages CAPAs."""
    text = {"result": body.result}
    return await capa.state(principal, "complete_action", body, EntryKind.action, text, CompleteAction, action=action)


@router.post(
    "/{sequence}/verification",
    operation_id="recordCapaVerification",
    response_model=CapaDecisionOut,
    responses=DECIDING | problems("too_early", "wrong_state", "recall_closed", "already_decided"),
)
async def record_verification(capa: CapaDeskDep, principal: Manager, body: VerificationIn) -> JSONResponse:
    """Record what was measured after the period; it is judged by the approved criterion."""
    text = body.model_dump(mode="json", include={"measured", "account"})
    return await capa.state(principal, "record_verification", body, EntryKind.verification, text, RecordVerification)


@router.post("/{sequence}/sign-off", operation_id="signOffCapa", response_model=CapaDecisionOut, responses=DECIDING)
async def sign_off(capa: CapaDeskDep, principal: Closer, body: CapaSignOffIn) -> JSONResponse:
    """Close a CAPA whose effect is verified; neither its verifier nor the plan's author."""
    decision = SignOffCapa(actor=principal.actor(), reason=body.reason)
    return await capa.decide(principal, "sign_off", body, decision)


@router.post("/{sequence}/reopen", operation_id="reopenCapa", response_model=CapaDecisionOut, responses=DECIDING)
async def reopen(capa: CapaDeskDep, principal: Worker, body: CapaReopeningIn) -> JSONResponse:
    """Back to investigation, from closed as well: whoever manages or approves CAPAs, with the reason."""
    held = (each for each in (Permission.APPROVE_CAPA, Permission.MANAGE_CAPA) if principal.may(each))
    permission = next(held, Permission.MANAGE_CAPA)
    number = None if is_quality_number(capa.desk.number) else capa.desk.number
    principal = await may_sign(capa.desk.state, principal, permission, "I reopen this CAPA", number)
    decision = ReopenCapa(actor=principal.actor(), reason=body.reason)
    return await capa.decide(principal, "reopen", body, decision)


@router.post("/{sequence}/merge", operation_id="mergeCapa", response_model=CapaDecisionOut, responses=DECIDING)
async def merge(capa: CapaDeskDep, principal: Manager, body: CapaMergeIn) -> JSONResponse:
    """Let another CAPA answer for this one, with reason: it counts in this recall's checklist and is in its file.

    A reopening takes it back.
    """
    _, own, _ = await capa.state_of()
    into_id = await merge_target(capa.desk.state, own, body)
    decision = MergeCapa(actor=principal.actor(), reason=body.reason, into_id=into_id)
    return await capa.decide(principal, "merge", body, decision)


@router.get("/{sequence}/recurrence", operation_id="readCapaRecurrence", summary="What came again since it was closed")
async def read_recurrence(number: NumberDep, sequence: CapaNumber, _: ReaderDep, state: StateDep) -> RecurrenceOut:
    """Complaints, nonconformities and recalls of its kind per month, judged by the criterion of its plan."""
    await load(state, number)
    return await recurrence_of(state, number, sequence)


@router.get("/{sequence}/decisions/{decision_id}", operation_id="readCapaDecision", response_model=CapaDecisionOut)
async def read_decision(
    number: NumberDep,
    sequence: CapaNumber,
    decision_id: Annotated[str, Path(max_length=120, pattern=r"^[a-z][a-z0-9_]{0,63}-[0-9a-f]{40}$")],
    _: ReaderDep,
    state: StateDep,
) -> JSONResponse:
    """Outcome of an accepted decision: 200 with its receipt, 202 while it is being carried out."""
    await load(state, number)
    async with state.sessions() as session:
        capa = await capas.find(session, number, sequence)
    if capa is None:
        raise Problem("capa_unknown", f"The recall {number} has no CAPA {sequence}.")
    try:
        accepted = await find_decision(state, CapaDesk.target_of(capa), decision_id)
    except Refused as refused:
        raise refused.problem() from refused
    answer = capa_answer(number, sequence, accepted)
    return JSONResponse(answer.body.model_dump(mode="json"), answer.status, answer.headers)


async def _plan_faults(state: ApiState, recall: File, body: PlanIn) -> list[FieldProblem]:
    """What the plan lacks: something against the cause, dates ahead, owners that are known."""
    now = state.now()
    today = policy_today(now, recall.created_at, recall.pace)
    found = plan_faults([each.kind for each in body.actions], [each.due_on for each in body.actions], today)
    errors = [
        FieldProblem(pointer="#/actions" if index is None else f"#/actions/{index}/due_on", detail=fault)
        for index, fault in found
    ]
    async with state.sessions() as session:
        for index, action in enumerate(body.actions):
            try:
                await staff.roles_of(session, action.owner, now)
            except staff.UnknownPerson:
                errors.append(FieldProblem(pointer=f"#/actions/{index}/owner", detail="nobody has this principal"))
    return errors


__all__ = ["router"]
