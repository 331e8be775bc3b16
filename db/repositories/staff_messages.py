"""Messages to our own people: written in the transaction of what they speak of, sent afterwards, one row per channel.

A drill's rows are written as blocked, so that no sender ever takes them (design §2, promise 10).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import files, staff
from db.rows import insert_new
from domain.channels import Channel
from domain.roles import HEADS, Role
from models.assessment import ExpertReview
from models.complaint import Complaint
from models.quality import QualityFile
from models.recall import Recall
from models.staff import MessageKind, Staff, StaffMessage, StaffMessageState
from models.supplier_request import SupplierAnswer, SupplierRequest
from models.task import Task, TaskState

_SUPPLIER: Final = "supplier:"
"""Start of the principal of messages to a supplier's contact; the number of the request follows."""
_BOTH: Final = (MessageKind.hand_over, MessageKind.escalation, MessageKind.page)
"""What goes out on every channel a person has; the rest takes e-mail, or SMS where there is none."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One message to send, with what its text needs; never leaves the process."""

    message: StaffMessage
    person: Staff
    recall: files.File
    task: Task | None
    complaint: Complaint | None
    expert: ExpertReview | None = None
    """Set where the reader is an expert outside the firm; `person` then holds the address and language alone."""
    supplier: SupplierRequest | None = None
    """Set where the reader is a supplier's contact, likewise."""
    reason: str = ""
    """Why the supplier's answer was sent back."""


async def tell(
    session: AsyncSession, recall: files.File, task: Task, kind: MessageKind, now: datetime, *, occasion: str = ""
) -> int:
    """Tell whoever has the task now, or everybody whose function it is offered to; returns how many people.

    `occasion` tells two messages of one kind about one task apart.
    """
    people = await _concerned(session, task, kind, now)
    await _write(session, recall, kind, people, now, key=f"task:{task.id}:{occasion}", task_id=task.id)
    return len(people)


async def page(session: AsyncSession, recall: Recall, complaint: Complaint, now: datetime) -> list[str]:
    """Page whoever is on call, else the head of quality, on every channel; returns the principals paged.

    Harm is not a matter for tomorrow's list: the message goes to named persons (design §2a).
    """
    people = await staff.on_call(session, now) or await staff.holders(session, Role.HEAD_OF_QUALITY.value, now)
    key = f"complaint:{complaint.id}"
    await _write(session, recall, MessageKind.page, people, now, key=key, complaint_id=complaint.id)
    return [person.principal for person in people]


async def page_task(session: AsyncSession, recall: Recall, task: Task, now: datetime) -> list[str]:
    """Page the same people about a task that is as urgent as a complaint; returns the principals paged."""
    people = await staff.on_call(session, now) or await staff.holders(session, Role.HEAD_OF_QUALITY.value, now)
    await _write(session, recall, MessageKind.page, people, now, key=f"task:{task.id}", task_id=task.id)
    return [person.principal for person in people]


async def tell_expert(
    session: AsyncSession, recall: Recall, review: ExpertReview, kind: MessageKind, now: datetime
) -> None:
    """Write to an expert outside the firm, by e-mail, with the link to the request; once per kind."""
    state = StaffMessageState.blocked if recall.drill else StaffMessageState.pending
    row = {
        "recall_number": recall.number,
        "principal": f"expert:{review.id}",
        "kind": kind.value,
        "channel": Channel.EMAIL.value,
        "dedupe": f"{kind.value}:expert:{review.id}",
        "expert_review_id": review.id,
        "state": state.value,
        "created_at": now,
    }
    await insert_new(session, StaffMessage, row)


async def tell_supplier(
    session: AsyncSession,
    file: QualityFile,
    request: SupplierRequest,
    kind: MessageKind,
    now: datetime,
    *,
    occasion: str = "",
) -> None:
    """Write to a supplier's contact, by e-mail, with the link; once per kind, stage, round and occasion."""
    state = StaffMessageState.blocked if file.drill else StaffMessageState.pending
    row = {
        **files.owner_columns(file.number),
        "principal": f"{_SUPPLIER}{file.number}",
        "kind": kind.value,
        "channel": Channel.EMAIL.value,
        "dedupe": f"{kind.value}:{file.number}:{request.stage}:{request.round}{occasion}",
        "state": state.value,
        "created_at": now,
    }
    await insert_new(session, StaffMessage, row)


