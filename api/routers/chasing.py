"""Chasing at full size: progress in groups, who is called next and what to say, and who says that it has acted."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.call_work import entries
from api.case_work import Desk, desk
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.exposure_views import figures
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.pagination import Cursor, Limit, listing_name
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.task_doing import whose_day
from api.views import task_out
from db.repositories import call_list, exposure, progress, stages, task_actions, task_list
from db.repositories.call_list import CallKind, Place
from db.repositories.cases import By
from db.repositories.progress import GroupBy, GroupProgress
from domain.phases import Phase, is_final
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_chasing import ActionIn, ActionOut, CallOut, ClaimIn, GroupOut, ProgressOut
from models.schemas_common import FieldProblem, Page
from models.schemas_tasks import TaskOut

router = APIRouter(prefix="/recalls/{number}", tags=["chasing"])
Caller = Annotated[Principal, Depends(require(Permission.CONTACT_CONSIGNEE))]
ConsigneeId = Annotated[int, Path(ge=1, le=2**53)]
_READING = ("unauthenticated", "not_permitted", "recall_unknown", "invalid")
_WRITING = ("idempotency_key_missing", "recall_closed", "request_in_progress", "idempotency_key_reused", *_READING)


@router.get(
    "/progress",
    operation_id="readProgress",
    summary="How far the consignees are, in groups",
    responses=problems(*_READING),
)
async def read_progress(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    by: Annotated[GroupBy, Query(description="What the consignees are grouped by.")] = GroupBy.COUNTRY,
    with_exposure: Annotated[bool, Query(alias="exposure", description="Also the unit-hours of exposure.")] = False,
) -> ProgressOut:
    """Counts per stage of the answer, units outstanding, the oldest silence and the next deadline of each group."""
    await load(state, number)
    now = state.now()
    async with state.sessions() as session:
        found = await progress.progress(session, number, by, now)
        so_far = await exposure.exposure(session, number, now, points=2) if with_exposure else None
    return ProgressOut(
        by=by,
        at=now,
        total=_total(found),
        groups=[_group_out(each) for each in found],
        exposure=figures(so_far) if so_far else None,
    )


@router.get(
    "/call-list",
    operation_id="listCalls",
    summary="Whom to call, who matters most first",
    responses=problems("bad_cursor", *_READING),
)
async def list_calls(
    number: NumberDep,
    caller: Caller,
    state: StateDep,
    kind: Annotated[list[CallKind] | None, Query(description="Only these; all without.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CallOut]:
    """The open calls of cases and effectiveness checks with script, contacts in their order and the last attempts.

    Ordered by units of use x weight of their class x time since the notice; the scores of a list are those of the
    instant of its first page.
    """
    recall = await load(state, number)
    kinds = sorted(kind or CallKind)
    name = listing_name(f"calls:{number}", kinds=",".join(kinds))
    after = state.cursors.read(name, cursor)
    place = (
        Place(state.now()) if after is None else Place(datetime.fromisoformat(after[0]), Decimal(after[1]), after[2])
    )
    async with state.sessions() as session:
        rows = await call_list.page(session, number, kinds, place, limit + 1)
        items = await entries(session, state, recall, caller, rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    following = state.cursors.write(name, [place.as_of.isoformat(), str(last.score), last.task_id]) if last else None
    return Page[CallOut](items=items, next_cursor=following)


@router.get(
    "/call-list/{task_id}",
    operation_id="readCall",
    summary="One call of the list",
    responses=problems("not_found", *_READING),
)
async def read_call(
    number: NumberDep, task_id: Annotated[int, Path(ge=1, le=2**53)], caller: Caller, state: StateDep
) -> CallOut:
    """Script, contacts and last attempts of a call that is still open."""
    recall = await load(state, number)
    async with state.sessions() as session:
        row = await call_list.row_of(session, number, task_id, state.now())
        if row is None:
            raise Problem("not_found", f"The recall {number} has no open call {task_id}.")
        (entry,) = await entries(session, state, recall, caller, [row])
    return entry


@router.post(
    "/call-list/claim",
    operation_id="claimCall",
    summary="Take the call that matters most",
    response_model=TaskOut,
    responses=problems("not_found", *_WRITING),
)
async def claim_call(
    request: Request, number: NumberDep, body: ClaimIn, key: KeyDep, caller: Caller, state: StateDep
) -> JSONResponse:
    """Accept the most important offered call that is yours to take; two callers never get the same one.

    The answer is the task; read what to say from `/call-list/{task_id}`.
    """
    recall = await load(state, number)
    if is_final(Phase(recall.phase)):
        raise Problem("recall_closed", f"The recall is {recall.phase}; nobody is called any more.")
    kinds = [CallKind(each) for each in body.kinds]

    async def operation(_: IdempotencyKey) -> Answer:
        now = state.now()
        async with state.sessions.begin() as session:
            whose = await whose_day(session, caller, state)
            task_id = await call_list.next_call(
                session, number, kinds, principal=caller.name, roles=list(whose.roles), now=now
            )
            if task_id is None:
                raise Problem("not_found", f"No call of {number} is left to take for your roles.")
            doer = task_actions.Doer(caller.name, caller.role_for(Permission.CONTACT_CONSIGNEE))
            await task_actions.accept(session, task_id, doer=doer, now=now)
            found = await task_list.find(session, task_id)
            assert found is not None  # noqa: S101 - locked in this transaction
            answer, owner = Answer(200, task_out(*found, now)), (found[0].owner, found[0].key)
        await nudge_owners(state, [owner])
        return answer

    asked = {"number": number, **body.model_dump(mode="json")}
    return await once(state, request, caller, key, asked=asked, operation=operation)


@router.post(
    "/consignees/{consignee_id}/action",
    operation_id="confirmAction",
    status_code=201,
    summary="Record that a consignee has acted",
    response_model=ActionOut,
    responses=problems("not_found", "action_not_owed", *_WRITING),
)
async def confirm_action(
    consignee_id: ConsigneeId, body: ActionIn, at_desk: Annotated[Desk, Depends(desk)]
) -> JSONResponse:
    """Its word that nothing is in use any more ends the chase for it; a later statement can open it again."""

    async def act(session: AsyncSession, by: By) -> ActionOut:
        if body.at > by.at:
            detail = f"expected an instant that has passed, not after {by.at.isoformat()}"
            raise Problem("invalid", "`at` lies in the future.", errors=[FieldProblem(pointer="#/at", detail=detail)])
        new = stages.NewAction(
            number=at_desk.number,
            consignee_id=consignee_id,
            how=body.how,
            channel=body.channel,
            at=body.at,
            stated_by=body.stated_by,
            note=body.note,
            form_id=at_desk.form_id("action"),
        )
        try:
            return ActionOut.model_validate(await stages.confirm(session, new, by), from_attributes=True)
        except stages.ActionNotOwed as error:
            raise Problem("action_not_owed", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error

    return await at_desk.carry_out(body, act, consignee_id=consignee_id, status=201)


def _group_out(group: GroupProgress) -> GroupOut:
    return GroupOut.model_validate(group, from_attributes=True)


def _total(groups: Sequence[GroupProgress]) -> GroupOut | None:
    return _group_out(progress.total(groups)) if groups else None


__all__ = ["router"]
