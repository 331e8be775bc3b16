"""Twilio's requests about a call: what it is to say, which key was pressed, what became of it.

Each address carries one delivery and our own signature of it; each request has to carry Twilio's signature, too.
"""

import json
import logging
import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import ImmutableMultiDict

from api.call_keys import PROVIDER, KeyOutcome, reply_of, take_key, take_late_harm
from api.call_script import farewell, script, spoken
from api.deps import StateDep
from api.links import TWILIO_CALL_STATUS_PATH, TWILIO_KEY_PATH, TWILIO_SCRIPT_PATH, signed_callback_url
from api.nudge import nudge_after_reply, nudge_campaign, nudge_owners, nudge_recall
from api.problems import Problem, problems
from api.state import ApiState
from api.twilio_requests import FORM, delivery_of, verified_form
from db.repositories import calls, merged_answers
from db.repositories.calls import CallRecord
from db.repositories.consignee_lots import ConsigneeLotRow
from db.repositories.provider_events import record_provider_event
from db.repositories.replies import record_sms_reply
from domain.notice_body import BodyError
from domain.voice import HEARD, MACHINE, Key, is_machine, report_of

_log = logging.getLogger("api.calls")
_CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}")
_STATUS: Final = re.compile(r"[a-z-]{1,30}")
_ANSWERED_BY: Final = re.compile(r"[a-z_]{0,40}")
_KEY: Final = re.compile(r"[0-9*#]{1,8}")
_TWIML: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "TwiML", "content": {"application/xml": {}}},
}
router = APIRouter(
    tags=["webhooks"],
    responses=problems("bad_request", "signature_invalid", "too_large", "rate_limited"),
)


@router.post(
    TWILIO_SCRIPT_PATH,
    operation_id="twilioCallScript",
    summary="What a call says",
    openapi_extra=FORM,
    response_class=Response,
    responses=_TWIML,
)
async def call_script(request: Request, state: StateDep, n: str = "", s: str = "") -> Response:
    """The approved voice body of delivery `n`, filled, read twice; `s` is our signature of it.

    Who answered is noted: a mailbox gets the text, too, but does not count as reached.
    """
    form = await verified_form(request, state)
    delivery_id = await delivery_of(request, state, n, s, TWILIO_SCRIPT_PATH)
    sid, answered_by = _sid(form), _answered_by(form)
    await _report(state, delivery_id, sid, MACHINE if is_machine(answered_by) else "in-progress")
    return await _read(state, delivery_id)


@router.post(
    TWILIO_KEY_PATH,
    operation_id="twilioCallKey",
    summary="A key pressed in a call",
    openapi_extra=FORM,
    response_class=Response,
    responses=_TWIML,
)
async def call_key(request: Request, state: StateDep, n: str = "", s: str = "") -> Response:
    """Record what the key means (1 received, 3 call back, 4 harm, 9 no more calls); 2 reads the notice again.

    The same request again changes nothing.
    """
    form = await verified_form(request, state)
    delivery_id = await delivery_of(request, state, n, s, TWILIO_KEY_PATH)
    sid, pressed = _sid(form), form.get("Digits", "")
    if _KEY.fullmatch(pressed) is None:
        raise Problem("bad_request", "Digits: expected the key that was pressed.")
    key = Key(pressed) if pressed in set(Key) else None
    if key in (None, Key.AGAIN):
        await _report(state, delivery_id, sid, HEARD)
        return await _read(state, delivery_id, before="unknown" if key is None else None)
    if key is Key.ACKNOWLEDGE:
        await _answer_for_others(state, delivery_id, sid)
    async with state.sessions.begin() as session:
        call = await calls.find_answered(session, delivery_id)
        outcome = await _taken(session, call, key, sid, state)
    await _report(state, delivery_id, sid, HEARD)
    if call is not None and outcome.reply is not None:
        await nudge_after_reply(state, call.recall_number, call.consignee_id, outcome.reply)
    for number, sequence in outcome.nudges:
        await nudge_campaign(state, number, sequence)
    if outcome.harm_in is not None:
        await nudge_recall(state, outcome.harm_in, "complaint")
    if outcome.paged is not None:
        await nudge_owners(state, [(outcome.paged.owner, outcome.paged.key)])
    return _xml(farewell(outcome.answer, call.language if call else "en"))


