"""Start, list and read recalls."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.examples import RECALL_START
from api.history import history_of
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.recall_start import start_workflow
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
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
from db.repositories import evidence, recall_intake, recalls_read
from db.repositories.trace_roots import resolve_roots
from domain.phases import Phase
from domain.policy_places import place_faults
from domain.roles import Permission
from domain.scope import UnknownScope
from models.access import IdempotencyKey
from models.recall import Recall
from models.schemas_common import FieldProblem, Filter, Page
from models.schemas_recall import RecallClassName, RecallDetail, RecallItem, RecallStarted, RecallStartIn

router = APIRouter(tags=["recalls"])
_CLOCK_SLACK = timedelta(minutes=5)
"""A client's clock may run a little ahead of ours; the database allows the same."""


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
        recall = await _recorded(state, row) or await _record(state, body, principal, key)
        workflow_id = await start_workflow(state, recall)
        url = recall_url(recall.number)
        started = RecallStarted(number=recall.number, status_url=url, workflow_id=workflow_id)
        return Answer(202, started, {"Location": url})

    return await once(state, request, principal, key, asked=body, operation=carry_out)


async def _recorded(state: ApiState, row: IdempotencyKey) -> Recall | None:
    """The recall an earlier attempt with this key recorded before it broke off."""
    if row.recall_number is None:
        return None
    return await load(state, row.recall_number)


async def _record(state: ApiState, body: RecallStartIn, principal: Principal, key: str) -> Recall:
    now = state.now()
    async with state.sessions.begin() as session:
        faults = await _intake_faults(session, state, body, now)
        unusable = await evidence.unusable(session, body.evidence_ids, None)
        for index, evidence_id in enumerate(body.evidence_ids):
            if evidence_id in unusable:
                faults.append(FieldProblem(pointer=f"#/evidence_ids/{index}", detail=unusable[evidence_id]))
        try:
            await resolve_roots(session, body.scope)
        except UnknownScope as error:
            faults += [
                FieldProblem(pointer=f"#/scope/{item['field']}", detail=f"not on record: {item['value']}")
                for item in error.unknown
            ]
        if faults:
            raise Problem("invalid", "The intake does not fit the records; see `errors`.", errors=faults)
        with citing(body.evidence_ids):
            return await recall_intake.open_recall(
                session,
                _facts(body),
                evidence_ids=body.evidence_ids,
                principal=principal.name,
                role=principal.role_for(Permission.START_RECALL),
                key=key,
                now=now,
            )


async def _intake_faults(
    session: AsyncSession, state: ApiState, body: RecallStartIn, now: datetime
) -> list[FieldProblem]:
    faults = []
    if body.awareness_at > now + _CLOCK_SLACK:
        faults.append(FieldProblem(pointer="#/awareness_at", detail="lies in the future"))
    known = await state.jurisdictions.in_force(session, now.date())
    for index, jurisdiction in enumerate(body.jurisdictions):
        if jurisdiction not in known:
            detail = f"no policy {jurisdiction} is in force; known: {', '.join(known)}"
            faults.append(FieldProblem(pointer=f"#/jurisdictions/{index}", detail=detail))
    faults += [
        FieldProblem(pointer=f"#/places/{law}", detail="is none of the recall's jurisdictions")
        for law in body.places
        if law not in body.jurisdictions
    ]
    for law, place in body.places.items():
        policy = await state.jurisdictions.policy(session, law, now.date()) if law in body.jurisdictions else None
        if policy is not None:
            faults += [
                FieldProblem(pointer=f"#/places/{law}/{field}", detail=detail)
                for field, detail in place_faults(policy, place.state, place.zone)
            ]
    if body.pace != 1 and not state.settings.allow_pace:
        detail = "this installation runs in real time (RECALL_ALLOW_PACE is not set)"
        faults.append(FieldProblem(pointer="#/pace", detail=detail))
    return faults


def _facts(body: RecallStartIn) -> dict[str, object]:
    return {
        "title": body.title,
        "reason": body.reason,
        "hazard": body.hazard,
        "texts_language": body.texts_language,
        "translations": {tag: texts.model_dump() for tag, texts in body.translations.items()},
        "trigger_source": body.trigger.source,
        "trigger_reference": body.trigger.reference,
        "awareness_at": body.awareness_at,
        "jurisdictions": body.jurisdictions,
        "places": {law: place.model_dump(exclude_none=True) for law, place in body.places.items()},
        "suspect": body.scope.model_dump(mode="json", exclude_defaults=True),
        "owner": body.owner,
        "drill": body.drill,
        "pace": body.pace,
    }


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
