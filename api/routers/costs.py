"""What a recall costs: entries in ISO currencies, suggestions to confirm, files of entries, reports."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, File, Path, Query, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.cost_sheet import MAX_BYTES, CostSheetRefused, read_costs
from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from db.repositories import cost_import, cost_proposals, cost_reports, costs
from db.repositories.cost_proposals import Suggested
from db.repositories.cost_reports import Group
from db.repositories.costs import Cost
from db.repositories.disposition_who import Who
from domain.money import sums
from domain.roles import Permission
from models.disposition import CostEntry
from models.schemas_common import Page
from models.schemas_costs import (
    ConfirmCostIn,
    CostGroupOut,
    CostIn,
    CostOut,
    CostProposalOut,
    CostReportOut,
    CostsImported,
    CostsOut,
    RateOut,
)
from models.schemas_supply import ReasonIn

BODY_LIMIT: Final = MAX_BYTES + 64 * 1024
router = APIRouter(prefix="/recalls/{number}/costs", tags=["costs"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
Id = Annotated[int, Path(ge=1, le=2**53)]
Into = Annotated[
    str | None,
    Query(alias="in", pattern=r"^[A-Z]{3}$", description="Also in this currency, by the exchange rates on record."),
]


@router.post(
    "",
    operation_id="bookCost",
    summary="Book a cost",
    status_code=201,
    response_model=CostOut,
    responses=problems(*PROBLEMS, "account_locked"),
)
async def book_cost(number: NumberDep, body: CostIn, desk: DeskDep) -> JSONResponse:
    """An exact amount as text in an ISO 4217 currency; money credited to us is negative."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        values = body.model_dump() | {"kind": body.kind.value, "cause": body.cause and body.cause.value}
        return _cost_out(await costs.book(session, number, Cost(**values), who))

    return await desk.carry_out(Permission.BOOK_COST, "book_cost", body, act, status=201, goods=False)


@router.post(
    "/{entry_id}/reverse",
    operation_id="reverseCost",
    summary="Reverse a cost entry",
    status_code=201,
    response_model=CostOut,
    responses=problems(*PROBLEMS, "account_locked"),
)
async def reverse_cost(number: NumberDep, entry_id: Id, body: ReasonIn, desk: DeskDep) -> JSONResponse:
    """A new entry of the opposite amount; the wrong one stays on record."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _cost_out(await costs.reverse(session, number, entry_id, who, body.reason))

    return await desk.carry_out(Permission.BOOK_COST, f"reverse_cost_{entry_id}", body, act, status=201, goods=False)


@router.post(
    "/import",
    operation_id="importCosts",
    summary="Book a file of costs",
    status_code=201,
    response_model=CostsImported,
    responses=problems(*PROBLEMS, "bad_request", "too_large"),
)
async def import_costs(
    number: NumberDep, file: Annotated[UploadFile, File(description="CSV, UTF-8, one entry per row.")], desk: DeskDep
) -> JSONResponse:
    """Book a CSV: `reference kind amount currency`, and any of the columns docs/money.md lists.

    With one wrong cell nothing is booked; `errors` has `#/rows/LINE/COLUMN`. A reference is booked once per recall: the
    same file again changes nothing.
    """
    content = await file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Problem("too_large", f"A file of costs may have {MAX_BYTES} bytes; send it in parts.")
    sha256 = hashlib.sha256(content).hexdigest()

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        rows = await asyncio.to_thread(read_costs, content)
        if isinstance(rows, CostSheetRefused):
            raise Problem("invalid_input", "The file cannot be booked; see `errors`.", errors=rows.errors)
        done = await cost_import.load(session, number, rows, sha256, who)
        totals = sums((entry.amount, entry.currency) for entry in done.booked)
        return CostsImported(booked=len(done.booked), already_there=done.already_there, totals=totals)

    return await desk.carry_out(Permission.BOOK_COST, "import_costs", {"sha256": sha256}, act, status=201, goods=False)


@router.get("", operation_id="listCosts", summary="Costs of a recall", responses=problems("bad_cursor", *_READING))
async def list_costs(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> CostsOut:
    """Entries as booked, and the sum of all entries per currency on every page; never a sum over two currencies."""
    await load(state, number)
    name = listing_name("costs", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await costs.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
        totals = await costs.totals(session, number)
    page = page_of(rows, limit, _cost_out, lambda row: state.cursors.write(name, [row.id]))
    return CostsOut(items=page.items, next_cursor=page.next_cursor, totals=totals)


@router.get("/report", operation_id="readCostReport", summary="What the recall costs", responses=problems(*_READING))
async def read_report(number: NumberDep, _: ReaderDep, state: StateDep, into: Into = None) -> CostReportOut:
    """By kind, site, cause and lot, and per unit distributed and recovered; each per currency.

    With `in`, amounts are also shown in that currency, each by the latest stated rate on or before its day; what has no
    rate is counted, and its group has no converted sum.
    """
    await load(state, number)
    async with state.sessions() as session:
        found = await cost_reports.report(session, number, into)
    by = {f"by_{name}": [_group_out(group) for group in groups] for name, groups in found.by.items()}
    return CostReportOut(
        total=_group_out(found.total),
        **by,
        distributed=found.distributed,
        recovered=found.recovered,
        per_distributed=found.per_distributed,
        per_recovered=found.per_recovered,
        converted_to=found.converted_to,
        rates=[RateOut.model_validate(rate, from_attributes=True) for rate in found.rates],
    )


@router.get(
    "/proposals",
    operation_id="listCostProposals",
    summary="Costs that dispositions suggest",
    responses=problems("bad_cursor", *_READING),
)
async def list_proposals(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[CostProposalOut]:
    """Units carried out at consignees times the product's unit value: credited, or replaced. Nothing books itself."""
    await load(state, number)
    name = listing_name("cost-proposals", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows: Sequence[Suggested] = await cost_proposals.open_proposals(
            session, number, after=after[0] if after else 0, limit=limit + 1
        )
    return page_of(rows, limit, _proposal_out, lambda row: state.cursors.write(name, [row.proposal.part_id]))


@router.post(
    "/proposals/{part_id}/confirm",
    operation_id="confirmCostProposal",
    summary="Book a suggested cost",
    status_code=201,
    response_model=CostOut,
    responses=problems(*PROBLEMS),
)
async def confirm_proposal(number: NumberDep, part_id: Id, body: ConfirmCostIn, desk: DeskDep) -> JSONResponse:
    """As suggested, or with another amount; each part is booked once."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        entry = await cost_proposals.confirm(session, number, part_id, who, amount=body.amount, note=body.note)
        return _cost_out(entry)

    return await desk.carry_out(Permission.BOOK_COST, f"confirm_cost_{part_id}", body, act, status=201, goods=False)


def _cost_out(row: CostEntry) -> CostOut:
    return CostOut(**{name: getattr(row, name) for name in CostOut.model_fields})


def _group_out(group: Group) -> CostGroupOut:
    return CostGroupOut(
        key=group.key,
        sums=dict(group.sums),
        converted=group.converted,
        without_rate=group.without_rate,
        entries=group.entries,
    )


def _proposal_out(found: Suggested) -> CostProposalOut:
    proposal, row = found.proposal, found.row
    own = {"kind": proposal.kind, "amount": proposal.amount, "currency": proposal.currency}
    return CostProposalOut(**own, **{name: row[name] for name in CostProposalOut.model_fields if name not in own})


__all__ = ["BODY_LIMIT", "router"]
