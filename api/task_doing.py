"""What every action on a task needs first: the task, whether it is the caller's, and refusals in the API's words."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.idempotency import Answer, once
from api.nudge import nudge_owners
from api.problems import Problem
from api.security.bearer import Principal
from api.state import ApiState
from api.views import task_out
from db.repositories import evidence, staff, task_actions, task_list
from db.repositories.files import File
from db.repositories.task_list import Whose
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem
from models.task import Task

Act = Callable[[AsyncSession, task_actions.Doer], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class TaskAction:
    """One action on one task by one caller, carried out once per Idempotency-Key."""

    state: ApiState
    request: Request
    principal: Principal
    key: str
    task_id: int

    async def carry_out(self, asked: dict[str, Any], act: Act, *, others: bool = False) -> JSONResponse:
        """Do it in one transaction, then tell the workflow that runs the task's timers.

        `others`: the caller disposes of other people's tasks (reassigning), so it need not be theirs.

        Raises:
            Problem: 404, 403 not yours, 409 not open, 422 what is missing.
        """

        async def operation(_: IdempotencyKey) -> Answer:
            async with self.state.sessions.begin() as session:
                task, recall, doer = await self._found(session, others)
                try:
                    await act(session, doer)
                except Exception as error:
                    raise _problem(error) or error from error
                await session.refresh(task)
                answer = Answer(200, task_out(task, recall, self.state.now()))
                owner = (task.owner, task.key)
            await nudge_owners(self.state, [owner])
            return answer

        asked = {"task": self.task_id, **asked}
        return await once(self.state, self.request, self.principal, self.key, asked=asked, operation=operation)

    async def _found(self, session: AsyncSession, others: bool) -> tuple[Task, File, task_actions.Doer]:
        found = await task_list.find(session, self.task_id)
        if found is None:
            raise Problem("not_found", f"There is no task {self.task_id}.")
        task, recall = found
        if others:
            role = self.principal.role_for(Permission.REASSIGN_TASKS)
            return task, recall, task_actions.Doer(self.principal.name, role)
        whose = await whose_day(session, self.principal, self.state)
        if task.role not in whose.roles and task.assignee not in whose.principals:
            raise Problem("not_permitted", f"The task is offered to the role {task.role}.")
        held = {each.value for each in self.principal.roles}
        role = task.role if task.role in held else self.principal.role_for(Permission.WORK_TASKS)
        return task, recall, task_actions.Doer(self.principal.name, role, tuple(whose.principals[1:]))


async def whose_day(session: AsyncSession, principal: Principal, state: ApiState) -> Whose:
    """The caller first, then the absent people whose tasks are the caller's now."""
    away = await staff.stands_in_for(session, principal.name, state.now())
    roles = dict.fromkeys([*(each.value for each in principal.roles), *(role for each in away for role in each.roles)])
    return Whose(principals=[principal.name, *(each.principal for each in away)], roles=list(roles))


def _problem(error: Exception) -> Problem | None:
    """The refusal of a repository in the API's words; None when it is none."""
    text = f"{str(error)[:1].upper()}{str(error)[1:]}."
    if isinstance(error, task_list.TaskNotOpen):
        return Problem("task_not_open", text)
    if isinstance(error, task_actions.EvidenceRequired):
        return Problem("evidence_required", text)
    if isinstance(error, task_actions.NotAssignable):
        return Problem("invalid", text, errors=[FieldProblem(pointer="#/assignee", detail=str(error))])
    if isinstance(error, evidence.EvidenceUnusable):
        faults = [FieldProblem(pointer="#/evidence_ids", detail=f"{each}: {why}") for each, why in error.faults.items()]
        return Problem("invalid", "The evidence cannot be cited; see `errors`.", errors=faults)
    return None


__all__ = ["TaskAction", "whose_day"]
