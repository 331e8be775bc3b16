"""What people do with tasks: accept, send back, complete, reassign, and move an absent person's tasks at once.

Each is one transaction with its audit event and the message to whoever has the task next. Due times never move here:
a task that changes hands late stays late, and the new hands get as long as the first had before the reminder.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, evidence, files, staff, staff_messages, tasks
from db.repositories.task_list import DECIDED, TaskNotOpen
from domain.roles import HEADS, Role
from domain.task_times import Stage
from models.staff import MessageKind
from models.task import OPEN_STATES, Task, TaskState


class EvidenceRequired(ValueError):  # noqa: N818 - a term of the API
    """The task needs a file that proves what was done, and none is cited."""


class NotAssignable(ValueError):  # noqa: N818 - a term of the API
    """The person is not known, or holds neither the function nor its head's."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who acts: the principal and the role that lets them."""

    principal: str
    role: str
    stands_in_for: Collection[str] = ()
    """Absent persons whose tasks are this one's now."""

    def has(self, assignee: str | None) -> bool:
        """Whether a task assigned so may be worked on by this person."""
        return assignee is None or assignee == self.principal or assignee in self.stands_in_for


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of an absent person's tasks."""

    assigned: tuple[int, ...]
    """Tasks the other person has now."""
    offered: tuple[int, ...]
    """Tasks of functions the other person does not hold; offered to everybody of the function again."""
    owners: tuple[tuple[str, str], ...]
    """(workflow id, task key) of every task that moved."""


async def accept(session: AsyncSession, task_id: int, *, doer: Doer, now: datetime) -> None:
    """Take a task on; accepting one's own again changes nothing.

    Raises:
        TaskNotOpen: it is closed, sent back, or somebody else has it.
    """
    task = await _locked(session, task_id)
    if task.state == TaskState.accepted.value and task.assignee == doer.principal:
        return
    _check(task, doer)
    before = task.assignee
    task.state, task.assignee = TaskState.accepted.value, doer.principal
    facts = {} if before in (None, doer.principal) else {"for": before}
    await _note(session, task, doer, "task.accepted", now, **facts)


async def send_back(session: AsyncSession, task_id: int, *, doer: Doer, reason: str, now: datetime) -> Task:
    """Say that this cannot be done so, or not by these hands; the head of the function is told.

    Raises:
        TaskNotOpen: it is closed, sent back already, or somebody else has it.
    """
    task = await _locked(session, task_id)
    _check(task, doer)
    before = task.assignee
    task.state, task.assignee = TaskState.sent_back.value, None
    task.sent_back_by, task.sent_back_reason = doer.principal, reason
    session.add(task)
    file = await files.get(session, task.file)
    told = await staff_messages.tell(session, file, task, MessageKind.sent_back, now, occasion=now.isoformat())
    await _note(session, task, doer, "task.sent_back", now, reason=reason, assignee=before, told=told)
    return task


async def complete(
    session: AsyncSession, task_id: int, *, doer: Doer, outcome: str, evidence_ids: Sequence[UUID], now: datetime
) -> Task:
    """Close a task that only its doer can call done, with what came of it and what proves it.

    Raises:
        TaskNotOpen: it is closed, somebody else has it, or it ends by a decision elsewhere.
        EvidenceRequired: it needs a file, and none is cited now or was linked to it before.
        db.repositories.evidence.EvidenceUnusable: a file is unknown or belongs to another recall.
    """
    task = await _locked(session, task_id)
    if task.key.startswith(DECIDED):
        raise TaskNotOpen("this task ends with the decision, answer or confirmation it asks for")
    _check(task, doer)
    subject = f"task:{task.id}"
    if task.evidence_required and not evidence_ids and not await evidence.linked(session, task.file, subject):
        raise EvidenceRequired("this task needs evidence: upload the file and name its id in evidence_ids")
    await evidence.link(session, task.file, evidence_ids, subject, by=doer.principal, at=now, role=doer.role)
    await tasks.close(session, task.file, task.key, outcome=outcome, done_by=doer.principal, now=now)
    await session.refresh(task)
    cited = [str(each) for each in evidence_ids]
    await _note(session, task, doer, "task.completed", now, reason=outcome, evidence_ids=cited)
    return task


async def reassign(
    session: AsyncSession,
    task_id: int,
    *,
    doer: Doer,
    role: Role | None,
    assignee: str | None,
    reason: str,
    now: datetime,
) -> Task:
    """Offer a task to another function or person; somebody who is away gets it through the stand-in.

    Raises:
        TaskNotOpen: it is closed.
        NotAssignable: the person is not known or holds neither the function nor its head's.
    """
    task = await _locked(session, task_id)
    if task.state not in OPEN_STATES:
        raise TaskNotOpen(f"the task is {task.state}")
    before = {"role": task.role, "assignee": task.assignee}
    if role is not None and role.value != task.role:
        # Another function: its head is whom the task climbs to; no policy names a stand-in for it.
        task.role, task.first_role, task.stand_in = role.value, role.value, None
    if assignee is not None:
        await _check_holds(session, assignee, task.role, now)
    task.assignee = await staff.assignable(session, assignee, now) if assignee is not None else None
    await _offer_anew(session, task, now)
    facts: dict[str, Any] = {"from": before, "role": task.role, "assignee": task.assignee}
    if assignee is not None and task.assignee != assignee:
        facts["stands_in_for"] = assignee
    await _note(session, task, doer, "task.reassigned", now, reason=reason, **facts)
    return task


