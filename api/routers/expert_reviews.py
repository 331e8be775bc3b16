"""Asking an expert outside the firm by signed link, taking a request back, and reading the answers."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.assessment_views import expert_review_out
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import expert_reviews
from db.repositories.expert_reviews import Ask, NotAsked, NothingToReview, task_key
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.workflow_ids import recall_id
from models.access import IdempotencyKey
from models.recall import Recall
from models.schemas_common import FieldProblem
from models.schemas_experts import ExpertReviewIn, ExpertReviewOut, WithdrawIn

LONGEST: Final = timedelta(days=90)
"""How far ahead an answer may be awaited."""
_WRITING: Final = problems(
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "recall_unknown",
    "not_found",
    "wrong_phase",
    "wrong_state",
    "recall_closed",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)
router = APIRouter(prefix="/recalls/{number}/expert-reviews", tags=["assessment"])
Asking = Annotated[Principal, Depends(require(Permission.ASK_EXPERT))]
ReviewId = Annotated[int, Path(ge=1, le=2**53, description="Number of the request.")]


@router.get(
    "", operation_id="listExpertReviews", responses=problems("unauthenticated", "not_permitted", "recall_unknown")
)
async def list_expert_reviews(number: NumberDep, _: ReaderDep, state: StateDep) -> list[ExpertReviewOut]:
    """Requests and answers, oldest first."""
    recall = await load(state, number)
    async with state.sessions() as session:
        rows = await expert_reviews.list_of(session, number)
    return [expert_review_out(row, recall, state.now()) for row in rows]


@router.post("", operation_id="askExpert", status_code=201, response_model=ExpertReviewOut, responses=_WRITING)
async def ask_expert(
    request: Request, number: NumberDep, principal: Asking, key: KeyDep, state: StateDep, body: ExpertReviewIn
) -> JSONResponse:
    """Ask for a review. The expert gets an e-mail with a link that works once and until the due time."""

    async def operation(_: IdempotencyKey) -> Answer:
        now = state.now()
        if not now < body.due_at <= now + LONGEST:
            fault = FieldProblem(pointer="#/due_at", detail=f"expected an instant within the next {LONGEST.days} days")
            raise Problem("invalid", "The due time does not fit; see `errors`.", errors=[fault])
        async with state.sessions.begin() as session:
            recall = await _open_recall(session, number)
            role = principal.role_for(Permission.ASK_EXPERT)
            asked = Ask(**body.model_dump())
            try:
                row = await expert_reviews.ask(session, recall, asked, by=principal.name, role=role, now=now)
            except NothingToReview as error:
                raise Problem("wrong_phase", f"{error}; there is nothing to review yet.") from error
            answer = Answer(201, expert_review_out(row, recall, now))
            review_id = row.id or 0
        await nudge_owners(state, [(recall_id(number), task_key(review_id))])
        return answer

    await load(state, number)
    asked_with = {"operation": "ask_expert", "recall": number, "body": body.model_dump(mode="json")}
    return await once(state, request, principal, key, asked=asked_with, operation=operation)


@router.post(
    "/{review_id}/withdraw",
    operation_id="withdrawExpertReview",
    response_model=ExpertReviewOut,
    responses=_WRITING,
)
async def withdraw_expert_review(
    request: Request,
    number: NumberDep,
    review_id: ReviewId,
    principal: Asking,
    key: KeyDep,
    state: StateDep,
    body: WithdrawIn,
) -> JSONResponse:
    """Take a request back that is not answered; its link is dead at once."""

    async def operation(_: IdempotencyKey) -> Answer:
        now = state.now()
        role = principal.role_for(Permission.ASK_EXPERT)
        async with state.sessions.begin() as session:
            recall = await _open_recall(session, number)
            try:
                row = await expert_reviews.withdraw(
                    session, number, review_id, reason=body.reason, by=principal.name, role=role, now=now
                )
            except LookupError as error:
                raise Problem("not_found", f"{error}.") from error
            except NotAsked as error:
                raise Problem("wrong_state", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
            answer = Answer(200, expert_review_out(row, recall, now))
        await nudge_owners(state, [(recall_id(number), task_key(review_id))])
        return answer

    await load(state, number)
    asked = {"operation": f"withdraw_expert_review_{review_id}", "recall": number, "reason": body.reason}
    return await once(state, request, principal, key, asked=asked, operation=operation)


async def _open_recall(session: AsyncSession, number: str) -> Recall:
    recall = await session.get(Recall, number)
    if recall is None:
        raise Problem("recall_unknown", f"There is no recall {number}.")
    if is_final(Phase(recall.phase)):
        raise Problem("recall_closed", f"The recall has ended in phase {recall.phase}.")
    return recall


__all__ = ["router"]
