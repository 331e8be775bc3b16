"""Market actions per product line and jurisdiction, their review, and the whole level assessment side by side."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.assessment_checks import actions_fit
from api.assessment_views import assessment_of, market_action_history
from api.deps import NumberDep, ReaderDep, StateDep
from api.desk import DeskDep
from api.examples import MARKET_ACTIONS
from api.problems import problems
from api.records import load
from api.routers.decisions import RESPONSES
from api.security.bearer import Principal
from api.signing import signs
from domain.roles import Permission
from models.messages import RecordMarketActions, ReviewMarketAction
from models.schemas_assessment import AssessmentOut, MarketActionOut, MarketActionReviewIn, MarketActionsIn
from models.schemas_decisions import DecisionOut

READING = problems("unauthenticated", "not_permitted", "recall_unknown")
router = APIRouter(prefix="/recalls/{number}", tags=["assessment"])
Deciding = Annotated[Principal, Depends(signs(Permission.DECIDE_MARKET_ACTION, "I have decided these market actions"))]
Designated = Annotated[
    Principal,
    Depends(
        signs(Permission.REVIEW_NOT_REPORTED, "I have reviewed and evaluated this justification for not reporting")
    ),
]


@router.get("/assessment", operation_id="readAssessment", responses=READING)
async def read_assessment(number: NumberDep, _: ReaderDep, state: StateDep) -> AssessmentOut:
    """Per product line and jurisdiction: market action, questions, and the three classes side by side."""
    recall = await load(state, number)
    async with state.sessions() as session:
        return await assessment_of(session, recall, state.now())


@router.get("/market-actions", operation_id="listMarketActions", responses=READING)
async def list_market_actions(number: NumberDep, _: ReaderDep, state: StateDep) -> list[MarketActionOut]:
    """Every market action ever decided, oldest first, with the records of 21 CFR 806.20 and their reviews."""
    await load(state, number)
    async with state.sessions() as session:
        return await market_action_history(session, number)


@router.post("/market-actions", operation_id="recordMarketActions", response_model=DecisionOut, responses=RESPONSES)
async def record_market_actions(
    desk: DeskDep, principal: Deciding, body: Annotated[MarketActionsIn, MARKET_ACTIONS]
) -> JSONResponse:
    """Sign what is done on each market with each product line; before the hazard is evaluated."""
    decision = RecordMarketActions(
        actor=principal.actor(), reason=body.reason, actions=tuple(each.message() for each in body.actions)
    )
    named = [(f"#/actions/{i}/action", each.jurisdiction, each.action) for i, each in enumerate(body.actions)]
    return await desk.decide(principal, "record_market_actions", body, decision, before=actions_fit(desk, named))


@router.post(
    "/market-actions/review", operation_id="reviewMarketAction", response_model=DecisionOut, responses=RESPONSES
)
async def review_market_action(desk: DeskDep, principal: Designated, body: MarketActionReviewIn) -> JSONResponse:
    """As the designated person of 21 CFR 806.20(b)(4): accept the justification in force, or send it back."""
    decision = ReviewMarketAction(actor=principal.actor(), **body.model_dump())
    return await desk.decide(principal, "review_market_action", body, decision)


__all__ = ["router"]
