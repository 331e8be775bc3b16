"""The recipient's page for photos and documents: a form of its own, so that a refused file costs no answer."""

import asyncio
import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from adapters.evidence.base import EvidenceUnavailable
from api.deps import StateDep
from api.files_page import render_files_page
from api.recipient_access import (
    UNREACHABLE,
    RefusedLink,
    Visitor,
    let_in,
    page_headers,
    refused_page,
    unavailable_page,
)
from api.recipient_files import MAX_AT_ONCE, MAX_BYTES, MAX_FILES, Taken, files_of, take_files
from api.reply_fields import LANGUAGES
from api.reply_pages import page_language
from api.routers.recipient import ANSWERS
from api.state import ApiState

BODY_LIMIT: Final = MAX_AT_ONCE * MAX_BYTES + 256 * 1024
_PATIENCE: Final = 300.0
"""Seconds an upload may take: ten megabytes over a bad telephone line."""
_MULTIPART: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "array",
                            "maxItems": MAX_AT_ONCE,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}
router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="Language of the page")]


@router.get("/{token}/files", operation_id="readRecipientFiles", summary="Photos and documents", responses=ANSWERS)
async def read_files(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """What this recipient has sent, and the form to send more."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        return await _page(state, token, visitor, asked, Taken())
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    "/{token}/files",
    operation_id="sendRecipientFiles",
    summary="Send photos or documents",
    responses=ANSWERS,
    openapi_extra=_MULTIPART,
)
async def send_files(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Take JPEG, PNG and PDF files as evidence of this recipient; each is judged by its content."""
    asked = lang if lang in LANGUAGES else None
    try:
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > BODY_LIMIT:
            raise RefusedLink("too_large")
        # The link first: whoever has none sends nothing to our disk.
        visitor = await let_in(request, state, token)
        taken = await _take(request, state, visitor)
        return await _page(state, token, visitor, asked, taken, posted=True)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except (*UNREACHABLE, EvidenceUnavailable):
        return unavailable_page(state, asked)


async def _take(request: Request, state: ApiState, visitor: Visitor) -> Taken:
    try:
        async with asyncio.timeout(_PATIENCE), request.form(max_files=MAX_AT_ONCE, max_fields=5) as form:
            given = [each for each in form.getlist("file") if isinstance(each, UploadFile) and each.filename]
            if not given:
                return Taken(faults=[("", "none")])
            return await take_files(state, visitor, given)
    except TimeoutError:
        raise RefusedLink("slow") from None
    except HTTPException as error:  # no multipart form, or more files than are taken at a time
        return Taken(faults=[("", "at_once" if "many files" in error.detail else "none")])


async def _page(
    state: ApiState, token: str, visitor: Visitor, asked: str | None, taken: Taken, *, posted: bool = False
) -> HTMLResponse:
    nonce = secrets.token_urlsafe(12)
    language = page_language(asked, visitor.record.language)
    page = render_files_page(
        language,
        action=f"/r/{token}",
        csp_nonce=nonce,
        recall_no=visitor.record.number,
        recipient_name=visitor.record.recipient_name,
        drill=visitor.record.drill,
        firm_name=state.settings.company_name,
        firm_phone=state.settings.company_phone,
        firm_email=state.settings.company_email,
        files=[(file.file_name, file.size) for file in await files_of(state, visitor)],
        taken=taken.names,
        faults=taken.faults,
        largest=min(MAX_BYTES, state.settings.evidence_max_bytes),
        most=MAX_FILES,
        at_once=MAX_AT_ONCE,
    )
    headers = page_headers(nonce, posted=posted) | {"Content-Language": language}
    return HTMLResponse(page, 422 if taken.faults else 200, headers)


__all__ = ["BODY_LIMIT", "router"]
