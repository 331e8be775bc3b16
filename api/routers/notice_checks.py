"""The content check of a notice: what it found, what reviewers say of flagged passages, and correcting the texts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_owners, nudge_texts
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.signing import sign, signs
from api.state import ApiState
from db.repositories import notice_checks, notice_reviews, recall_texts, recalls
from db.repositories.notice_checks import NotFlagged, OwnText, Review, Standing
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.workflow_ids import recall_id
from models.access import IdempotencyKey
from models.notice_check import NoticeTextReview, ReviewVerdict
from models.recall import Recall
from models.schemas_common import FieldProblem
from models.schemas_notice_content import (
    NoticeCheckOut,
    PassageOut,
    RefusedElementOut,
    TextReviewIn,
    TextReviewOut,
    TextsIn,
    TextsOut,
)

router = APIRouter(prefix="/recalls/{number}", tags=["notices"])
NoticeId = Annotated[int, Path(ge=1, le=2**53, description="Notice id.")]
Reviewer = Annotated[
    Principal, Depends(signs(Permission.REVIEW_NOTICE, "I have read these passages of the notice against the record"))
]
Writer = Annotated[Principal, Depends(require(Permission.EDIT_INTAKE))]
_WRITING = problems(
    "idempotency_key_missing",
    "unauthenticated",
    "not_permitted",
    "recall_unknown",
    "recall_closed",
    "request_in_progress",
    "invalid",
    "idempotency_key_reused",
)


@router.get(
    "/notices/{notice_id}/check",
    operation_id="readNoticeCheck",
    summary="Content check of a notice",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "invalid"),
)
async def read_check(number: NumberDep, notice_id: NoticeId, _: ReaderDep, state: StateDep) -> NoticeCheckOut:
    """Every refused element by name, and every passage put to a named reviewer with the last word on it."""
    await load(state, number)
    async with state.sessions() as session:
        return check_out(_found(await notice_checks.standing(session, number, notice_id), number, notice_id))


@router.post(
    "/notices/{notice_id}/review",
    operation_id="reviewNoticeTexts",
    summary="Confirm or reject flagged passages",
    response_model=NoticeCheckOut,
    responses=_WRITING | problems("not_permitted", "not_found", "four_eyes", "hash_mismatch", "already_decided"),
)
async def review_texts(
    request: Request,
    number: NumberDep,
    notice_id: NoticeId,
    principal: Reviewer,
    key: KeyDep,
    state: StateDep,
    body: TextReviewIn,
) -> JSONResponse:
    """Sign that flagged passages are right as they stand, or reject them; never by who wrote them."""

    async def operation(_: IdempotencyKey) -> Answer:
        async with state.sessions() as session:
            found = _found(await notice_checks.standing(session, number, notice_id), number, notice_id)
        _refuse_review(found, body)
        stated = body.model_dump(mode="json") | {"notice_id": notice_id}
        signed = await sign(state, principal, number, "review_notice_texts", stated)
        async with state.sessions.begin() as session:
            await recalls.get(session, number, lock=True)  # before its chain and its tasks, as everybody
            found = _found(await notice_checks.standing(session, number, notice_id), number, notice_id)
            await _record(session, found, body, signed, state)
            again = _found(await notice_checks.standing(session, number, notice_id), number, notice_id)
            closed = await notice_reviews.settle(session, again, signed.name, state.now())
            answer = Answer(200, check_out(again))
        if closed is not None:
            await nudge_owners(state, [(recall_id(number), closed)])
        return answer

    await load(state, number)
    asked = {"operation": "review_notice_texts", "notice": notice_id, "body": body.model_dump(mode="json")}
    return await once(state, request, principal, key, asked=asked, operation=operation)


@router.post(
    "/texts",
    operation_id="correctTexts",
    summary="Correct reason and hazard",
    response_model=TextsOut,
    responses=_WRITING,
)
async def correct_texts(
    request: Request, number: NumberDep, principal: Writer, key: KeyDep, state: StateDep, body: TextsIn
) -> JSONResponse:
    """Replace reason, hazard and translations. A draft that waits for its release is taken back and drafted again."""

    async def operation(_: IdempotencyKey) -> Answer:
        role = principal.role_for(Permission.EDIT_INTAKE)
        async with state.sessions.begin() as session:
            recall = await session.get(Recall, number, with_for_update=True, populate_existing=True)
            if recall is None or is_final(Phase(recall.phase)):
                raise Problem("recall_closed", "The recall has ended; its texts stay as they are.")
            given = recall_texts.Texts(
                body.reason,
                body.hazard,
                {language: each.model_dump() for language, each in body.translations.items()},
            )
            await recall_texts.correct(
                session, recall, given, why=body.why, by=principal.name, role=role, now=state.now()
            )
            answer = Answer(200, TextsOut.model_validate(recall, from_attributes=True))
        await nudge_texts(state, number)
        return answer

    await load(state, number)
    asked = {"operation": "correct_texts", "recall": number, "body": body.model_dump(mode="json")}
    return await once(state, request, principal, key, asked=asked, operation=operation)


def _found(found: Standing | None, number: str, notice_id: int) -> Standing:
    if found is None:
        raise Problem("not_found", f"The recall {number} has no notice {notice_id}.")
    return found


def _refuse_review(found: Standing, body: TextReviewIn) -> None:
    if found.notice.approved_at is not None:
        raise Problem("already_decided", "The notice is released; its texts are reviewed no more.")
    if found.notice.sha256 != body.sha256:
        raise Problem("hash_mismatch", "The notice was drafted again; read its passages anew.")


async def _record(
    session: AsyncSession, found: Standing, body: TextReviewIn, signed: Principal, state: ApiState
) -> None:
    review = Review(
        passages=body.passages,
        verdict=ReviewVerdict(body.verdict),
        note=body.note,
        reviewer=signed.name,
        role=signed.role_for(Permission.REVIEW_NOTICE),
        signature=signed.signature,
        at=state.now(),
    )
    try:
        await notice_checks.record_review(session, found, review)
    except OwnText as error:
        raise Problem("four_eyes", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    except NotFlagged as error:
        faults = [
            FieldProblem(pointer=f"#/passages/{index}", detail="expected a passage of this notice's check")
            for index, each in enumerate(body.passages)
            if each in str(error).split(", ")
        ]
        raise Problem(
            "invalid", "A passage is none that was put to a reviewer; see `errors`.", errors=faults
        ) from error


def check_out(found: Standing) -> NoticeCheckOut:
    """The check with the last word on every passage."""
    check = found.check
    return NoticeCheckOut(
        notice_id=found.notice.id or 0,
        sha256=check.sha256 if check else found.notice.sha256,
        covers=found.covers,
        rules_sha256=check.rules_sha256 if check else None,
        checked_at=check.checked_at if check else None,
        releasable=found.releasable,
        refused=[RefusedElementOut.model_validate(each) for each in (check.refusals if check else [])],
        passages=[
            PassageOut(**each, review=_review_out(found.latest(each["id"])))
            for each in (check.passages if check else [])
        ],
    )


def _review_out(row: NoticeTextReview | None) -> TextReviewOut | None:
    return TextReviewOut.model_validate(row, from_attributes=True) if row else None


__all__ = ["check_out", "router"]
