"""Obligations: every report owed to an authority or the public, when, why, and what proves that it was made."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep
from api.document_desk import request_of
from api.idempotency import Answer, once
from api.nudge import nudge_recall, nudge_workflow
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import sign, signs
from api.state import ApiState
from db.repositories import by_hand, clock_facts, obligations, obligations_read, own_documents, recalls
from db.repositories.obligations_read import Listed
from domain.limits import Unit
from domain.policy_parts import Trigger
from domain.roles import Permission, Role
from domain.workflow_ids import obligations_id
from models.access import IdempotencyKey
from models.recall import Deadline
from models.schemas_common import FieldProblem
from models.schemas_obligations import ObligationOut, ObligationStopIn, SubmissionIn, WorkedOutIn
from models.schemas_recall import BothTimes

router = APIRouter(
    prefix="/recalls/{number}/obligations",
    tags=["obligations"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
Submitter = Annotated[
    Principal, Depends(signs(Permission.SUBMIT_OBLIGATION, "I confirm that this report was submitted"))
]
Stopper = Annotated[Principal, Depends(signs(Permission.SUBMIT_OBLIGATION, "I confirm that this report is not owed"))]
Counter = Annotated[
    Principal, Depends(signs(Permission.SUBMIT_OBLIGATION, "I have worked out when this report is due"))
]
DeadlineId = Annotated[int, Path(ge=1, le=2**53, description="The deadline's id.")]
_CHANGING = problems(
    "bad_request",
    "idempotency_key_missing",
    "recall_unknown",
    "obligation_unknown",
    "obligation_not_open",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)


@router.get("", operation_id="listObligations", summary="Obligations")
async def list_obligations(number: NumberDep, _: ReaderDep, state: StateDep) -> list[ObligationOut]:
    """Every report owed, the next one first, then what may still come to be owed; with rule, clock and both times."""
    await load(state, number)
    async with state.sessions() as session:
        return [obligation_out(each, state.now()) for each in await obligations_read.listed(session, number)]


@router.post(
    "/{deadline_id}/submit", operation_id="submitObligation", response_model=ObligationOut, responses=_CHANGING
)
async def submit(
    request: Request,
    number: NumberDep,
    deadline_id: DeadlineId,
    body: SubmissionIn,
    key: KeyDep,
    principal: Submitter,
    state: StateDep,
) -> JSONResponse:
    """Record that a report was made, with its reference and its files; late is recorded as late.

    The files are frozen as what was submitted. A draft of ours is submitted with `draft/submit`.
    """
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        stated = {"obligation": deadline_id} | body.model_dump(mode="json")
        signer = await sign(state, principal, number, "submit_obligation", stated)
        async with state.sessions.begin() as session:
            with citing(body.evidence_ids):
                try:
                    the_request = request_of(principal, key, number, f"own:{deadline_id}")
                    await own_documents.submit(
                        session,
                        number,
                        deadline_id,
                        reference=body.reference,
                        evidence_ids=body.evidence_ids,
                        request=the_request,
                        by=principal.name,
                        role=principal.role_for(Permission.SUBMIT_OBLIGATION),
                        signature=signer.signature,
                        now=state.now(),
                    )
                except (LookupError, obligations.ObligationNotOpen) as error:
                    raise _problem(number, deadline_id, error) from error
        return await _changed(state, number, deadline_id)

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post("/{deadline_id}/stop", operation_id="stopObligation", response_model=ObligationOut, responses=_CHANGING)
async def stop(
    request: Request,
    number: NumberDep,
    deadline_id: DeadlineId,
    body: ObligationStopIn,
    key: KeyDep,
    principal: Stopper,
    state: StateDep,
) -> JSONResponse:
    """Sign that a report is not owed any more. It stays on the list with the reason."""
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        stated = {"obligation": deadline_id} | body.model_dump(mode="json")
        signer = await sign(state, principal, number, "stop_obligation", stated)
        async with state.sessions.begin() as session:
            try:
                await obligations.stop(
                    session,
                    number,
                    deadline_id,
                    reason=body.reason,
                    by=principal.name,
                    role=Role(principal.role_for(Permission.SUBMIT_OBLIGATION)),
                    now=state.now(),
                    signature=signer.signature,
                )
            except (LookupError, obligations.ObligationNotOpen) as error:
                raise _problem(number, deadline_id, error) from error
        return await _changed(state, number, deadline_id)

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/by-hand",
    operation_id="workOutObligation",
    status_code=201,
    summary="Due instant worked out by hand",
    response_model=ObligationOut,
    responses=_CHANGING,
)
async def work_out(
    request: Request, number: NumberDep, body: WorkedOutIn, key: KeyDep, principal: Counter, state: StateDep
) -> JSONResponse:
    """Sign when a report is due that no calendar covers (state `by_hand`); it is watched by that instant from now on.

    Once the calendar's table is loaded, an earlier instant computed from it takes its place.
    """
    await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        signer = await sign(state, principal, number, "work_out_obligation", body.model_dump(mode="json"))
        async with state.sessions.begin() as session:
            row = await _worked_out(session, number, body, principal, state.now(), signer.signature)
            await session.flush()
        return await _changed(state, number, row, status=201)

    return await once(state, request, principal, key, asked=body, operation=carry_out)


async def _worked_out(
    session: AsyncSession, number: str, body: WorkedOutIn, principal: Principal, now: datetime, signature: str | None
) -> int:
    recall = await recalls.get(session, number, lock=True)
    worked = by_hand.WorkedOut(
        jurisdiction=body.jurisdiction,
        name=body.name,
        due_at=body.due_at,
        working=body.working,
        clocks=(await clock_facts.facts_of(session, recall)).clocks,
        by=principal.name,
        role=principal.role_for(Permission.SUBMIT_OBLIGATION),
        now=now,
        signature=signature,
    )
    try:
        await by_hand.record(session, recall, worked)
    except LookupError as error:
        raise Problem("obligation_not_open", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    except ValueError as error:
        fault = FieldProblem(pointer="#/due_at", detail=str(error))
        raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault]) from error
    rows = await obligations.of_recall(session, number)
    return next(row.id or 0 for row in rows if (row.name, row.jurisdiction) == (body.name, body.jurisdiction))


def _problem(number: str, deadline_id: int, error: Exception) -> Problem:
    if isinstance(error, LookupError):
        return Problem("obligation_unknown", f"The recall {number} has no obligation {deadline_id}.")
    return Problem("obligation_not_open", f"{str(error)[:1].upper()}{str(error)[1:]}.")


async def _changed(state: ApiState, number: str, deadline_id: int, status: int = 200) -> Answer:
    await nudge_workflow(state, obligations_id(number))
    await nudge_recall(state, number, "checklist")
    async with state.sessions() as session:
        rows = await obligations_read.listed(session, number)
    found = next(row for row in rows if row.deadline is not None and row.deadline.id == deadline_id)
    return Answer(status, obligation_out(found, state.now()))


def obligation_out(row: Listed, now: datetime) -> ObligationOut:
    """One line of the list."""
    due, rule = row.deadline, row.rule
    return ObligationOut(
        id=due.id if due else None,
        name=due.name if due else row.waits or rule.id,
        jurisdiction=row.policy.id,
        title=rule.title,
        title_zh=rule.title_zh,
        recipient=rule.recipient,
        role=(due.role if due else None) or rule.role.value,
        state=_due_state(due, now) if due else _rule_state(row),
        basis=due.basis if due else rule.basis.value,
        source=(due.source if due else rule.source) or "house rule",
        law_text=rule.law_text,
        limit=due.limit_text if due else str(rule.due),
        clock=due.clock if due else (rule.runs_from.value if rule.runs_from else None),
        clock_started_at=row.clock_started_at,
        due=BothTimes(at=due.due_at, policy_at=due.policy_due_at) if due else None,
        internal_due=row.unrolled,
        every=str(rule.every) if rule.every else None,
        complaint=row.complaint,
        met_at=due.met_at if due else None,
        met_by=due.met_by if due else None,
        reference=due.reference if due else None,
        evidence_ids=row.evidence,
        stopped_at=due.stopped_at if due else None,
        stopped_reason=due.stopped_reason if due else None,
        stopped_by=due.stopped_by if due else None,
        record_instead=rule.record_instead,
    )


def _due_state(due: Deadline, now: datetime) -> str:
    if due.met_at is not None:
        return "met_late" if due.met_at > due.due_at else "met"
    if due.stopped_at is not None:
        return "stopped"
    return "overdue" if due.due_at < now else "open"


def _rule_state(row: Listed) -> str:
    if row.waits is not None:
        return "by_hand"
    if row.not_owed:
        return "not_owed"
    if row.rule.due.unit == Unit.NONE:
        return "record"
    if row.rule.due.unit == Unit.BEFORE_START or row.by_gate:
        return "by_gate"
    return "if_asked" if row.rule.trigger == Trigger.IF_ASKED else "not_running"


__all__ = ["obligation_out", "router"]
