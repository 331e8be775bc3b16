"""Start, list and read recalls."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.examples import RECALL_START
from api.history import history_of
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.recall_intake import record_intake, recorded_before
from api.recall_start import start_workflow
from api.records import load
from api.security.bearer import Principal
from api.views import (
    both_times,
    class_decision_out,
    clock_out,
    counters,
    deadline_out,
    etag,
    hold_summary,
    links,
    recall_facts,
    recall_item,
    recall_url,
    scope_out,
    waiting_out,
)
from db.repositories import recalls_read
from domain.phases import Phase
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_common import Filter, Page
from models.schemas_recall import RecallClassName, RecallDetail, RecallItem, RecallStarted, RecallStartIn

router = APIRouter(tags=["recalls"])


@router.post(
    "/recalls",
    operation_id="startRecall",
    status_code=202,
    summary="Start a recall",
    response_model=RecallStarted,
    responses=problems(
        "bad_request",
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
        "temporal_unavailable",
    ),
)
async def start_recall(
    request: Request,
    body: Annotated[RecallStartIn, RECALL_START],
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.START_RECALL))],
    state: StateDep,
) -> JSONResponse:
    """Record the intake and start the recall's workflow.

    202 comes only after Temporal has accepted it; on 503 repeat with the same Idempotency-Key: the same recall
    goes on. The workflow requests holds and traces the scope at once.
    """

    async def carry_out(row: IdempotencyKey) -> Answer:
        recall = await recorded_before(state, row) or await record_intake(state, body, principal, key)
        workflow_id = await start_workflow(state, recall)
        url = recall_url(recall.number)
        started = RecallStarted(number=recall.number, status_url=url, workflow_id=workflow_id)
        return Answer(202, started, {"Location": url})

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.get(
    "/recalls",
    operation_id="listRecalls",
    summary="List recalls",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_recalls(
    _: ReaderDep,
    state: StateDep,
    phase: Phase | None = None,
    recall_class: Annotated[RecallClassName | None, Query(alias="class")] = None,
    jurisdiction: Filter | None = None,
    product: Annotated[Filter | None, Query(description="Product code or family in the traced scope.")] = None,
    overdue: bool | None = None,
    drill: bool | None = None,
    q: Annotated[Filter | None, Query(description="Part of number, title or reason.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RecallItem]:
    """Recalls, newest first, from the read model."""
    wanted = recalls_read.RecallFilter(phase, recall_class, jurisdiction, product, overdue, drill, q)
    name = listing_name("recalls", filter=wanted)
    after = state.cursors.read(name, cursor)
    now = state.now()
    async with state.sessions() as session:
        rows = await recalls_read.list_recalls(
            session,
            wanted,
            after=(datetime.fromisoformat(after[0]), after[1]) if after else None,
            limit=limit + 1,
            now=now,
        )
    return page_of(
        rows,
        limit,
        lambda row: recall_item(row, now),
        lambda row: state.cursors.write(name, [row.created_at.isoformat(), row.number]),
    )


@router.get(
    "/recalls/{number}",
    operation_id="readRecall",
    summary="Read one recall",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown"),
)
async def read_recall(number: NumberDep, _: ReaderDep, state: StateDep, response: Response) -> RecallDetail:
    """Phase, classes, scope, limits with both times, what waits for whom, and figures.

    The `ETag` is the version of the recall's phase and decisions (not of its counters); send it as `If-Match`
    with a decision.
    """
    recall = await load(state, number)
    response.headers["ETag"] = etag(recall)
    now = state.now()
    async with state.sessions() as session:
        progress = await recalls_read.progress(session, number)
        return RecallDetail(
            **recall_facts(recall, now),
            reason=recall.reason,
            hazard=recall.hazard,
            trigger={"source": recall.trigger_source, "reference": recall.trigger_reference},
            created=both_times(recall, recall.created_at),
            ended_reason=recall.ended_reason,
            policies=await recalls_read.policies(session, number),
            scope=scope_out(recall, await recalls_read.scope_counts(session, number, recall.scope_version)),
            class_decisions=[class_decision_out(r) for r in await recalls_read.class_decisions(session, number)],
            clocks=[clock_out(r) for r in await recalls_read.clocks(session, number)],
            deadlines=[deadline_out(r, now) for r in await recalls_read.deadlines(session, number)],
            waiting=[waiting_out(r, recall, now) for r in await recalls_read.open_tasks(session, number)],
            holds=hold_summary(progress),
            counters=counters(progress),
            links=links(number),
            **await history_of(session, number),
        )


__all__ = ["router"]