async def _taken(
    session: AsyncSession, call: CallRecord | None, key: Key | None, sid: str, state: ApiState
) -> KeyOutcome:
    """What becomes of the key; harm and an opt-out count whatever has become of the recall since the call began."""
    if key is Key.HARM and (call is None or call.over or call.ended):
        return await take_late_harm(session, call, sid, state.now())
    if call is not None and key is not None and (not call.over or key is Key.OPT_OUT):
        return await take_key(session, call, key, sid, state.now())
    return KeyOutcome("over")


@router.post(
    TWILIO_CALL_STATUS_PATH,
    operation_id="twilioCallStatus",
    summary="A report of a call",
    status_code=204,
    openapi_extra=FORM,
    response_class=Response,
)
async def call_status(request: Request, state: StateDep, n: str = "", s: str = "") -> Response:
    """Keep a report and raise the delivery's state; what a machine answered is not delivered."""
    form = await verified_form(request, state)
    delivery_id = await delivery_of(request, state, n, s, TWILIO_CALL_STATUS_PATH)
    sid, status = _sid(form), form.get("CallStatus", "")
    if _STATUS.fullmatch(status) is None:
        raise Problem("bad_request", "CallStatus: expected the status of a call.")
    async with state.sessions() as session:
        machine = await calls.reached_machine(session, PROVIDER, sid)
    code = form.get("ErrorCode", "")
    await _report(
        state,
        delivery_id,
        sid,
        report_of(status, _answered_by(form), machine_known=machine),
        f"twilio:{code}" if re.fullmatch(r"[0-9]{1,6}", code) else None,
    )
    return Response(status_code=204)


def _sid(form: ImmutableMultiDict[str, str]) -> str:
    sid = form.get("CallSid", "")
    if _CALL_SID.fullmatch(sid) is None:
        raise Problem("bad_request", "CallSid: expected the id of a call.")
    return sid


def _answered_by(form: ImmutableMultiDict[str, str]) -> str:
    answered_by = form.get("AnsweredBy", "")
    if _ANSWERED_BY.fullmatch(answered_by) is None:
        raise Problem("bad_request", "AnsweredBy: expected who answered, as Twilio names it.")
    return answered_by


async def _answer_for_others(state: ApiState, delivery_id: UUID, sid: str) -> None:
    """Record the acknowledgement for the further sites of the call, each by itself, before its own is recorded."""
    async with state.sessions() as session:
        call = await calls.find_answered(session, delivery_id)
        if call is None or call.over:
            return
        said = reply_of(call, Key.ACKNOWLEDGE, sid, state.now())
        others = await merged_answers.for_other_sites(session, said)
    for each in others:
        async with state.sessions.begin() as session:
            recorded = await record_sms_reply(session, each)
        await nudge_after_reply(state, each.recall_number, each.consignee_id, recorded)


async def _report(state: ApiState, delivery_id: UUID, sid: str, status: str, code: str | None = None) -> None:
    async with state.sessions.begin() as session:
        event = await record_provider_event(
            session,
            provider=PROVIDER,
            provider_id=sid,
            delivery_id=delivery_id,
            status=status,
            error_code=code,
            at=state.now(),
        )
    if event.nudge_due and event.recall_number is not None:
        await nudge_campaign(state, event.recall_number, event.campaign_sequence)


async def _read(state: ApiState, delivery_id: UUID, *, before: str | None = None) -> Response:
    async with state.sessions() as session:
        call = await calls.find(session, delivery_id)
        lots = await calls.lots_told(session, call.consignee_id) if call else []
        others = await calls.others_told(session, call) if call else []
    text = _text(call, lots, others) if call else None
    if call is None or text is None:
        return _xml(farewell("over", call.language if call else "en"))
    secret = state.settings.link_secret
    key_url = signed_callback_url(
        secret.get_secret_value() if secret else "", state.settings.public_url, TWILIO_KEY_PATH, delivery_id
    )
    return _xml(script(text, call.language, key_url, before=before))


def _text(
    call: CallRecord,
    lots: Sequence[ConsigneeLotRow],
    others: Sequence[tuple[CallRecord, Sequence[ConsigneeLotRow]]],
) -> str | None:
    if call.over:
        return None
    try:
        return spoken(call, lots, others)
    except (BodyError, ValueError) as error:
        # Nothing but what was approved is ever read out.
        event = {"event": "call_not_read", "delivery": str(call.delivery_id), "reason": type(error).__name__}
        _log.error(json.dumps(event))
        return None


def _xml(document: str) -> Response:
    return Response(document, media_type="application/xml")


__all__ = ["router"]
