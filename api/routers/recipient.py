"""The recipient's page behind a signed link: no account, no script needed, one form in a few steps.

A link names one consignee of one recall. Acknowledging is recorded at once; the complete answer is recorded once
per form, and a form posted again shows the same thanks. What is half filled in is kept and offered again.
"""

import asyncio
from pathlib import Path as File
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.deps import StateDep
from api.recipient_access import UNREACHABLE, RefusedLink, let_in, refused_page, unavailable_page
from api.recipient_answer import is_form_of
from api.recipient_steps import place_of, take
from api.recipient_view import page_of, resumed_form_id, show
from api.reply_fields import LANGUAGES, ReplyStep
from api.reply_harm import REPORT
from api.reply_pages import PAGES, page_language

_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A step of the form, or the thanks", **_HTML},
    400: {"description": "The body is not a form", **_HTML},
    303: {"description": "To the page for photos and documents"},
    403: {"description": "The link or form is not accepted", **_HTML},
    408: {"description": "The form did not arrive in time", **_HTML},
    410: {"description": "The link has expired or the recall is closed", **_HTML},
    422: {"description": "The step again, with what is missing", **_HTML},
    429: {"description": "Too many requests", **_HTML},
    503: {"description": "Answers cannot be recorded now", **_HTML},
}
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
_MAX_FIELDS: Final = 50_000
_PATIENCE: Final = 30.0
"""Seconds a form may take to arrive: a connection that drips is given up."""
_SCRIPT: Final = File(PAGES / "reply.js").read_bytes()
router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="Language of the page")]


@router.get("/assets/reply.js", include_in_schema=False)
async def read_script() -> Response:
    """What the page does more where scripts run: it adds figures up while they are typed."""
    return Response(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"})


@router.get("/{token}", operation_id="readRecipientPage", summary="The recipient's page", responses=ANSWERS)
async def read_page(
    request: Request, token: Token, state: StateDep, lang: Language = None, correct: str | None = None
) -> HTMLResponse:
    """The step this recipient is at, or the answer it has begun; `correct=1` reopens an answer given before."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        place = await place_of(state, visitor, correcting=correct is not None)
        begun = visitor.record.draft_at
        language = page_language(asked, visitor.record.language)
        page = await page_of(
            state,
            token,
            visitor,
            language,
            values=place.values,
            form_id=resumed_form_id(visitor),
            reference=place.reference,
            resumed_on=f"{begun:%Y-%m-%d}" if place.resumed and begun else None,
            history=place.history,
            questioned=place.questioned,
        )
        return show(place.step, language, page)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    "/{token}",
    operation_id="submitRecipientPage",
    summary="Submit a step",
    response_class=HTMLResponse,
    response_model=None,
    responses=ANSWERS,
    openapi_extra=_FORM,
)
async def submit_page(
    request: Request, token: Token, state: StateDep, lang: Language = None
) -> HTMLResponse | RedirectResponse:
    """Check one step, keep it, and show the next; the last one records the answer."""
    asked = lang if lang in LANGUAGES else None
    try:
        form = await _read_form(request)
        chosen = form.get("switch_lang") or form.get("lang") or lang
        asked = chosen if chosen in LANGUAGES else None
        form_id = form.get("form_id", "").replace("\x00", "")  # which the database cannot even look for
        visitor = await let_in(request, state, token, form_id)
        record = visitor.record
        if not is_form_of(visitor.secret, form_id, record.number, record.consignee_id):
            raise RefusedLink("foreign", "form_foreign", record.number, record.consignee_id)
        place = await take(state, visitor, form, form_id)
        language = page_language(asked, record.language)
        if form.get("files") and place.step not in {ReplyStep.DONE, ReplyStep.WITHDRAWN}:
            return RedirectResponse(f"/r/{token}/files?lang={language}", 303)
        page = await page_of(
            state,
            token,
            visitor,
            language,
            values=place.values,
            errors=place.errors,
            form_id=None if place.fresh else form_id,
            reference=place.reference,
            more=bool(form.get("more")),
            harm_told=bool(form.get(REPORT)) or place.harm_told,
            scan=place.scan,
            history=place.history,
            questioned=place.questioned,
            unrecorded=place.unrecorded,
        )
        return show(place.step, language, page, posted=True)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


async def _read_form(request: Request) -> dict[str, str]:
    try:
        async with asyncio.timeout(_PATIENCE):
            body = await request.body()
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except TimeoutError:
        raise RefusedLink("slow") from None
    except ValueError:
        return {}  # without a form id it is refused below, in plain words


__all__ = ["ANSWERS", "router"]
