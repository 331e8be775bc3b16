"""A reply given on the telephone and typed in by staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from api.deps import KeyDep, NumberDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_after_reply
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from db.repositories import replies
from db.repositories.onward import PassedOnToItself
from db.repositories.statements import UnknownLot
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.workflow_ids import update_id
from models.access import IdempotencyKey
from models.harm import HarmStated
from models.replies import PhoneReply, RecordedReply
from models.schemas_replies import PhoneReplyIn, ReplyRecorded

router = APIRouter(prefix="/recalls/{number}/consignees", tags=["replies"])


@router.post(
    "/{consignee_id}/replies",
    operation_id="enterPhoneReply",
    status_code=201,
    summary="Enter a telephone answer",
    response_model=ReplyRecorded,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "recall_closed",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def enter_phone_reply(
    request: Request,
    number: NumberDep,
    consignee_id: Annotated[int, Path(ge=1, le=2**53)],
    body: PhoneReplyIn,
    key: KeyDep,
    principal: Annotated[Principal, Depends(require(Permission.REPLY_ON_BEHALF))],
    state: StateDep,
) -> JSONResponse:
    """Record what a consignee states on the telephone; checked like any other statement. Zero is an answer."""
    recall = await load(state, number)
    # The same key is the same form: a repeat after a crash finds the reply instead of adding one.
    reply = PhoneReply(
        **body.model_dump(exclude={"statements", "passed_on", "harm"}),
        statements=body.stated(),
        passed_on=body.passed_on,
        harm=HarmStated(**body.harm.model_dump()) if body.harm else None,
        recall_number=number,
        consignee_id=consignee_id,
        at=state.now(),
        entered_by=principal.name,
        form_id=update_id(principal.name, "phone_reply", key)[:64],
    )

    async def carry_out(_: IdempotencyKey) -> Answer:
        if is_final(Phase(recall.phase)):
            # As on the page: nobody is left who would look after a question that this answer raises.
            raise Problem("recall_closed", f"The recall is {recall.phase}; report harm as a complaint.")
        try:
            async with state.sessions.begin() as session:
                recorded = await replies.record_phone_reply(session, reply)
        except replies.UnknownConsignee as error:
            raise Problem("not_found", f"The recall {number} has no consignee {consignee_id}.") from error
        except (UnknownLot, PassedOnToItself) as error:
            raise Problem("invalid", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        await nudge_after_reply(state, number, consignee_id, recorded)
        return Answer(201, _out(recorded))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


def _out(recorded: RecordedReply) -> ReplyRecorded:
    return ReplyRecorded(
        reply_id=recorded.reply_id,
        consignee_state=recorded.consignee_state,
        findings=[finding.model_dump(mode="json") for finding in recorded.findings],
        new_consignees=list(recorded.new_consignees),
        complaint=recorded.complaint,
    )


__all__ = ["router"]
