"""The page behind an expert's signed link: read the facts, answer once. Whatever is wrong tells nothing of a recall."""

import secrets
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.deps import StateDep
from api.expert_pages import LANGUAGES, ExpertPage, expert_language, facts_of, read_answer, render_expert_page
from api.nudge import nudge_owners
from api.outside_link import Language, Token, answers, behind_link, firm, read_link, shown, slow_down
from api.recipient_access import RefusedLink
from api.state import ApiState
from db.repositories import expert_reviews
from db.repositories.expert_reviews import NotAsked, ReviewFile, task_key
from domain.expert_links import read_expert_token
from domain.workflow_ids import recall_id
from models.assessment import ExpertState

_ANSWERS: Final = answers("The facts with the form, or the thanks", "The link has expired or was used")
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
_MAX_FIELDS: Final = 50
router = APIRouter(prefix="/x", tags=["expert"], default_response_class=HTMLResponse)


@router.get("/{token}", operation_id="readExpertPage", summary="The expert's page", responses=_ANSWERS)
async def read_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """The facts and an empty form."""
    asked = lang if lang in LANGUAGES else None

    async def page() -> HTMLResponse:
        return _show(state, token, await _let_in(request, state, token), asked)

    return await behind_link(request, state, token, asked, page)


@router.post(
    "/{token}", operation_id="submitExpertPage", summary="Answer once", responses=_ANSWERS, openapi_extra=_FORM
)
async def submit_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """Record the answer; the link is dead afterwards."""
    asked = lang if lang in LANGUAGES else None

    async def page() -> HTMLResponse:
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

    return await behind_link(request, state, token, asked, page)


async def _read_form(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}  # what is missing is said field by field


async def _let_in(request: Request, state: ApiState, token: str) -> ReviewFile:
    claims = read_link(request, state, token, "expert", read_expert_token)
    slow_down(state, f"expert:{claims.review_id}")
    async with state.sessions() as session:
        review = await expert_reviews.find(session, claims.review_id)
        file = await expert_reviews.file_of(session, review) if review else None
    if review is None or file is None or review.state != ExpertState.asked.value:
        raise RefusedLink("expired", "expert_link_used", review.recall_number if review else None)
    return file


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
    page = ExpertPage(
        action=f"/x/{token}",
        csp_nonce=secrets.token_urlsafe(12),
        **firm(state),
        values=values or {},
        errors=errors or (),
        reference=reference,
        **facts_of(file, language),  # type: ignore[arg-type]
    )
    return shown(render_expert_page(page, language), page.csp_nonce, language, faulty=bool(errors))


__all__ = ["router"]
