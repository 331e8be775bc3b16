"""The recipient's page behind a signed link: no account, no script, one form in a few steps.

A link names one consignee of one recall. Acknowledging is recorded at once; the complete answer is recorded once
per form, and a form posted again shows the same thanks.
"""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from api.deps import StateDep
from api.nudge import nudge_after_reply
from api.recipient_access import (
    UNREACHABLE,
    RefusedLink,
    Visitor,
    let_in,
    page_headers,
    refused_page,
    unavailable_page,
)
from api.recipient_answer import acknowledgement, earlier_values, is_form_of, new_form_id, page_lots, statement
from api.reply_fields import LANGUAGES, FieldError, ReplyStep, receiver_field
from api.reply_form import FormReading, ReplyAnswer, read_form
from api.reply_harm import REPORT, harm_now
from api.reply_pages import ReplyPage, page_language, render_reply_page
from api.state import ApiState
from db.repositories import recipient_read
from db.repositories.onward import PassedOnToItself
from db.repositories.replies import FormReused, record_page_reply
from db.repositories.statements import UnknownLot, latest_statement
from models.replies import PageReply, RecordedReply

_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A step of the form, or the thanks", **_HTML},
    400: {"description": "The body is not a form", **_HTML},
    403: {"description": "The link or form is not accepted", **_HTML},
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
router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="en or zh-CN")]


@router.get("/{token}", operation_id="readRecipientPage", summary="The recipient's page", responses=_ANSWERS)
async def read_page(
    request: Request, token: Token, state: StateDep, lang: Language = None, correct: str | None = None
) -> HTMLResponse:
    """The step this recipient is at; `correct=1` reopens an answer given before."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        step, values, reference = await _where(state, visitor, correcting=correct is not None)
        page = _page(state, token, visitor, values=values, reference=reference)
        return _show(step, page_language(asked, visitor.record.language), page)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    "/{token}",
    operation_id="submitRecipientPage",
    summary="Submit a step",
    responses=_ANSWERS,
    openapi_extra=_FORM,
)
async def submit_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Check one step and show the next; the last one records the answer."""
    form = await _read_form(request)
    chosen = form.get("switch_lang") or form.get("lang") or lang
    asked = chosen if chosen in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        record, form_id = visitor.record, form.get("form_id", "")
        if not is_form_of(visitor.secret, form_id, record.number, record.consignee_id):
            raise RefusedLink("foreign", "form_foreign", record.number, record.consignee_id)
        reading, reference = await _take(state, visitor, form, form_id)
        page = _page(
            state,
            token,
            visitor,
            values=reading.values,
            errors=reading.errors,
            form_id=form_id,
            reference=reference,
            more=bool(form.get("more")),
            harm_told=bool(form.get(REPORT)),
        )
        language = page_language(asked, record.language)
        return _show(reading.step, language, page)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


async def _read_form(request: Request) -> dict[str, str]:
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}  # without a form id it is refused below, in plain words


async def _where(
    state: ApiState, visitor: Visitor, *, correcting: bool
) -> tuple[ReplyStep, dict[str, str], str | None]:
    """The step to show first, with the values known so far."""
    record = visitor.record
    if record.state == "withdrawn":
        return ReplyStep.WITHDRAWN, {}, None
    if record.state == "open":
        return ReplyStep.ACKNOWLEDGE, await _proposal(state, visitor), None
    if record.last_reply_id is None:
        return ReplyStep.AFFECTED, {"acknowledged": "yes"}, None
    if not correcting and record.state == "answered":
        return ReplyStep.DONE, {}, _reference(visitor, record.last_reply_id)
    return ReplyStep.AFFECTED, {"acknowledged": "yes"} | await _proposal(state, visitor), None


async def _proposal(state: ApiState, visitor: Visitor) -> dict[str, str]:
    """What was answered before, for the forms to come; whether the notice was received is not part of it."""
    if visitor.record.last_reply_id is None:
        return {}
    async with state.sessions() as session:
        earlier = await latest_statement(session, visitor.record.consignee_id)
    values = earlier_values(earlier, visitor.lots) if earlier else {}
    values.pop("acknowledged", None)
    return values


