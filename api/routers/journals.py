"""Journals of a recall: what the next one would hold, closing it, reading it as JSON or CSV."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NumberDep, ReaderDep, StateDep
from api.disposal_work import PROBLEMS, DisposalDesk, disposal_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.state import ApiState
from db.repositories import journals
from db.repositories.disposition_who import Who
from domain import journal as domain
from domain.journal import Line
from domain.roles import Permission
from models.money import Journal
from models.schemas_common import Page
from models.schemas_costs import (
    CloseJournalIn,
    JournalDraftOut,
    JournalOut,
    JournalWithLines,
    LineOut,
    UnmappedOut,
)

router = APIRouter(prefix="/recalls/{number}/journals", tags=["costs"])
DeskDep = Annotated[DisposalDesk, Depends(disposal_desk)]
Sequence = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the journal within the recall.")]
_READING: Final = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
_SHOWN: Final = 1000
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "One row per line", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("", operation_id="listJournals", summary="Closed journals", responses=problems("bad_cursor", *_READING))
async def list_journals(
    number: NumberDep, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[JournalOut]:
    """In their order."""
    await load(state, number)
    name = listing_name("journals", number=number)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await journals.listed(session, number, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _journal_out, lambda row: state.cursors.write(name, [row.sequence]))


@router.get(
    "/draft", operation_id="readJournalDraft", summary="What the next journal holds", responses=problems(*_READING)
)
async def read_draft(number: NumberDep, _: ReaderDep, state: StateDep) -> JournalDraftOut:
    """Open entries with the accounts they would be booked on, and those without, with what is missing."""
    await load(state, number)
    async with state.sessions() as session:
        found = await journals.draft(session, number)
    lines = domain.lines(number, 1, found.postings)
    return JournalDraftOut(
        entries=len(found.postings),
        totals=domain.balance(lines),
        lines=[each.model_copy(update={"line_id": None}) for each in _lines_out(lines[: 2 * _SHOWN])],
        unmapped=[
            UnmappedOut(entry=each.entry_id, kind=each.kind, missing=each.missing) for each in found.unmapped[:_SHOWN]
        ],
    )


@router.post(
    "",
    operation_id="closeJournal",
    summary="Close the next journal",
    status_code=201,
    response_model=JournalOut,
    responses=problems(*PROBLEMS, "unmapped", "nothing_to_book"),
)
async def close_journal(number: NumberDep, body: CloseJournalIn, desk: DeskDep) -> JSONResponse:
    """Every open entry gets a debit and a credit line; the journal is closed with it and never changes.

    409 `unmapped` names each entry without accounts in `errors`; `leave_unmapped` leaves those to a later journal.
    """

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        row = await journals.close(session, number, who, leave_unmapped=body.leave_unmapped, note=body.note)
        return _journal_out(row)

    return await desk.carry_out(Permission.CLOSE_JOURNAL, "close_journal", body, act, status=201, goods=False)


@router.get(
    "/{sequence}",
    operation_id="readJournal",
    summary="A closed journal",
    responses=problems("not_found", *_READING),
)
async def read_journal(number: NumberDep, sequence: Sequence, _: ReaderDep, state: StateDep) -> JournalWithLines:
    """With every line."""
    row, lines = await _found(state, number, sequence)
    return JournalWithLines(**_journal_out(row).model_dump(), lines=_lines_out(lines))


@router.get(
    "/{sequence}/lines.csv",
    operation_id="exportJournal",
    summary="A closed journal as CSV",
    response_class=Response,
    responses=problems("not_found", *_READING) | _CSV,
)
async def export_journal(number: NumberDep, sequence: Sequence, _: ReaderDep, state: StateDep) -> Response:
    """The same bytes each time: their SHA-256 is the journal's `sha256`, and in the audit."""
    _row, lines = await _found(state, number, sequence)
    name = domain.journal_name(number, sequence)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response(domain.csv_text(name, lines).encode(), media_type="text/csv", headers=headers)


async def _found(state: ApiState, number: str, sequence: int) -> tuple[Journal, list[Line]]:
    await load(state, number)
    async with state.sessions() as session:
        row = await journals.find(session, number, sequence)
        if row is None:
            raise Problem("not_found", f"The recall {number} has no journal {sequence}.")
        return row, await journals.lines_of(session, row)


def _journal_out(row: Journal) -> JournalOut:
    values = {name: getattr(row, name) for name in JournalOut.model_fields if name != "name"}
    return JournalOut(name=domain.journal_name(row.recall_number, row.sequence), **values)


def _lines_out(lines: Iterable[Line]) -> list[LineOut]:
    return [
        LineOut(
            line_id=line.id,
            posted_on=line.posted_on,
            account=line.account,
            cost_centre=line.cost_centre,
            side=line.side,
            amount=line.amount,
            currency=line.currency,
            kind=line.kind,
            cost_entry=line.entry_id,
            reverses_entry=line.reverses_entry_id,
            document_no=line.document_no,
        )
        for line in lines
    ]


__all__ = ["router"]
