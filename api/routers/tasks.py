"""Tasks: what people have to do, over all recalls; `mine` is somebody's whole day."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from api.views import task_out
from db.repositories import task_list
from domain.roles import Permission, Role
from models.access import IdempotencyKey
from models.recall import Recall
from models.schemas_common import Page
from models.schemas_records import TaskCompletionIn, TaskOut
from models.task import Task, TaskState

router = APIRouter(tags=["tasks"])
Worker = Annotated[Principal, Depends(require(Permission.WORK_TASKS))]
_LIST_PROBLEMS = problems("bad_cursor", "unauthenticated", "not_permitted", "invalid")


@router.get("/tasks", operation_id="listTasks", summary="List tasks", responses=_LIST_PROBLEMS)
async def list_tasks(
    principal: ReaderDep,
    state: StateDep,
    mine: Annotated[bool, Query(description="Open tasks assigned to you or offered to your roles.")] = False,
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
            mine=(mine.name, [each.value for each in mine.roles]) if mine else None,
            role=role,
            state=task_state,
            overdue=overdue,
            after=after[0] if after else None,
            limit=limit + 1,
            now=now,
        )
    return page_of(rows, limit, lambda row: task_out(*row, now), lambda row: state.cursors.write(name, [row[0].id]))


@router.post(
    "/tasks/{task_id}/accept",
    operation_id="acceptTask",
    summary="Accept a task",
    response_model=TaskOut,
    responses=problems(
        "idempotency_key_missing", "unauthenticated", "not_permitted", "not_found", "task_not_open", "invalid"
    ),
)
async def accept_task(
    request: Request,
    task_id: Annotated[int, Path(ge=1, le=2**53)],
    key: KeyDep,
    principal: Worker,
    state: StateDep,
) -> JSONResponse:
    """Take an offered task on; the role it is offered to must be yours."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        async with state.sessions.begin() as session:
            task, recall = await _mine(session, task_id, principal)
            try:
                await task_list.accept(session, task_id, principal=principal.name, role=task.role, now=state.now())
            except task_list.TaskNotOpen as error:
                raise _not_open(error) from error
            return Answer(200, task_out(task, recall, state.now()))

    return await once(state, request, principal, key, asked={"task": task_id}, operation=carry_out)


@router.post(
    "/tasks/{task_id}/complete",
    operation_id="completeTask",
    summary="Complete a task",
    response_model=TaskOut,
    responses=problems(
        "idempotency_key_missing", "unauthenticated", "not_permitted", "not_found", "task_not_open", "invalid"
    ),
)
async def complete_task(
    request: Request,
    task_id: Annotated[int, Path(ge=1, le=2**53)],
    body: TaskCompletionIn,
    key: KeyDep,
    principal: Worker,
    state: StateDep,
) -> JSONResponse:
    """Say what came of a task that no decision ends, such as a recipient's call for help."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        async with state.sessions.begin() as session:
            task, recall = await _mine(session, task_id, principal)
            try:
                await task_list.complete(
                    session,
                    task,
                    principal=principal.name,
                    role=task.role,
                    outcome=body.outcome,
                    now=state.now(),
                )
            except task_list.TaskNotOpen as error:
                raise _not_open(error) from error
            await session.refresh(task)
            return Answer(200, task_out(task, recall, state.now()))

    asked = {"task": task_id, "outcome": body.outcome}
    return await once(state, request, principal, key, asked=asked, operation=carry_out)


async def _mine(session: AsyncSession, task_id: int, principal: Principal) -> tuple[Task, Recall]:
    found = await task_list.find(session, task_id)
    if found is None:
        raise Problem("not_found", f"There is no task {task_id}.")
    task, recall = found
    if task.role not in {each.value for each in principal.roles} and task.assignee != principal.name:
        raise Problem("not_permitted", f"The task is offered to the role {task.role}.")
    return task, recall


def _not_open(error: task_list.TaskNotOpen) -> Problem:
    return Problem("task_not_open", f"{str(error)[:1].upper()}{str(error)[1:]}.")


__all__ = ["router"]
