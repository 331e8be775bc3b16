"""The door of pages behind a signed link of somebody outside who is no recipient: an expert, a supplier.

The link is read, or refused in plain words and recorded. Whatever is wrong tells nothing of a recall or a request.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import Path, Query, Request
from fastapi.responses import HTMLResponse

from adapters.evidence.base import EvidenceUnavailable
from api.recipient_access import UNREACHABLE, RefusedLink, page_headers, refused_page, unavailable_page
from api.state import ApiState
from domain.expert_links import ExpertLinkExpired
from domain.links import LinkError
from domain.supplier_request import SupplierLinkExpired

Token = Annotated[str, Path(max_length=500, description="Token of the signed link.")]
Language = Annotated[str | None, Query(max_length=20, description="en or zh-CN")]
Claims = TypeVar("Claims")
_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}


def answers(shown: str, ended: str, **more: str) -> dict[int | str, dict[str, Any]]:
    """What such a page answers, for its contract; `more` by status, as in `s413="too large"`."""
    said = {
        200: shown,
        403: "The link is not accepted",
        410: ended,
        **{int(status.removeprefix("s")): text for status, text in more.items()},
        422: "The form again, with what is missing",
        429: "Too many requests",
        503: "Answers cannot be recorded now",
    }
    return {status: {"description": text, **_HTML} for status, text in said.items()}


def read_link(
    request: Request, state: ApiState, token: str, who: str, read: Callable[[str, str, datetime], Claims]
) -> Claims:
    """What the link says.

    Args:
        who: whose link it is, as the kinds of refused access begin.
        read: reads a token with a secret at an instant.

    Raises:
        RefusedLink: malformed, forged or expired, or too many guesses from that address.
    """
    secret = state.settings.link_secret
    if secret is None:
        raise RefusedLink("unavailable")
    try:
        return read(secret.get_secret_value(), token, state.now())
    except (LinkError, ExpertLinkExpired, SupplierLinkExpired) as error:
        # Guessing is slowed by address, as at the recipients' door.
        slow_down(state, f"refused:{request.client.host if request.client else 'unknown'}")
        raise RefusedLink(error.kind.removeprefix(f"{who}_").removeprefix("link_"), error.kind) from None


def slow_down(state: ApiState, key: str) -> None:
    """Count a visit under `key`.

    Raises:
        RefusedLink: there were too many.
    """
    if wait := state.page_limiter.wait_needed(key):
        raise RefusedLink("too_many", wait=wait)


async def behind_link(
    request: Request, state: ApiState, token: str, asked: str | None, page: Callable[[], Awaitable[HTMLResponse]]
) -> HTMLResponse:
    """The page, or why there is none: the link is refused, or nothing can be read or recorded now."""
    try:
        return await page()
    except RefusedLink as refused:
        return await refused_page(request, state, token, refused, asked)
    except (*UNREACHABLE, EvidenceUnavailable):
        return unavailable_page(state, asked)


def firm(state: ApiState) -> dict[str, Any]:
    """Who asks, as each page names it."""
    settings = state.settings
    return {
        "firm_name": settings.company_name,
        "firm_phone": settings.company_phone,
        "firm_email": settings.company_email,
    }


def shown(html: str, nonce: str, language: str, *, faulty: bool) -> HTMLResponse:
    """A page, or a form that was not filled in as it must be (422)."""
    return HTMLResponse(html, 422 if faulty else 200, page_headers(nonce) | {"Content-Language": language})


__all__ = ["Language", "Token", "answers", "behind_link", "firm", "read_link", "shown", "slow_down"]
