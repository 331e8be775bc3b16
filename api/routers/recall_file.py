"""The short parts of one recall's file: limits, sign-offs, notices, evidence, audit trail, and the live workflow."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.decisions import read_snapshot
from api.deps import NumberDep, ReaderDep, StateDep, require
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signature_views import blocks_of
from api.views import deadline_out, evidence_out
from db.repositories import audit, evidence, recall_views, recalls_read
from domain.roles import Permission
from models.messages import Snapshot
from models.schemas_common import Page
from models.schemas_recall import DeadlineOut
from models.schemas_records import AuditEventOut, AuditVerification, EvidenceOut
from models.schemas_views import NoticeBodyOut, NoticeItem, NoticeOut, SignOffOut

router = APIRouter(
    prefix="/recalls/{number}",
    tags=["recall records"],
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
AuditReader = Annotated[Principal, Depends(require(Permission.READ_AUDIT))]
"""Not every role may read who did what."""


@router.get("/deadlines", operation_id="listDeadlines", summary="Deadlines")
async def list_deadlines(number: NumberDep, _: ReaderDep, state: StateDep) -> list[DeadlineOut]:
    """Every limit with its source, the next one first, in real and in policy time."""
    await load(state, number)
    async with state.sessions() as session:
        return [deadline_out(row, state.now()) for row in await recalls_read.deadlines(session, number)]


@router.get("/sign-offs", operation_id="listSignOffs", summary="Sign-offs")
async def list_sign_offs(number: NumberDep, _: ReaderDep, state: StateDep) -> list[SignOffOut]:
    """Who approved which step, as what, when."""
    await load(state, number)
    async with state.sessions() as session:
        rows = await recalls_read.sign_offs(session, number)
        blocks = await blocks_of(session, rows)
    fields = [name for name in SignOffOut.model_fields if name != "signature"]
    return [
        SignOffOut(**{name: getattr(row, name) for name in fields}, signature=blocks.get(row.signature_id))
        for row in rows
    ]


@router.get("/notices", operation_id="listNotices", summary="Notices")
async def list_notices(number: NumberDep, _: ReaderDep, state: StateDep) -> list[NoticeItem]:
    """Versions of the notice, newest first."""
    await load(state, number)
    async with state.sessions() as session:
        rows = await recall_views.notices(session, number)
    return [NoticeItem.model_validate(row, from_attributes=True) for row in rows]


@router.get("/notices/{notice_id}", operation_id="readNotice", summary="One notice with its bodies")
async def read_notice(
    number: NumberDep, notice_id: Annotated[int, Path(ge=1, le=2**53)], _: ReaderDep, state: StateDep
) -> NoticeOut:
    """Every rendered body, for reading before approval; `sha256` is what an approver approves."""
    async with state.sessions() as session:
        notice = await recall_views.notice(session, number, notice_id)
        if notice is None:
            raise Problem("not_found", f"The recall {number} has no notice {notice_id}.")
        bodies = await recall_views.notice_bodies(session, notice_id)
    item = NoticeItem.model_validate(notice, from_attributes=True)
    shown = [NoticeBodyOut.model_validate(body, from_attributes=True) for body in bodies]
    return NoticeOut(**item.model_dump(), bodies=shown)


@router.get("/evidence", operation_id="listEvidence", summary="Evidence files")
async def list_evidence(number: NumberDep, _: ReaderDep, state: StateDep) -> list[EvidenceOut]:
    """Files bound to the recall."""
    await load(state, number)
    async with state.sessions() as session:
        return [evidence_out(row) for row in await evidence.of_recall(session, number)]


@router.get("/audit", operation_id="listAudit", summary="Audit trail")
async def list_audit(
    number: NumberDep, _: AuditReader, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[AuditEventOut]:
    """Events of the recall in order, each with the hash that chains it to the one before."""
    await load(state, number)
    name = listing_name(f"audit:{number}")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await audit.read(session, number, after=after[0] if after else 0, limit=limit + 1)
    return page_of(
        rows,
        limit,
        lambda row: AuditEventOut.model_validate(row, from_attributes=True),
        lambda row: state.cursors.write(name, [row.seq]),
    )


@router.get("/audit/verify", operation_id="verifyAudit", summary="Verify the audit chain")
async def verify_audit(number: NumberDep, _: AuditReader, state: StateDep) -> AuditVerification:
    """Recompute every hash from the first event to the head; names the first link that does not fit."""
    await load(state, number)
    async with state.sessions() as session:
        head = await recall_views.audit_head(session, number)
        broken = await audit.first_broken_link(session, number)
    return AuditVerification(
        stream=number,
        intact=broken is None,
        events=head.seq if head else 0,
        head=head.hash if head else None,
        first_broken=broken,
    )


@router.get(
    "/live",
    operation_id="readLive",
    summary="The recall as its workflow sees it",
    responses=problems("recall_closed", "temporal_unavailable"),
)
async def read_live(number: NumberDep, _: ReaderDep, state: StateDep) -> Snapshot:
    """Open proposal, open gates and draft, asked of the running workflow; needs a worker."""
    recall = await load(state, number)
    return await read_snapshot(state, number, recall.phase)


__all__ = ["router"]
