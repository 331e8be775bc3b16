"""What becomes of held and returned units: open positions, proposals, decisions, and the file of each."""

from collections.abc import Sequence as Many
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, Signs, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.signature_views import blocks_of
from db.repositories import disposition_decisions, dispositions, evidence, release
from db.repositories.disposition_positions import OpenPosition, Which, positions
from db.repositories.disposition_who import Who
from db.repositories.dispositions import Wanted
from domain.disposition import DispositionKind
from domain.return_authorization import RETURNING, rma_number
from domain.roles import Permission
from models.disposition import Disposition, DispositionPart, DispositionState
from models.schemas_common import Page
from models.schemas_disposition import (
    DispositionDecisionIn,
    DispositionFileOut,
    DispositionOut,
    DispositionsDecisionIn,
    DispositionsOut,
    PartOut,
    PositionOut,
    ProposalsIn,
    RefusalIn,
    SignatureOut,
)

router = APIRouter(prefix="/recalls/{number}", tags=["disposition"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
Sequence = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the disposition within the recall.")]
Id = Annotated[int | None, Query(ge=1, le=2**53)]
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
_AUTHORIZED = (DispositionState.approved.value, DispositionState.done.value)
_DECIDING = problems(*PROBLEMS, "four_eyes")


@router.get(
    "/positions", operation_id="listPositions", summary="What is still to be disposed of", responses=problems(*_READING)
)
async def list_positions(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    lot_id: Id = None,
    location_id: Id = None,
    consignee_id: Id = None,
) -> list[PositionOut]:
    """Units under this recall's holds at our places, and units consignees still have by their statements."""
    await load(state, number)
    async with state.sessions() as session:
        rows = await positions(session, number, Which(lot_id, location_id, consignee_id))
    return [_position_out(row) for row in rows]


@router.post(
    "/dispositions",
    operation_id="proposeDispositions",
    summary="Propose dispositions",
    status_code=201,
    response_model=DispositionsOut,
    responses=problems(*PROBLEMS),
)
async def propose_dispositions(number: NumberDep, body: ProposalsIn, desk: DeskDep) -> JSONResponse:
    """One or many, or in bulk by a filter; all or none. A proposal never covers more than is open and not planned."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        if body.bulk is not None:
            bulk = body.bulk
            which = Which(bulk.lot_id, bulk.location_id, bulk.consignee_id)
            rows = await dispositions.propose_bulk(session, number, bulk.kind, which, bulk.reason, who)
        else:
            wanted = [Wanted(**each.model_dump()) for each in body.dispositions]
            rows = await dispositions.propose(session, number, wanted, who)
        return DispositionsOut(items=[disposition_out(row) for row in rows])

    return await desk.carry_out(Permission.PROPOSE_DISPOSITION, "propose_dispositions", body, act, status=201)


@router.get(
    "/dispositions",
    operation_id="listDispositions",
    summary="Dispositions of a recall",
    responses=problems("bad_cursor", *_READING),
)
async def list_dispositions(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    disposition_state: Annotated[DispositionState | None, Query(alias="state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DispositionOut]:
    """In the order they were proposed."""
    await load(state, number)
    name = listing_name("dispositions", number=number, state=disposition_state)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await dispositions.listed(
            session,
            number,
            state=disposition_state.value if disposition_state else None,
            after=after[0] if after else 0,
            limit=limit + 1,
        )
    return page_of(rows, limit, disposition_out, lambda row: state.cursors.write(name, [row.sequence]))


@router.get(
    "/dispositions/{sequence}",
    operation_id="readDisposition",
    summary="One disposition with signatures, parts and evidence",
    responses=problems("not_found", *_READING),
)
async def read_disposition(number: NumberDep, sequence: Sequence, _: ReaderDep, state: StateDep) -> DispositionFileOut:
    """Who proposed, who signed with which meaning, what was carried out, and the files that prove it."""
    await load(state, number)
    async with state.sessions() as session:
        row = await dispositions.find(session, number, sequence)
        if row is None or row.id is None:
            raise Problem("not_found", f"The recall {number} has no disposition {sequence}.")
        signed = await release.signatures(session, row)
        parts = await dispositions.parts_of(session, row.id)
        files = await evidence.linked(session, number, f"disposition:{row.id}")
        blocks = await blocks_of(session, signed)
    return DispositionFileOut(
        **disposition_out(row).model_dump(),
        signatures=[
            SignatureOut(
                actor=each.actor,
                role=each.role,
                outcome=each.outcome,
                meaning=each.meaning,
                capacity=each.body.get("capacity"),
                reason=each.reason,
                signed_at=each.signed_at,
                signature=blocks.get(each.signature_id),
            )
            for each in signed
        ],
        parts=[part_out(part) for part in parts],
        evidence_ids=[file.id for file in files],
    )


@router.post(
    "/dispositions/{sequence}/approve",
    operation_id="approveDisposition",
    summary="Approve a disposition, or sign a release",
    response_model=DispositionOut,
    responses=_DECIDING,
)
async def approve_disposition(
    number: NumberDep, sequence: Sequence, body: DispositionDecisionIn, desk: DeskDep
) -> JSONResponse:
    """By another person than the proposer. A release needs two: quality, and the head of quality."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return disposition_out((await _approve(session, desk, number, [sequence], who, body.reason))[0])

    operation = f"approve_disposition_{sequence}"
    return await desk.carry_out(
        Permission.DECIDE_DISPOSITION, operation, body, act, signs=_approval([sequence], body.reason)
    )


@router.post(
    "/dispositions/approve",
    operation_id="approveDispositions",
    summary="Approve several dispositions",
    response_model=DispositionsOut,
    responses=_DECIDING,
)
async def approve_dispositions(number: NumberDep, body: DispositionsDecisionIn, desk: DeskDep) -> JSONResponse:
    """As for one, all or none."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        rows = await _approve(session, desk, number, sorted(set(body.sequences)), who, body.reason)
        return DispositionsOut(items=[disposition_out(row) for row in rows])

    signs = _approval(sorted(set(body.sequences)), body.reason)
    return await desk.carry_out(Permission.DECIDE_DISPOSITION, "approve_dispositions", body, act, signs=signs)


def _approval(sequences: Many[int], reason: str | None) -> Signs:
    stated = {"sequences": list(sequences), "reason": reason}
    return Signs("I have reviewed and approve what becomes of these units", "approve_disposition", stated)


async def _approve(
    session: AsyncSession, desk: DisposalDesk, number: str, sequences: Many[int], who: Who, reason: str | None
) -> list[Disposition]:
    roles = [role.value for role in desk.principal.roles]
    return await disposition_decisions.approve_all(session, number, sequences, who, roles=roles, reason=reason)


@router.post(
    "/dispositions/{sequence}/reject",
    operation_id="rejectDisposition",
    summary="Reject a disposition",
    response_model=DispositionOut,
    responses=_DECIDING,
)
async def reject_disposition(number: NumberDep, sequence: Sequence, body: RefusalIn, desk: DeskDep) -> JSONResponse:
    """By another person than the proposer; the units are open again."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return disposition_out(await disposition_decisions.reject(session, number, sequence, who, body.reason))

    stated = {"sequences": [sequence], "reason": body.reason}
    signs = Signs("I do not accept this disposition", "reject_disposition", stated)
    operation = f"reject_disposition_{sequence}"
    return await desk.carry_out(Permission.DECIDE_DISPOSITION, operation, body, act, signs=signs)


@router.post(
    "/dispositions/{sequence}/withdraw",
    operation_id="withdrawDisposition",
    summary="Withdraw what is not carried out",
    response_model=DispositionOut,
    responses=problems(*PROBLEMS),
)
async def withdraw_disposition(number: NumberDep, sequence: Sequence, body: RefusalIn, desk: DeskDep) -> JSONResponse:
    """What was carried out stands; the rest is open again."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return disposition_out(await disposition_decisions.withdraw(session, number, sequence, who, body.reason))

    return await desk.carry_out(Permission.PROPOSE_DISPOSITION, f"withdraw_disposition_{sequence}", body, act)


def disposition_out(row: Disposition) -> DispositionOut:
    """The contract of a disposition."""
    fields = {name: getattr(row, name) for name in DispositionOut.model_fields if name != "rma"}
    coming = DispositionKind(row.kind) in RETURNING and row.state in _AUTHORIZED
    return DispositionOut(**fields, rma=rma_number(row.id) if coming and row.id is not None else None)


def part_out(part: DispositionPart) -> PartOut:
    """The contract of a carried-out part."""
    return PartOut(**{name: getattr(part, name) for name in PartOut.model_fields})


def _position_out(row: OpenPosition) -> PositionOut:
    return PositionOut(**{name: getattr(row, name) for name in PositionOut.model_fields})


__all__ = ["DeskDep", "Sequence", "disposition_out", "part_out", "router"]
