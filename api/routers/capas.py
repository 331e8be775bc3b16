"""Corrective and preventive action: the steps of one CAPA, each a decision of its workflow, and its whole record."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from api.capa_desk import CapaDesk, CapaDeskDep, CapaNumber, capa_answer
from api.capa_views import capa_item, capa_out
from api.decisions import Refused, find_decision
from api.deps import NumberDep, ReaderDep, StateDep, require
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import may_sign, signs
from api.state import ApiState
from db.repositories import capa as capas
from db.repositories import capa_read, staff
from domain.capa import plan_faults, policy_today
from domain.roles import Permission
from models.capa import EntryKind
from models.messages_capa import (
    ApprovePlan,
    CompleteAction,
    RecordCause,
    RecordInvestigation,
    RecordVerification,
    ReopenCapa,
    SignOffCapa,
    WritePlan,
)
from models.recall import Recall
from models.schemas_capa import (
    ActionDoneIn,
    CapaDecisionOut,
    CapaItem,
    CapaOut,
    CapaReopeningIn,
    CapaSignOffIn,
    CauseIn,
    InvestigationIn,
    PlanApprovalIn,
    PlanIn,
    VerificationIn,
)
from models.schemas_common import FieldProblem

_READING = problems("unauthenticated", "not_permitted", "recall_unknown", "capa_unknown", "invalid")
_DECIDING: dict[int | str, dict[str, Any]] = problems(
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
router = APIRouter(prefix="/recalls/{number}/capas", tags=["capa"], responses=_READING)
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


@router.post(
    "/{sequence}/investigation",
    operation_id="recordCapaInvestigation",
    response_model=CapaDecisionOut,
    responses=_DECIDING,
)
async def record_investigation(capa: CapaDeskDep, principal: Manager, body: InvestigationIn) -> JSONResponse:
    """Record what was looked into and found; may be corrected until the cause is recorded."""
    text = {"account": body.account}
    return await capa.state(principal, "record_investigation", body, EntryKind.investigation, text, RecordInvestigation)


@router.post("/{sequence}/cause", operation_id="recordCapaCause", response_model=CapaDecisionOut, responses=_DECIDING)
async def record_cause(capa: CapaDeskDep, principal: Manager, body: CauseIn) -> JSONResponse:
    """Record the cause with its chain of whys and its category."""
    text = body.model_dump(mode="json", include={"five_whys", "cause", "category"})
    return await capa.state(principal, "record_cause", body, EntryKind.cause, text, RecordCause)


@router.post("/{sequence}/plan", operation_id="planCapa", response_model=CapaDecisionOut, responses=_DECIDING)
async def plan(capa: CapaDeskDep, principal: Manager, body: PlanIn) -> JSONResponse:
    """Plan actions and the criterion of their effect; a new plan replaces one that is not carried out yet."""

    async def check(recall: Recall) -> None:
        if errors := await _plan_faults(capa.desk.state, recall, body):
            raise Problem("invalid", "The plan is not valid; see `errors`.", errors=errors)

    text = body.model_dump(mode="json", include={"actions", "criterion", "verify_after_days"})
    return await capa.state(principal, "plan", body, EntryKind.plan, text, WritePlan, check=check)


@router.post(
    "/{sequence}/plan/approve", operation_id="approveCapaPlan", response_model=CapaDecisionOut, responses=_DECIDING
)
async def approve_plan(capa: CapaDeskDep, principal: Approver, body: PlanApprovalIn) -> JSONResponse:
    """Put the plan into force; never its author."""
    decision = ApprovePlan(actor=principal.actor(), reason=body.reason, plan_version=body.plan_version)
    return await capa.decide(principal, "approve_plan", body, decision)


@router.post(
    "/{sequence}/actions/{action}/complete",
    operation_id="completeCapaAction",
    response_model=CapaDecisionOut,
    responses=_DECIDING | problems("unknown_action", "capa_unknown", "recall_unknown"),
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
    responses=_DECIDING | problems("too_early", "wrong_state", "recall_closed", "already_decided"),
)
async def record_verification(capa: CapaDeskDep, principal: Manager, body: VerificationIn) -> JSONResponse:
    """Record what was measured after the period; it is judged by the approved criterion."""
    text = body.model_dump(mode="json", include={"measured", "account"})
    return await capa.state(principal, "record_verification", body, EntryKind.verification, text, RecordVerification)


@router.post("/{sequence}/sign-off", operation_id="signOffCapa", response_model=CapaDecisionOut, responses=_DECIDING)
async def sign_off(capa: CapaDeskDep, principal: Closer, body: CapaSignOffIn) -> JSONResponse:
    """Close a CAPA whose effect is verified; neither its verifier nor the plan's author."""
    decision = SignOffCapa(actor=principal.actor(), reason=body.reason)
    return await capa.decide(principal, "sign_off", body, decision)


@router.post("/{sequence}/reopen", operation_id="reopenCapa", response_model=CapaDecisionOut, responses=_DECIDING)
async def reopen(capa: CapaDeskDep, principal: Worker, body: CapaReopeningIn) -> JSONResponse:
    """Back to investigation, from closed as well: whoever manages or approves CAPAs, with the reason."""
    held = (each for each in (Permission.APPROVE_CAPA, Permission.MANAGE_CAPA) if principal.may(each))
    permission = next(held, Permission.MANAGE_CAPA)
    principal = await may_sign(capa.desk.state, principal, permission, "I reopen this CAPA", capa.desk.number)
    decision = ReopenCapa(actor=principal.actor(), reason=body.reason)
    return await capa.decide(principal, "reopen", body, decision)


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


async def _plan_faults(state: ApiState, recall: Recall, body: PlanIn) -> list[FieldProblem]:
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
