"""The page behind a supplier's signed link: what is asked now, answered with files, stage by stage."""

import asyncio
import secrets
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.deps import StateDep
from api.nudge import nudge_owners
from api.outside_link import Language, Token, answers, behind_link, firm, read_link, shown, slow_down
from api.recipient_access import RefusedLink
from api.state import ApiState
from api.supplier_pages import (
    LANGUAGES,
    MAX_FILES,
    SupplierPage,
    error_text,
    page_language,
    read_form,
    render_supplier_page,
)
from db.repositories import evidence, supplier_requests
from db.repositories.codes import CodesRefused
from db.repositories.disposition_who import Who
from db.repositories.supplier_requests import SUPPLIER
from domain.nonconformity import NcRefused
from domain.photo_types import FileRefused, named, photo_or_document
from domain.supplier_request import Given, RequestState, Stage, read_supplier_token
from domain.workflow_ids import QUALITY_ID
from models.evidence import Evidence
from models.quality import QualityFile
from models.supplier_request import SupplierAnswer, SupplierRequest

MAX_BYTES: Final = 10 * 1024 * 1024
BODY_LIMIT: Final = MAX_FILES * MAX_BYTES + 256 * 1024
_PATIENCE: Final = 300.0
_IDS: Final = UUID("7b0d3a52-5c57-4d0f-8a4e-2f9e0c5a6d11")
"""Namespace of evidence ids made from request and content, so that a second tap meets the first upload."""
_ANSWERS: Final = answers(
    "What is asked, or the thanks",
    "The link has expired, or the request has ended",
    s409="Something else is asked by now; nothing was recorded",
    s413="The files are too large",
)
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": {"type": "object"}}},
    }
}
router = APIRouter(prefix="/q", tags=["supplier"], default_response_class=HTMLResponse)


@router.get("/{token}", operation_id="readSupplierPage", summary="The supplier's page", responses=_ANSWERS)
async def read_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """What is asked now, with its deadline and form."""
    asked = lang if lang in LANGUAGES else None

    async def page() -> HTMLResponse:
        return await _show(state, token, *await _let_in(request, state, token), asked)

    return await behind_link(request, state, token, asked, page)


