"""Where a recipient's system answers a notice: signed with the key that signed the notice, JSON or a FHIR Task."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request

from api.deps import StateDep
from api.hospital_answer import FHIR, JSON, read_answer, reply_of
from api.nudge import nudge_after_reply
from api.problems import Problem, problems
from api.state import ApiState
from db.repositories import consignee_lots, refusals, replies, webhook_answers
from db.repositories.onward import PassedOnToItself
from db.repositories.statements import UnknownLot
from db.repositories.webhook_answers import AnsweredDelivery
from domain.links import HOSPITAL_PATH
from domain.phases import Phase, is_final
from domain.webhook_signature import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureRefused,
    verify,
)
from models.replies import RecordedReply
from models.schemas_hospital import HospitalAnswerIn, HospitalAnswerOut

_EXAMPLE: Final[dict[str, Any]] = {
    "schema_version": "recall-answer/1.0",
    "delivery_id": "01890000-0000-7000-8000-00000000002a",
    "acknowledged": True,
    "affected": True,
    "lots": [{"lot": "L26-0412", "on_hand": "5", "held": "5", "used": "20", "passed_on": "5"}],
    "responder": {"name": "R. Singh", "role": "Materials management"},
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/HospitalAnswerIn"}, "example": _EXAMPLE},
            FHIR: {"schema": {"type": "object", "description": "The FHIR R4 Task of the notice, with its outputs"}},
        },
    },
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": told}
        for name, told in (
            (ID_HEADER, "your id of this message, 8 to 100 of A-Z a-z 0-9 _ : -; a repeat changes nothing"),
            (TIMESTAMP_HEADER, "seconds since 1970-01-01 UTC, at most five minutes from our clock"),
            (SIGNATURE_HEADER, "v1,<base64 of HMAC-SHA256 over id.timestamp.body>; several separated by spaces"),
        )
    ],
}
router = APIRouter(tags=["webhooks"])


@router.post(
    HOSPITAL_PATH + "/{delivery_id}",
    operation_id="answerNotice",
    summary="A recipient's system answers a notice",
    response_model=HospitalAnswerOut,
    responses=problems(
        "bad_request",
        "signature_invalid",
        "wrong_state",
        "recall_closed",
        "too_large",
        "unsupported_media_type",
        "invalid",
        "idempotency_key_reused",
        "rate_limited",
    ),
    openapi_extra=_BODY,
)
async def answer_notice(
    request: Request, state: StateDep, delivery_id: Annotated[UUID, Path(description="`delivery_id` of the notice")]
) -> HospitalAnswerOut:
    """Record what the system states; the same message again answers the same and changes nothing."""
    client = request.client.host if request.client else "unknown"
    if wait := state.webhook_limiter.wait_needed(client):
        raise Problem("rate_limited", "Too many requests.", headers={"Retry-After": str(wait)})
    body = await request.body()
    delivery = await _verified(request, state, delivery_id, body)
    answer = read_answer(request.headers.get("content-type", ""), body, delivery_id)
    if is_final(Phase(delivery.phase)):
        raise Problem("recall_closed", f"The recall is {delivery.phase}; report harm to us by telephone.")
    if delivery.state == "withdrawn" and answer.harm is None:
        raise Problem("wrong_state", "Your lots are not under recall any more: nothing is asked.")
    recorded = await _record(state, delivery, answer, request.headers[ID_HEADER], body)
    await nudge_after_reply(state, delivery.number, delivery.consignee_id, recorded)
    return HospitalAnswerOut(
        delivery_id=delivery_id,
        recall=delivery.number,
        reply_id=recorded.reply_id,
        repeated=recorded.repeated,
        state=recorded.consignee_state,
        findings=[finding.model_dump(mode="json") for finding in recorded.findings],
    )


async def _verified(request: Request, state: ApiState, delivery_id: UUID, body: bytes) -> AnsweredDelivery:
    """The delivery, when its recipient's key signed the message; an unknown one is refused in the same words."""
    async with state.sessions() as session:
        delivery = await webhook_answers.find(session, delivery_id)
    keys = state.webhook_keys.of(delivery.key) if delivery else ()
    try:
        verify(
            keys,
            message_id=_header(request, ID_HEADER),
            timestamp=_header(request, TIMESTAMP_HEADER),
            signature=_header(request, SIGNATURE_HEADER),
            body=body,
            now=state.now(),
        )
    except SignatureRefused as refused:
        await _note_refusal(request, state, delivery, refused.reason)
        detail = f"{str(refused)[:1].upper()}{str(refused)[1:]}."
        raise Problem("signature_invalid", detail) from None
    assert delivery is not None  # noqa: S101 - without one there is no key
    return delivery


def _header(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    # Two of a kind may be read differently by whoever stands between: neither counts.
    return values[0] if len(values) == 1 and values[0].isascii() else ""


async def _note_refusal(request: Request, state: ApiState, delivery: AnsweredDelivery | None, reason: str) -> None:
    # Refusals are kept, but a flood of them must not fill the record.
    client = request.client.host if request.client else "unknown"
    if state.page_limiter.wait_needed(f"webhook:{client}"):
        return
    detail = {"path": HOSPITAL_PATH, "reason": reason, "consignee": delivery.consignee_id if delivery else None}
    async with state.sessions.begin() as session:
        await refusals.record_refused_access(
            session,
            "hospital_signature",
            number=delivery.number if delivery else None,
            detail=detail,
            now=state.now(),
        )


async def _record(
    state: ApiState, delivery: AnsweredDelivery, answer: HospitalAnswerIn, message_id: str, body: bytes
) -> RecordedReply:
    try:
        async with state.sessions.begin() as session:
            lots = (await consignee_lots.lots_of(session, [delivery.consignee_id]))[delivery.consignee_id]
            now = state.now()
            form_id = await webhook_answers.keep(session, delivery, message_id, body, now)
            reply = reply_of(answer, delivery, lots, form_id=form_id, at=now)
            return await replies.record_webhook_reply(session, reply)
    except (webhook_answers.MessageReused, replies.FormReused):
        raise Problem("idempotency_key_reused", f"{ID_HEADER}: this id has carried another answer.") from None
    except (UnknownLot, PassedOnToItself) as error:
        raise Problem("invalid", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


__all__ = ["router"]
