"""Answers of many consignees in one file: the table to fill in, what a filled-in one would do, and recording it."""

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from adapters.evidence.base import EvidenceUnavailable
from api.bulk_answers import MOST_SITES, Defaults
from api.bulk_columns import LANGUAGES, table_of
from api.bulk_recording import Given, keep, preview, read_given, record
from api.bulk_sheet import MAX_BYTES, SheetEncoding
from api.deps import KeyDep, NumberDep, StateDep, require
from api.idempotency import Answer, once
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import bulk_answers
from db.repositories.cases import By
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.visible_text import visible
from models.access import IdempotencyKey
from models.recall import Recall
from models.schemas_bulk_answers import BulkAnswersOut
from models.schemas_common import FieldProblem, Filter, Line

BODY_LIMIT: Final = MAX_BYTES + 64 * 1024
router = APIRouter(prefix="/recalls/{number}/answers", tags=["replies"])
Clerk = Annotated[Principal, Depends(require(Permission.REPLY_ON_BEHALF))]
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
_TAKING = ("bad_request", "recall_closed", "too_large", *_READING)
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "One row per consignee and lot", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get(
    "/bulk.csv",
    operation_id="readBulkAnswersTable",
    summary="The table a group fills in",
    response_class=Response,
    responses=problems(*_READING) | _CSV,
)
async def read_table(
    number: NumberDep,
    _: Clerk,
    state: StateDep,
    group: Annotated[Filter | None, Query(description="Only sites of this hospital group or chain.")] = None,
    sender: Annotated[
        int | None, Query(ge=1, le=2**53, description="Only this consignee and whoever it passed product on to.")
    ] = None,
    answered: Annotated[bool, Query(description="Also those that have stated their quantities.")] = False,
    language: Annotated[str, Query(max_length=20, description="Language of the titles.")] = "en",
) -> Response:
    """Open consignees with the lots each is asked for. Titles in any language are understood when it comes back."""
    await load(state, number)
    if language not in LANGUAGES:
        detail = f"expected one of {', '.join(LANGUAGES)}"
        raise Problem("invalid", "No such language.", errors=[FieldProblem(pointer="query/language", detail=detail)])
    async with state.sessions() as session:
        sites = await bulk_answers.to_ask(
            session, number, group=group or None, sender=sender, answered=answered, limit=MOST_SITES + 1
        )
    if len(sites) > MOST_SITES:
        raise Problem("invalid", f"More than {MOST_SITES} consignees: ask for one group or sender.")
    headers = {
        "Content-Disposition": f'attachment; filename="{number}-answers.csv"',
        "Cache-Control": "no-store",
    }
    return Response(await asyncio.to_thread(table_of, sites, language), media_type="text/csv", headers=headers)


async def _given(
    number: NumberDep,
    file: Annotated[UploadFile, File(description="The table, filled in, as CSV or XLSX.")],
    encoding: Annotated[
        SheetEncoding | None, Form(description="Of a file without byte order mark that is not UTF-8.")
    ] = None,
    decimal: Annotated[Literal["point", "comma"], Form(description="How decimals are written.")] = "point",
    responder_name: Annotated[Line | None, Form(description="Who answers where a row names nobody.")] = None,
    responder_role: Annotated[Line | None, Form(max_length=100, description="Role of that person.")] = None,
) -> Given:
    content = await file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Problem("too_large", f"A file of answers may have {MAX_BYTES} bytes; send it in parts.")
    name = visible((file.filename or "").replace("\\", "/").rsplit("/", 1)[-1], 200) or "answers.csv"
    return Given(number, name, content, encoding, decimal == "comma", Defaults(responder_name, responder_role))


GivenDep = Annotated[Given, Depends(_given)]


@router.post(
    "/bulk/preview",
    operation_id="previewBulkAnswers",
    summary="What a file of answers would do",
    responses=problems(*_TAKING),
)
async def preview_bulk_answers(given: GivenDep, _: Clerk, state: StateDep) -> BulkAnswersOut:
    """Read and check the file as recording it would; changes nothing and keeps nothing."""
    _still_open(await load(state, given.number))
    return await asyncio.to_thread(preview, await read_given(state, given), state.now())


@router.post(
    "/bulk",
    operation_id="recordBulkAnswers",
    status_code=201,
    summary="Record a file of answers",
    response_model=BulkAnswersOut,
    responses=problems(
        "idempotency_key_missing",
        "request_in_progress",
        "idempotency_key_reused",
        "evidence_unavailable",
        *_TAKING,
    ),
)
async def record_bulk_answers(
    request: Request, given: GivenDep, key: KeyDep, principal: Clerk, state: StateDep
) -> JSONResponse:
    """Each consignee of the file gets an answer of its own, checked like any other; earlier answers stay on record.

    With one wrong cell nothing is recorded. The file is kept as evidence. The same file again changes nothing.
    """
    recall = await load(state, given.number)
    asked = {
        "sha256": given.sha256,
        "encoding": given.encoding,
        "decimal_comma": given.decimal_comma,
        "responder_name": given.defaults.name,
        "responder_role": given.defaults.role,
    }

    async def carry_out(_: IdempotencyKey) -> Answer:
        _still_open(recall)
        by = By(principal.name, "staff", state.now())
        read = await read_given(state, given)
        try:
            file_id = await keep(state, given, read.sheet, by)
        except EvidenceUnavailable as error:
            detail = "Nothing was recorded. Repeat the request with the same key later."
            raise Problem("evidence_unavailable", detail, headers={"Retry-After": "5"}) from error
        return Answer(201, await record(state, given, read, file_id, by))

    return await once(state, request, principal, key, asked=asked, operation=carry_out)


def _still_open(recall: Recall) -> None:
    if is_final(Phase(recall.phase)):
        raise Problem("recall_closed", f"The recall is {recall.phase}; report harm as a complaint.")


__all__ = ["BODY_LIMIT", "router"]
