"""Subscribing a recipient's browser to notices: the page, its two scripts, and what they post.

The signed link is the authority; there is no cookie, so no other site can subscribe anybody.
"""

import base64
import binascii
import secrets
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.deps import StateDep
from api.problems import Problem, problems
from api.push_page import SCRIPT, WORKER, push_headers, push_language, render_push_page
from api.recipient_access import UNREACHABLE, RefusedLink, Visitor, let_in, refused_page, unavailable_page
from api.state import ApiState
from db.repositories import push
from db.repositories.push import Browser, Subscriber
from domain.web_addresses import WebAddressError, checked_endpoint, parse_networks
from models.schemas_common import FieldProblem
from models.schemas_push import PushEndIn, PushState, PushSubscriptionIn

_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The page", **_HTML},
    403: {"description": "The link is not accepted", **_HTML},
    410: {"description": "The link has expired or the recall is closed", **_HTML},
    429: {"description": "Too many requests", **_HTML},
    503: {"description": "The page cannot be shown now", **_HTML},
}
_REFUSED: Final = problems("not_permitted", "wrong_state", "too_large", "invalid", "rate_limited")
router = APIRouter(prefix="/r", tags=["recipient"])
Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="Language of the page and of the notices' browser")]


@router.get("/assets/push.js", include_in_schema=False)
async def read_script() -> Response:
    """What asks the browser for a subscription."""
    return Response(SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/assets/push-worker.js", include_in_schema=False)
async def read_worker() -> Response:
    """What shows a notice while no page is open."""
    return Response(WORKER, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/{token}/push", operation_id="readPushPage", summary="Notices on this device", responses=_PAGE)
async def read_page(request: Request, token: Token, state: StateDep, lang: Language = None) -> HTMLResponse:
    """The page on which a recipient subscribes its browser."""
    try:
        visitor = await let_in(request, state, token)
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, None)
    except UNREACHABLE:
        return unavailable_page(state, None)
    nonce, settings = secrets.token_urlsafe(12), state.settings
    facts = {
        "recall_no": visitor.record.number,
        "recipient_name": visitor.record.recipient_name,
        "firm_name": settings.company_name,
        "firm_phone": settings.company_phone,
        "firm_email": settings.company_email,
    }
    language = push_language(lang, visitor.record.language)
    key = state.push_key if visitor.record.contact_id is not None and not visitor.record.drill else None
    page = render_push_page(language, token=token, nonce=nonce, key=key, facts=facts)
    return HTMLResponse(page, 200, push_headers(nonce) | {"Content-Language": language})


@router.post(
    "/{token}/push",
    operation_id="subscribePush",
    summary="Subscribe a browser to notices",
    response_model=PushState,
    responses=_REFUSED,
)
async def subscribe(
    request: Request, token: Token, body: PushSubscriptionIn, state: StateDep, lang: Language = None
) -> PushState:
    """Keep the subscription; push becomes one of this person's channels. The same again changes nothing."""
    who, visitor = await _subscriber(request, state, token)
    browser = Browser(
        endpoint=_endpoint(state, body.endpoint),
        p256dh=_public_key(body.keys.p256dh),
        auth=_decoded(body.keys.auth, 16, "#/keys/auth"),
        language=push_language(lang, visitor.record.language),
    )
    async with state.sessions.begin() as session:
        await push.subscribe(session, who, browser, state.now())
    return PushState(subscribed=True)


@router.post(
    "/{token}/push/end",
    operation_id="unsubscribePush",
    summary="Stop notices to a browser",
    response_model=PushState,
    responses=_REFUSED,
)
async def unsubscribe(request: Request, token: Token, body: PushEndIn, state: StateDep) -> PushState:
    """End the subscription; one that is not known is ended already."""
    who, _ = await _subscriber(request, state, token)
    async with state.sessions.begin() as session:
        await push.unsubscribe(session, who, body.endpoint, state.now())
    return PushState(subscribed=False)


async def _subscriber(request: Request, state: ApiState, token: str) -> tuple[Subscriber, Visitor]:
    """Who stands behind the link: a person a notice was sent to, of a real recall."""
    if state.push_key is None:
        raise Problem("wrong_state", "Notices on devices are not set up here.")
    try:
        visitor = await let_in(request, state, token)
    except RefusedLink as refused:
        if refused.reason == "too_many":
            raise Problem("rate_limited", "Too many requests.", headers={"Retry-After": str(refused.wait)}) from None
        await refused_page(request, state, token, refused, None)  # records it
        raise Problem("not_permitted", "The link is not accepted.") from None
    record = visitor.record
    if record.contact_id is None:
        raise Problem("wrong_state", "This link was not sent to a person: use the one of your own notice.")
    if record.drill:
        raise Problem("wrong_state", "A drill changes nothing about how you are reached.")
    return Subscriber(record.number, record.consignee_id, record.contact_id), visitor


def _endpoint(state: ApiState, url: str) -> str:
    try:
        return checked_endpoint(url, parse_networks(state.settings.push_networks))
    except WebAddressError as error:
        raise _invalid("#/endpoint", str(error)) from None


def _public_key(text: str) -> str:
    point = base64.urlsafe_b64decode(_decoded(text, 65, "#/keys/p256dh") + "=")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise _invalid("#/keys/p256dh", "expected an uncompressed point on P-256") from None
    return text


def _decoded(text: str, length: int, where: str) -> str:
    """The text, when it is base64url of so many bytes."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _invalid(where, "expected base64url") from None
    if len(raw) != length:
        raise _invalid(where, f"expected {length} bytes in base64url")
    return text


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(
        "invalid", "The subscription is not valid; see `errors`.", errors=[FieldProblem(pointer=pointer, detail=detail)]
    )


__all__ = ["router"]
