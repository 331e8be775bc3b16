"""Labels of approved returns and exchanges: one RMA's, or many sites' in one file."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import Problem, problems
from api.records import load
from api.return_label_file import MAX_PARCELS, PDF, dock_of, label_answer, labels_of
from db.repositories import return_authorizations
from db.repositories.return_authorizations import MOST
from domain.return_authorization import RmaError
from models.disposition import DispositionState
from models.schemas_recall import LanguageTag

router = APIRouter(prefix="/recalls/{number}/returns", tags=["disposition"])
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "not_found", "conflict", "invalid")
Language = Annotated[LanguageTag | None, Query(description="en, zh-CN or es; else the consignee's.")]


@router.get(
    "/labels.pdf",
    operation_id="readReturnLabels",
    summary="Return labels of many sites",
    response_class=Response,
    responses={200: {"description": "A page for each approved return", **PDF}, **problems(*_READING)},
)
async def read_labels(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    consignee_id: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of the disposition to begin after.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    language: Language = None,
) -> Response:
    """Up to 500 in the order of their dispositions; `X-Last-Disposition` is where the next file begins."""
    await load(state, number)
    async with state.sessions() as session:
        dock = await dock_of(session, state)
        chosen = None if consignee_id is None else [consignee_id]
        rows = await return_authorizations.listed(session, number, consignees=chosen, after=after, limit=limit)
    if not rows:
        raise Problem("not_found", "No approved return or exchange is left in this choice.")
    labels = [label for row in rows for label in labels_of(number, row, language)]
    return await label_answer(labels, dock, f"{number}-labels", {"X-Last-Disposition": str(rows[-1].sequence)})


@router.get(
    "/{rma}/label.pdf",
    operation_id="readReturnLabel",
    summary="Label of one return",
    response_class=Response,
    responses={200: {"description": "A page for each parcel", **PDF}, **problems(*_READING)},
)
async def read_label(
    number: NumberDep,
    rma: Annotated[str, Path(max_length=40, description="RMA number.")],
    _: ReaderDep,
    state: StateDep,
    parcels: Annotated[int, Query(ge=1, le=MAX_PARCELS, description="How many parcels it goes in.")] = 1,
    language: Language = None,
) -> Response:
    """For the outside of each parcel; a return that is done or withdrawn has none any more."""
    await load(state, number)
    async with state.sessions() as session:
        dock = await dock_of(session, state)
        try:
            rows = await return_authorizations.listed(session, number, rma=rma)
        except RmaError as error:
            raise Problem("not_found", f"{rma[:40]!r} is no RMA number: {error}.") from error
    if not rows:
        raise Problem("not_found", f"The recall {number} has no return {rma[:40]!r}.")
    if rows[0].state != DispositionState.approved.value:
        raise Problem("conflict", f"The return {rows[0].rma} is {rows[0].state}: nothing is to be sent under it.")
    return await label_answer(labels_of(number, rows[0], language, parcels), dock, rows[0].rma, {})


__all__ = ["router"]
