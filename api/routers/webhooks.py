"""Twilio's webhooks: inbound SMS and delivery reports, each refused unless its signature verifies."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from api.deps import StateDep
from api.links import TWILIO_STATUS_PATH
from api.nudge import nudge_after_reply, nudge_campaign, nudge_owners, nudge_recall
from api.problems import Problem, problems
from api.sms_answers import answer_text, twiml
from api.state import ApiState
from api.twilio_requests import FORM, delivery_of, verified_form
from db.repositories.inbound_texts import InboundOutcome, InboundText, for_other_sites, take_in
from db.repositories.provider_events import record_provider_event
from db.repositories.replies import record_sms_reply
from domain.sms_replies import as_kept

SMS_PATH: Final = "/v1/webhooks/twilio/inbound"
_MESSAGE_SID: Final = re.compile(r"(SM|MM)[0-9a-f]{32}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_STATUS: Final = re.compile(r"[a-z_]{1,30}")
router = APIRouter(
    tags=["webhooks"],
    responses=problems("bad_request", "signature_invalid", "too_large", "rate_limited"),
)


@router.post(
    SMS_PATH,
    operation_id="twilioInboundSms",
    summary="An SMS from a recipient",
    openapi_extra=FORM,
    response_class=Response,
    responses={200: {"description": "TwiML with the answer, if any", "content": {"application/xml": {}}}},
)
async def inbound_sms(request: Request, state: StateDep) -> Response:
    """Read a recipient's answer (1, 2, 3, 4, STOP ...) and record it; repeats of one message change nothing."""
    form = await verified_form(request, state)
    sid, sender = form.get("MessageSid", ""), form.get("From", "")
    if _MESSAGE_SID.fullmatch(sid) is None or _PHONE.fullmatch(sender) is None:
        raise Problem("bad_request", "MessageSid and From of an SMS are needed.")
    message = InboundText(sid, sender, as_kept(form.get("Body", "")), state.now())
    opt_out = {"STOP": True, "START": False}.get(form.get("OptOutType", "").upper())
    await _answer_for_others(state, message, opt_out)
    outcome = await _take_in(state, message, opt_out)
    for number, sequence in outcome.nudges:
        await nudge_campaign(state, number, sequence)
    if outcome.reply is not None:
        await nudge_after_reply(state, *outcome.reply)
    if outcome.harm_in is not None:
        await nudge_recall(state, outcome.harm_in, "complaint")
    if outcome.paged is not None:
        await nudge_owners(state, [(outcome.paged.owner, outcome.paged.key)])
    told = outcome.answer
    text = answer_text(told.key, told.language, told.recall) if told else None
    return Response(twiml(text), media_type="application/xml")


async def _answer_for_others(state: ApiState, message: InboundText, opt_out: bool | None) -> None:
    async with state.sessions() as session:
        others = await for_other_sites(session, message, opt_out=opt_out)
    for each in others:
        async with state.sessions.begin() as session:
            recorded = await record_sms_reply(session, each)
        await nudge_after_reply(state, each.recall_number, each.consignee_id, recorded)


async def _take_in(state: ApiState, message: InboundText, opt_out: bool | None) -> InboundOutcome:
    async with state.sessions.begin() as session:
        return await take_in(session, message, opt_out=opt_out)


@router.post(
    TWILIO_STATUS_PATH,
    operation_id="twilioStatus",
    summary="A delivery report",
    status_code=204,
    openapi_extra=FORM,
    response_class=Response,
)
async def delivery_report(request: Request, state: StateDep, n: str = "", s: str = "") -> Response:
    """Keep a report and raise the delivery's state; `n` is the delivery, `s` our own signature of it."""
    form = await verified_form(request, state)
    delivery_id = await delivery_of(request, state, n, s, TWILIO_STATUS_PATH)
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
