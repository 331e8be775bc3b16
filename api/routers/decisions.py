"""The decisions people take on a recall: each one is an update of its workflow, sent once per Idempotency-Key."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from api.assessment_checks import form_fits
from api.comment_windows import both, window_over
from api.decisions import Refused, find_decision, recall_target
from api.deps import NumberDep, PrincipalDep, ReaderDep, StateDep
from api.desk import Desk, DeskDep, decision_answer
from api.examples import EVALUATION, STRATEGY
from api.level_check import levels_fit
from api.notice_release import content_fits
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import may_sign, signs
from api.strategy_check import channels_fit
from db.repositories import evidence
from domain.roles import Permission
from models.messages import (
    ApproveAssessment,
    ApproveNotice,
    ApproveStrategy,
    OverrideClass,
    PassGate,
    RecordEvaluation,
    RejectRecall,
    WaiveGate,
)
from models.recall import Recall
from models.schemas_common import FieldProblem
from models.schemas_decisions import (
    ApprovalIn,
    DecisionOut,
    EvaluationIn,
    GatePassIn,
    NoticeApprovalIn,
    OverrideIn,
    ReasonIn,
    StrategyIn,
)

CONFLICTS = (
    "wrong_phase",
    "stale_proposal",
    "already_decided",
    "hash_mismatch",
    "recall_closed",
    "request_in_progress",
)
RESPONSES = problems(
    "bad_request",
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "four_eyes",
    "recall_unknown",
    "wrong_phase",
    "stale_proposal",
    "market_action_missing",
    "review_missing",
    "justification_missing",
    "already_decided",
    "hash_mismatch",
    "recall_closed",
    "request_in_progress",
    "version_mismatch",
    "invalid",
    "idempotency_key_reused",
    "temporal_unavailable",
) | {202: {"model": DecisionOut, "description": "Accepted and still being carried out; poll `status_url`"}}
router = APIRouter(prefix="/recalls/{number}", tags=["decisions"], responses=RESPONSES)
GateKey = Annotated[
    str, Path(max_length=60, pattern=r"^[a-z0-9:_-]+$", description="Gate key.", examples=["us-fda:fda_informed"])
]
NoticeId = Annotated[int, Path(ge=1, le=2**53, description="Notice id.")]
Medical = Annotated[
    Principal, Depends(signs(Permission.RECORD_EVALUATION, "I am the author of this health-hazard evaluation"))
]
Assessor = Annotated[
    Principal,
    Depends(signs(Permission.DECIDE_ASSESSMENT, "I have reviewed and approve class and scope", with_others=True)),
]
Rejecter = Annotated[
    Principal, Depends(signs(Permission.DECIDE_ASSESSMENT, "I have reviewed and reject: this is no recall"))
]
Passer = Annotated[Principal, Depends(signs(Permission.PASS_GATE, "I confirm that this authority step was done"))]
Waiver = Annotated[Principal, Depends(signs(Permission.WAIVE_GATE, "I waive this authority step for urgency"))]
Releaser = Annotated[
    Principal,
    Depends(signs(Permission.APPROVE_NOTICE, "I have reviewed and release this notice for sending", with_others=True)),
]
_STRATEGY = {
    "quality": (Permission.SIGN_STRATEGY_QUALITY, "I approve the recall strategy for quality"),
    "regulatory": (Permission.SIGN_STRATEGY_REGULATORY, "I approve the recall strategy for regulatory affairs"),
}


@router.post("/evaluations", operation_id="recordEvaluation", response_model=DecisionOut)
async def record_evaluation(
    desk: DeskDep, principal: Medical, body: Annotated[EvaluationIn, EVALUATION]
) -> JSONResponse:
    """Sign a health-hazard evaluation of one product line (21 CFR 7.41). With the last one a class is proposed."""
    decision = RecordEvaluation(
        actor=principal.actor(),
        reason=body.reason,
        product_line=body.product_line,
        evaluation=body.evaluation.model_dump(mode="json"),
        market_actions={name: action.value for name, action in body.market_actions.items()},
    )
    named = [(f"#/market_actions/{law}", law, action) for law, action in body.market_actions.items()]
    fits = form_fits(desk, body.evaluation, named)
    return await desk.decide(principal, "record_evaluation", body, decision, before=fits)


@router.post("/assessment/approve", operation_id="approveAssessment", response_model=DecisionOut)
async def approve_assessment(desk: DeskDep, principal: Assessor, body: ApprovalIn) -> JSONResponse:
    """Approve the proposed classes; `proposal_id` is in `class_decisions` of the recall."""
    decision = ApproveAssessment(actor=principal.actor(), **body.model_dump())
    return await desk.decide(principal, "approve_assessment", body, decision)


@router.post("/assessment/override", operation_id="overrideClass", response_model=DecisionOut)
async def override_class(desk: DeskDep, principal: Assessor, body: OverrideIn) -> JSONResponse:
    """Approve with other classes than proposed, with the reason."""
    decision = OverrideClass(
        actor=principal.actor(),
        reason=body.reason,
        proposal_id=body.proposal_id,
        overrides=tuple(override.message() for override in body.overrides),
    )
    fits = levels_fit(desk, body.overrides)
    return await desk.decide(principal, "override_class", body, decision, before=fits)


@router.post("/assessment/reject", operation_id="rejectRecall", response_model=DecisionOut)
async def reject(desk: DeskDep, principal: Rejecter, body: ReasonIn) -> JSONResponse:
    """No recall: every hold becomes a nonconformity hold; nothing is released by this."""
    decision = RejectRecall(actor=principal.actor(), reason=body.reason)
    return await desk.decide(principal, "reject", body, decision)


@router.post("/strategy/approve", operation_id="approveStrategy", response_model=DecisionOut)
async def approve_strategy(
    desk: DeskDep, principal: PrincipalDep, body: Annotated[StrategyIn, STRATEGY]
) -> JSONResponse:
    """Sign the strategy as quality or as regulatory affairs; both must sign the same one."""
    principal = await may_sign(desk.state, principal, *_STRATEGY[body.capacity], desk.number)
    decision = ApproveStrategy.model_validate(
        {"actor": principal.actor(), "reason": body.reason, "capacity": body.capacity, "strategy": body.strategy}
    )
    fits = channels_fit(desk, body.strategy)
    return await desk.decide(principal, "approve_strategy", body, decision, before=fits)


def evidence_fits(desk: Desk, evidence_ids: Sequence[UUID]) -> Callable[[Recall], Awaitable[None]]:
    """A check to run before a decision: each file can be cited for this recall.

    Raises (when run):
        Problem: 422 with one error per file.
    """

    async def check(recall: Recall) -> None:
        async with desk.state.sessions() as session:
            unusable = await evidence.unusable(session, evidence_ids, recall.number)
        if unusable:
            faults = [
                FieldProblem(pointer=f"#/evidence_ids/{index}", detail=unusable[each])
                for index, each in enumerate(evidence_ids)
                if each in unusable
            ]
            raise Problem("invalid", "The evidence cannot be cited; see `errors`.", errors=faults)

    return check


@router.post(
    "/gates/{gate}/pass",
    operation_id="passGate",
    response_model=DecisionOut,
    responses=problems(
        "unknown_gate",
        "recall_unknown",
        "comment_window_open",
        "evidence_required",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def pass_gate(
    desk: DeskDep,
    principal: Passer,
    gate: GateKey,
    body: GatePassIn,
) -> JSONResponse:
    """An authority step is done; name its reference and evidence.

    While the authority may still comment, `answered` with its answer as evidence passes the gate, and is signed.
    """
    decision = PassGate(
        actor=principal.actor(),
        reason=body.reason,
        gate=gate,
        reference=body.reference,
        evidence_ids=tuple(str(each) for each in body.evidence_ids),
        answered=body.answered,
    )
    before = both(evidence_fits(desk, body.evidence_ids), window_over(desk.state, decision))
    return await desk.decide(principal, "pass_gate", body, decision, before=before)


@router.post(
    "/gates/{gate}/waive",
    operation_id="waiveGate",
    response_model=DecisionOut,
    responses=problems("unknown_gate", "recall_unknown", "not_waivable", "wrong_phase", "already_decided"),
)
async def waive_gate(
    desk: DeskDep,
    principal: Waiver,
    gate: GateKey,
    body: ReasonIn,
) -> JSONResponse:
    """Waive an authority step for urgency, where the policy allows it."""
    decision = WaiveGate(actor=principal.actor(), reason=body.reason, gate=gate)
    return await desk.decide(principal, "waive_gate", body, decision)


@router.post(
    "/notices/{notice_id}/approve",
    operation_id="approveNotice",
    response_model=DecisionOut,
    responses=problems(*CONFLICTS, "notice_refused", "review_needed"),
)
async def approve_notice(
    desk: DeskDep,
    principal: Releaser,
    notice_id: NoticeId,
    body: NoticeApprovalIn,
) -> JSONResponse:
    """Release exactly the bodies behind the hash; what was approved is what is sent.

    Their content check must refuse no element, and flagged passages must be confirmed by a named reviewer.
    """
    decision = ApproveNotice(actor=principal.actor(), reason=body.reason, notice_id=notice_id, sha256=body.sha256)
    fits = content_fits(desk.state, decision)
    return await desk.decide(principal, "approve_notice", body, decision, before=fits)


@router.get("/decisions/{decision_id}", operation_id="readDecision", response_model=DecisionOut)
async def read_decision(
    number: NumberDep,
    decision_id: Annotated[str, Path(max_length=120, pattern=r"^[a-z][a-z0-9_]{0,63}-[0-9a-f]{40}$")],
    _: ReaderDep,
    state: StateDep,
) -> JSONResponse:
    """Outcome of an accepted decision: 200 with its receipt, 202 while it is being carried out."""
    await load(state, number)
    try:
        answer = decision_answer(number, await find_decision(state, recall_target(number, ""), decision_id))
    except Refused as refused:
        raise refused.problem() from refused
    return JSONResponse(answer.body.model_dump(mode="json"), answer.status, answer.headers)


__all__ = ["RESPONSES", "evidence_fits", "router"]
