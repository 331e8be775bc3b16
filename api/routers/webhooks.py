"""Twilio's webhooks: inbound SMS and delivery reports, each refused unless its signature verifies."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import ImmutableMultiDict

from api.deps import StateDep
from api.inbound_sms import InboundOutcome, InboundText, take_in
from api.links import TWILIO_STATUS_PATH, CallbackRefused, read_status_callback
from api.nudge import nudge_after_reply, nudge_campaign, nudge_recall
from api.problems import Problem, problems
from api.security.twilio_signature import parse_form, verify
from api.sms_answers import twiml
from api.state import ApiState
from db.repositories import refusals
from db.repositories.provider_events import record_provider_event

SMS_PATH: Final = "/v1/webhooks/twilio/inbound"
_MESSAGE_SID: Final = re.compile(r"(SM|MM)[0-9a-f]{32}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_STATUS: Final = re.compile(r"[a-z_]{1,30}")
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
    }
}
router = APIRouter(
    tags=["webhooks"],
    responses=problems("bad_request", "signature_invalid", "too_large", "rate_limited"),
)


async def _verified_form(request: Request, state: ApiState) -> ImmutableMultiDict[str, str]:
    client = request.client.host if request.client else "unknown"
    if wait := state.webhook_limiter.wait_needed(client):
        raise Problem("rate_limited", "Too many requests.", headers={"Retry-After": str(wait)})
    try:
        form = parse_form(await request.body())
    except (UnicodeDecodeError, ValueError):
        raise Problem("bad_request", "The body is not a form.") from None
    if not verify(state.settings, request, form):
        await _refuse(request, state, "webhook_signature")
    return form


async def _refuse(request: Request, state: ApiState, kind: str) -> None:
    # Refusals are kept, but a flood of them must not fill the record.
    client = request.client.host if request.client else "unknown"
    if not state.page_limiter.wait_needed(f"webhook:{client}"):
        detail = {"path": request.url.path, "signed": "x-twilio-signature" in request.headers}
        async with state.sessions.begin() as session:
            await refusals.record_refused_access(session, kind, number=None, detail=detail, now=state.now())
    raise Problem("signature_invalid", "The request is not signed for this address.")


@router.post(
    SMS_PATH,
    operation_id="twilioInboundSms",
    summary="An SMS from a recipient",
    openapi_extra=_FORM,
    response_class=Response,
    responses={200: {"description": "TwiML with the answer, if any", "content": {"application/xml": {}}}},
)
async def inbound_sms(request: Request, state: StateDep) -> Response:
    """Read a recipient's answer (1, 2, 3, 4, STOP ...) and record it; repeats of one message change nothing."""
    form = await _verified_form(request, state)
    sid, sender = form.get("MessageSid", ""), form.get("From", "")
    if _MESSAGE_SID.fullmatch(sid) is None or _PHONE.fullmatch(sender) is None:
        raise Problem("bad_request", "MessageSid and From of an SMS are needed.")
    body = "".join(char for char in form.get("Body", "") if char.isprintable() or char in "\n\t")
    message = InboundText(sid, sender, body[:1600], state.now())
    opt_out = {"STOP": True, "START": False}.get(form.get("OptOutType", "").upper())
    outcome = await _take_in(state, message, opt_out)
    for number, sequence in outcome.nudges:
        await nudge_campaign(state, number, sequence)
    if outcome.reply is not None:
        await nudge_after_reply(state, *outcome.reply)
    if outcome.harm_in is not None:
        await nudge_recall(state, outcome.harm_in, "complaint")
    return Response(twiml(outcome.answer), media_type="application/xml")


async def _take_in(state: ApiState, message: InboundText, opt_out: bool | None) -> InboundOutcome:
    async with state.sessions.begin() as session:
        return await take_in(session, message, opt_out=opt_out)


@router.post(
    TWILIO_STATUS_PATH,
    operation_id="twilioStatus",
    summary="A delivery report",
    status_code=204,
    openapi_extra=_FORM,
    response_class=Response,
)
async def delivery_report(request: Request, state: StateDep, n: str = "", s: str = "") -> Response:
    """Keep a report and raise the delivery's state; `n` is the delivery, `s` our own signature of it."""
    form = await _verified_form(request, state)
    secret = state.settings.link_secret
    try:
        delivery_id = read_status_callback(secret.get_secret_value() if secret else "", n, s)
    except (CallbackRefused, ValueError, UnicodeEncodeError):
        await _refuse(request, state, "callback_signature")
        raise
    sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "")
    if _MESSAGE_SID.fullmatch(sid) is None or _STATUS.fullmatch(status) is None:
        raise Problem("bad_request", "MessageSid and MessageStatus are needed.")
    code = form.get("ErrorCode", "")
    async with state.sessions.begin() as session:
        event = await record_provider_event(
            session,
            provider="twilio",
            provider_id=sid,
            delivery_id=delivery_id,
            status=status,
            error_code=f"twilio:{code}" if re.fullmatch(r"[0-9]{1,6}", code) else None,
            at=state.now(),
        )
    if event.nudge_due and event.recall_number is not None:
        await nudge_campaign(state, event.recall_number, event.campaign_sequence)
    return Response(status_code=204)


__all__ = ["SMS_PATH", "router"]
