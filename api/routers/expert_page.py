"""The page behind an expert's signed link: read the facts, answer once. Whatever is wrong tells nothing of a recall."""

import hashlib
import secrets
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from api.deps import StateDep
from api.expert_pages import LANGUAGES, ExpertPage, expert_language, facts_of, read_answer, render_expert_page
from api.nudge import nudge_owners
from api.recipient_access import UNREACHABLE, RefusedLink, accepted_language, page_headers, refusal, unavailable_page
from api.state import ApiState
from db.repositories import expert_reviews, refusals
from db.repositories.expert_reviews import NotAsked, ReviewFile, task_key
from domain.expert_links import ExpertLinkExpired, read_expert_token
from domain.links import LinkError
from domain.workflow_ids import recall_id
from models.assessment import ExpertState

_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The facts with the form, or the thanks", **_HTML},
    403: {"description": "The link is not accepted", **_HTML},
    410: {"description": "The link has expired or was used", **_HTML},
    422: {"description": "The form again, with what is missing", **_HTML},
    429: {"description": "Too many requests", **_HTML},
    503: {"description": "Answers cannot be recorded now", **_HTML},
}
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
_MAX_FIELDS: Final = 50
router = APIRouter(prefix="/x", tags=["expert"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="en or zh-CN")]


@router.get("/{token}", operation_id="readExpertPage", summary="The expert's page", responses=_ANSWERS)
async def read_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """The facts and an empty form."""
    asked = lang if lang in LANGUAGES else None
    try:
        file = await _let_in(request, state, token)
        return _show(state, token, file, asked)
    except RefusedLink as refused:
        return await _refused(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    "/{token}", operation_id="submitExpertPage", summary="Answer once", responses=_ANSWERS, openapi_extra=_FORM
)
async def submit_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Record the answer; the link is dead afterwards."""
    asked = lang if lang in LANGUAGES else None
    try:
        file = await _let_in(request, state, token)
        answer, values, errors = read_answer(await _read_form(request))
        if answer is None:
            return _show(state, token, file, asked, values=values, errors=errors)
        review_id = file.review.id or 0
        try:
            async with state.sessions.begin() as session:
                await expert_reviews.answer(session, review_id, answer, now=state.now())
        except NotAsked:
            raise RefusedLink("expired", "expert_link_used", file.recall.number) from None
        await nudge_owners(state, [(recall_id(file.recall.number), task_key(review_id))])
        return _show(state, token, file, asked, reference=f"{file.recall.number}/X{review_id}")
    except RefusedLink as refused:
        return await _refused(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


async def _read_form(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}  # what is missing is said field by field


async def _let_in(request: Request, state: ApiState, token: str) -> ReviewFile:
    secret = state.settings.link_secret
    if secret is None:
        raise RefusedLink("unavailable")
    client = request.client.host if request.client else "unknown"
    try:
        claims = read_expert_token(secret.get_secret_value(), token, state.now())
    except (LinkError, ExpertLinkExpired) as error:
        # Guessing is slowed by address, as at the recipients' door.
        if wait := state.page_limiter.wait_needed(f"refused:{client}"):
            raise RefusedLink("too_many", wait=wait) from None
        raise RefusedLink(error.kind.removeprefix("expert_").removeprefix("link_"), error.kind) from None
    if wait := state.page_limiter.wait_needed(f"expert:{claims.review_id}"):
        raise RefusedLink("too_many", wait=wait)
    async with state.sessions() as session:
        review = await expert_reviews.find(session, claims.review_id)
        file = await expert_reviews.file_of(session, review) if review else None
    if review is None or file is None or review.state != ExpertState.asked.value:
        number = review.recall_number if review else None
        raise RefusedLink("expired", "expert_link_used", number)
    return file


async def _refused(
    request: Request, state: ApiState, token: str, refused: RefusedLink, asked: str | None
) -> HTMLResponse:
    if refused.kind is not None:
        detail = {
            "link_sha256": hashlib.sha256(token.encode(errors="replace")).hexdigest()[:16],
            "method": request.method,
        }
        try:
            async with state.sessions.begin() as session:
                await refusals.record_refused_access(
                    session, refused.kind, number=refused.number, detail=detail, now=state.now()
                )
        except UNREACHABLE:
            return unavailable_page(state, asked)
    return refusal(state, refused, asked or accepted_language(request))


def _show(
    state: ApiState,
    token: str,
    file: ReviewFile,
    asked: str | None,
    *,
    values: dict[str, str] | None = None,
    errors: list[tuple[str, str]] | None = None,
    reference: str | None = None,
) -> HTMLResponse:
    language = expert_language(asked, file.review.language)
    settings = state.settings
    page = ExpertPage(
        action=f"/x/{token}",
        csp_nonce=secrets.token_urlsafe(12),
        firm_name=settings.company_name,
        firm_phone=settings.company_phone,
        firm_email=settings.company_email,
        values=values or {},
        errors=errors or (),
        reference=reference,
        **facts_of(file, language),  # type: ignore[arg-type]
    )
    headers = page_headers(page.csp_nonce) | {"Content-Language": language}
    return HTMLResponse(render_expert_page(page, language), 422 if errors else 200, headers)


__all__ = ["router"]