async def _concerned(session: AsyncSession, task: Task, kind: MessageKind, now: datetime) -> list[Staff]:
    if kind == MessageKind.sent_back or task.state == TaskState.sent_back.value:
        first = Role(task.first_role or task.role)
        return await staff.holders(session, HEADS.get(first, first).value, now)
    if task.assignee is not None:
        person = await staff.find(session, task.assignee)
        there = await staff.present(session, person, now) if person else None
        if there is not None:
            return [there]
    return await staff.holders(session, task.role, now)


async def _write(
    session: AsyncSession,
    recall: files.File,
    kind: MessageKind,
    people: Iterable[Staff],
    now: datetime,
    *,
    key: str,
    task_id: int | None = None,
    complaint_id: int | None = None,
) -> None:
    state = StaffMessageState.blocked if recall.drill else StaffMessageState.pending
    rows = [
        {
            **files.owner_columns(recall.number),
            "principal": person.principal,
            "kind": kind.value,
            "channel": channel.value,
            "dedupe": f"{kind.value}:{key}:{person.principal}:{channel.value}"[:200],
            "task_id": task_id,
            "complaint_id": complaint_id,
            "state": state.value,
            "created_at": now,
        }
        for person in people
        for channel in _channels(person, kind)
    ]
    await insert_new(session, StaffMessage, rows)


def _channels(person: Staff, kind: MessageKind) -> list[Channel]:
    has = [
        channel
        for channel, address in ((Channel.EMAIL, person.email), (Channel.SMS, person.phone))
        if address is not None
    ]
    return has if kind in _BOTH else has[:1]


async def waiting_channels(session: AsyncSession, number: str) -> tuple[str, ...]:
    """Channels on which messages of this recall wait to be sent."""
    query = (
        select(StaffMessage.channel)
        .where(files.of_file(StaffMessage, number))
        .where(col(StaffMessage.state) == StaffMessageState.pending.value)
        .distinct()
        .order_by(col(StaffMessage.channel))
    )
    return tuple((await session.exec(query)).all())


async def claim_next(session: AsyncSession, number: str, channel: Channel, after: int) -> Pending | None:
    """The next message to send, its row locked until the transaction ends; None when there is none."""
    query = (
        select(StaffMessage)
        .where(
            files.of_file(StaffMessage, number),
            col(StaffMessage.channel) == channel.value,
            col(StaffMessage.state) == StaffMessageState.pending.value,
            col(StaffMessage.id) > after,
        )
        .order_by(col(StaffMessage.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    message = (await session.exec(query)).one_or_none()
    if message is None:
        return None
    expert = await session.get(ExpertReview, message.expert_review_id) if message.expert_review_id else None
    if message.principal.startswith(_SUPPLIER):
        return await _to_supplier(session, message)
    person = _outside(message.principal, expert) if expert else await staff.find(session, message.principal)
    recall = await files.get(session, number)
    assert person is not None  # noqa: S101 - rows are never deleted
    task = await session.get(Task, message.task_id) if message.task_id else None
    complaint = await session.get(Complaint, message.complaint_id) if message.complaint_id else None
    return Pending(message, person, recall, task, complaint, expert)


async def _to_supplier(session: AsyncSession, message: StaffMessage) -> Pending:
    file = await files.get(session, message.file_number or "")
    request = await session.get(SupplierRequest, file.number)
    assert request is not None  # noqa: S101 - rows are never deleted
    query = select(SupplierAnswer.review_reason).where(
        col(SupplierAnswer.request_number) == file.number, col(SupplierAnswer.accepted).is_(False)
    )
    reason = (await session.exec(query.order_by(col(SupplierAnswer.id).desc()).limit(1))).first()
    person = Staff(
        principal=message.principal,
        name=request.contact_name,
        roles=[],
        email=request.contact_email,
        language=request.language,
    )
    return Pending(message, person, file, None, None, supplier=request, reason=reason or "")


def _outside(principal: str, expert: ExpertReview) -> Staff:
    """An expert as somebody to write to; never stored."""
    return Staff(principal=principal, name=expert.name, roles=[], email=expert.email, language=expert.language)


async def list_of(session: AsyncSession, number: str) -> list[StaffMessage]:
    """Messages to staff of one recall, in the order they were written."""
    query = select(StaffMessage).where(col(StaffMessage.recall_number) == number).order_by(col(StaffMessage.id))
    return list((await session.exec(query)).all())


__all__ = [
    "Pending",
    "claim_next",
    "list_of",
    "page",
    "page_task",
    "tell",
    "tell_expert",
    "tell_supplier",
    "waiting_channels",
]
