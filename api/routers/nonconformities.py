"""Nonconformities: recorded, investigated, decided lot by lot under signature, closed; and what they lead to."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import ReaderDep, StateDep
from api.findings_views import FindingsPage, FindingsQueryDep, summary_of_nonconformity
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.quality_desk import NcNumber, QualityDeskDep, quality_problems
from api.quality_views import nc_item, nc_out
from api.recall_intake import record_intake, recorded_before
from api.recall_start import start_workflow
from api.views import recall_url
from db.repositories import audit, nonconformities, nonconformity_read, nonconformity_record
from db.repositories.disposition_who import Who
from db.repositories.nonconformity_record import LotGiven, NcFacts
from domain.nonconformity import NcSource, NcState
from domain.roles import Permission
from domain.scope import LotRef, ScopeCriteria
from models.access import IdempotencyKey
from models.quality import LinkKind
from models.schemas_common import FieldProblem, Page
from models.schemas_findings import FindingsSummaryOut
from models.schemas_nonconformities import (
    AuditEventShort,
    NcChainOut,
    NcCloseIn,
    NcConcessionIn,
    NcDecisionIn,
    NcInvestigationIn,
    NcItem,
    NcLinkIn,
    NcOut,
    NcRecallIn,
    NcReopenIn,
    NonconformityIn,
    RecallNumberText,
)
from models.schemas_recall import RecallStarted, RecallStartIn, TriggerIn

_READING: Final = problems("unauthenticated", "not_permitted", "not_found", "invalid")
_WRITING: Final[dict[int | str, dict[str, Any]]] = problems(
    "idempotency_key_missing",
    "unauthenticated",
    "signature_required",
    "not_permitted",
    "not_trained",
    "four_eyes",
    "not_found",
    "wrong_state",
    "not_complete",
    "nothing_to_sign",
    "request_in_progress",
    "invalid",
    "evidence_required",
    "idempotency_key_reused",
)
_DECIDES: Final = "I authorise what becomes of these units, for the reason stated"
_CONCEDES: Final = "I authorise the use of product that does not conform"
_CLOSES: Final = "I have reviewed this nonconformity and close it"
router = APIRouter(prefix="/nonconformities", tags=["nonconformities"])


@router.post("", operation_id="recordNonconformity", status_code=201, response_model=NcOut, responses=_WRITING)
async def record_nonconformity(desk: QualityDeskDep, body: NonconformityIn) -> JSONResponse:
    """Record product or a process that does not meet its requirements; the task to investigate it is offered."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        if body.detected_at > who.at:
            fault = FieldProblem(pointer="#/detected_at", detail="expected an instant that has passed")
            raise Problem("invalid", "One value is not valid; see `errors`.", errors=[fault])
        plain = body.model_dump(exclude={"lots", "detected_by"})
        lots = [LotGiven(each.product_code, each.number, each.quantity) for each in body.lots]
        given = NcFacts(**plain, lots=lots, detected_by=body.detected_by or who.principal)
        row = await nonconformity_record.record(session, given, who)
        return await _out(session, row.number)

    return await desk.carry_out(
        Permission.RECORD_NONCONFORMITY, "record_nonconformity", body, act, status=201, evidence_ids=body.evidence_ids
    )


