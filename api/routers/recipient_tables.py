"""Many lots at once: the recipient downloads its own lots as CSV, fills the figures in, and sends the table back.

A table with a fault changes nothing and is answered row by row; a good one fills in the form, which the recipient
checks and sends as ever.
"""

import asyncio
import secrets
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.deps import StateDep
from api.files_page import render_table_page
from api.recipient_access import (
    UNREACHABLE,
    RefusedLink,
    Visitor,
    let_in,
    page_headers,
    refused_page,
    unavailable_page,
)
from api.recipient_answer import new_form_id, page_lots
from api.recipient_steps import keep, place_of
from api.recipient_table import MAX_BYTES, RowFault, TableReading, read_table, table_of
from api.recipient_view import resumed_form_id
from api.reply_fields import LANGUAGES, ReplyStep
from api.reply_pages import page_language
from api.routers.recipient import ANSWERS
from api.state import ApiState

_PATIENCE: Final = 60.0
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "One row per lot", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
_MULTIPART: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            }
        },
    }
}
router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="Language of the page")]


@router.get(
    "/{token}/lots.csv",
    operation_id="readRecipientTable",
    summary="The recipient's lots as a table",
    response_model=None,
    responses=ANSWERS | _CSV,
)
async def read_lots(request: Request, token: Token, state: StateDep) -> Response:
    """Own lots with what was delivered and the figures known so far, to be filled in and sent back."""
    try:
        visitor = await let_in(request, state, token)
        place = await place_of(state, visitor, correcting=True)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, None)
    except UNREACHABLE:
        return unavailable_page(state, None)
    headers = {
        "Content-Disposition": f'attachment; filename="{visitor.record.number}-lots.csv"',
        "Cache-Control": "no-store",
    }
    return Response(table_of(page_lots(visitor.lots), place.values), media_type="text/csv", headers=headers)


@router.get("/{token}/table", operation_id="readRecipientTableForm", summary="Send a table", responses=ANSWERS)
async def read_form_for_table(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Where the table is got and sent."""
    asked = lang if lang in LANGUAGES else None
    try:
        return _page(state, token, await let_in(request, state, token), asked)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    "/{token}/table",
    operation_id="sendRecipientTable",
    summary="Fill in the form from a table",
    response_model=None,
    responses=ANSWERS,
    openapi_extra=_MULTIPART,
)
async def send_table(
    request: Request, token: Token, state: StateDep, lang: Language = None
) -> HTMLResponse | RedirectResponse:
    """Read the table; with a fault nothing changes and each is named by row and column, else the form is filled in."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        if visitor.record.state == "withdrawn":
            return RedirectResponse(f"/r/{token}", 303)
        reading = await _read(request, visitor)
        if reading.faults:
            return _page(state, token, visitor, asked, reading.faults)
        await _fill_in(state, visitor, reading)
        return RedirectResponse(f"/r/{token}?correct=1&lang={page_language(asked, visitor.record.language)}", 303)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


async def _read(request: Request, visitor: Visitor) -> TableReading:
    try:
        async with asyncio.timeout(_PATIENCE), request.form(max_files=1, max_fields=5) as form:
            file = form.get("file")
            content = await file.read(MAX_BYTES + 1) if isinstance(file, UploadFile) else b""
    except TimeoutError:
        raise RefusedLink("slow") from None
    except HTTPException:
        content = b""
    if not content or len(content) > MAX_BYTES:
        return TableReading({}, (RowFault(1, "", "unreadable"),))
    return read_table(content, page_lots(visitor.lots))


async def _fill_in(state: ApiState, visitor: Visitor, reading: TableReading) -> None:
    """Figures of the table over whatever else was filled in."""
    record = visitor.record
    form_id = resumed_form_id(visitor) or new_form_id(visitor.secret, record.number, record.consignee_id)
    figures = {f"{name}-" for name in ("on_hand", "held", "used", "passed_on", "returned", "destroyed")}
    kept = {
        name: value
        for name, value in (record.draft_answers or {}).items()
        if not any(name.startswith(prefix) for prefix in figures)
    }
    values = kept | {"acknowledged": "yes", "affected": "yes"} | reading.values
    await keep(state, visitor, form_id, ReplyStep.LOTS, values)


def _page(
    state: ApiState, token: str, visitor: Visitor, asked: str | None, faults: tuple[RowFault, ...] = ()
) -> HTMLResponse:
    nonce = secrets.token_urlsafe(12)
    language = page_language(asked, visitor.record.language)
    page = render_table_page(
        language,
        faults=faults,
        action=f"/r/{token}",
        csp_nonce=nonce,
        recall_no=visitor.record.number,
        recipient_name=visitor.record.recipient_name,
        drill=visitor.record.drill,
        firm_name=state.settings.company_name,
        firm_phone=state.settings.company_phone,
        firm_email=state.settings.company_email,
    )
    headers = page_headers(nonce) | {"Content-Language": language}
    return HTMLResponse(page, 422 if faults else 200, headers)


__all__ = ["router"]
