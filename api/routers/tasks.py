"""Tasks: what people have to do, over all recalls; `mine` is somebody's whole day."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from api.task_doing import TaskAction, whose_day
from api.views import task_out
from db.repositories import task_actions, task_list
from db.repositories.task_actions import Doer
from domain.roles import Permission, Role
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem, Page
from models.schemas_tasks import (
    TaskCompletionIn,
    TaskMoveIn,
    TaskMoveOut,
    TaskOut,
    TaskReassignmentIn,
    TaskReturnIn,
)
from models.task import TaskState

router = APIRouter(tags=["tasks"])
Worker = Annotated[Principal, Depends(require(Permission.WORK_TASKS))]
Reassigner = Annotated[Principal, Depends(require(Permission.REASSIGN_TASKS))]
_ACTION_PROBLEMS = problems(
    "idempotency_key_missing", "unauthenticated", "not_permitted", "not_found", "task_not_open", "invalid"
)
_MINE = "Open tasks that are yours, offered to your roles, or come to you from somebody absent you stand in for."
_LIST_PROBLEMS = problems("bad_cursor", "unauthenticated", "not_permitted", "invalid")


@router.get("/tasks", operation_id="listTasks", summary="List tasks", responses=_LIST_PROBLEMS)
async def list_tasks(
    principal: ReaderDep,
    state: StateDep,
    mine: Annotated[bool, Query(description=_MINE)] = False,
    role: Role | None = None,
    task_state: Annotated[TaskState | None, Query(alias="state")] = None,
    overdue: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TaskOut]:
    """Tasks of every recall, oldest first."""
    return await _page(state, principal if mine else None, None, role, task_state, overdue, limit, cursor)


@router.get(
    "/recalls/{number}/tasks",
    operation_id="listRecallTasks",
    summary="Tasks of one recall",
    responses=_LIST_PROBLEMS | problems("recall_unknown"),
)
async def list_recall_tasks(
    number: NumberDep,
    _: ReaderDep,
    state: StateDep,
    role: Role | None = None,
    task_state: Annotated[TaskState | None, Query(alias="state")] = None,
    overdue: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TaskOut]:
    """Everything people had or have to do for this recall."""
    await load(state, number)
    return await _page(state, None, number, role, task_state, overdue, limit, cursor)


async def _page(
    state: ApiState,
    mine: Principal | None,
    number: str | None,
    role: Role | None,
    task_state: TaskState | None,
    overdue: bool | None,
    limit: int,
    cursor: str | None,
) -> Page[TaskOut]:
    who = mine.name if mine else None
    name = listing_name("tasks", number=number, mine=who, role=role, state=task_state, overdue=overdue)
    after = state.cursors.read(name, cursor)
    now = state.now()
    async with state.sessions() as session:
        rows = await task_list.list_tasks(
            session,
            number=number,
            mine=await whose_day(session, mine, state) if mine else None,
            role=role,
            state=task_state,
            overdue=overdue,
            after=after[0] if after else None,
            limit=limit + 1,
            now=now,
        )
    return page_of(rows, limit, lambda row: task_out(*row, now), lambda row: state.cursors.write(name, [row[0].id]))


@router.get(
    "/tasks/{task_id}",
    operation_id="readTask",
    summary="Read one task",
    responses=problems("unauthenticated", "not_permitted", "not_found", "invalid"),
)
async def read_task(
    task_id: Annotated[int, Path(ge=1, le=2**53, description="Id of the task.")], _: ReaderDep, state: StateDep
) -> TaskOut:
    """One task with its times and where it stands."""
    async with state.sessions() as session:
        found = await task_list.find(session, task_id)
    if found is None:
        raise Problem("not_found", f"There is no task {task_id}.")
    return task_out(*found, state.now())


def _action(
    request: Request,
    task_id: Annotated[int, Path(ge=1, le=2**53, description="Id of the task.")],
    key: KeyDep,
    principal: Worker,
    state: StateDep,
) -> TaskAction:
    return TaskAction(state, request, principal, key, task_id)


def _reassignment(
    request: Request,
    task_id: Annotated[int, Path(ge=1, le=2**53, description="Id of the task.")],
    key: KeyDep,
    principal: Reassigner,
    state: StateDep,
) -> TaskAction:
    return TaskAction(state, request, principal, key, task_id)


@router.post(
    "/tasks/{task_id}/accept",
    operation_id="acceptTask",
    summary="Accept a task",
    response_model=TaskOut,
    responses=_ACTION_PROBLEMS,
)
async def accept_task(action: Annotated[TaskAction, Depends(_action)]) -> JSONResponse:
    """Take an offered task on; the role it is offered to must be yours, or of somebody you stand in for."""
    now = action.state.now()

    async def act(session: AsyncSession, doer: Doer) -> None:
        await task_actions.accept(session, action.task_id, doer=doer, now=now)

    return await action.carry_out({}, act)


@router.post(
    "/tasks/{task_id}/send-back",
    operation_id="sendTaskBack",
    summary="Send a task back",
    response_model=TaskOut,
    responses=_ACTION_PROBLEMS,
)
async def send_task_back(action: Annotated[TaskAction, Depends(_action)], body: TaskReturnIn) -> JSONResponse:
    """Say why this cannot be done, or not by you; the head of the function is told and assigns it anew."""
    now = action.state.now()

    async def act(session: AsyncSession, doer: Doer) -> None:
        await task_actions.send_back(session, action.task_id, doer=doer, reason=body.reason, now=now)

    return await action.carry_out({"reason": body.reason}, act)


@router.post(
    "/tasks/{task_id}/reassign",
    operation_id="reassignTask",
    summary="Reassign a task",
    response_model=TaskOut,
    responses=_ACTION_PROBLEMS,
)
async def reassign_task(
    action: Annotated[TaskAction, Depends(_reassignment)], body: TaskReassignmentIn
) -> JSONResponse:
    """Give a task to a person, to another function, or back to its function; its due time stays."""
    now = action.state.now()

    async def act(session: AsyncSession, doer: Doer) -> None:
        await task_actions.reassign(
            session,
            action.task_id,
            doer=doer,
            role=body.role,
            assignee=body.assignee,
            reason=body.reason,
            now=now,
        )

    return await action.carry_out(body.model_dump(mode="json"), act, others=True)


@router.post(
    "/tasks/{task_id}/complete",
    operation_id="completeTask",
    summary="Complete a task",
    response_model=TaskOut,
    responses=_ACTION_PROBLEMS | problems("evidence_required"),
)
async def complete_task(action: Annotated[TaskAction, Depends(_action)], body: TaskCompletionIn) -> JSONResponse:
    """Say what came of a task that no decision ends, with the files that prove it where it asks for evidence."""
    now = action.state.now()

    async def act(session: AsyncSession, doer: Doer) -> None:
        await task_actions.complete(
            session, action.task_id, doer=doer, outcome=body.outcome, evidence_ids=body.evidence_ids, now=now
        )

    return await action.carry_out(body.model_dump(mode="json"), act)


@router.post(
    "/tasks/move",
    operation_id="moveTasks",
    summary="Move an absent person's tasks",
    response_model=TaskMoveOut,
    responses=problems("idempotency_key_missing", "unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
async def move_tasks(
    request: Request, body: TaskMoveIn, key: KeyDep, principal: Reassigner, state: StateDep
) -> JSONResponse:
    """Move everything that is assigned to one person to another, of one recall or of all; due times stay."""
    if body.number is not None:
        await load(state, body.number)

    async def operation(_: IdempotencyKey) -> Answer:
        doer = Doer(principal.name, principal.role_for(Permission.REASSIGN_TASKS))
        async with state.sessions.begin() as session:
            try:
                moved = await task_actions.move(
                    session,
                    doer=doer,
                    leaver=body.from_,
                    taker=body.to,
                    reason=body.reason,
                    number=body.number,
                    now=state.now(),
                )
            except task_actions.NotAssignable as error:
                faults = [FieldProblem(pointer="#/to", detail=str(error))]
                raise Problem("invalid", "One value is not valid; see `errors`.", errors=faults) from error
        await nudge_owners(state, moved.owners)
        return Answer(200, TaskMoveOut(assigned=list(moved.assigned), offered=list(moved.offered)))

    return await once(state, request, principal, key, asked=body, operation=operation)


__all__ = ["router"]