@router.post("/{token}", operation_id="submitSupplierPage", responses=_ANSWERS, openapi_extra=_FORM)
async def submit_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Record the answer to what was shown; where something else is asked by now (409), the page says so."""
    asked = lang if lang in LANGUAGES else None

    async def page() -> HTMLResponse:
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > BODY_LIMIT:
            raise RefusedLink("too_large")
        return await _submitted(request, state, token, asked)

    return await behind_link(request, state, token, asked, page)


async def _submitted(request: Request, state: ApiState, token: str, asked: str | None) -> HTMLResponse:
    row, file = await _let_in(request, state, token)
    language = page_language(asked, row.language)
    form, uploads, bad = await _read(request, state)
    reading = read_form(form)
    errors = [(name, error_text(language, name)) for name in reading.faults]
    if bad:
        largest = min(MAX_BYTES, state.settings.evidence_max_bytes) // (1024 * 1024) or 1
        errors.append(("file", error_text(language, "file", largest=largest, most=MAX_FILES)))
    if reading.stage is None or reading.turn is None or reading.given is None or errors:
        now_asked = (RequestState.ASKED.value, row.stage, row.round)
        stale = not bad and (row.state, reading.stage, reading.turn) != now_asked
        return await _show(
            state, token, row, file, asked, values=reading.values, errors=[] if stale else errors, stale=stale
        )
    try:
        reference = await _answer(state, row.number, (reading.stage, reading.turn), reading.given, uploads)
    except CodesRefused as refused:
        errors = [("codes", error_text(language, "codes", detail=str(refused)))]
        return await _show(state, token, row, file, asked, values=reading.values, errors=errors)
    except NcRefused:
        newest = await _let_in(request, state, token)
        return await _show(state, token, *newest, asked, values=reading.values, stale=True)
    await nudge_owners(state, [(QUALITY_ID, "")])
    return await _show(state, token, row, file, asked, reference=reference)


async def _read(request: Request, state: ApiState) -> tuple[dict[str, str], list[tuple[str, str, bytes]], bool]:
    """(fields, files as name, type and content, whether a file was refused)."""
    fields: dict[str, str] = {}
    taken: list[tuple[str, str, bytes]] = []
    limit, bad = min(MAX_BYTES, state.settings.evidence_max_bytes), False
    try:
        async with asyncio.timeout(_PATIENCE), request.form(max_files=4 * MAX_FILES, max_fields=20) as form:
            items = form.multi_items()
            bad = sum(not isinstance(value, str) and bool(value.filename) for _, value in items) > MAX_FILES
            for name, value in items:
                if isinstance(value, str):
                    fields[name] = value
                elif isinstance(value, UploadFile) and value.filename:
                    content = await value.read(limit + 1)
                    try:
                        if len(content) > limit:
                            raise FileRefused("size")
                        media_type = photo_or_document(content)
                        taken.append((named(value.filename[:300], media_type), media_type, content))
                    except FileRefused:
                        bad = True
    except TimeoutError:
        raise RefusedLink("slow") from None
    except (HTTPException, ValueError, UnicodeError):  # no form, or far too many files
        bad = True
    return fields, taken, bad


async def _answer(
    state: ApiState, number: str, read: tuple[Stage, int], given: Given, uploads: list[tuple[str, str, bytes]]
) -> str:
    now, ids = state.now(), []
    for name, media_type, content in uploads:
        sha256 = await state.evidence.store(content)
        row = Evidence(
            id=uuid5(_IDS, f"{number}\n{sha256}"),
            file_name=name,
            content_type=media_type,
            size=len(content),
            sha256=sha256,
            uploaded_by=f"{SUPPLIER}:{number}",
            uploaded_at=now,
        )
        async with state.sessions.begin() as session:
            await evidence.add(session, row, role=SUPPLIER)
        ids.append(row.id)
    whole = replace(given, file_ids=list(dict.fromkeys(ids)))
    async with state.sessions.begin() as session:
        found = await supplier_requests.answer(session, number, read, whole, Who(SUPPLIER, SUPPLIER, now))
        return f"{number}/{found.id}"


async def _let_in(request: Request, state: ApiState, token: str) -> tuple[SupplierRequest, QualityFile]:
    number = read_link(request, state, token, "supplier", read_supplier_token)
    slow_down(state, f"supplier:{number}")
    async with state.sessions() as session:
        found = await supplier_requests.find(session, number)
    ended = (RequestState.CLOSED.value, RequestState.WITHDRAWN.value)
    if found is None or found[0].state in ended:
        raise RefusedLink("expired", "supplier_link_used")
    return found[0], found[1]


async def _show(
    state: ApiState,
    token: str,
    row: SupplierRequest,
    file: QualityFile,
    asked: str | None,
    *,
    values: dict[str, str] | None = None,
    errors: list[tuple[str, str]] | None = None,
    reference: str | None = None,
    stale: bool = False,
) -> HTMLResponse:
    language = page_language(asked, row.language)
    async with state.sessions() as session:
        given = await supplier_requests.answers(session, row.number)
    newest = given[-1] if given else None
    page = SupplierPage(
        action=f"/q/{token}",
        csp_nonce=secrets.token_urlsafe(12),
        number=row.number,
        **firm(state),
        drill=file.drill,
        question=row.question,
        stage=row.stage,
        turn=row.round,
        due=f"{row.due_at(Stage(row.stage)):%Y-%m-%d %H:%M} UTC",
        waits=row.state != RequestState.ASKED.value,
        sent_back=(newest.review_reason or "") if newest and newest.accepted is False else "",
        stale=stale,
        values=values or _before(newest),
        errors=errors or (),
        reference=reference,
    )
    answer = shown(render_supplier_page(page, language), page.csp_nonce, language, faulty=bool(errors))
    answer.status_code = 409 if stale else answer.status_code
    return answer


def _before(newest: SupplierAnswer | None) -> dict[str, str]:
    """What an answer that was sent back said, so that nobody types it again; of any other who gave it."""
    if newest is None:
        return {}
    values = {"name": newest.name, "position": newest.position}
    if newest.accepted is not False:
        return values
    due_on = newest.action_due_on.isoformat() if newest.action_due_on else ""
    return values | {
        "account": newest.account,
        "action": newest.action or "",
        "action_due_on": due_on,
        "codes": " ".join(newest.codes),
    }


__all__ = ["BODY_LIMIT", "router"]
