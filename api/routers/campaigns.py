"""Campaigns of a recall: where each stands; people pause it, resume it, or abort it signed by a second person."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from api.decisions import Accepted, Target
from api.deps import NumberDep, ReaderDep, StateDep, require
from api.desk import DeskDep
from api.idempotency import Answer
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import signs
from api.state import ApiState
from db.repositories import campaign_pauses
from domain.roles import Permission
from domain.workflow_ids import campaign_id
from models.messages import Decision
from models.messages_pausing import AbortCampaign, CampaignReceipt, PauseCampaign, ResumeCampaign
from models.schemas_campaigns import CampaignDecisionOut, CampaignOut, RemainderOut
from models.schemas_common import Page
from models.schemas_decisions import ReasonIn

_READING = problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "invalid")
_DECIDING: dict[int | str, dict[str, Any]] = problems(
    "bad_request",
    "idempotency_key_missing",
    "four_eyes",
    "wrong_state",
    "already_decided",
    "recall_closed",
    "request_in_progress",
    "version_mismatch",
    "idempotency_key_reused",
    "temporal_unavailable",
) | {202: {"model": CampaignDecisionOut, "description": "Accepted and still being carried out; repeat with this key"}}
router = APIRouter(prefix="/recalls/{number}/campaigns", tags=["campaigns"], responses=_READING)
Sequence = Annotated[int, Path(ge=1, le=999_999, description="Number of the campaign within the recall.")]
Pauser = Annotated[Principal, Depends(require(Permission.PAUSE_CAMPAIGN))]
_MEANING = "I end this notice knowing that it leaves consignees untold"
Aborter = Annotated[Principal, Depends(signs(Permission.ABORT_CAMPAIGN, _MEANING))]


@router.get("", operation_id="listCampaigns", summary="Campaigns of a recall")
async def list_campaigns(number: NumberDep, _: ReaderDep, state: StateDep) -> list[CampaignOut]:
    """Every notice that went out or goes out, in order, and who stopped it."""
    await load(state, number)
    async with state.sessions() as session:
        return [_campaign_out(row) for row in await campaign_pauses.of_recall(session, number)]


@router.get(
    "/{sequence}/remainder",
    operation_id="listCampaignRemainder",
    summary="Whom an aborted campaign left behind",
    responses=problems("bad_cursor"),
)
async def list_remainder(
    number: NumberDep, sequence: Sequence, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[RemainderOut]:
    """Consignees without an answer when the campaign was aborted; empty for one that was not."""
    await _row(state, number, sequence)
    name = listing_name(f"remainder:{number}", sequence=sequence)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await campaign_pauses.remainder(
            session, number, sequence, after=after[0] if after else 0, limit=limit + 1
        )
    return page_of(
        rows,
        limit,
        lambda row: RemainderOut.model_validate(row, from_attributes=True),
        lambda row: state.cursors.write(name, [row.consignee_id]),
    )


@router.post(
    "/{sequence}/pause",
    operation_id="pauseCampaign",
    summary="Send nothing more for now",
    response_model=CampaignDecisionOut,
    responses=_DECIDING,
)
async def pause(desk: DeskDep, sequence: Sequence, principal: Pauser, body: ReasonIn) -> JSONResponse:
    """Nothing is sent until it is resumed. Answers count; deadlines, ladder steps and telephone tasks keep running."""
    return await _decide(desk, sequence, principal, "pause_campaign", body, PauseCampaign)


@router.post(
    "/{sequence}/resume",
    operation_id="resumeCampaign",
    summary="Go on with a paused campaign, or probe a stopped channel",
    response_model=CampaignDecisionOut,
    responses=_DECIDING,
)
async def resume(desk: DeskDep, sequence: Sequence, principal: Pauser, body: ReasonIn) -> JSONResponse:
    """What became due meanwhile is sent now, the rest at its time.

    Where an account-level error stopped a channel and somebody has repaired the account, it is probed at once.
    """
    return await _decide(desk, sequence, principal, "resume_campaign", body, ResumeCampaign)


@router.post(
    "/{sequence}/abort",
    operation_id="abortCampaign",
    summary="Never send the rest of a paused campaign",
    response_model=CampaignDecisionOut,
    responses=_DECIDING,
)
async def abort(desk: DeskDep, sequence: Sequence, principal: Aborter, body: ReasonIn) -> JSONResponse:
    """Signed by another person than who paused it. Who remains is kept as a list and becomes a task."""
    return await _decide(desk, sequence, principal, "abort_campaign", body, AbortCampaign)


async def _decide(
    desk: DeskDep, sequence: int, principal: Principal, operation: str, body: ReasonIn, decision: type[Decision]
) -> JSONResponse:
    recall = await load(desk.state, desk.number)
    row = await _row(desk.state, desk.number, sequence)
    target = Target(
        campaign_id(desk.number, sequence),
        f"campaign {sequence}",
        "aborted" if row.aborted_at else "as its recall or its work did",
        ended=row.ended_at is not None,
        receipt=CampaignReceipt,
    )
    desk.about = {"campaign": sequence}

    async def prepared(_: str) -> Decision:
        desk.check_version(recall)
        return decision(actor=principal.actor(), reason=body.reason)

    def answer(accepted: Accepted) -> Answer:
        return _answer(desk.number, sequence, accepted)

    return await desk.send(principal, operation, body, target, prepared, answer)


async def _row(state: ApiState, number: str, sequence: int) -> Any:
    await load(state, number)
    async with state.sessions() as session:
        found = await campaign_pauses.of_recall(session, number, sequence)
    if not found:
        raise Problem("not_found", f"The recall {number} has no campaign {sequence}.")
    return found[0]


def _answer(number: str, sequence: int, accepted: Accepted) -> Answer:
    receipt = accepted.receipt
    known = {"decision_id": accepted.update_id, "number": number, "sequence": sequence}
    if not isinstance(receipt, CampaignReceipt):
        return Answer(202, CampaignDecisionOut(decision="accepted", **known), {"Retry-After": "2"}, final=False)
    facts = receipt.model_dump(exclude={"number", "sequence"})
    return Answer(200, CampaignDecisionOut(decision="done", **known, **facts))


def _campaign_out(row: Any) -> CampaignOut:
    state = "running"
    if row.aborted_at is not None:
        state = "aborted"
    elif row.ended_at is not None:
        state = "ended"
    elif row.paused_at is not None:
        state = "paused"
    return CampaignOut.model_validate({**row._mapping, "state": state})


__all__ = ["router"]
