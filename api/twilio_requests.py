"""Requests of Twilio to us: read as a form, refused unless its signature verifies, and tied to one delivery of ours.

What is refused is kept as a refused access, but a flood of refusals must not fill the record.
"""

from typing import Final
from uuid import UUID

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict

from api.links import CallbackRefused, read_status_callback
from api.problems import Problem
from api.security.twilio_signature import parse_form, verify
from api.state import ApiState
from db.repositories import refusals

FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
"""The body of every request of Twilio, for the OpenAPI document."""


async def verified_form(request: Request, state: ApiState) -> ImmutableMultiDict[str, str]:
    """The form of a request that Twilio signed.

    Raises:
        Problem: too many requests, no form, or no valid signature.
    """
    client = request.client.host if request.client else "unknown"
    if wait := state.webhook_limiter.wait_needed(client):
        raise Problem("rate_limited", "Too many requests.", headers={"Retry-After": str(wait)})
    body = await request.body()
    try:
        form = parse_form(body)
    except (UnicodeDecodeError, ValueError):
        raise Problem("bad_request", "The body is not a form.") from None
    if not verify(state.settings, request, form, body):
        raise await refused(request, state, "webhook_signature")
    return form


async def delivery_of(request: Request, state: ApiState, n: str, s: str, path: str) -> UUID:
    """The delivery that an address below `path` was made for.

    Raises:
        Problem: we did not hand out this address.
    """
    secret = state.settings.link_secret
    try:
        return read_status_callback(secret.get_secret_value() if secret else "", n, s, path)
    except (CallbackRefused, ValueError, UnicodeEncodeError):
        raise await refused(request, state, "callback_signature") from None


async def refused(request: Request, state: ApiState, kind: str) -> Problem:
    """Keep a refused request; returns the answer to raise."""
    client = request.client.host if request.client else "unknown"
    if not state.page_limiter.wait_needed(f"webhook:{client}"):
        detail = {"path": request.url.path, "signed": "x-twilio-signature" in request.headers}
        async with state.sessions.begin() as session:
            await refusals.record_refused_access(session, kind, number=None, detail=detail, now=state.now())
    return Problem("signature_invalid", "The request is not signed for this address.")


__all__ = ["FORM", "delivery_of", "refused", "verified_form"]