@router.get(
    "",
    operation_id="listNonconformities",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_nonconformities(
    _: ReaderDep,
    state: StateDep,
    nc_state: Annotated[NcState | None, Query(alias="state")] = None,
    source: NcSource | None = None,
    recall: Annotated[RecallNumberText | None, Query(description="Linked with this recall.")] = None,
    code: Annotated[
        str | None, Query(pattern="^[A-G][0-9]{2,9}$", description="With this code or one below it.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[NcItem]:
    """By number."""
    name = listing_name("nonconformities", state=nc_state, source=source, recall=recall, code=code)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await nonconformity_read.listed(
            session,
            state=nc_state,
            source=source,
            recall_number=recall,
            code=code,
            after=str(after[0]) if after else "",
            limit=limit + 1,
        )
    return page_of(rows, limit, lambda row: nc_item(*row), lambda row: state.cursors.write(name, [row[0].number]))


@router.get("/{nc}", operation_id="readNonconformity", responses=_READING)
async def read_nonconformity(nc: NcNumber, _: ReaderDep, state: StateDep) -> NcOut:
    """One with its lots and decisions, codes, files, the recalls it belongs to, and what keeps it open."""
    async with state.sessions() as session:
        return await _out(session, nc)


@router.get("/{nc}/findings", operation_id="listNonconformityFindings", responses=_READING | problems("bad_cursor"))
async def list_findings(nc: NcNumber, _: ReaderDep, query: FindingsQueryDep) -> FindingsPage:
    """What was measured of its lots, of what went into them and of what was made of them."""
    return await query.of_nonconformity(nc)


@router.get("/{nc}/findings/summary", operation_id="summariseNonconformityFindings", responses=_READING)
async def summarise_findings(nc: NcNumber, _: ReaderDep, state: StateDep) -> FindingsSummaryOut:
    """How much there is by kind, and how old the data."""
    return await summary_of_nonconformity(state, nc)


@router.get("/{nc}/audit", operation_id="auditNonconformity", responses=_READING)
async def audit_nonconformity(nc: NcNumber, _: ReaderDep, state: StateDep) -> NcChainOut:
    """Every event of its chain, and whether each link fits."""
    async with state.sessions() as session:
        await _out(session, nc)
        events = [each async for each in audit.read_all(session, nc)]
        broken = await audit.first_broken_link(session, nc)
    shown = [AuditEventShort(**each.model_dump(include=set(AuditEventShort.model_fields))) for each in events]
    return NcChainOut(events=shown, first_broken=broken, state="intact" if broken is None else "broken")


@router.post("/{nc}/investigation", operation_id="investigateNonconformity", response_model=NcOut, responses=_WRITING)
async def investigate(nc: NcNumber, desk: QualityDeskDep, body: NcInvestigationIn) -> JSONResponse:
    """What was looked into and found; may be corrected until every lot is decided."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.investigate(
            session,
            nc,
            account=body.account,
            severity=body.severity,
            given_codes=body.codes,
            evidence_ids=body.evidence_ids,
            who=who,
        )
        return await _out(session, nc)

    return await desk.carry_out(
        Permission.MANAGE_CAPA, "investigate_nonconformity", body, act, evidence_ids=body.evidence_ids
    )


@router.post("/{nc}/decisions", operation_id="decideNonconformity", response_model=NcOut, responses=_WRITING)
async def decide(nc: NcNumber, desk: QualityDeskDep, body: NcDecisionIn) -> JSONResponse:
    """Sign what becomes of lots (21 CFR 820.90(b)); never who found or investigated it. It frees nothing by itself."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.decide(
            session,
            nc,
            lot_ids=body.lot_ids,
            disposition=body.disposition,
            justification=body.justification,
            evidence_ids=body.evidence_ids,
            who=who,
        )
        return await _out(session, nc)

    return await desk.carry_out(
        Permission.DECIDE_DISPOSITION,
        "decide_nonconformity",
        body,
        act,
        meaning=_DECIDES,
        about={"nonconformity": nc},
        evidence_ids=body.evidence_ids,
    )


@router.post("/{nc}/concessions", operation_id="concedeNonconformity", response_model=NcOut, responses=_WRITING)
async def concede(nc: NcNumber, desk: QualityDeskDep, body: NcConcessionIn) -> JSONResponse:
    """The head of quality's second signature under the use of lots as they are; never who decided it."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.concede(session, nc, body.lot_ids, who)
        return await _out(session, nc)

    return await desk.carry_out(
        Permission.SIGN_CONCESSION, "concede_nonconformity", body, act, meaning=_CONCEDES, about={"nonconformity": nc}
    )


@router.post("/{nc}/close", operation_id="closeNonconformity", response_model=NcOut, responses=_WRITING)
async def close(nc: NcNumber, desk: QualityDeskDep, body: NcCloseIn) -> JSONResponse:
    """Sign that it is closed: every lot decided and, where a recall's hold locks it, the decision carried out."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.close(session, nc, body.conclusion, who)
        return await _out(session, nc)

    return await desk.carry_out(
        Permission.DECIDE_DISPOSITION, "close_nonconformity", body, act, meaning=_CLOSES, about={"nonconformity": nc}
    )


@router.post("/{nc}/reopen", operation_id="reopenNonconformity", response_model=NcOut, responses=_WRITING)
async def reopen(nc: NcNumber, desk: QualityDeskDep, body: NcReopenIn) -> JSONResponse:
    """Open a closed one again, with reason."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.reopen(session, nc, body.reason, who)
        return await _out(session, nc)

    return await desk.carry_out(Permission.MANAGE_CAPA, "reopen_nonconformity", body, act)


@router.post("/{nc}/links", operation_id="linkNonconformity", response_model=NcOut, responses=_WRITING)
async def link(nc: NcNumber, desk: QualityDeskDep, body: NcLinkIn) -> JSONResponse:
    """Tie it to a recall, whose file then holds it."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        await nonconformities.link_recall(session, nc, body.recall_number, LinkKind.related, body.reason, who)
        return await _out(session, nc)

    return await desk.carry_out(Permission.MANAGE_CAPA, "link_nonconformity", body, act)


@router.post(
    "/{nc}/recall",
    operation_id="startRecallFromNonconformity",
    status_code=202,
    response_model=RecallStarted,
    responses=_WRITING | problems("temporal_unavailable"),
)
async def start_recall(nc: NcNumber, desk: QualityDeskDep, body: NcRecallIn) -> JSONResponse:
    """Start a recall of the lots concerned; its awareness is the instant the nonconformity was detected."""
    state, principal = desk.state, await desk.permitted(Permission.START_RECALL)

    async def operation(row: IdempotencyKey) -> Answer:
        recall = await recorded_before(state, row)
        if recall is None:
            async with state.sessions() as session:
                intake = _intake(await _out(session, nc), body)
            recall = await record_intake(state, intake, principal, desk.key)
        who = Who(principal.name, principal.role_for(Permission.START_RECALL), state.now())
        with quality_problems():
            async with state.sessions.begin() as session:
                await nonconformities.link_recall(session, nc, recall.number, LinkKind.led_to, None, who)
        workflow_id = await start_workflow(state, recall)
        url = recall_url(recall.number)
        return Answer(
            202, RecallStarted(number=recall.number, status_url=url, workflow_id=workflow_id), {"Location": url}
        )

    asked = {"operation": f"recall_{nc}", "body": body.model_dump(mode="json")}
    return await once(state, desk.request, principal, desk.key, asked=asked, operation=operation)


def _intake(found: NcOut, body: NcRecallIn) -> RecallStartIn:
    lots = [each for each in found.lots if each.taken_back_at is None]
    if not lots and found.product_code is None:
        raise Problem("not_complete", f"{found.number} names neither a lot nor a product; a recall needs a scope.")
    refs = tuple(LotRef(product_code=each.product_code, number=each.number) for each in lots)
    scope = ScopeCriteria(lots=refs) if refs else ScopeCriteria(product_codes=(found.product_code or "",))
    facts = dict(
        **body.model_dump(exclude={"reason"}),
        reason=body.reason or found.description,
        trigger=TriggerIn(
            source="complaint" if found.source == "complaint" else "internal_test", reference=found.number
        ),
        awareness_at=found.detected_at,
        scope=scope,
        drill=found.drill,
    )
    try:
        return RecallStartIn(**facts)
    except ValidationError as error:
        errors = [
            FieldProblem(pointer="#/" + "/".join(map(str, each["loc"])), detail=each["msg"]) for each in error.errors()
        ]
        raise Problem("invalid", "The recall cannot be started so; see `errors`.", errors=errors) from error


async def _out(session: AsyncSession, nc: str) -> NcOut:
    found = await nonconformity_read.whole(session, nc)
    if found is None:
        raise Problem("not_found", f"There is no nonconformity {nc}.")
    return nc_out(found)


__all__ = ["router"]
