"""The code list in force: searched by text and annex, and which versions were loaded."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlmodel import col, select

from api.deps import ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from api.quality_views import code_out
from db.repositories import codes
from models.quality import CodeList
from models.schemas_common import Filter, Page
from models.schemas_nonconformities import CodeListOut, CodeOut

router = APIRouter(prefix="/codes", tags=["nonconformities"])
_READING = problems("bad_cursor", "unauthenticated", "not_permitted", "invalid")


@router.get("", operation_id="searchCodes", summary="Search the IMDRF codes", responses=_READING)
async def search_codes(
    _: ReaderDep,
    state: StateDep,
    q: Annotated[Filter | None, Query(description="Part of a term or definition, or the beginning of a code.")] = None,
    annex: Annotated[Literal["A", "B", "C", "D", "E", "F", "G"] | None, Query(description="Only this annex.")] = None,
    parent: Annotated[str | None, Query(pattern="^[A-G][0-9]{2,9}$", description="Only the level below it.")] = None,
    retired: Annotated[bool, Query(description="Retired codes, too.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CodeOut]:
    """In order of the codes; a longer code lies below the one it begins with."""
    name = listing_name("codes", q=q, annex=annex, parent=parent, retired=retired)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await codes.search(
            session,
            part=q,
            annex=annex,
            parent=parent,
            retired=retired,
            after=str(after[0]) if after else "",
            limit=limit + 1,
        )
    return page_of(rows, limit, code_out, lambda row: state.cursors.write(name, [row.code]))


@router.get("/lists", operation_id="listCodeLists", summary="Loaded code lists", responses=_READING)
async def list_code_lists(_: ReaderDep, state: StateDep) -> list[CodeListOut]:
    """Newest first; the newest whose first day has come is in force."""
    async with state.sessions() as session:
        rows = (await session.exec(select(CodeList).order_by(col(CodeList.valid_from).desc()))).all()
    return [CodeListOut(**row.model_dump(include=set(CodeListOut.model_fields))) for row in rows]


__all__ = ["router"]