async def _take(
    state: ApiState, visitor: Visitor, form: Mapping[str, str], form_id: str
) -> tuple[FormReading, str | None]:
    """Read the posted step and record what it completes."""
    record = visitor.record
    if form.get(REPORT):
        return await _report_harm(state, visitor, form, form_id)
    if record.state == "withdrawn":
        return FormReading({}, ReplyStep.WITHDRAWN), None
    async with state.sessions() as session:
        used = await recipient_read.reply_of_form(session, form_id)
    if used is not None:  # a double click, a reload, the back button: what was recorded stands
        return FormReading({}, ReplyStep.DONE), _reference(visitor, used)
    reading = read_form(form, page_lots(visitor.lots))
    if form.get("step") == ReplyStep.ACKNOWLEDGE and reading.values.get("acknowledged") == "yes":
        await _record(state, acknowledgement(record, form_id, state.now()))
    if reading.answer is None:
        return reading, None
    return await _finish(state, visitor, form_id, reading, reading.answer)


async def _report_harm(
    state: ApiState, visitor: Visitor, form: Mapping[str, str], form_id: str
) -> tuple[FormReading, str | None]:
    """Record the harm and show the same step again with everything filled in so far."""
    await _record(state, harm_now(form, visitor.record, form_id, state.now()))
    if visitor.record.state == "withdrawn" or form.get("step") == ReplyStep.DONE:
        step, values, reference = await _where(state, visitor, correcting=False)
        return FormReading(values, step), reference
    return read_form({**form, "switch_lang": "as it is"}, page_lots(visitor.lots)), None


async def _finish(
    state: ApiState, visitor: Visitor, form_id: str, reading: FormReading, answer: ReplyAnswer
) -> tuple[FormReading, str | None]:
    try:
        recorded = await _record(state, statement(visitor.record, form_id, answer, state.now()))
    except PassedOnToItself:
        fault = FieldError(receiver_field(0, "email"), "error_receiver_email", receiver=0)
        return FormReading(reading.values, ReplyStep.PASSED_ON, (fault,)), None
    except (FormReused, UnknownLot) as error:
        record = visitor.record
        raise RefusedLink("foreign", "form_foreign", record.number, record.consignee_id) from error
    return reading, _reference(visitor, recorded.reply_id)


async def _record(state: ApiState, reply: PageReply) -> RecordedReply:
    async with state.sessions.begin() as session:
        recorded = await record_page_reply(session, reply)
    await nudge_after_reply(state, reply.recall_number, reply.consignee_id, recorded)
    return recorded


def _reference(visitor: Visitor, reply_id: int) -> str:
    return f"{visitor.record.number}/{reply_id}"


def _page(
    state: ApiState,
    token: str,
    visitor: Visitor,
    *,
    values: Mapping[str, str],
    errors: tuple[FieldError, ...] = (),
    form_id: str | None = None,
    reference: str | None = None,
    more: bool = False,
    harm_told: bool = False,
) -> ReplyPage:
    record, settings = visitor.record, state.settings
    lots = page_lots(visitor.lots)
    return ReplyPage(
        action=f"/r/{token}",
        csp_nonce=secrets.token_urlsafe(12),
        form_id=form_id or new_form_id(visitor.secret, record.number, record.consignee_id),
        recall_no=record.number,
        firm_name=settings.company_name,
        firm_phone=settings.company_phone,
        firm_email=settings.company_email,
        recipient_name=record.recipient_name,
        products=tuple(dict.fromkeys(lot.product for lot in lots)),
        reason=record.reason,
        hazard=record.hazard,
        lots=lots,
        urgent=record.recall_class != "III",
        drill=record.drill,
        values=values,
        errors=errors,
        more_receivers=more,
        harm_told=harm_told,
        reference=reference,
        change=visitor.change,
    )


def _show(step: ReplyStep, language: str, page: ReplyPage) -> HTMLResponse:
    headers = page_headers(page.csp_nonce) | {"Content-Language": language}
    return HTMLResponse(render_reply_page(step, language, page), 422 if page.errors else 200, headers)


__all__ = ["router"]
