"""Retention: how long a file is kept and why, legal holds, and its deletion on the word of two persons.

Nothing is deleted before its date, under a legal hold, or while anything is still locked, open or owed. What stays for
good is the tombstone and the audit trail.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.file_removal import remove_the_rest
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load, load_tombstone
from api.security.bearer import Principal
from api.signing import sign, signs
from api.state import ApiState
from db.repositories import deletions, retention
from db.repositories.retention import RetentionRefused
from domain.retention_rules import reasons_to_keep
from domain.roles import Permission
from models.access import IdempotencyKey
from models.recall import Recall
from models.retention import Tombstone
from models.schemas_common import Page
from models.schemas_retention import (
    DeletionIn,
    DeletionOrderIn,
    DeletionRequestOut,
    LegalHoldIn,
    LegalHoldLiftIn,
    LegalHoldOut,
    PolicyRetentionOut,
    RetentionOut,
    TombstoneOut,
    WithdrawalIn,
)

router = APIRouter(
    tags=["retention"], responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid")
)
Holder = Annotated[Principal, Depends(signs(Permission.PLACE_LEGAL_HOLD, "This file must be kept: I place a hold"))]
Lifter = Annotated[
    Principal, Depends(signs(Permission.PLACE_LEGAL_HOLD, "The matter is over: this legal hold is lifted"))
]
Asker = Annotated[Principal, Depends(require(Permission.REQUEST_DELETION))]
Requester = Annotated[
    Principal,
    Depends(signs(Permission.REQUEST_DELETION, "I ask that this file be deleted; its date is over")),
]
Deleter = Annotated[
    Principal, Depends(signs(Permission.APPROVE_DELETION, "I have reviewed the request and order the file deleted"))
]
_CHANGING = problems(
    "idempotency_key_missing",
    "recall_deleted",
    "not_found",
    "four_eyes",
    "already_decided",
    "conflict",
    "must_be_kept",
    "request_in_progress",
    "idempotency_key_reused",
    "evidence_unavailable",
    "temporal_unavailable",
)


@router.get(
    "/recalls/{number}/retention",
    operation_id="getRetention",
    summary="How long the file is kept",
    responses=problems("recall_deleted"),
)
async def get_retention(number: NumberDep, _: ReaderDep, state: StateDep) -> RetentionOut:
    """Per pinned policy, with what the years are counted from, and what else keeps the file."""
    recall = await load(state, number)
    async with state.sessions() as session:
        return await _retention_out(session, state, recall)


@router.post(
    "/recalls/{number}/legal-holds",
    operation_id="placeLegalHold",
    summary="Place a legal hold",
    status_code=201,
    response_model=RetentionOut,
    responses=_CHANGING,
)
async def place_legal_hold(
    request: Request, number: NumberDep, body: LegalHoldIn, key: KeyDep, principal: Holder, state: StateDep
) -> JSONResponse:
    """The file stays, whatever its retention date, until the hold is lifted."""
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        signer = await sign(state, principal, number, "place_legal_hold", body.model_dump(mode="json"))
        async with state.sessions.begin() as session:
            await retention.place_hold(
                session,
                number,
                reference=body.reference,
                reason=body.reason,
                by=principal.name,
                role=principal.role_for(Permission.PLACE_LEGAL_HOLD),
                now=state.now(),
                signature=signer.signature,
            )
            return Answer(201, await _retention_out(session, state, recall))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/recalls/{number}/legal-holds/{hold_id}/lift",
    operation_id="liftLegalHold",
    summary="Lift a legal hold",
    response_model=RetentionOut,
    responses=_CHANGING,
)
async def lift_legal_hold(
    request: Request,
    number: NumberDep,
    hold_id: Annotated[int, Path(ge=1, le=2**53)],
    body: LegalHoldLiftIn,
    key: KeyDep,
    principal: Lifter,
    state: StateDep,
) -> JSONResponse:
    """The matter is over; the retention date counts again."""
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        stated = {"hold": hold_id, "reason": body.reason}
        signer = await sign(state, principal, number, "lift_legal_hold", stated)
        async with state.sessions.begin() as session:
            with _refusals():
                await retention.lift_hold(
                    session,
                    number,
                    hold_id,
                    reason=body.reason,
                    by=principal.name,
                    role=principal.role_for(Permission.PLACE_LEGAL_HOLD),
                    now=state.now(),
                    signature=signer.signature,
                )
            return Answer(200, await _retention_out(session, state, recall))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/recalls/{number}/deletion",
    operation_id="requestDeletion",
    summary="Ask that the file be deleted",
    status_code=201,
    response_model=RetentionOut,
    responses=_CHANGING,
)
async def request_deletion(
    request: Request, number: NumberDep, body: DeletionIn, key: KeyDep, principal: Requester, state: StateDep
) -> JSONResponse:
    """Refused with the reasons while anything needs the file; nothing goes before another person signs."""
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        signer = await sign(state, principal, number, "request_deletion", body.model_dump(mode="json"))
        async with state.sessions.begin() as session:
            with _refusals():
                await deletions.request_deletion(
                    session,
                    number,
                    reason=body.reason,
                    archive_sha256=body.archive_sha256,
                    by=principal.name,
                    role=principal.role_for(Permission.REQUEST_DELETION),
                    now=state.now(),
                    signature=signer.signature,
                )
            return Answer(201, await _retention_out(session, state, recall))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/recalls/{number}/deletion/withdraw",
    operation_id="withdrawDeletion",
    summary="Take the request back",
    response_model=RetentionOut,
    responses=_CHANGING,
)
async def withdraw_deletion(
    request: Request, number: NumberDep, body: WithdrawalIn, key: KeyDep, principal: Asker, state: StateDep
) -> JSONResponse:
    """The file stays; the request and its withdrawal stay in the audit."""
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        async with state.sessions.begin() as session:
            with _refusals():
                await deletions.withdraw_request(
                    session,
                    number,
                    reason=body.reason,
                    by=principal.name,
                    role=principal.role_for(Permission.REQUEST_DELETION),
                    now=state.now(),
                )
            return Answer(200, await _retention_out(session, state, recall))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.post(
    "/recalls/{number}/deletion/approve",
    operation_id="approveDeletion",
    summary="Delete the file",
    response_model=TombstoneOut,
    responses=_CHANGING,
)
async def approve_deletion(
    request: Request, number: NumberDep, body: DeletionOrderIn, key: KeyDep, principal: Deleter, state: StateDep
) -> JSONResponse:
    """Another person than who asked. Rows go in one transaction, then stored files and histories; repeat to finish."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        stone = await load_tombstone(state, number)
        if stone is None:
            await load(state, number)
            # On no recall: the signatures of the file go with it, this one stays.
            signer = await sign(state, principal, None, "approve_deletion", await _order(state, number, body))
            async with state.sessions.begin() as session:
                with _refusals():
                    stone = await deletions.delete_file(
                        session,
                        number,
                        request=body.request,
                        by=principal.name,
                        role=principal.role_for(Permission.APPROVE_DELETION),
                        now=state.now(),
                        signature=signer.signature or "",
                    )
        await remove_the_rest(state, stone)
        async with state.sessions.begin() as session:
            role = principal.role_for(Permission.APPROVE_DELETION)
            await deletions.finish(session, number, by=principal.name, role=role, now=state.now())
        finished = await load_tombstone(state, number)
        assert finished is not None  # noqa: S101 - a tombstone is never removed
        return Answer(200, _tombstone_out(finished))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.get("/tombstones", operation_id="listTombstones", summary="Deleted files", responses=problems("bad_cursor"))
