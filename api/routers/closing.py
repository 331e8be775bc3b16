"""Ending a recall: two signatures, the authorities' answers, reopening, cancellation; and more time for a person."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.deps import PrincipalDep, require
from api.desk import DeskDep
from api.problems import problems
from api.routers.decisions import RESPONSES, evidence_fits
from api.security.bearer import Principal
from api.signing import may_sign, signs
from domain.roles import Permission
from models.messages import AnnounceClosure, CancelRecall, Complete, ExtendDeadline, RecordAuthorityAnswer, Reopen
from models.schemas_changes import AuthorityAnswerIn, ClosureNoticeIn, CompletionIn, ExtensionIn
from models.schemas_decisions import DecisionOut, ReasonIn

router = APIRouter(prefix="/recalls/{number}", tags=["decisions"], responses=RESPONSES)
_SIGN = {
    "quality": (Permission.COMPLETE_QUALITY, "I confirm for quality that the recall is complete"),
    "regulatory": (Permission.COMPLETE_REGULATORY, "I confirm for regulatory affairs that the recall is complete"),
}
Answerer = Annotated[
    Principal, Depends(signs(Permission.RECORD_AUTHORITY_ANSWER, "I confirm that this is the authority's answer"))
]
Reopener = Annotated[
    Principal, Depends(signs(Permission.COMPLETE_QUALITY, "I reopen the recall: a closed question is open again"))
]
Canceller = Annotated[Principal, Depends(signs(Permission.CANCEL_RECALL, "I cancel the recall"))]
Announcer = Annotated[Principal, Depends(require(Permission.DRAFT_NOTICE))]
Extender = Annotated[Principal, Depends(signs(Permission.REASSIGN_TASKS, "I give this task more time"))]


@router.post(
    "/complete",
    operation_id="completeRecall",
    summary="Sign the completion",
    response_model=DecisionOut,
    responses=problems("not_complete", "wrong_phase", "already_decided", "recall_closed"),
)
async def complete(desk: DeskDep, principal: PrincipalDep, body: CompletionIn) -> JSONResponse:
    """Sign the completed recall as quality or as regulatory affairs; two persons.

    409 `not_complete` carries `open`: each item of the completion checklist that is not met, with what is open in it.
    """
    principal = await may_sign(desk.state, principal, *_SIGN[body.capacity], desk.number)
    decision = Complete(actor=principal.actor(), reason=body.reason, capacity=body.capacity)
    return await desk.decide(principal, "complete", body, decision)


@router.post(
    "/authority-answers",
    operation_id="recordAuthorityAnswer",
    summary="Record an authority's answer",
    response_model=DecisionOut,
)
async def record_authority_answer(
    desk: DeskDep,
    principal: Answerer,
    body: AuthorityAnswerIn,
) -> JSONResponse:
    """Terminated, no authority to ask (signed, with the reason), or more ordered, which reopens the recall."""
    decision = RecordAuthorityAnswer(
        actor=principal.actor(),
        reason=body.reason,
        jurisdiction=body.jurisdiction,
        answer=body.answer,
        reference=body.reference,
        evidence_ids=tuple(str(each) for each in body.evidence_ids),
    )
    return await desk.decide(
        principal, "record_authority_answer", body, decision, before=evidence_fits(desk, body.evidence_ids)
    )


@router.post("/reopen", operation_id="reopenRecall", summary="Reopen a completed recall", response_model=DecisionOut)
async def reopen(desk: DeskDep, principal: Reopener, body: ReasonIn) -> JSONResponse:
    """A closed question is open again: back to resolution; signatures and answers so far are void."""
    decision = Reopen(actor=principal.actor(), reason=body.reason)
    return await desk.decide(principal, "reopen", body, decision)


@router.post(
    "/closure-notice",
    operation_id="announceClosure",
    summary="Have the end of the recall told",
    response_model=DecisionOut,
    responses=problems("wrong_phase", "already_decided", "recall_closed", "reason_required"),
)
async def announce_closure(desk: DeskDep, principal: Announcer, body: ClosureNoticeIn) -> JSONResponse:
    """Everybody told gets a notice once every authority has answered: drafted then, released like any, sent once.

    To be said while the recall is completed; `wanted: false` says that nobody is told, or takes it back, with a reason.
    """
    decision = AnnounceClosure(actor=principal.actor(), reason=body.reason, wanted=body.wanted)
    return await desk.decide(principal, "announce_closure", body, decision)


@router.post("/cancel", operation_id="cancelRecall", summary="Cancel the recall", response_model=DecisionOut)
async def cancel(desk: DeskDep, principal: Canceller, body: ReasonIn) -> JSONResponse:
    """The recall was wrong. Holds stay as nonconformity holds; whoever was told gets a released retraction."""
    decision = CancelRecall(actor=principal.actor(), reason=body.reason)
    return await desk.decide(principal, "cancel", body, decision)


@router.post(
    "/tasks/extend",
    operation_id="extendTask",
    summary="Give a task more time",
    response_model=DecisionOut,
    responses=problems("unknown_task", "recall_unknown", "legal_limit", "recall_closed"),
)
async def extend(desk: DeskDep, principal: Extender, body: ExtensionIn) -> JSONResponse:
    """Move the due time of a task to a later instant, with the reason. A limit of law cannot be moved."""
    decision = ExtendDeadline(actor=principal.actor(), reason=body.reason, key=body.key, due_at=body.due_at)
    return await desk.decide(principal, "extend_deadline", body, decision)


__all__ = ["router"]
