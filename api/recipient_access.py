"""Who stands at the door of the recipient page: the link is read, or refused in plain words and recorded."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import Scope

from api.links import LinkClaims, LinkError, LinkExpired, read_link_token
from api.reply_fields import LANGUAGES, PageChange
from api.reply_pages import page_language, render_refused_page
from api.state import ApiState
from db.repositories import consignee_lots, recipient_read, refusals
from db.repositories.consignee_lots import ConsigneeLotRow
from db.repositories.recipient_read import RecipientRecord
from db.repositories.reply_drafts import KEPT_FOR
from domain.phases import Phase, is_final

_STATUS = {"expired": 410, "closed": 410, "slow": 408, "too_large": 413, "too_many": 429, "unavailable": 503}
"""Refusals that are no 403."""


UNREACHABLE: Final = (OperationalError, InterfaceError, PoolTimeout)
"""What the database raises while it cannot be reached."""


@dataclass(eq=False)
class RefusedLink(Exception):  # noqa: N818 - what the door says
    """`reason` is one of `api.reply_pages.REFUSALS`."""

    reason: str
    kind: str | None = None
    """Kind of refused access to record; None leaves no record."""
    number: str | None = None
    consignee_id: int | None = None
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Visitor:
    """A recipient let in: whose page it is, and the lots on it."""

    record: RecipientRecord
    lots: tuple[ConsigneeLotRow, ...]
    """What it is asked for; once nothing is left of the recall, what it had been asked for."""
    secret: str
    change: PageChange | None = None
    all_sites: bool = False
    """The link is the message's own, which leads to all of its sites."""

    @property
    def hospital(self) -> bool:
        """Whether it has patients to count."""
        return self.record.kind == "hospital"


async def let_in(request: Request, state: ApiState, token: str, form_id: str | None = None) -> Visitor:
    """Read the link and what it leads to, and whether the posted form has carried a reply already.

    Raises:
        RefusedLink: malformed, forged, expired, foreign or closed, or too many requests.
    """
    secret = state.settings.link_secret
    if secret is None:
        raise RefusedLink("unavailable")
    key = secret.get_secret_value()
    claims = _claims(request, state, token, key)
    if wait := state.page_limiter.wait_needed(f"page:{claims.recall_no}:{claims.consignee_id}"):
        raise RefusedLink("too_many", wait=wait)
    async with state.sessions() as session:
        record = await recipient_read.find(
            session,
            claims.recall_no,
            claims.consignee_id,
            claims.delivery_id,
            form_id=form_id,
            drafts_since=state.now() - KEPT_FOR,
        )
        if record is None:
            raise RefusedLink("foreign", "link_foreign", claims.recall_no, claims.consignee_id)
        every = (await consignee_lots.every_lot_of(session, [record.consignee_id]))[record.consignee_id]
    withdrawn = record.state == "withdrawn"
    if is_final(Phase(record.phase)) and not withdrawn:
        raise RefusedLink("closed", "link_closed", record.number, record.consignee_id)
    lots = tuple(row for row in every if row.asked or withdrawn)
    change = None if withdrawn else change_for(record, every)
    return Visitor(record, lots, key, change, claims.all_sites)


def change_for(record: RecipientRecord, lots: Sequence[ConsigneeLotRow]) -> PageChange | None:
    """What the newest notice changed for a recipient that knew an earlier one; None where nothing did."""
    since = record.amended_since
    known = [row for row in lots if since is not None and row.scope_version <= since]
    if since is None or not known:
        return None
    change = PageChange(
        added=tuple(row.key for row in lots if row.asked and row.scope_version > since),
        removed=tuple(row.key for row in known if row.withdrawn_in is not None and row.withdrawn_in > since),
        class_from=record.class_from,
        class_to=record.class_to,
    )
    return change if change.added or change.removed or change.class_to else None


def _claims(request: Request, state: ApiState, token: str, secret: str) -> LinkClaims:
    try:
        return read_link_token(secret, token, state.now())
    except LinkError as error:
        # Guessing is slowed by address; a valid link never is, because a whole hospital may share one address.
        client = request.client.host if request.client else "unknown"
        if wait := state.page_limiter.wait_needed(f"refused:{client}"):
            raise RefusedLink("too_many", wait=wait) from None
        known = error.claims if isinstance(error, LinkExpired) else None
        raise RefusedLink(
            error.kind.removeprefix("link_"),
            error.kind,
            known.recall_no if known else None,
            known.consignee_id if known else None,
        ) from None


async def refused_page(
    request: Request, state: ApiState, token: str, refused: RefusedLink, asked: str | None
) -> HTMLResponse:
    """Record the refusal and say what to do, in words that tell nothing about any recall."""
    if refused.kind is not None:
        # The hash tells two refused links apart without keeping either.
        consignee = {} if refused.consignee_id is None else {"consignee": refused.consignee_id}
        detail = {
            **consignee,
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


def unavailable_page(state: ApiState, asked: str | None) -> HTMLResponse:
    """The database is away: nothing was stored, and the recipient is told so."""
    return refusal(state, RefusedLink("unavailable", wait=60), asked or "en")


def refusal(state: ApiState, refused: RefusedLink, language: str) -> HTMLResponse:
    """The refusal as a page, without a record."""
    nonce = secrets.token_urlsafe(12)
    page = render_refused_page(
        refused.reason,
        page_language(language, language),
        csp_nonce=nonce,
        firm_name=state.settings.company_name,
        firm_phone=state.settings.company_phone,
        firm_email=state.settings.company_email,
    )
    headers = page_headers(nonce) | ({"Retry-After": str(refused.wait)} if refused.wait else {})
    return HTMLResponse(page, _STATUS.get(refused.reason, 403), headers)


def too_large_page(scope: Scope) -> HTMLResponse | None:
    """What a recipient reads whose upload the framework cut off before any route saw it; None for other callers."""
    if not scope["path"].startswith("/r/"):
        return None
    state: ApiState = scope["app"].state.api
    return refusal(state, RefusedLink("too_large"), accepted_language(Request(scope)))


def accepted_language(request: Request) -> str:
    """The first language of `Accept-Language` that the page speaks; English otherwise."""
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag = part.partition(";")[0].strip()
        base = tag.split("-")[0].casefold()
        if tag and any(language.split("-")[0].casefold() == base for language in LANGUAGES):
            return page_language(None, tag)
    return "en"


def page_headers(nonce: str, *, script: bool = False, posted: bool = False) -> dict[str, str]:
    """Headers of every page: no script but our own file where a step has one, one style by nonce, never cached.

    The answer to a form (`posted`) may be kept by this one browser: with `no-store` its back button shows an error
    page instead of the step before. It is asked for anew in every other case.
    """
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    policy += "; script-src 'self'" if script else ""
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-cache" if posted else "no-store",
        "X-Robots-Tag": "noindex",
    }


__all__ = [
    "UNREACHABLE",
    "RefusedLink",
    "Visitor",
    "accepted_language",
    "change_for",
    "let_in",
    "page_headers",
    "refused_page",
    "too_large_page",
    "unavailable_page",
]
