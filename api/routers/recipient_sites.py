"""The page of a person who got one notice for several sites: how far each is, and the way to each one's own answer.

Every site answers by a page and link of its own, so an answer is always one consignee's; only that the notice arrived
can be confirmed for all of them at once, and is recorded for each. Only the link of the notice itself leads here: that
of one site is handed on to people there, who have no business with the others.
"""

import asyncio
import secrets
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api.deps import StateDep
from api.links import make_link_token, read_link_token
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
from api.recipient_answer import is_form_of, new_form_id
from api.reply_fields import LANGUAGES
from api.reply_pages import page_language
from api.routers.recipient import ANSWERS
from api.sites_page import SiteShown, render_sites_page
from api.state import ApiState
from db.repositories import merging
from db.repositories.merging import Site
from db.repositories.replies import record_page_reply
from domain.links import SITES_PATH
from domain.recipient_values import names_apart
from models.replies import PageReply

_PATIENCE: Final = 30.0
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
router = APIRouter(prefix="/r", tags=["recipient"], default_response_class=HTMLResponse)
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="Language of the page")]


@router.get(
    f"/{{token}}{SITES_PATH}",
    operation_id="readRecipientSites",
    summary="All sites of one notice",
    response_model=None,
    responses=ANSWERS,
)
async def read_sites(
    request: Request, token: Token, state: StateDep, lang: Language = None
) -> HTMLResponse | RedirectResponse:
    """Each site of the notice, how far it is, and its own page; a notice for one site leads straight there."""
    asked = lang if lang in LANGUAGES else None
    try:
        visitor = await let_in(request, state, token)
        sites = await _sites(state, visitor)
        if not sites:
            return RedirectResponse(f"/r/{token}?lang={page_language(asked, visitor.record.language)}", 303)
        return _page(state, token, visitor, sites, asked)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


@router.post(
    f"/{{token}}{SITES_PATH}",
    operation_id="confirmRecipientSites",
    summary="Confirm a notice for all its sites",
    response_model=None,
    responses=ANSWERS,
    openapi_extra=_FORM,
)
async def confirm_sites(
    request: Request, token: Token, state: StateDep, lang: Language = None
) -> HTMLResponse | RedirectResponse:
    """Record for every site that has said nothing yet that the notice was received; quantities stay to be stated."""
    asked = lang if lang in LANGUAGES else None
    try:
        form_id = await _form_id(request)
        visitor = await let_in(request, state, token)
        record = visitor.record
        if not is_form_of(visitor.secret, form_id, record.number, record.consignee_id):
            raise RefusedLink("foreign", "form_foreign", record.number, record.consignee_id)
        open_sites = [site for site in await _sites(state, visitor) if site.state == "open"]
        states = [await _confirm(state, visitor, site, form_id) for site in open_sites]
        sites = await _sites(state, visitor)
        if not sites:
            return RedirectResponse(f"/r/{token}", 303)
        return _page(state, token, visitor, sites, asked, confirmed=sum(each != "open" for each in states), posted=True)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except UNREACHABLE:
        return unavailable_page(state, asked)


async def _form_id(request: Request) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            body = await request.body()
        return dict(parse_qsl(body.decode("utf-8"), max_num_fields=10)).get("form_id", "")
    except TimeoutError:
        raise RefusedLink("slow") from None
    except ValueError:
        return ""  # without a form id it is refused, in plain words


async def _sites(state: ApiState, visitor: Visitor) -> list[Site]:
    if visitor.record.delivery_id is None or not visitor.all_sites:
        return []
    async with state.sessions() as session:
        return [site for site in await merging.sites_of(session, visitor.record.delivery_id) if not site.gone]


async def _confirm(state: ApiState, visitor: Visitor, site: Site, form_id: str) -> str:
    """The site's state afterwards: what the message before this one said of it does not tell it of a newer notice."""
    number = visitor.record.number
    reply = PageReply(
        recall_number=number,
        consignee_id=site.consignee_id,
        delivery_id=site.delivery_id,
        contact_id=site.contact_id,
        at=state.now(),
        form_id=f"{form_id}:{site.consignee_id}",
        of_message=True,
    )
    async with state.sessions.begin() as session:
        recorded = await record_page_reply(session, reply)
    await nudge_after_reply(state, number, site.consignee_id, recorded)
    return recorded.consignee_state


def _page(
    state: ApiState,
    token: str,
    visitor: Visitor,
    sites: list[Site],
    asked: str | None,
    *,
    confirmed: int = 0,
    posted: bool = False,
) -> HTMLResponse:
    nonce, record, settings = secrets.token_urlsafe(12), visitor.record, state.settings
    language = page_language(asked, record.language)
    names = names_apart([(site.name, site.code) for site in sites])
    page = render_sites_page(
        language,
        sites=[
            SiteShown(name, _address(state, visitor, token, site), site.state)
            for name, site in zip(names, sites, strict=True)
        ],
        confirmed=confirmed,
        action=f"/r/{token}{SITES_PATH}",
        csp_nonce=nonce,
        form_id=new_form_id(visitor.secret, record.number, record.consignee_id),
        recall_no=record.number,
        urgent=record.recall_class != "III",
        drill=record.drill,
        firm_name=settings.company_name,
        firm_phone=settings.company_phone,
        firm_email=settings.company_email,
    )
    return HTMLResponse(page, 200, page_headers(nonce, posted=posted) | {"Content-Language": language})


def _address(state: ApiState, visitor: Visitor, token: str, site: Site) -> str:
    """The site's own page, by a link for it alone that ends when the link of the notice does."""
    own = make_link_token(
        visitor.secret,
        recall_no=visitor.record.number,
        consignee_id=site.consignee_id,
        delivery_id=site.delivery_id,
        expires_at=read_link_token(visitor.secret, token, state.now()).expires_at,
    )
    return f"/r/{own}"


__all__ = ["router"]