async def move(
    session: AsyncSession, *, doer: Doer, leaver: str, taker: str, reason: str, number: str | None, now: datetime
) -> Moved:
    """Move every open task assigned to `leaver`, of one recall or of all, to `taker`.

    A task of a function that `taker` does not hold is offered to its function again: it must not stay with somebody
    who is away, nor go to somebody who cannot do it.

    Raises:
        NotAssignable: `taker` is not known, or away without a stand-in who is there.
    """
    roles = await _roles_of(session, taker, now)
    person = await staff.find(session, taker)
    if person is not None and staff.is_absent(person, now):
        raise NotAssignable(f"{taker} is away; name somebody who is there")
    query = select(Task).where(col(Task.assignee) == leaver, col(Task.state).in_(OPEN_STATES))
    if number is not None:
        query = query.where(files.of_file(Task, number))
    await files.share(session, {task.file for task in (await session.exec(query)).all()})
    fresh = query.with_for_update().execution_options(populate_existing=True)
    found = (await session.exec(fresh.order_by(col(Task.recall_number), col(Task.file_number), col(Task.id)))).all()
    assigned: list[int] = []
    offered: list[int] = []
    for task in found:
        able = _covers(roles, task.role)
        task.assignee = taker if able else None
        (assigned if able else offered).append(task.id or 0)
        await _offer_anew(session, task, now)
        facts = {"from": leaver, "assignee": task.assignee, "role": task.role}
        await _note(session, task, doer, "task.moved", now, reason=reason, **facts)
    owners = tuple((task.owner, task.key) for task in found if task.owner)
    return Moved(tuple(assigned), tuple(offered), owners)


async def _offer_anew(session: AsyncSession, task: Task, now: datetime) -> None:
    task.state = TaskState.offered.value
    if task.stage >= Stage.HANDED_OVER:
        # The new hands have as long as the first had before the reminder; then the head of the function gets it.
        grace = (task.remind_at - task.opened_at) if task.remind_at else _GRACE
        task.stage, task.escalate_at = Stage.HANDED_OVER.value, now + grace
    session.add(task)
    await session.flush()
    file = await files.get(session, task.file)
    await staff_messages.tell(session, file, task, MessageKind.assigned, now, occasion=now.isoformat())


_GRACE: Final = timedelta(hours=12)
"""Where a task never had a reminder; real time, house figure."""


async def _locked(session: AsyncSession, task_id: int) -> Task:
    number = select(func.coalesce(col(Task.recall_number), col(Task.file_number))).where(col(Task.id) == task_id)
    await files.share(session, (await session.exec(number)).all())
    query = select(Task).where(col(Task.id) == task_id).with_for_update().execution_options(populate_existing=True)
    return (await session.exec(query)).one()


def _check(task: Task, doer: Doer) -> None:
    if task.state not in OPEN_STATES:
        raise TaskNotOpen(f"the task is {task.state}")
    if task.state == TaskState.sent_back.value:
        raise TaskNotOpen("it was sent back and waits to be assigned anew")
    if not doer.has(task.assignee):
        raise TaskNotOpen(f"{task.assignee} has it")


async def _roles_of(session: AsyncSession, principal: str, now: datetime) -> frozenset[str]:
    try:
        return await staff.roles_of(session, principal, now)
    except staff.UnknownPerson as error:
        raise NotAssignable(
            f"nobody is known as {principal}: expected a member of staff or a token's person"
        ) from error


async def _check_holds(session: AsyncSession, principal: str, role: str, now: datetime) -> None:
    if not _covers(await _roles_of(session, principal, now), role):
        raise NotAssignable(f"{principal} holds neither the function {role} nor its head's")


def _covers(roles: Collection[str], role: str) -> bool:
    head = HEADS.get(Role(role))
    return role in roles or (head is not None and head.value in roles)


async def _note(
    session: AsyncSession, task: Task, doer: Doer, action: str, now: datetime, reason: str | None = None, **facts: Any
) -> None:
    session.add(task)
    await audit.append(
        session,
        task.file,
        actor=doer.principal,
        role=doer.role,
        action=action,
        at=now,
        reason=reason,
        data={"task_id": task.id, "key": task.key, **facts},
    )


__all__ = [
    "Doer",
    "EvidenceRequired",
    "Moved",
    "NotAssignable",
    "accept",
    "complete",
    "move",
    "reassign",
    "send_back",
]