async def list_tombstones(
    _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[TombstoneOut]:
    """In order of their numbers."""
    name = listing_name("tombstones")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await deletions.tombstones(session, after=str(after[0]) if after else "", limit=limit + 1)
    return page_of(rows, limit, _tombstone_out, lambda row: state.cursors.write(name, [row.recall_number]))


@router.get(
    "/tombstones/{number}", operation_id="getTombstone", summary="A deleted file", responses=problems("not_found")
)
async def get_tombstone(number: NumberDep, _: ReaderDep, state: StateDep) -> TombstoneOut:
    """When, why and on whose word the file was deleted; its audit trail is still there."""
    stone = await load_tombstone(state, number)
    if stone is None:
        raise Problem("not_found", f"No file of {number} was deleted.")
    return _tombstone_out(stone)


async def _order(state: ApiState, number: str, body: DeletionOrderIn) -> dict[str, Any]:
    """What the order is about, as it is signed: the request that is open now, whole."""
    async with state.sessions() as session:
        asked = await deletions.open_request(session, number)
    if asked is None or asked.id != body.request:
        raise Problem("conflict", "This request is not open now; read the file's retention again before you sign.")
    return {
        "recall": number,
        "request": asked.id,
        "reason": asked.reason,
        "archive_sha256": asked.archive_sha256,
        "keep_until": asked.keep_until.isoformat(),
        "requested_by": asked.requested_by,
    }


class _refusals:  # noqa: N801 - reads as a statement
    """Turns a refusal of the repository into the API's problem."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, RetentionRefused):
            if error.reasons:
                raise Problem(error.kind, error.detail, reasons=list(error.reasons)) from error
            raise Problem(error.kind, error.detail) from error


async def _retention_out(session: AsyncSession, state: ApiState, recall: Recall) -> RetentionOut:
    now = state.now()
    kept = await retention.keeping(session, recall, now)
    standing = await retention.standing(session, recall, now)
    asked = await deletions.open_request(session, recall.number)
    return RetentionOut(
        number=recall.number,
        keep_until=kept.until,
        policies=[PolicyRetentionOut.model_validate(each) for each in kept.as_json()],
        legal_holds=[
            LegalHoldOut(**{name: getattr(row, name) for name in LegalHoldOut.model_fields})
            for row in await retention.legal_holds(session, recall.number)
        ],
        must_stay_because=list(reasons_to_keep(standing, now.date())),
        request=DeletionRequestOut(**{name: getattr(asked, name) for name in DeletionRequestOut.model_fields})
        if asked
        else None,
    )


def _tombstone_out(row: Tombstone) -> TombstoneOut:
    plain = row.model_dump()
    return TombstoneOut.model_validate(plain | {"number": plain.pop("recall_number")})


__all__ = ["router"]
