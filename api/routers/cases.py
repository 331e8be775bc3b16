"""Consignees that did not answer, or stated what cannot be: cases, attempts, documents and settled queries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.case_work import Desk, desk, signing_desk
from api.citing import citing
from api.deps import NumberDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from db.repositories import attempts, cases_read, documented
from db.repositories.cases import By
from domain.attempts import DocumentedKind, missing
from models.case import CaseReason, CaseState, ConsigneeDocumented, ContactAttempt
from models.schemas_cases import AttemptIn, AttemptOut, CaseOut, DocumentedOut, DocumentIn, EffortOut, SettleIn
from models.schemas_common import FieldProblem, Page

router = APIRouter(prefix="/recalls/{number}", tags=["cases"])
ConsigneeId = Annotated[int, Path(ge=1, le=2**53)]
DeskDep = Annotated[Desk, Depends(desk)]
DocumentingDesk = Annotated[Desk, Depends(signing_desk("I confirm why this consignee counts as done"))]
SettlingDesk = Annotated[Desk, Depends(signing_desk("I accept this statement as it stands"))]
_WRITING = (
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "recall_unknown",
    "recall_closed",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)
_READING = ("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid")


@router.get("/cases", operation_id="listCases", summary="Cases of a recall", responses=problems(*_READING))
async def list_cases(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    reason: CaseReason | None = None,
    case_state: Annotated[CaseState | None, Query(alias="state")] = None,
    consignee_id: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CaseOut]:
    """Why people look, or looked, after consignees; oldest first."""
    await load(state, number)
    name = listing_name("cases", number=number, reason=reason, state=case_state, consignee=consignee_id)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await cases_read.listed(
            session,
            number,
            consignee_id=consignee_id,
            reason=reason,
            state=case_state,
            after=after[0] if after else 0,
            limit=limit + 1,
        )
    return page_of(rows, limit, _case_out, lambda row: state.cursors.write(name, [row.id]))


@router.get(
    "/consignees/{consignee_id}/attempts",
    operation_id="listAttempts",
    summary="What was tried to reach a consignee",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def list_attempts(number: NumberDep, consignee_id: ConsigneeId, _: ReaderDep, state: StateDep) -> EffortOut:
    """Attempts of people, everything tried as counted, and what is missing before it may be documented."""
    await load(state, number)
    async with state.sessions() as session:
        if not await cases_read.has_consignee(session, number, consignee_id):
            raise Problem("not_found", f"The recall {number} has no consignee {consignee_id}.")
        made = await attempts.made(session, consignee_id)
        rows = await attempts.of_consignee(session, consignee_id)
        needed = await documented.needed(session, number)
    return EffortOut(
        attempts=made.attempts,
        channels=list(made.channels),
        live=made.live,
        missing=list(missing(DocumentedKind.NO_RESPONSE, made, 0, needed)),
        items=[_attempt_out(row) for row in rows],
    )


@router.post(
    "/consignees/{consignee_id}/attempts",
    operation_id="recordAttempt",
    status_code=201,
    summary="Record an attempt to reach a consignee",
    response_model=AttemptOut,
    responses=problems(*_WRITING),
)
async def record_attempt(consignee_id: ConsigneeId, body: AttemptIn, at_desk: DeskDep) -> JSONResponse:
    """A call, visit or letter with person, number, time and outcome. A refusal or a closed firm opens a case."""

    async def act(session: AsyncSession, by: By) -> AttemptOut:
        new = attempts.NewAttempt(
            number=at_desk.number,
            consignee_id=consignee_id,
            channel=body.channel.value,
            outcome=body.outcome,
            at=body.at,
            person=body.person,
            phone=body.number,
            note=body.note,
            task_id=body.task_id,
            form_id=at_desk.form_id("attempt"),
        )
        try:
            return _attempt_out(await attempts.record(session, new, by))
        except attempts.AttemptRefused as error:
            errors = [FieldProblem(pointer=f"#/{fault.field}", detail=fault.expected) for fault in error.faults]
            raise Problem("invalid", "This is no attempt that counts; see `errors`.", errors=errors) from error

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201)


@router.post(
    "/consignees/{consignee_id}/document",
    operation_id="documentConsignee",
    status_code=201,
    summary="Document a consignee that does not answer",
    response_model=DocumentedOut,
    responses=problems(*_WRITING, "not_documentable"),
)
async def document_consignee(consignee_id: ConsigneeId, body: DocumentIn, at_desk: DocumentingDesk) -> JSONResponse:
    """Sign why it counts as done: three attempts on two channels with one live, a refusal, or proof that it is gone.

    The problem `not_documentable` lists in `open` what has to be done first.
    """

    async def act(session: AsyncSession, by: By) -> DocumentedOut:
        account = documented.Account(
            number=at_desk.number,
            consignee_id=consignee_id,
            kind=body.kind,
            account=body.account,
            authority_informed=body.authority_informed,
            evidence_ids=tuple(body.evidence_ids),
            form_id=at_desk.form_id("document"),
        )
        try:
            with citing(body.evidence_ids):
                return _documented_out(await documented.document(session, account, by), "documented")
        except documented.NotDocumentable as error:
            detail = f"{str(error)[:1].upper()}{str(error)[1:]}."
            raise Problem("not_documentable", detail, open=list(error.missing)) from error

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201, signed_as="document_consignee")


@router.post(
    "/consignees/{consignee_id}/queries/{reply_id}/settle",
    operation_id="settleQuery",
    status_code=201,
    summary="Accept a questioned statement",
    response_model=DocumentedOut,
    responses=problems(*_WRITING, "query_not_open", "four_eyes"),
)
async def settle_query(
    consignee_id: ConsigneeId, reply_id: Annotated[int, Path(ge=1, le=2**53)], body: SettleIn, at_desk: SettlingDesk
) -> JSONResponse:
    """Accept a statement as it stands, with a signed reason; never by the person who typed it in."""

    async def act(session: AsyncSession, by: By) -> DocumentedOut:
        settlement = documented.Settlement(
            number=at_desk.number,
            consignee_id=consignee_id,
            reply_id=reply_id,
            reason=body.reason,
            evidence_ids=tuple(body.evidence_ids),
            form_id=at_desk.form_id("settle"),
        )
        try:
            with citing(body.evidence_ids):
                return _documented_out(await documented.settle(session, settlement, by), "answered")
        except documented.QueryNotOpen as error:
            raise Problem("query_not_open", f"There is {error} of this consignee.") from error
        except documented.OwnEntry as error:
            raise Problem("four_eyes", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201, signed_as="settle_query")


def _case_out(row: cases_read.CaseRow) -> CaseOut:
    return CaseOut.model_validate(row, from_attributes=True)


def _attempt_out(row: ContactAttempt) -> AttemptOut:
    return AttemptOut.model_validate(row, from_attributes=True)


def _documented_out(row: ConsigneeDocumented, consignee_state: str) -> DocumentedOut:
    fields = row.model_dump(include=set(DocumentedOut.model_fields))
    return DocumentedOut(**fields, consignee_state=consignee_state)


__all__ = ["router"]
